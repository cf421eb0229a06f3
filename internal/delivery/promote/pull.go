package promote

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

func (l load) message(req Request) string {
	m := history.Message{Verb: history.Promote, Apps: l.names(), Env: l.to.Name, Run: req.Run, Reason: l.reason()}
	from := ""
	for _, c := range l.list {
		entries := c.entries()
		m.Images, m.Previous = append(m.Images, c.moving...), append(m.Previous, c.was.At(c.moving)...)
		if len(l.list) == 1 { // else nobody could tell whose they are
			m.Sources, m.Committed = entries.Origins(), entries.Committed()
		}
		if len(c.change.Copies) > 0 {
			from += history.TrailerFrom + ": " + c.from.Name
			if len(l.list) > 1 {
				from += " " + c.app.Name
			}
			from += "\n"
		}
	}
	m.Reason += rules.OrderOf(l.decision())
	return m.String() + from + rules.TrailerBase + ": " + l.base() + "\n"
}

// reason is the paragraph of the commit.
func (l load) reason() string {
	var said []string
	for _, c := range l.list {
		what := "It runs"
		if len(l.list) > 1 {
			what = c.app.Name + " runs"
		}
		switch {
		case c.from.Name == "":
			said = append(said, "Its evidence passes the policy of "+c.to.Name+".")
		case len(c.items) > 1:
			said = append(said, "The images of "+c.app.Name+" run together in "+c.from.Name+
				", and the evidence of each passes the policy of "+c.to.Name+".")
		default:
			said = append(said, what+" in "+c.from.Name+" and its evidence passes the policy of "+c.to.Name+".")
		}
	}
	return strings.Join(said, " ")
}

func (l load) request(branch, expect, message string) configrepo.Request {
	r := configrepo.Request{Branch: branch, Expect: expect, Parent: l.base(), Message: message}
	files, copies := l.files()
	all := maps.Clone(copies)
	maps.Copy(all, files) // which are made on the copies
	for _, file := range slices.Sorted(maps.Keys(all)) {
		r.Changes = append(r.Changes, configrepo.Change{Path: file, Content: all[file]})
	}
	return r
}

// commit writes to an environment that takes commits.
func (p *Promoter) commit(ctx context.Context, now view, l load, req Request, result Promotion) (Promotion, error) {
	if l.decision().State() == evidence.Pending {
		result.State, result.Reason = Pending, l.list[0].refusal()
		return result, nil
	}
	for _, c := range l.list {
		if c.from.Name == "" || len(c.change.Edits) == 0 {
			continue
		}
		on := now.rendering(c.change.Copies).With(c.change.Place.File, c.change.After)
		image, err := history.Kept(ctx, on, history.Entry{
			App: c.app, From: c.from.Name, To: c.to.Name, Set: c.was.With(c.moving), Config: now.Config,
		})
		if err != nil {
			return result, err
		}
		if image != "" {
			result.State, result.Reason = Refused, rules.Beside(c.to.Name, c.from.Name, image)
			return result, nil
		}
	}
	sha, err := p.Repo.Commit(ctx, l.request(req.Branch, l.base(), l.message(req)))
	if err != nil {
		return result, err
	}
	result.State, result.Commit, result.Branch = Committed, sha, req.Branch
	return result, nil
}

func (p *Promoter) pullRequest(ctx context.Context, now view, l load, req Request, result Promotion) (Promotion, error) {
	title, body, overflow, err := p.text(ctx, l)
	if err != nil {
		return result, err
	}
	result.Body, result.Overflow = body, overflow
	pull, err := now.pull(result.Branch)
	if err != nil {
		return result, err
	}
	head, moved, err := p.branch(ctx, l, req, pull, &result)
	if err != nil || result.State != "" {
		return result, err
	}
	result.Commit = head
	switch {
	case p.Forge == nil:
		result.State = map[bool]string{true: Updated, false: Unchanged}[moved]
		return result, nil
	case pull == nil:
		if pull, err = p.Forge.OpenPull(ctx, result.Branch, req.Branch, title, body); err != nil {
			return result, err
		}
		result.State = Opened
	case moved || !sameText(pull.Body, body) || pull.Title != title:
		if err := p.Forge.EditPull(ctx, pull.Number, title, body); err != nil {
			return result, err
		}
		result.State = Updated
	default:
		result.State = Unchanged
	}
	result.Number, result.URL = pull.Number, pull.URL
	pull.Head = head
	return result, p.follow(ctx, now, l, *pull, &result)
}

