package show_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/command/show"
)

// Each format prints its rendering on stdout; the others go where they always go.
func TestFormats(t *testing.T) {
	t.Parallel()
	result := struct {
		Image string `json:"image"`
	}{"app"}
	v := show.View{Text: "text\n", Markdown: "**markdown**\n", Outputs: map[string]string{"b": "2", "a": "1"}}
	v.Linef("a line of %d%%", 5)
	for format, want := range map[options.Format]string{
		options.FormatText: "text\n", options.FormatJSON: "{\n  \"image\": \"app\"\n}\n", options.FormatMarkdown: "**markdown**\n",
		options.FormatLegacy: "text\n",
	} {
		var stdout, other bytes.Buffer
		err := v.Show(result, show.To{
			Format: format, Stdout: &stdout, Runner: runner.New(func(string) string { return "" }, &other),
			Sayf:   func(format string, args ...any) { fmt.Fprintf(&other, format+"\n", args...) },
			Output: func(name, value string) error { fmt.Fprintf(&other, "%s=%s\n", name, value); return nil },
		})
		if err != nil || stdout.String() != want || other.String() != "a line of 5%\na=1\nb=2\n" {
			t.Errorf("%s: %q, %q, %v", format, stdout.String(), other.String(), err)
		}
	}
}

// A document that the view makes stands for the result.
func TestDocumentOfTheView(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	to := show.To{Format: options.FormatJSON, Stdout: &stdout, Runner: runner.New(func(string) string { return "" }, &stdout)}
	if err := (show.View{Document: []int{1}}).Show("result", to); err != nil || strings.Contains(stdout.String(), "result") {
		t.Errorf("%q, %v", stdout.String(), err)
	}
}
