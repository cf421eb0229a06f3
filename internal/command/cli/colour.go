package cli

import (
	"bytes"
	"io"
	"regexp"

	"github.com/waybill-dev/waybill/internal/command/contract"
)

// The colours of a terminal, by ECMA-48's select graphic rendition.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// verdicts are the words that are coloured: at the beginning of a line, or in
// the second column of a waybill's lines ("  signature  ok  …").
var verdicts = []struct {
	words  *regexp.Regexp
	colour string
}{
	{regexp.MustCompile(`^(?:  [a-z][\w-]* +)?(refused|error|failed|broken)\b`), red},
	{regexp.MustCompile(`^(?:  [a-z][\w-]* +)?(pending|note|kept|wait|declined|foreign)\b`), yellow},
	{
		regexp.MustCompile(`^(?:  [a-z][\w-]* +)?` +
			`(ok|allowed|approved|applied|bumped|current|signed|verified|wrote|opened|updated|pushed|committed)\b`),
		green,
	},
}

// coloured gives a writer that colours verdicts where w is a terminal that
// people read, and w itself elsewhere: in files, pipes and Actions every byte is
// as it was. https://no-color.org
func coloured(w io.Writer, getenv func(string) string) io.Writer {
	if !isTerminal(w) || !wantsColour(getenv) {
		return w
	}
	return painter{w}
}

func wantsColour(getenv func(string) string) bool {
	return getenv(contract.EnvNoColor.Name) == "" && getenv(contract.EnvTerm.Name) != "dumb" && getenv("GITHUB_ACTIONS") == ""
}

// painter colours each line by itself; what has no line end yet, such as a
// question, passes at once.
type painter struct{ w io.Writer }

func (p painter) Write(text []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		out.Write(paint(line))
	}
	if _, err := p.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}

func paint(line []byte) []byte {
	for _, v := range verdicts {
		if at := v.words.FindSubmatchIndex(line); at != nil {
			return bytes.Join([][]byte{line[:at[2]], []byte(v.colour), line[at[2]:at[3]], []byte(plain), line[at[3]:]}, nil)
		}
	}
	return line
}
