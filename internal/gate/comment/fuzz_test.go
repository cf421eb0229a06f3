package comment_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
)

// FuzzReadClaim looks for comments that stop the reader, or that are read as a
// claim although they do not begin as a plan comment does.
func FuzzReadClaim(f *testing.F) {
	for _, seed := range []string{
		comment.Marker + "\n<!-- waybill:claim {\"fingerprint\":\"a\",\"head\":\"b\"} -->\n",
		comment.Marker + "\r\n<!-- waybill:claim {} -->\r\n",
		"x\n" + comment.Marker + "\n<!-- waybill:claim {} -->",
		comment.Marker + "\n<!-- waybill:claim {} --> <!-- waybill:claim {\"head\":\"x\"} -->",
		comment.Marker + "\n<!-- waybill:claim {\"roots\":[{\"dir\":1}]} -->", comment.Marker,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		claim, ok := comment.ReadClaim(body)
		if !ok && !cmp.Equal(claim, comment.Claim{}) {
			t.Errorf("no claim, and it gives %+v", claim)
		}
		if ok && !strings.HasPrefix(strings.Replace(body, "\r\n", "\n", 1), comment.Marker+"\n<!-- waybill:claim {") {
			t.Errorf("read as a claim: %q", body)
		}
	})
}

// FuzzClaimIsReadBack looks for names that leave the comment's invisible line, or
// that a reader takes for something else.
func FuzzClaimIsReadBack(f *testing.F) {
	for _, seed := range []string{
		"infra/prod", "a-->b", `a\--`, "a\n<!-- waybill:claim {} -->", "\u2028", "--", "\xff",
		"-", "a` @acme/all #1",
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, dir, workspace string) {
		dir, workspace = strings.ToValidUTF8(dir, "?"), strings.ToValidUTF8(workspace, "?")
		v := comment.View{
			Fingerprint: plan.Fingerprint(strings.Repeat("a1", 32)), Head: "abc",
			Removed: []roots.Removed{{Dir: dir, Workspace: workspace}},
		}
		first := v.Comments(65_536)[0]
		claim, ok := comment.ReadClaim(first)
		if !ok {
			t.Fatalf("%q, %q: no claim in\n%s", dir, workspace, first)
		}
		if want := v.Claim(); len(claim.Roots) != 0 && !cmp.Equal(claim, want) || claim.Fingerprint != want.Fingerprint {
			t.Errorf("%q, %q: read back as %+v", dir, workspace, claim)
		}
		line := strings.Split(first, "\n")[1]
		if strings.Count(line, "--") != 2 || !strings.HasSuffix(line, " -->") {
			t.Errorf("%q, %q: the claim leaves its comment: %s", dir, workspace, line)
		}
	})
}
