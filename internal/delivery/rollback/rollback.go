// Package rollback returns an environment to a digest that ran there before.
//
// What it returns to is verified as at any other time, but its scan and a
// freeze are not held against it: going back is for when what runs now is
// worse. Only the environment's own history says what ran before. An application of
// several images goes back to a set of them that ran there together.
package rollback

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Repository is the config repository, as rollback uses it.
type Repository interface {
	history.Reader
	Head(ctx context.Context, branch string) (string, error)
	Snapshot(ctx context.Context, rev string) (*configrepo.Snapshot, error)
	Holds(ctx context.Context, head, base string, changes map[string][]byte) (bool, error)
	Commit(ctx context.Context, r configrepo.Request) (string, error)
}

// Forge opens pull requests. Without one, rollback makes the branch alone.
type Forge interface {
	FindPull(ctx context.Context, branch, base string) (*rules.Pull, error)
	OpenPull(ctx context.Context, branch, base, title, body string) (*rules.Pull, error)
	EditPull(ctx context.Context, number int, title, body string) error
	// Past says what became of the closed pull requests of the branch at a head.
	Past(ctx context.Context, branch, head string) (merged, declined bool, err error)
	RequestReviewers(ctx context.Context, number int, reviewers []string) error
	StartCheck(ctx context.Context, pull rules.Pull, pushed bool) error
	Checked(ctx context.Context, head string) (bool, error)
}

// Request says what to return to: To, or so many deployments back.
type Request struct {
	App, Env string
	To       []imageref.Ref // of an application with several images some are enough
	Steps    int
	Direct   bool
	AllowNew bool
	Reason   string
	Branch   string
	Run      string
}

// Result is what was done.
type Result struct {
	Image    imageref.Ref     `json:"image"` // empty for an application with several: see parts
	Previous imageref.Ref     `json:"previous"`
	Parts    []history.Moved  `json:"parts,omitempty"` // of an application with several images: each that moves
	Changed  bool             `json:"changed"`         // false if the environment, or the open pull request, was there already
	Commit   string           `json:"commit,omitempty"`
	Branch   string           `json:"branch,omitempty"`
	Number   int              `json:"number,omitempty"` // of the pull request
	URL      string           `json:"url,omitempty"`    // of the pull request
	Waybill  evidence.Waybill `json:"waybill,omitzero"` // of the first digest that moves
	Note     string           `json:"note,omitempty"`
	// Waybills are those of every image that moves, where the application has several.
	Waybills []evidence.Waybill `json:"waybills,omitempty"`

	Set history.Set `json:"-"` // all that would run
}

// Roller rolls back within one config repository.
type Roller struct {
	Repo  Repository
	Forge Forge // may be nil
	Judge *rules.Judge
}

// Run finds the digest to return to, verifies it, and writes.
func (r *Roller) Run(ctx context.Context, req Request) (result Result, err error) {
	_, err = history.Race(ctx, r.Repo, func() (err error) {
		result, err = r.once(ctx, req)
		return err
	})
	return result, err
}

func (r *Roller) once(ctx context.Context, req Request) (result Result, err error) {
	tip, err := history.ReadTip(ctx, r.Repo, req.Branch)
	if err != nil {
		return Result{}, err
	}
	app, env, err := tip.Config.Place(req.App, req.Env)
	if err != nil {
		return Result{}, err
	}
	places, err := history.ReadSet(tip.Files, app, env.Name)
	if err != nil {
		return Result{}, err
	}
	if done, err := r.done(ctx, req, tip.Commit, places); err != nil || done {
		return Result{Image: places.Set().Only(), Set: places.Set(), Commit: tip.Commit, Note: "this run has rolled back already"}, err
	}
	past, err := r.past(ctx, tip.Commit, app, env.Name)
	if err != nil {
		return Result{}, err
	}
	to, skipped, err := r.target(ctx, deployments{app, env, past, places.Set()}, req)
	defer func() { result.Note = joined(skipped, result.Note) }()
	if err != nil {
		return Result{}, err
	}
	if !req.AllowNew {
		if err := r.judged(ctx, history.Where{Rev: tip.Commit, App: app, Env: env.Name}, past, to); err != nil {
			return Result{}, err
		}
	}
	w := write{
		app: app, env: env, head: tip.Commit, branch: tip.Branch("rollback", env.Name, app.Name), req: req,
		moving: places.Lack(to), was: places.Set(), held: tip.Files[hold.Path(app.Name, env.Name)],
	}
	if w.change, err = history.Prepare(ctx, render.New(tip.Files), app, env.Name, to); err != nil {
		return Result{}, err
	}
	result = Result{Image: to.Only(), Previous: w.was.Only(), Set: to, Parts: history.MovedParts(app, w.moving, w.was)}
	if len(w.change.Edits) == 0 {
		result.Commit, result.Note = tip.Commit, "it runs there already"
		return result, nil
	}
	if w.hold, result.Note, err = r.holds(ctx, w); err != nil {
		return result, err
	}
	if w.entries, err = r.proven(ctx, tip, w, ranBefore(past, to)); err != nil {
		return result, err
	}
	if result.Waybill = w.entries[0].Waybill; app.Several() {
		result.Waybills = w.entries.Waybills()
	}
	if err := w.entries.Err(); err != nil {
		return result, err
	}
	if req.Direct {
		return r.direct(ctx, w, result)
	}
	return r.pullRequest(ctx, w, result)
}