// follow does what a pull request needs once it is as it should be, now or in
// an earlier run that was interrupted before it could.
func (p *Promoter) follow(ctx context.Context, now view, l load, pull rules.Pull, result *Promotion) error {
	if result.State == Unchanged {
		if checked, err := now.checked(); err != nil || checked[pull.Head] {
			return err
		}
	}
	if result.State != Updated && len(l.to.Reviewers) > 0 {
		if err := p.Forge.RequestReviewers(ctx, pull.Number, l.to.Reviewers); err != nil {
			result.Reason = "the reviewers could not be asked: " + err.Error()
		}
	}
	return p.Forge.StartCheck(ctx, pull, result.State != Unchanged)
}

// sameText compares bodies as GitHub keeps them: with its own line endings and
// without white space at the end.
func sameText(a, b string) bool {
	normal := func(s string) string {
		return string(bytes.TrimSpace(bytes.ReplaceAll([]byte(s), []byte("\r\n"), []byte("\n"))))
	}
	return normal(a) == normal(b)
}

// branch makes the promotion branch hold the one commit it should, and says
// whether it had to move. It sets the result's state when the branch is not
// Waybill's to move.
func (p *Promoter) branch(
	ctx context.Context, l load, req Request, pull *rules.Pull, result *Promotion,
) (head string, moved bool, err error) {
	current, own, err := p.at(ctx, l, pull, result.Branch)
	if err != nil {
		return "", false, err
	}
	if current != "" {
		if own == nil {
			return "", false, p.leaveAlone(ctx, l, pull, result)
		}
		merged, declined := false, false
		if pull == nil && p.Forge != nil && l.brings(own) {
			if merged, declined, err = p.Forge.Past(ctx, result.Branch, current); err != nil {
				return "", false, err
			}
		}
		switch {
		case declined:
			result.State = Declined
			result.Reason = fmt.Sprintf(
				"somebody closed the pull request for this digest; delete the branch %s to have it opened again", result.Branch,
			)
			return current, false, nil
		case !merged && l.isIn(own):
			behind, err := p.behind(ctx, l, req, own)
			if err != nil || !behind {
				return current, false, err
			}
		}
	}
	head, err = p.Repo.Commit(ctx, l.request(result.Branch, current, l.message(req)))
	return head, true, err
}

// behind reports whether a promotion that could be merged is not built on the head
// of the base, where the base takes only what is. One that waits is left alone:
// each new head costs a check.
func (p *Promoter) behind(ctx context.Context, l load, req Request, own *rules.Branch) (bool, error) {
	if own.Base == l.base() || p.Forge == nil || !l.decision().Allowed {
		return false, nil
	}
	if p.strict == nil {
		strict, err := p.Forge.UpToDate(ctx, req.Branch)
		if err != nil {
			return false, err
		}
		p.strict = &strict
	}
	return *p.strict, nil
}

// at is where the branch of a promotion ends, as its pull request says where it is
// open, and what Waybill wrote there.
func (p *Promoter) at(
	ctx context.Context, l load, pull *rules.Pull, branch string,
) (head string, own *rules.Branch, err error) {
	if pull == nil {
		return rules.At(ctx, p.Repo, branch, l.apps, l.to.Name)
	}
	own, err = rules.Own(ctx, p.Repo, pull.Head, l.apps, l.to.Name)
	return pull.Head, own, err
}

const foreignMarker = "<!-- waybill:foreign -->"

