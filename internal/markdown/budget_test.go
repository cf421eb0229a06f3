package markdown_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/markdown"
)

// What must be there is cut at a line, and its fence ends; what may be there is
// whole or in the rest.
func TestBudget(t *testing.T) {
	t.Parallel()
	b := markdown.NewBudget(30)
	b.May("äöü\n")
	b.Must("````\none\n```\ntwo\nthree, which is long\n````\n")
	b.May("longer than what is left\n")
	b.May("x\n")
	if got := b.String(); got != "äöü\n````\none\n```\ntwo\n````\nx\n" {
		t.Errorf("%q", got)
	}
	if got := b.Rest(); !strings.HasPrefix(got, "````\none") || !strings.HasSuffix(got, "longer than what is left\n") {
		t.Errorf("the rest is %q", got)
	}
}

func TestCommentThatIsTooLong(t *testing.T) {
	t.Parallel()
	if got := markdown.Comment("a\n", "b\n"); got != "a\nb\n" {
		t.Errorf("%q", got)
	}
	got := markdown.Comment("must\n"+markdown.Fence("", strings.Repeat("ä line\n", 20_000)), "may\n")
	if n := utf8.RuneCountInString(got); n > markdown.MaxComment || strings.Count(got, "```") != 2 ||
		!strings.HasSuffix(got, "the rest is in the summary of the run.\n") {
		t.Errorf("%d characters: %s", n, got[len(got)-200:])
	}
}
