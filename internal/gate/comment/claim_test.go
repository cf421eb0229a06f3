package comment_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// manyRoots is a plan of n roots, kept in a directory.
func manyRoots(t *testing.T, n int) (comment.View, seal.Place) {
	t.Helper()
	v := comment.View{Head: "h"}
	for i := range n {
		v.Parts = append(v.Parts, plan.Fingerprint(fmt.Sprintf("%064x", i)))
		v.Roots = append(v.Roots, comment.RootView{
			Dir: fmt.Sprintf("infra/root-%04d", i), Workspace: "default",
			Sources: &roots.Sources{Dirs: []string{fmt.Sprintf("infra/root-%04d", i), "modules/shared"}, Digest: strings.Repeat("d", 71)},
		})
	}
	var err error
	if v.Fingerprint, err = v.Parts.Fingerprint(); err != nil {
		t.Fatal(err)
	}
	return v, seal.Place{Dir: t.TempDir()}
}

// What a plan claims has no limit by the size of a comment: what is too long is read
// where the sealed plan is, and must be of that plan.
func TestClaimsOfManyRoots(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 130, 1000} {
		v, place := manyRoots(t, n)
		full := v.Claim()
		var err error
		if v.Sealed, err = place.Save(t.Context(), nil, seal.Kept{
			Fingerprint: v.Fingerprint, Sealed: []byte("sealed"), Claim: full.JSON(),
		}); err != nil {
			t.Fatal(err)
		}
		first := v.Comments(markdown.MaxComment)[0]
		claim, is := comment.ReadClaim(first)
		if !is || claim.Fingerprint != v.Fingerprint {
			t.Fatalf("%d roots: the comment holds no claim", n)
		}
		if claim, err = claim.Whole(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if len(claim.Roots) != n || claim.Roots[n-1].Dir != full.Roots[n-1].Dir || claim.Plan != v.Sealed {
			t.Errorf("%d roots: the claim has %d, and names the plan %q", n, len(claim.Roots), claim.Plan)
		}
		if err := claim.Proven(); err != nil {
			t.Errorf("%d roots: %v", n, err)
		}
		claim.Parts[0], claim.Parts[1] = claim.Parts[1], claim.Parts[0]
		if err := claim.Proven(); outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "that are not of plan") {
			t.Errorf("%d roots, other parts: %v", n, err)
		}
	}
	v, place := manyRoots(t, 130)
	other, _ := manyRoots(t, 131)
	var err error
	if v.Sealed, err = place.Save(t.Context(), nil, seal.Kept{
		Fingerprint: v.Fingerprint, Sealed: []byte("sealed"), Claim: other.Claim().JSON(),
	}); err != nil {
		t.Fatal(err)
	}
	claim, _ := comment.ReadClaim(v.Comments(markdown.MaxComment)[0])
	if _, err := claim.Whole(t.Context(), nil); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "is plan "+other.Fingerprint.Short()) {
		t.Errorf("the claim of another plan: %v", err)
	}
	if err := os.WriteFile(v.Sealed+".claim.json", v.Claim().JSON()[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := claim.Whole(t.Context(), nil); outcome.Code(err) != outcome.Broken ||
		!strings.Contains(err.Error(), "read what is claimed of the plan "+v.Sealed+": plan again: ") {
		t.Errorf("a torn claim: %v", err)
	}
}
