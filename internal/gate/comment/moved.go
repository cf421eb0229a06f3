package comment

import (
	"context"
	"fmt"
	"slices"

	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// movedMarker begins the one comment that says which states moved since a plan.
const movedMarker = "<!-- waybill:moved"

// Moved is a state that somebody else's apply moved.
type Moved struct {
	Dir       string `json:"dir"`
	Workspace string `json:"workspace"`
	Lineage   string `json:"lineage"`
	Serial    uint64 `json:"serial"`
	By        int    `json:"by,omitempty"` // pull request
}

func (m Moved) String() string {
	by := "another run"
	if m.By != 0 {
		by = fmt.Sprintf("#%d", m.By)
	}
	return fmt.Sprintf("the state of %s moved to serial %d, by %s", roots.Owner{Dir: m.Dir, Workspace: m.Workspace}.Name(), m.Serial, by)
}

// is reports whether the two are about the same root.
func (m Moved) is(r ClaimRoot) bool {
	return roots.Root{Dir: m.Dir, Workspace: m.Workspace}.Is(r.Dir, r.Workspace)
}

// before reports whether the plan of the root was made before the state moved.
func (m Moved) before(r ClaimRoot) bool { return m.Lineage != r.Lineage || m.Serial > r.Serial }

// Before keeps those that moved after the plan was made.
func (c Claim) Before(moved []Moved) (kept []Moved) {
	for _, m := range moved {
		if slices.ContainsFunc(c.Roots, func(r ClaimRoot) bool { return !r.Removed && m.is(r) && m.before(r) }) {
			kept = append(kept, m)
		}
	}
	return kept
}

// FindMoved reads which states moved since the plan of the pull request.
func FindMoved(ctx context.Context, s *site.Site) ([]Moved, error) {
	return findList[Moved](ctx, s, movedMarker)
}

// KeepMoved makes these the states that moved since the plan of the pull request.
// Where none did, and no comment says so, it says nothing.
func KeepMoved(ctx context.Context, s *site.Site, moved []Moved) error {
	words := "⚠️ **The plan no longer fits.** Nothing of it can be applied until it is planned again: comment `/plan`. Roots whose plan " +
		"is the same then keep their approvals.\n"
	for _, m := range moved {
		words += "\n- " + markdown.Text(text.Flat(m.String()))
	}
	return keepList(ctx, s, movedMarker, moved, listWords{words + "\n", "The plan is of the states as they are.\n"})
}
