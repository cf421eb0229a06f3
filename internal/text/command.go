package text

import "strings"

// The runner's older form of a command, which counts anywhere in a line, and how
// it is broken in text and in JSON.
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
const (
	oldCommand     = "##["
	brokenCommand  = "# #["
	escapedCommand = `#\u0023[`
)

// NoCommand breaks the runner's older form of a command.
func NoCommand(s string) string { return strings.ReplaceAll(s, oldCommand, brokenCommand) }

// NoCommandInJSON escapes the runner's older form of a command in a document,
// which keeps its meaning.
func NoCommandInJSON(document string) string {
	return strings.ReplaceAll(document, oldCommand, escapedCommand)
}
