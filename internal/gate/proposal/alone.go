package proposal

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/internal/gate/asked"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// kept is a root that keeps the plan that it has.
type kept struct {
	partRoot
	where string // its part
	print plan.Fingerprint
	at    time.Time // when it was planned
}

// alone leaves out of what is planned the roots that were not asked for and whose plans
// stand. Which of them stand decides as little as it can: a root of which anything is
// unclear is planned.
func (p *Prepared) alone(ctx context.Context) error {
	if p.r.Unclear != nil {
		return &NotPlanned{p.r.Unclear}
	}
	one := p.r.Alone
	if one.Dir == "" {
		return nil
	}
	wanted := func(r roots.Root) bool {
		return path.Clean(r.Dir) == one.Dir && (one.Workspace == "" || r.Is(one.Dir, one.Workspace))
	}
	if !slices.ContainsFunc(p.Roots, wanted) {
		return &NotPlanned{p.notTouched(roots.Root{Dir: one.Dir, Workspace: one.Workspace}, wanted)}
	}
	standing, err := p.standing(ctx)
	if err != nil || len(standing) == 0 {
		return err
	}
	kit, err := tool.Prepare(p.r.Tool)
	if err != nil {
		return err
	}
	defer kit.Close()
	var again []roots.Root
	for _, r := range p.Roots {
		k, is := standing[nameOf(r.Dir, workspaceOf(r))]
		if is && !wanted(r) {
			if is, err = p.stillStands(ctx, kit, r, k.Record); err != nil {
				return err
			}
		}
		if !is || wanted(r) {
			again = append(again, r)
			continue
		}
		k.Moves, k.Modules = p.States.Moves(r.Dir, workspaceOf(r)), p.States.Modules(r.Dir, workspaceOf(r))
		p.kept = append(p.kept, k)
	}
	p.Roots = again
	return nil
}

// notTouched says why a root that somebody named is not planned, and which would be.
func (p *Prepared) notTouched(named roots.Root, wanted func(roots.Root) bool) error {
	name := text.Clip(text.Printable(named.Name()))
	why := name + " is no root"
	every, err := roots.Named(p.r.Roots)
	if err == nil && slices.ContainsFunc(every, wanted) {
		why = name + " is a root that this pull request does not touch"
	}
	if slices.ContainsFunc(p.Removed, func(r roots.Removed) bool { return wanted(roots.Root{Dir: r.Dir, Workspace: r.Workspace}) }) {
		why = name + " is taken away by this pull request, and nothing plans it any more"
	}
	var names []string
	for _, r := range p.Roots {
		names = append(names, r.Name())
	}
	if len(names) == 0 {
		return outcome.Refusedf("%s. It touches no root, so that there is nothing to plan", why)
	}
	return outcome.Refusedf("%s. The roots that it touches are: %s", why, text.Printable(text.List(names, 50)))
}

// standing are the roots of the plan that stands on the pull request, by name: a plan of
// this commit, kept in this place, whose comment and parts say the same. Where there is
// none, every root is planned.
func (p *Prepared) standing(ctx context.Context) (map[string]kept, error) {
	if p.r.Site.Pull == nil || len(p.r.Seal.Recipients) == 0 {
		return nil, nil
	}
	head, err := p.Head(ctx)
	if err != nil {
		return nil, err
	}
	claim, found, err := comment.FindStood(ctx, p.r.Site)
	if err != nil || !found || claim.Head != head || !p.r.Seal.Place.Holds(claim.Plan) {
		return nil, err
	}
	applied, err := comment.AppliedSince(ctx, p.r.Site, claim.At)
	if err != nil || applied {
		return nil, err // states have moved
	}
	if claim, err = claim.Whole(ctx, p.r.Seal.Registry); err == nil {
		err = claim.Proven()
	}
	var parts []seal.Standing
	if err == nil {
		parts, err = seal.LoadParts(ctx, seal.Source{Plan: claim.Plan, Registry: p.r.Seal.Registry})
	}
	if outcome.Code(err) == outcome.Refused || seal.IsGone(err) {
		return nil, nil // it is no plan that can be joined, or it was deleted where it was kept
	}
	if err != nil {
		return nil, err
	}
	moved, err := comment.FindMoved(ctx, p.r.Site)
	if err != nil {
		return nil, err
	}
	standing := make(map[string]kept)
	for _, one := range parts {
		for name, k := range p.ofPart(one, claim, claim.Before(moved)) {
			if was, is := standing[name]; !is || was.at.Before(k.at) {
				standing[name] = k
			}
		}
	}
	return standing, nil
}

