package comment_test

import (
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
)

// A plan is older than a move of its state to a later serial, or to another lineage; what a
// root was taken away from, or another workspace, moves nothing of it.
func TestWhichMovesCameAfterAPlan(t *testing.T) {
	t.Parallel()
	claim := comment.Claim{Roots: []comment.ClaimRoot{
		{Dir: "infra/a", Workspace: "default", Lineage: "l", Serial: 7}, {Dir: "infra/gone", Removed: true, Lineage: "l", Serial: 7},
	}}
	for name, c := range map[string]struct {
		moved comment.Moved
		after bool
	}{
		"a later serial":    {comment.Moved{Dir: "infra/a", Workspace: "default", Lineage: "l", Serial: 8}, true},
		"no workspace":      {comment.Moved{Dir: "infra/a", Lineage: "l", Serial: 8}, true},
		"the same serial":   {comment.Moved{Dir: "infra/a", Workspace: "default", Lineage: "l", Serial: 7}, false},
		"an earlier one":    {comment.Moved{Dir: "infra/a", Workspace: "default", Lineage: "l", Serial: 6}, false},
		"another lineage":   {comment.Moved{Dir: "infra/a", Workspace: "default", Lineage: "m", Serial: 1}, true},
		"another workspace": {comment.Moved{Dir: "infra/a", Workspace: "dev", Lineage: "l", Serial: 8}, false},
		"another directory": {comment.Moved{Dir: "infra/b", Workspace: "default", Lineage: "l", Serial: 8}, false},
		"a root that is no more": {
			comment.Moved{Dir: "infra/gone", Workspace: "default", Lineage: "l", Serial: 8}, false,
		},
	} {
		if got := claim.Before([]comment.Moved{c.moved}); (len(got) == 1) != c.after {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
