package drift

import (
	"cmp"
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/keptissue"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Issue is a root's issue, and what was done with it.
type Issue = keptissue.Issue

// What is done with an issue.
const (
	Opened    = keptissue.Opened
	Updated   = keptissue.Updated
	Unchanged = keptissue.Unchanged
	Closed    = keptissue.Closed
	Reopened  = keptissue.Reopened
	Left      = keptissue.Left // its root could not be planned
	ByHand    = keptissue.ByHand
)

// Tracker is where the issues are.
type Tracker struct {
	API   *github.Client
	Repo  github.Repository
	Label string
	// Every lists all roots there are, so that the issue of a root that is no longer there
	// can be closed. If nil, they are not known.
	Every []roots.Root
}

// Keep brings the issues in line with the report: one for each root that
// drifted. What fails for one root does not keep the others from theirs.
func (t Tracker) Keep(ctx context.Context, report *Report) error {
	keeper := keptissue.Keeper{API: t.API, Repo: t.Repo, Label: t.Label, Read: readMark}
	ours, err := keeper.Find(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for i := range report.Roots {
		root := &report.Roots[i]
		key := marker{Dir: root.Dir, Workspace: root.Workspace}.key()
		kept, err := keeper.Keep(ctx, ours[key], root.wanted())
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", root.Dir, err))
		}
		if kept != nil {
			root.Issue = kept
		}
		delete(ours, key)
	}
	if t.Every == nil {
		return outcome.Join(problems...)
	}
	for _, r := range t.Every { // another job may look at it
		delete(ours, marker{Dir: r.Dir, Workspace: cmp.Or(r.Workspace, roots.DefaultWorkspace)}.key())
	}
	for _, left := range ours {
		problems = append(problems, orphan(ctx, keeper, left))
	}
	return outcome.Join(problems...)
}

func (r Root) wanted() keptissue.Wanted {
	w := keptissue.Wanted{Subject: "root", State: keptissue.WantOpen}
	switch r.Status {
	case Broken:
		w.State = keptissue.WantLeft
	case Clean:
		w.State, w.Gone = keptissue.WantGone, r.Gone()
		w.GoneWhy = "No drift any more: what is there is what the state and the code say."
	default:
		w.Title, w.Body = r.Title(), r.Body(markdown.MaxComment)
	}
	return w
}

func (m marker) key() string { return m.Dir + "\x00" + m.Workspace }

func readMark(body string) (keptissue.Mark, bool) {
	m, ok := readMarker(body)
	return keptissue.Mark{Key: m.key(), Digest: m.Digest, Gone: m.State == Clean}, ok
}

// orphan closes the issues of a root that is no longer there.
func orphan(ctx context.Context, keeper keptissue.Keeper, list []keptissue.Marked) error {
	for _, one := range list {
		if one.State != "open" {
			continue
		}
		m, _ := readMarker(one.Body)
		dir := markdown.Code(text.Line(m.Dir))
		m.State, m.Digest = Clean, ""
		body := fmt.Sprintf("%s\n%s is no longer one of the roots.\n", m, dir)
		why := dir + " is no longer one of the roots of this repository."
		if err := keeper.Close(ctx, one, text.NoCommand(body), "not_planned", text.NoCommand(why)); err != nil {
			return err
		}
	}
	return nil
}
