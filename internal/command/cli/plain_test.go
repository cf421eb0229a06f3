package cli_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
)

// Words from outside that begin a line are no command to the runner.
func TestWordsAreNoCommands(t *testing.T) {
	t.Parallel()
	got := run(t, nil, func(call *cli.Call) error {
		call.Sayf("%s: applied", "::set-output name=a::b")
		return errors.New("first\n::add-mask::second")
	}, "verify", "img")
	for line := range strings.SplitSeq(got.stderr, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Errorf("the runner would take %q as a command", line)
		}
	}
	if !strings.Contains(got.stderr, "set-output name=a") || !strings.Contains(got.stderr, "add-mask::second") {
		t.Errorf("the words are gone: %q", got.stderr)
	}
}
