package approval

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// maxCodeOwners is where GitHub stops reading the file at all: 3 MB.
const maxCodeOwners = 3_000_000

// CodeOwners says who owns which file, as GitHub reads CODEOWNERS: the last
// line that matches decides, and one without owners means nobody.
//
// A line that GitHub would skip is an error here: an earlier line would decide
// in its place, and nobody would see it. The matching is our own, a translation
// to doublestar's globs, because the libraries for it take such lines, or stop
// at a long one, without a word.
type CodeOwners struct {
	file  string
	lines []ownersLine
}

type ownersLine struct {
	number  int
	globs   []string
	owners  []string // users, and teams as ORG/TEAM
	unknown []string // email addresses: no API says whose they are
}

var (
	ownerName  = regexp.MustCompile(`^@([A-Za-z0-9][A-Za-z0-9_-]*(?:/[A-Za-z0-9_.-]+)?)$`)
	ownerEmail = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)
)

// ParseCodeOwners reads the file; name is what to call it.
func ParseCodeOwners(name string, data []byte) (*CodeOwners, error) {
	if len(data) >= maxCodeOwners {
		return nil, outcome.Refusedf("%s has %d bytes: GitHub does not read one of 3 MB or more, so it names nobody", name, len(data))
	}
	if !utf8.Valid(data) {
		return nil, outcome.Refusedf("%s is not UTF-8", name)
	}
	c := &CodeOwners{file: name}
	var problems []error
	number := 0
	for text := range strings.SplitSeq(string(data), "\n") {
		number++
		text = strings.Trim(text, " \t\r")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		line, err := parseOwners(text)
		if strings.ContainsFunc(text, odd) {
			err = errors.New("it holds a character that does not show, or a space outside of ASCII")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w: GitHub skips this line, and an earlier one would decide", name, number, err))
			continue
		}
		line.number = number
		c.lines = append(c.lines, line)
	}
	if len(problems) > 0 {
		return nil, outcome.Refusedf("%w", outcome.Join(problems...))
	}
	return c, nil
}

// odd reports whether a character ends a word for some readers, and for others is a part
// of it that nobody sees: such as a byte order mark, or a space that does not break.
func odd(r rune) bool {
	return r != '\t' && r != ' ' && (unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r))
}

func parseOwners(text string) (ownersLine, error) {
	pattern, rest := cutPattern(text)
	globs, err := ownersGlobs(pattern)
	if err != nil {
		return ownersLine{}, err
	}
	line := ownersLine{globs: globs}
	for word := range strings.FieldsSeq(rest) {
		if strings.HasPrefix(word, "#") {
			break // a comment, to the end of the line
		}
		switch {
		case ownerName.MatchString(word):
			line.owners = append(line.owners, word[1:])
		case ownerEmail.MatchString(word) && !strings.HasPrefix(word, "@"):
			line.unknown = append(line.unknown, word)
		default:
			return ownersLine{}, fmt.Errorf("%q is neither @USER, @ORG/TEAM nor an email address", word)
		}
	}
	return line, nil
}

// cutPattern ends the pattern at the first space that is not escaped.
func cutPattern(text string) (pattern, rest string) {
	escaped := false
	for i, r := range text {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case unicode.IsSpace(r):
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// ownersGlobs are the globs that stand for a pattern, in gitignore's form less
// what CODEOWNERS does not know: negation, ranges, an escaped #.
func ownersGlobs(pattern string) ([]string, error) {
	switch {
	case strings.HasPrefix(pattern, "!"):
		return nil, errors.New("CODEOWNERS knows no negation")
	case strings.ContainsAny(pattern, "[]"):
		return nil, errors.New("CODEOWNERS knows no character ranges")
	case strings.Contains(pattern, "#"):
		return nil, errors.New("CODEOWNERS knows no # in a pattern, escaped or not")
	case strings.Contains(pattern, "***"):
		return nil, errors.New("*** is not a pattern")
	case strings.HasSuffix(pattern, `\`) && !strings.HasSuffix(pattern, `\\`):
		return nil, errors.New("the pattern ends within an escape")
	}
	trimmed, directory := strings.CutSuffix(pattern, "/")
	trimmed, anchored := strings.CutPrefix(trimmed, "/")
	if trimmed == "" {
		return nil, nil // "/" matches nothing
	}
	last := trimmed[strings.LastIndexByte(trimmed, '/')+1:]
	if last == "**" { // what is below, and not the directory itself
		below := "**/*"
		if directory {
			below = "*/**/*"
		}
		trimmed, anchored, directory = strings.TrimSuffix(trimmed, last)+below, true, false
		last = "*"
	}
	if glob := strings.NewReplacer("{", `\{`, "}", `\}`).Replace(trimmed); anchored || strings.Contains(trimmed, "/") {
		trimmed = glob
	} else {
		trimmed = "**/" + glob
	}
	if !doublestar.ValidatePattern(trimmed) {
		return nil, fmt.Errorf("%q is not a pattern", pattern)
	}
	switch {
	case directory:
		return []string{trimmed + "/**/*"}, nil
	case last == "*" && strings.Contains(strings.TrimPrefix(trimmed, "**/"), "/"), last == "*" && anchored:
		return []string{trimmed}, nil // docs/* is what lies in docs, and nothing deeper
	}
	return []string{trimmed, trimmed + "/**/*"}, nil
}

// Owners says who owns a file, and by which line; zero when none matches.
func (c *CodeOwners) owners(file string) ownersLine {
	for i := len(c.lines) - 1; i >= 0; i-- {
		for _, glob := range c.lines[i].globs {
			if ok, err := doublestar.Match(glob, file); err == nil && ok {
				return c.lines[i]
			}
		}
	}
	return ownersLine{}
}
