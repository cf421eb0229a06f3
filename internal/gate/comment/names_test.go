package comment_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// Names that grow when they are written as Markdown or in the claim leave every comment
// of a size that GitHub takes, and the claim readable.
func TestNamesThatGrow(t *testing.T) {
	t.Parallel()
	for _, character := range []string{"&", "-", "<", "@", "`", "|", "\u202e"} {
		for _, length := range []int{60, 250, 2_000} {
			v := comment.View{
				Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Sealed: "oci://ghcr.io/acme/infra/plans@sha256:1", Head: "h",
			}
			for i := range 25 {
				dir := "infra/" + strings.Repeat(character, length) + string(rune('a'+i))
				s := summary.Summary{Counts: map[string]int{}}
				for range 20 {
					s.Resources = append(s.Resources, summary.Resource{Address: "a.b", Action: summary.Add, Attributes: []summary.Attribute{
						{Path: "x", After: strings.Repeat("y", 3_000)},
					}})
				}
				v.Roots = append(v.Roots, comment.RootView{Dir: dir, Summary: s, Sources: &roots.Sources{Dirs: []string{dir}}})
				v.Parts = append(v.Parts, plan.Fingerprint(strings.Repeat("b", 64)))
			}
			pages := v.Comments(markdown.MaxComment)
			for i, page := range pages {
				if n := utf8.RuneCountInString(page); n > markdown.MaxComment {
					t.Errorf("%q %d times: comment %d of %d has %d characters", character, length, i+1, len(pages), n)
				}
			}
			if claim, is := comment.ReadClaim(pages[0]); !is || claim.Plan != v.Sealed {
				t.Errorf("%q %d times: the claim cannot be read", character, length)
			}
		}
	}
}