// proven judges each image that moves.
func (r *Roller) proven(ctx context.Context, tip history.Tip, w write, returning bool) (rules.Entries, error) {
	entries, err := r.Judge.Proven(ctx, rules.Move{Config: tip.Config, App: w.app, Env: w.env}, w.moving)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if returning {
			entries[i].Waybill = rules.Returning(entries[i].Waybill)
		}
	}
	return entries, nil
}

// past lists what ran in the environment, without placeholders and what was not whole.
func (r *Roller) past(ctx context.Context, head string, app config.App, env string) ([]history.Period, error) {
	var past []history.Period
	for period, err := range history.History(ctx, r.Repo, history.Where{Rev: head, App: app, Env: env}) {
		if err != nil {
			return nil, err
		}
		if period.Set.Runs() {
			past = append(past, period)
		}
	}
	return past, nil
}

// judged refuses a digest that the file named only before it was a place.
func (r *Roller) judged(ctx context.Context, w history.Where, past []history.Period, to history.Set) error {
	for _, p := range past {
		if !p.Set.Equal(to) {
			continue
		}
		if _, ran, err := history.Declared(ctx, r.Repo, w, p); ran || err != nil {
			return err
		}
	}
	return outcome.Refusedf("%s never ran in %s: its overlay named it only before %s had the place. "+
		"Name another digest, or say --allow-new", named(to), w.Env, config.FileName)
}

// done reports whether this run made the rollback that the overlay holds: going
// back by steps once more would be a step too far.
func (r *Roller) done(ctx context.Context, req Request, head string, places history.Places) (bool, error) {
	if !req.Direct || req.Run == "" || len(req.To) > 0 {
		return false, nil
	}
	entries, err := r.Repo.Log(ctx, head, places.File(), 1)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	m := entries[0].Message
	images := history.Trailers(m, history.TrailerImage)
	return history.Trailer(m, history.TrailerVerb) == history.RollBack && history.Trailer(m, history.TrailerRun) == req.Run &&
		len(images) > 0 && !slices.ContainsFunc(images, func(image string) bool {
		return !slices.ContainsFunc(places.Set(), func(ref imageref.Ref) bool { return ref.String() == image })
	}), nil
}

// advances is the history without what was rolled back, oldest first: a step
// back from a digest that was returned to leads to what ran before it, not to
// what it was a refuge from.
func advances(past []history.Period) []history.Set {
	var line []history.Set
	for _, p := range slices.Backward(past) {
		if i := slices.IndexFunc(line, p.Set.Equal); i >= 0 {
			line = line[:i]
		}
		line = append(line, p.Set)
	}
	return line
}

func ranBefore(past []history.Period, set history.Set) bool {
	return slices.ContainsFunc(past, func(p history.Period) bool { return p.Set.Equal(set) })
}

func listed(past []history.Period) string {
	if len(past) == 0 {
		return "nothing ran there yet"
	}
	var list []string
	for i, p := range past {
		if i == 10 {
			list = append(list, "…")
			break
		}
		list = append(list, fmt.Sprintf("%s since %s", p.Set.Short(), text.Time(p.Since)))
	}
	return "there ran " + strings.Join(list, ", ")
}

type write struct {
	app         config.App
	env         config.Environment
	head        string
	branch      string // of the pull request
	change      history.Change
	moving, was history.Set // images that move, and all that run there now
	entries     rules.Entries
	held        []byte // the hold of the place as it is; nil without one
	hold        []byte // and as it becomes: it keeps out what is left behind
	req         Request
}

