package runner

import "regexp"

// commandLine is how a line begins that the runner takes as a command.
var commandLine = regexp.MustCompile(`(?m)^(\s*)::`)

// oldCommand is the older form, which counts anywhere in a line.
var oldCommand = regexp.MustCompile(`##\[`)

// Plain leaves nothing in words that the runner would take as a command: names
// from outside can stand at the beginning of a line too. It is for words alone,
// and changes nothing in which there is no such line.
func Plain(words string) string {
	return oldCommand.ReplaceAllString(commandLine.ReplaceAllString(words, "$1: :"), "# #[")
}
