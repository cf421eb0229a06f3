package runner

import (
	"io"
	"regexp"
	"strings"

	"github.com/waybill-dev/waybill/internal/text"
)

// commandLine is how a line begins that the runner takes as a command. It ends
// lines at a carriage return too, and trims every blank that Unicode knows.
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
var commandLine = regexp.MustCompile(`(^|[\r\n])([\s\v\x{85}\x{feff}\p{Z}]*)::`)

// Plain leaves nothing in words that the runner would take as a command: names
// from outside can stand at the beginning of a line too. It is for words alone,
// and changes nothing in which there is no such line.
func Plain(words string) string {
	return text.NoCommand(commandLine.ReplaceAllString(words, "$1$2: :"))
}

// PlainWriter passes words on as Plain does, also where a command is spread over
// several writes. A document in JSON keeps its meaning: there the older form,
// which can stand in a text alone, is written with an escape.
type PlainWriter struct {
	W    io.Writer
	JSON bool

	before string // what of the line that is begun can be the begin of a command
}

// Write implements io.Writer.
func (p *PlainWriter) Write(data []byte) (int, error) {
	words := string(data)
	if words == "" {
		return 0, nil
	}
	before := p.before
	p.before = begun(before + words)
	if p.JSON {
		words = text.NoCommandInJSON(words)
	}
	plain, ok := strings.CutPrefix(Plain(before+words), before)
	if !ok { // before ends in ##, and the bracket follows
		plain = " " + Plain(words)
	}
	if _, err := io.WriteString(p.W, plain); err != nil {
		return 0, err
	}
	return len(data), nil
}

var blank = regexp.MustCompile(`^[\s\v\x{85}\x{feff}\p{Z}]*(:?)$`)

// begun shortens the last line to what the next write may complete.
func begun(text string) string {
	line := text[strings.LastIndexAny(text, "\r\n")+1:]
	if m := blank.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	rest := strings.TrimRight(line, "#")
	return "x" + strings.Repeat("#", min(len(line)-len(rest), 2))
}