func (w write) request(branch, expect string) configrepo.Request {
	base := ""
	if branch != w.req.Branch {
		base = rules.TrailerBase + ": " + w.head + "\n"
	}
	return configrepo.Request{
		Branch: branch, Expect: expect, Parent: w.head,
		Changes: w.changes(),
		Message: history.Message{
			Verb: history.RollBack, Apps: []string{w.app.Name}, Env: w.env.Name, Images: w.moving, Previous: w.was.At(w.moving),
			Sources: w.entries.Origins(), Committed: w.entries.Committed(), Run: w.req.Run, Reason: w.req.Reason,
		}.String() + base,
	}
}

func (r *Roller) direct(ctx context.Context, w write, result Result) (Result, error) {
	commit, err := r.Repo.Commit(ctx, w.request(w.req.Branch, w.head))
	if err != nil {
		return result, err
	}
	result.Changed, result.Commit, result.Branch = true, commit, w.req.Branch
	return result, nil
}

func (r *Roller) pullRequest(ctx context.Context, w write, result Result) (Result, error) {
	result.Branch = w.branch
	current, reusable, err := r.branch(ctx, w, result.Branch)
	if err != nil {
		return result, err
	}
	if result.Commit = current; !reusable {
		if result.Commit, err = r.Repo.Commit(ctx, w.request(result.Branch, current)); err != nil {
			return result, err
		}
		result.Changed = true
	}
	if r.Forge == nil {
		return result, nil
	}
	title := fmt.Sprintf("%s: roll back %s to %s", w.app.Name, w.env.Name, history.Set(w.moving.Images()).Short())
	body := body(w)
	pull, err := r.Forge.FindPull(ctx, result.Branch, w.req.Branch)
	switch {
	case err != nil:
		return result, err
	case pull == nil:
		if pull, err = r.Forge.OpenPull(ctx, result.Branch, w.req.Branch, title, body); err != nil {
			return result, err
		}
		result.Changed = true
	case result.Changed:
		if err := r.Forge.EditPull(ctx, pull.Number, title, body); err != nil {
			return result, err
		}
	}
	result.Number, result.URL = pull.Number, pull.URL
	pull.Head = result.Commit
	return result, r.follow(ctx, w, *pull, &result)
}

// follow asks the reviewers and starts the check, now or where an earlier run
// was interrupted before it could.
func (r *Roller) follow(ctx context.Context, w write, pull rules.Pull, result *Result) error {
	if !result.Changed {
		if checked, err := r.Forge.Checked(ctx, pull.Head); err != nil || checked {
			return err
		}
	}
	if len(w.env.Reviewers) > 0 {
		if err := r.Forge.RequestReviewers(ctx, pull.Number, w.env.Reviewers); err != nil {
			result.Note = "the reviewers could not be asked: " + err.Error()
		}
	}
	return r.Forge.StartCheck(ctx, pull, result.Changed)
}

// branch says where the rollback's branch is, and whether it is already what
// this rollback would make it. One that somebody else has pushed to is left
// alone.
func (r *Roller) branch(ctx context.Context, w write, name string) (head string, reusable bool, err error) {
	head, own, err := rules.At(ctx, r.Repo, name, []config.App{w.app}, w.env.Name)
	if err != nil || head == "" {
		return "", false, err
	}
	if own == nil {
		return "", false, outcome.Refusedf(
			"somebody else has pushed to the branch %s: merge or delete it, then run again, or use --direct", name,
		)
	}
	if !bytes.Equal(own.Files[w.change.Place.File], w.change.After) || !w.holdIn(own.Hold) {
		return head, false, nil
	}
	merged := false
	if r.Forge != nil {
		if merged, _, err = r.Forge.Past(ctx, name, head); err != nil {
			return "", false, err
		}
	}
	return head, !merged, nil
}

func body(w write) string {
	var out strings.Builder
	fmt.Fprintf(&out, "**Roll back** `%s` in **%s**", w.app.Name, w.env.Name)
	for i, part := range w.app.Parts() {
		if w.moving[i].IsZero() {
			continue
		}
		if part.Part != "" {
			fmt.Fprintf(&out, "\n- %s", markdown.Text(part.Part))
		}
		fmt.Fprintf(&out, " from %s to %s", markdown.Code(w.was[i].Digest()), markdown.Code(w.moving[i].Digest()))
	}
	if !w.app.Several() {
		out.WriteString(".")
	}
	out.WriteString("\n\n")
	if w.req.Reason != "" {
		fmt.Fprintf(&out, "> %s\n\n", markdown.Text(w.req.Reason))
	}
	for _, waybill := range w.entries.Waybills() {
		out.WriteString(waybill.Markdown() + "\n")
	}
	out.WriteString("<details open><summary>What changes in the cluster</summary>\n\n" + markdown.Fence(
		"diff", render.Text(w.change.Objects),
	) + "\n</details>\n")
	return out.String()
}
