package approval

import (
	"strconv"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// The examples of GitHub's own description, and where its patterns are not
// gitignore's.
func TestCodeOwners(t *testing.T) {
	t.Parallel()
	c, err := ParseCodeOwners("CODEOWNERS", []byte(strings.Join([]string{
		"# a comment",
		"*       @global1 @global2",
		"*.js    @js # inline",
		"*.go docs@example.com",
		"*.txt @octo/cats",
		"/build/log/ @doctocat",
		"direct/*  @direct",
		"apps/ @octocat",
		"/cleared/ @octocat",
		"/cleared/by",
		"**/logs @logs",
		"/scripts/*.sh @scripts\r",
		"with\\ space/ @space",
		"/only @only",
		"a/**/z @deep",
		"/brace{s} @brace",
		"/top/* @top",
		"/ @nothing",
		"  /indented   @indented  ",
	}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"README": "2 global1,global2", "deep/er/file": "2 global1,global2",
		"a.js": "3 js", "x/y/a.js": "3 js", "x/a.jsx": "2 global1,global2",
		"main.go": "4 !docs@example.com", "x/a.txt": "5 octo/cats",
		"build/log/a": "6 doctocat", "build/log/b/c": "6 doctocat", "x/build/log": "2 global1,global2", "build/log": "2 global1,global2",
		"direct/a": "7 direct", "direct/a/b": "2 global1,global2", "x/direct/a": "2 global1,global2",
		"apps/a": "8 octocat", "x/apps/y/z": "8 octocat", "apps": "2 global1,global2",
		"cleared/a": "9 octocat", "cleared/by": "10 ", "cleared/by/x": "10 ", "cleared/bye": "9 octocat",
		"logs": "11 logs", "x/y/logs/z": "11 logs", "scripts/a.sh": "12 scripts", "scripts/x/a.sh": "2 global1,global2",
		"with space/x": "13 space", "only": "14 only", "only/x": "14 only", "x/only": "2 global1,global2", "Only": "2 global1,global2",
		"a/z": "15 deep", "a/b/c/z": "15 deep", "a/b/z/q": "15 deep", "brace{s}": "16 brace", "braces": "2 global1,global2",
		"top/a": "17 top", "top/a/b": "2 global1,global2", "indented": "19 indented",
	} {
		line := c.owners(file)
		got := strings.Join(line.owners, ",")
		if len(line.unknown) > 0 {
			got += "!" + strings.Join(line.unknown, ",")
		}
		if got = strconv.Itoa(line.number) + " " + got; got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	if empty, err := ParseCodeOwners("CODEOWNERS", nil); err != nil || empty.owners("a").number != 0 {
		t.Errorf("an empty file: %v", err)
	}
}

// What GitHub skips without a word is refused, with its place.
func TestCodeOwnersProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"* @a\n!x @b":                          "CODEOWNERS:2: CODEOWNERS knows no negation: GitHub skips this line",
		"*.[ch] @a":                            "no character ranges",
		"\\#x @a":                              "no # in a pattern",
		"x#y @a":                               "no # in a pattern",
		"x a":                                  `"a" is neither @USER`,
		"x @a/b/c":                             "neither @USER",
		"x @":                                  "neither @USER",
		"x @a@b.example":                       "neither @USER",
		"x\\":                                  "within an escape",
		"x*** @a":                              "*** is not a pattern",
		"x\x00y @a":                            "a character that does not show",
		"\ufeff* @a":                           "CODEOWNERS:1: it holds a character that does not show",
		"* @a\n\u00a0* @b":                     "CODEOWNERS:2: it holds a character that does not show",
		"/x\u00a0@eve @a":                      "a space outside of ASCII",
		"/x\v@eve @a":                          "a character that does not show",
		"/x\u2028@eve @a":                      "a space outside of ASCII",
		"/x\u200b @a":                          "a character that does not show",
		"/x @a \u00a0# @b":                     "a space outside of ASCII",
		"\xff @a":                              "not UTF-8",
		strings.Repeat("# filling\n", 300_000): "does not read one of 3 MB",
		"* @a\n" + strings.Repeat("x", 100<<10) + " b": "CODEOWNERS:2:",
	} {
		_, err := ParseCodeOwners("CODEOWNERS", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || outcome.Code(err) != outcome.Refused {
			t.Errorf("%.40q: %.300v, want %q", text, err, want)
		}
	}
	// A long line is read to its end, and what follows it too.
	c, err := ParseCodeOwners("CODEOWNERS", []byte("* @a\n/x "+strings.Repeat("@b ", 100<<10)+"\n/y @c\n"))
	if err != nil || len(c.owners("x").owners) != 100<<10 || c.owners("y").owners[0] != "c" {
		t.Errorf("a long line: %v", err)
	}
}
