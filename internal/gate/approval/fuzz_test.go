package approval

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// FuzzCodeOwners looks for files that stop the reader, that it reads otherwise
// with other line endings and comments, or in which another line than the last
// one that matches decides.
func FuzzCodeOwners(f *testing.F) {
	for _, seed := range []string{
		"* @acme/all\n", "/infra/ @bob # why\n", "docs/* a@b.example\n", "**/x @a\n/ @b\n", `a\ b @c` + "\n",
		"[a] @b\n", "!a @b\n", "a\n* @x\na\n",
		"{a,b} @c\n", "a/**/b @c\n", "***\n", `a\` + "\n", "a @\n", "?\u00e9 @c\n", "a/**/**/**/**/**/**/b @c\n",
		"\ufeff* @a\n",
	} {
		f.Add([]byte(seed), "infra/a b/x.tf")
	}
	f.Fuzz(func(t *testing.T, data []byte, file string) {
		c, err := ParseCodeOwners("CODEOWNERS", data)
		if err != nil {
			if outcome.Code(err) != outcome.Refused || !strings.HasPrefix(err.Error(), "CODEOWNERS") {
				t.Errorf("not refused with its place: %v", err)
			}
			return
		}
		decides := c.owners(file)
		for _, line := range c.lines {
			if line.number > decides.number && (&CodeOwners{lines: []ownersLine{line}}).owners(file).number != 0 {
				t.Errorf("line %d decides about %q, and line %d matches too:\n%s", decides.number, file, line.number, data)
			}
		}
		ending := bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
		same, err := ParseCodeOwners("CODEOWNERS", append([]byte("# a comment\r\n\r\n"), ending...))
		if err != nil {
			t.Fatalf("%v, with other line endings", err)
		}
		if got := same.owners(file); strings.Join(got.owners, " ") != strings.Join(decides.owners, " ") {
			t.Errorf("%q has the owners %q, and %q with other line endings", file, decides.owners, got.owners)
		}
		last, err := ParseCodeOwners("CODEOWNERS", append(bytes.Clone(data), "\n* @last\n"...))
		if err != nil {
			t.Fatal(err)
		}
		if got := last.owners("infra/x.tf"); len(got.owners) != 1 || got.owners[0] != "last" {
			t.Errorf("the last line is of everything, and %q decides", got.owners)
		}
	})
}

var hexDigits = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// FuzzNamed looks for texts that approve what their writer only quotes or hides.
func FuzzNamed(f *testing.F) {
	for _, seed := range []string{
		"/approve a41f09c277de", "approve a41f 09c2 77de", "> /approve a41f09c277de", "```\n/approve a41f09c277de\n```",
		"````\n```\n/approve a41f09c277de\n````", "```\n```go\n/approve a41f09c277de\n```",
		"<!--\n/approve a41f09c277de\n-->",
		"~~~\n```\n/approve a41f09c277de", "- a\n\n      /approve a41f09c277de", "    /approve a41f09c277de",
		"/approve `a41f09c277de`\r\n",
		"a\n/approve a41f09c277de\nb",
		"<details>\n/approve a41f09c277de\n</details>", "> a\n/approve a41f09c277de",
		"a <!-- b\n/approve a41f09c277de\n-->",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, kind := range []string{Review, Comment} {
			for _, f := range named(Vote{Kind: kind, Body: body}) {
				if !hexDigits.MatchString(string(f)) {
					t.Errorf("%q names %q", body, f)
				}
				if kind == Comment && !strings.Contains(strings.ToLower(body), "/approve") {
					t.Errorf("%q approves without the command", body)
				}
			}
			// Whatever stands in a text approves nothing once somebody quotes all of it.
			if found := named(Vote{Kind: kind, Body: "> " + strings.ReplaceAll(body, "\n", "\n> ")}); len(found) > 0 {
				t.Errorf("%q approves %q although it is quoted", body, found)
			}
			if found := named(Vote{Kind: kind, Body: "~~~~\n" + strings.ReplaceAll(body, "~", "-") + "\n~~~~\n"}); len(found) > 0 {
				t.Errorf("%q approves %q although it is a code block", body, found)
			}
			if found := named(Vote{Kind: kind, Body: "<!--\n" + strings.ReplaceAll(body, ">", "") + "\n-->\n"}); len(found) > 0 {
				t.Errorf("%q approves %q although nobody sees it", body, found)
			}
		}
	})
}