// ofPart are the roots of a part that the claim names with the same fingerprints, and
// whose states are not known to have moved. The plan that is made expires with the first
// of its parts, so that one which expires soon would leave no time to approve and apply it.
func (p *Prepared) ofPart(one seal.Standing, claim comment.Claim, moved []comment.Moved) map[string]kept {
	var said part
	if json.Unmarshal(one.Said, &said) != nil || said.Head != claim.Head || said.Repository != p.r.Site.Name() ||
		len(said.Parts) < len(said.Roots) || time.Since(said.At) >= p.r.Seal.Lifetime*6/7 || said.At.After(time.Now().Add(time.Minute)) {
		return nil
	}
	found := make(map[string]kept)
	for i, r := range said.Roots {
		at := slices.IndexFunc(claim.Roots, func(c comment.ClaimRoot) bool {
			return !c.Removed && c.Dir == r.Record.Dir && roots.Root{Dir: c.Dir, Workspace: c.Workspace}.Is(c.Dir, r.Record.Workspace)
		})
		has := slices.ContainsFunc(moved, func(m comment.Moved) bool {
			return roots.Root{Dir: m.Dir, Workspace: m.Workspace}.Is(r.Record.Dir, r.Record.Workspace)
		})
		if at < 0 || claim.Parts[at] != said.Parts[i] || has || r.Sources == nil {
			continue
		}
		found[nameOf(r.Record.Dir, r.Record.Workspace)] = kept{partRoot: r, where: one.Where, print: said.Parts[i], at: said.At}
	}
	return found
}

// stillStands reports whether a root is what it was when it was planned: its files, its
// entry in waybill.yaml, the place of its state, and the terraform that it asks for.
func (p *Prepared) stillStands(ctx context.Context, kit *tool.Kit, r roots.Root, was plan.RootRecord) (bool, error) {
	if !slices.Equal(r.VarFiles, was.VarFiles) || r.Destroy != was.Destroy || r.RefreshOnly != was.RefreshOnly ||
		p.States.Place(r.Dir, workspaceOf(r)) != was.Backend {
		return false, nil
	}
	sources, err := roots.ReadSources(ctx, p.r.Roots.Top, r.Dir, r.VarFiles)
	if err == nil {
		sources, err = sources.With(ctx, p.r.Roots.Top, r.Dir, was.Fetched)
	}
	if outcome.Code(err) == outcome.Usage || outcome.Code(err) == outcome.Refused {
		return false, nil // planning it says why
	}
	if err != nil || sources.Digest != was.Configuration || sources.LockFile != was.LockFile || sources.Whole != was.Whole {
		return false, err
	}
	return kit.Stays(ctx, r, was.Terraform)
}

// withKept makes one plan of the roots that were planned here, and those that keep
// theirs. The new ones become a part: a sealed plan of their own.
func (p *Prepared) withKept(ctx context.Context, made *plan.Result, keep seal.Kept) (*Result, error) {
	keep.Fingerprint, keep.Claim = made.Fingerprint, comment.Of(made).Claim().JSON()
	all := p.joining(made.Document.Head)
	if len(made.Roots) > 0 {
		where, err := p.r.Seal.Place.Save(ctx, p.r.Seal.client(), keep)
		if err != nil {
			return nil, err
		}
		all.add(where, p.say(made))
		for i := range made.Roots { // the JSON too, for those who read the plan in this job
			all.made.Roots[i] = made.Roots[i]
		}
	} else {
		all.made.Waits = made.Waits
	}
	return p.joined(ctx, all)
}

