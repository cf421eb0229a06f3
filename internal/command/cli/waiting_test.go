package cli

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLongCommandsSayThatTheyGoOn(t *testing.T) {
	t.Parallel()
	said := func(command string, lines int) (list []string) {
		ticks := make(chan time.Time)
		stop := goesOn(command, func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) },
			func(time.Duration) <-chan time.Time { return ticks })
		for range lines {
			ticks <- time.Time{}
		}
		stop()
		return list
	}
	if got := said("check", 0); got != nil {
		t.Errorf("a quick command says %q", got)
	}
	want := []string{
		"check goes on after 2s; --debug says each request", "check goes on after 10s; --debug says each request",
		"check goes on after 30s; --debug says each request", "check goes on after 1m0s; --debug says each request",
		"check goes on after 1m30s; --debug says each request",
	}
	if diff := cmp.Diff(want, said("check", 5)); diff != "" {
		t.Error(diff)
	}
	for _, command := range talks { // between a question and its answer nothing is said
		stop := goesOn(command, nil, func(time.Duration) <-chan time.Time { t.Errorf("%s is timed", command); return nil })
		stop()
	}
}

// Pipes, files and logs are written as they were.
func TestOnlyATerminalIsToldThatACommandGoesOn(t *testing.T) {
	t.Parallel()
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if isTerminal(&bytes.Buffer{}) || isTerminal(file) {
		t.Error("a buffer or a file is taken for a terminal")
	}
}