func (p *Promoter) leaveAlone(ctx context.Context, l load, pull *rules.Pull, result *Promotion) error {
	result.State = Foreign
	result.Reason = fmt.Sprintf("somebody else has pushed to %s; merge or delete that branch to have Waybill promote again", result.Branch)
	if pull == nil {
		return nil
	}
	result.Number, result.URL = pull.Number, pull.URL
	return p.Forge.Comment(ctx, pull.Number, foreignMarker, fmt.Sprintf(
		"Waybill leaves this branch alone, because it holds more than its own commit. %s.\n\n"+
			"Merge or close this pull request and delete the branch to have Waybill open a new one.", l.would()))
}

// reportRefused brings the text of a pull request that is open for the digest
// up to date, so that nobody merges on what was true once.
func (p *Promoter) reportRefused(ctx context.Context, now view, l load, result *Promotion) error {
	pull, err := now.pull(result.Branch)
	if err != nil || pull == nil {
		return err
	}
	own, err := rules.Own(ctx, p.Repo, pull.Head, l.apps, l.to.Name)
	if err != nil || own == nil || !l.brings(own) {
		return err
	}
	result.Number, result.URL = pull.Number, pull.URL
	title, body, overflow, err := p.text(ctx, l)
	if err != nil {
		return err
	}
	result.Overflow = overflow
	if sameText(pull.Body, body) && pull.Title == title {
		return nil
	}
	if err := p.Forge.EditPull(ctx, pull.Number, title, body); err != nil {
		return err
	}
	return p.Forge.StartCheck(ctx, *pull, false)
}

const currentMarker = "<!-- waybill:current -->"

// settle closes the pull request of a promotion that has come about otherwise.
// The branch goes first, which closes it too: left behind, it would look as if
// somebody had declined the digest.
func (p *Promoter) settle(ctx context.Context, now view, l load, results []Promotion) error {
	if l.to.Promotion == config.Auto {
		return nil
	}
	pull, err := now.pull(l.branch)
	if err != nil || pull == nil {
		return err
	}
	for i := range results {
		results[i].Number, results[i].URL = pull.Number, pull.URL
	}
	if own, err := rules.Own(ctx, p.Repo, pull.Head, l.apps, l.to.Name); err != nil || own == nil {
		return err
	}
	if err := p.Forge.Comment(ctx, pull.Number, currentMarker, fmt.Sprintf(
		"%s runs %s already: there is nothing left to promote.", markdown.Text(l.to.Name), runs(results))); err != nil {
		return err
	}
	if err := p.Repo.DeleteBranch(ctx, l.branch, pull.Head); err != nil {
		return err
	}
	for i := range results {
		results[i].Reason = fmt.Sprintf("closed #%d, which is not needed any more", pull.Number)
	}
	return p.Forge.ClosePull(ctx, pull.Number)
}

// runs names what an environment runs already.
func runs(results []Promotion) string {
	if len(results) == 1 && !results[0].Image.IsZero() {
		return markdown.Code(results[0].Image.Digest())
	}
	return "all of it"
}

// would says in a sentence without its full stop what the load would move.
func (l load) would() string {
	if len(l.list) > shownApps {
		return fmt.Sprintf("%d applications would go to %s", len(l.list), l.to.Name)
	}
	var said []string
	for _, c := range l.list {
		var digests []string
		for _, image := range c.moving.Images() {
			digests = append(digests, markdown.Code(image.Digest()))
		}
		said = append(said, fmt.Sprintf("%s would go from %s to %s with %s", markdown.Code(c.app.Name), c.origin(), c.to.Name,
			text.List(digests, shownApps)))
	}
	return strings.Join(said, ". ")
}

// isIn reports whether a branch holds what the load would write.
func (l load) isIn(own *rules.Branch) bool {
	files, copies := l.files()
	return maps.EqualFunc(own.Files, files, bytes.Equal) && history.SameCopies(own.Copies, copies)
}
