package terraform

import (
	"errors"
	"regexp"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/text"
)

// Reason says why terraform would not, where a caller may want to know.
type Reason string

// The reasons that are told apart.
const (
	Stale  Reason = "stale"  // the state moved on since the plan was made
	Locked Reason = "locked" // somebody else holds the state's lock
	// OtherArchive is a module whose archive has another checksum than its source names.
	OtherArchive Reason = "other-archive"
)

// Error is a terraform command that failed. Words are terraform's own, and may
// quote values.
type Error struct {
	Reason Reason // empty for any other
	Words  string
	Cause  error
}

func (e *Error) Error() string {
	text := e.Words
	if text == "" {
		text = e.Cause.Error()
	}
	switch {
	case errors.Is(e.Cause, process.ErrNotFound):
		return "terraform is not on PATH: install the version that the root asks for, or name another program with --terraform"
	case strings.Contains(text, "lock file") && strings.Contains(text, "readonly"), strings.Contains(
		text, "Provider dependency changes detected",
	):
		return text + "\n(.terraform.lock.hcl must name every provider: run terraform init, and commit it)"
	}
	return text
}

// Unwrap keeps the cause reachable.
func (e *Error) Unwrap() error { return e.Cause }

// ErrNotFound is the cause where there is no such program.
var ErrNotFound = process.ErrNotFound

// IsReason reports whether terraform failed for that reason.
func IsReason(err error, reason Reason) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == reason
}

func explain(err error, diagnostics string) error {
	words := diagnostics
	var child *process.Error
	if errors.As(err, &child) {
		if words == "" {
			words = child.Stderr
		}
	}
	e := &Error{Words: plain(words), Cause: err}
	switch {
	case strings.Contains(words, "Saved plan is stale"), strings.Contains(words, "does not match the current state"):
		e.Reason = Stale
	case strings.Contains(words, "Error acquiring the state lock"):
		e.Reason = Locked
	case strings.Contains(words, "Checksums did not match for"): // of go-getter, in both programs
		e.Reason = OtherArchive
	case strings.Contains(words, "Failed to persist state"), strings.Contains(words, "Failed to save state"):
		e.Reason = Unsaved
	case strings.Contains(words, "Error releasing the state lock"):
		e.Reason = LockLost
	}
	return e
}

var (
	frame   = regexp.MustCompile(`(?m)^[╷│╵] ?`)
	command = regexp.MustCompile(`(?m)^(\s*)::`)
	escape  = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")
	blank   = regexp.MustCompile(`\n{3,}`)
)

// plain takes the frame off terraform's messages, which may hold text from
// outside, and leaves nothing in them that the runner would take as a command
// or a terminal as anything but text.
func plain(words string) string {
	words = frame.ReplaceAllString(escape.ReplaceAllString(words, ""), "")
	words = command.ReplaceAllString(words, "$1│ ::")
	return strings.TrimSpace(text.Printable(blank.ReplaceAllString(words, "\n\n")))
}

// warningsIn finds the warnings in what terraform printed: with a frame each, or without
// colours, without one. A rule ends the last of them.
func warningsIn(out string) (warnings []string) {
	var lines []string
	end := func() {
		if text := plain(strings.Join(lines, "\n")); text != "" {
			warnings = append(warnings, strings.TrimPrefix(text, "Warning: "))
		}
		lines = nil
	}
	for line := range strings.SplitSeq(escape.ReplaceAllString(out, ""), "\n") {
		inside := frame.ReplaceAllString(line, "")
		switch {
		case strings.HasPrefix(line, "╷"), strings.HasPrefix(line, "╵"), strings.HasPrefix(line, "─"):
			end()
		case strings.HasPrefix(inside, "Warning: "):
			end()
			lines = []string{inside}
		case lines != nil:
			lines = append(lines, inside)
		}
	}
	end()
	return warnings
}
