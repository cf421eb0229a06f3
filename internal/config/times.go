package config

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/text"
)

// duration is a duration such as 30m, 24h or 7d.
type duration time.Duration

func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := text.ParseDuration(n.Value)
	*d = duration(parsed)
	return placed(n, err)
}

// instant is a day (its first instant, UTC) or a time.
type instant time.Time

func (t *instant) UnmarshalYAML(n *yaml.Node) error {
	parsed, _, err := ParseTime(n.Value)
	*t = instant(parsed)
	return placed(n, err)
}

// endtime is a day (the instant after its last) or a time.
type endtime time.Time

func (t *endtime) UnmarshalYAML(n *yaml.Node) error {
	parsed, day, err := ParseTime(n.Value)
	if day {
		parsed = parsed.AddDate(0, 0, 1)
	}
	*t = endtime(parsed)
	return placed(n, err)
}

func placed(n *yaml.Node, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Line: n.Line, Column: n.Column, Message: err.Error()}
}

// ParseTime reads a day (its first instant, UTC) or an instant, and tells which it is.
func ParseTime(text string) (t time.Time, day bool, err error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, true, nil
	}
	t, err = time.Parse(time.RFC3339, strings.Replace(strings.ToUpper(text), " ", "T", 1))
	if err != nil {
		return time.Time{}, false, fmt.Errorf("%q is neither a day such as 2026-12-20 nor an instant such as 2026-12-20T18:00:00Z", text)
	}
	return t, false, nil
}
