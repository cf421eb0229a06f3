// Package show renders the result of a command. A result is one value; the lines
// on a terminal, the JSON document, the step's summary, its outputs and its
// annotations are renderings of it, and come from nowhere else.
package show

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/text"
)

// View is a result as its readers see it. Any part may be empty.
type View struct {
	Lines       []string              // on stderr, for people
	Last        string                // the line on stderr after the result
	Text        string                // on stdout, with --format text
	Markdown    string                // in the step's summary; on stdout with --format markdown
	HTML        func(io.Writer) error // on stdout with --format html
	Printed     string                // on stdout with --format markdown, if it is not Markdown
	Document    any                   // on stdout with --format json; the result itself if nil
	Outputs     map[string]string     // for the steps after this one
	Annotations []runner.Annotation
	Verdict     error // a refusal or a wait; nil if the command did what it is for
}

// Linef adds a line for people.
func (v *View) Linef(format string, args ...any) {
	v.Lines = append(v.Lines, fmt.Sprintf(format, args...))
}

// To is where the renderings of a view go.
type To struct {
	Format options.Format
	Stdout io.Writer
	Runner *runner.Runner
	Sayf   func(format string, args ...any)
	Output func(name, value string) error
	Quiet  bool // whether lines are left out that say what was done, not what was found
}

// Show writes every rendering of the result.
func (v View) Show(result any, to To) error {
	found := v.Verdict != nil || len(v.Annotations) > 0
	for _, line := range v.Lines {
		if found || !to.Quiet {
			to.Sayf("%s", line)
		}
	}
	if err := v.print(result, to); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if v.Last != "" && !to.Quiet {
		to.Sayf("%s", v.Last)
	}
	for _, a := range v.Annotations {
		if err := to.Runner.Annotate(a); err != nil {
			return err
		}
	}
	if v.Markdown != "" {
		if err := to.Runner.Summary(v.Markdown); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Outputs)) {
		if err := to.Output(name, v.Outputs[name]); err != nil {
			return err
		}
	}
	return nil
}

func (v View) print(result any, to To) error {
	shown := v.Text
	switch to.Format {
	case options.FormatHTML:
		return v.HTML(to.Stdout)
	case options.FormatJSON:
		if v.Document != nil {
			result = v.Document
		}
		shown = JSON(result) + "\n"
	case options.FormatMarkdown:
		shown = cmp.Or(v.Printed, v.Markdown)
	}
	_, err := io.WriteString(to.Stdout, shown)
	return err
}

// JSON is a result as a document. It panics for a value that has no JSON form,
// which a test of the views excludes.
func JSON(result any) string {
	data, err := text.JSON(result)
	if err != nil {
		panic(err)
	}
	return string(data)
}
