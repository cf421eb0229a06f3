package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// What make bench writes stands between these lines of the document.
const (
	beginMark = "<!-- Written by make bench, from here -->\n"
	endMark   = "<!-- to here. -->\n"
)

// replaceFigures puts figures between the marks of a document.
func replaceFigures(document, figures []byte) ([]byte, error) {
	before, rest, begins := bytes.Cut(document, []byte(beginMark))
	_, after, ends := bytes.Cut(rest, []byte(endMark))
	if !begins || !ends {
		return nil, errors.New("the document has no place for the figures: it needs the two lines that begin and end it")
	}
	return bytes.Join([][]byte{before, []byte(beginMark), figures, []byte(endMark), after}, nil), nil
}

// writeFigures replaces the figures in a file.
func writeFigures(file string, figures []byte) error {
	document, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if document, err = replaceFigures(document, figures); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, document, 0o644)
}

// machine says where and when the figures are from: a loaded machine gives others.
func machine(now time.Time) string {
	load, _, _ := strings.Cut(read("/proc/loadavg"), " ")
	return fmt.Sprintf("Run of %s: %d cores (%s), %s of memory, %s/%s, %s. The load was %s at the beginning.\n",
		now.UTC().Format(time.DateOnly), runtime.NumCPU(), field(read("/proc/cpuinfo"), "model name"), memory(read("/proc/meminfo")),
		runtime.GOOS, runtime.GOARCH, runtime.Version(), orUnknown(load))
}

func read(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(data)
}

// field is a value of a file of lines NAME : VALUE.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return orUnknown(strings.TrimSpace(value))
		}
	}
	return orUnknown("")
}

func memory(meminfo string) string {
	var kB int
	if _, err := fmt.Sscanf(field(meminfo, "MemTotal"), "%d kB", &kB); err != nil {
		return orUnknown("")
	}
	return fmt.Sprintf("%d GiB", (kB+1<<19)>>20)
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
