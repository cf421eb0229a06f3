package build

import (
	"fmt"
	"strconv"
	"strings"
)

// Compression of layers. The zero value is gzip at the engine's own level.
type Compression struct {
	Gzip, Zstd bool // which was asked for
	Level      int  // 0 is the engine's own
}

// Name is what the OCI image specification calls the compression.
func (c Compression) Name() string {
	if c.Zstd {
		return "zstd"
	}
	return "gzip"
}

// ParseCompression reads gzip or zstd, with a comma and a level after it if
// one is wished.
func ParseCompression(text string) (Compression, error) {
	if text == "" {
		return Compression{}, nil
	}
	name, level, leveled := strings.Cut(text, ",")
	most := map[string]int{"gzip": 9, "zstd": 22}[name]
	if most == 0 {
		return Compression{}, fmt.Errorf("%q is not gzip or zstd, with a level after a comma, such as zstd,12", text)
	}
	c := Compression{Gzip: name == "gzip", Zstd: name == "zstd"}
	if !leveled {
		return c, nil
	}
	var err error
	if c.Level, err = strconv.Atoi(strings.TrimPrefix(level, "level=")); err != nil || c.Level < 1 || c.Level > most {
		return Compression{}, fmt.Errorf("%q is no level of %s: want 1 to %d", level, name, most)
	}
	return c, nil
}