// stands says which roots keep their plans; empty where none does.
func (p *Prepared) stands() string {
	if len(p.kept) == 0 {
		return ""
	}
	var names []string
	for _, r := range p.every {
		name := nameOf(r.Dir, workspaceOf(r))
		if !slices.ContainsFunc(p.kept, func(k kept) bool { return nameOf(k.Record.Dir, k.Record.Workspace) == name }) {
			names = append(names, name)
		}
	}
	return fmt.Sprintf("Planned again: %s. The plans of the other %s stand; the oldest is of %s.",
		markdown.Code(text.Clip(text.List(names, 10))), text.Count(len(p.kept), "root"), p.oldest().Format(time.DateTime+" MST"))
}

// oldest is when the first of the kept plans was made, as GitHub tells times of comments: in
// whole seconds.
func (p *Prepared) oldest() (at time.Time) {
	for _, k := range p.kept {
		if at.IsZero() || k.at.Before(at) {
			at = k.at
		}
	}
	return at.Truncate(time.Second)
}

// NotPlanned is why nothing was planned of what somebody asked for. The plan that stands
// is left as it is.
type NotPlanned struct{ Reason error }

func (e *NotPlanned) Error() string { return e.Reason.Error() }

// Unwrap keeps the reason reachable.
func (e *NotPlanned) Unwrap() error { return e.Reason }

const maxAnswer = 20_000 // runes

// answers reports whether whoever asked is told by a comment.
func (r Request) answers() bool { return r.Asked != nil && r.comments() }

// answer tells whoever asked by a comment: nobody looks for the run of a comment. Where
// no comment is written, it is an error.
func (r Request) answer(ctx context.Context, why *NotPlanned) error {
	if !r.answers() {
		return why
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	// One answer for a comment, however often the job runs.
	marker := fmt.Sprintf("<!-- waybill:answer %d -->", r.Asked.ID)
	return r.Site.Keep(ctx, r.Site.API, marker, marker+"\n@"+r.Asked.User+": nothing was planned, and the plan that stands is as it was.\n\n"+
		markdown.Fence("", text.Cut(text.Printable(why.Reason.Error()), maxAnswer, "\n… (the rest is in the log of the run)")))
}

// Wish is who asks for a plan, and for which root.
type Wish struct {
	Root    string         // by the command line
	Comment string         // number of the comment that asks, by the command line
	Started *asked.Comment // the comment that started the run; nil if none did
}

// Again reads which root is to be planned again.
func (r *Request) Again(ctx context.Context, w Wish) (err error) {
	c := w.Started
	if w.Comment != "" {
		if c, err = r.comment(ctx, w.Comment); err != nil {
			return &NotPlanned{err}
		}
	}
	switch {
	case w.Root != "":
		r.Alone, err = asked.ParseRoot(w.Root)
	case c != nil && c.Action == "created" && c.SaysPlan():
		r.Asked = c
		r.Alone, r.Unclear = c.Plan()
	case c != nil && w.Comment != "":
		r.Asked = c
		r.Unclear = outcome.Refusedf("the comment does not ask for a plan, or was changed since it was written: write a new one")
	}
	return err
}

// comment finds a comment of the pull request by its number. One that was changed since it
// was written may hold the words of somebody else: it is no new one any more.
func (r *Request) comment(ctx context.Context, number string) (*asked.Comment, error) {
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || r.Site == nil || r.Site.Pull == nil {
		return nil, outcome.Usagef("--asked-by %.40q: give the number of a comment on the pull request, and which one that is", number)
	}
	comments, err := r.Site.API.Comments(ctx, r.Site.Repo, r.Site.Pull.Number)
	if err != nil {
		return nil, err
	}
	for _, c := range comments {
		if c.ID != id {
			continue
		}
		one := &asked.Comment{ID: id, Action: "created", User: c.Author, Body: c.Body}
		if !c.Updated.Equal(c.Created) {
			one.Action = "edited"
		}
		return one, nil
	}
	return nil, outcome.Refusedf("#%d has no comment %d: it was deleted, or is on another pull request. Comment /plan again",
		r.Site.Pull.Number, id)
}
