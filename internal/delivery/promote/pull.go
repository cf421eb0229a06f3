package promote

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/markdown"
)

func (c candidate) message(req Request) string {
	reason := "Its evidence passes the policy of " + c.to.Name + "."
	if c.from.Name != "" {
		reason = "It runs in " + c.from.Name + " and its evidence passes the policy of " + c.to.Name + "."
	}
	from := ""
	if len(c.change.Copies) > 0 {
		from = history.TrailerFrom + ": " + c.from.Name + "\n"
	}
	return history.Message{
		Verb: history.Promote, App: c.app.Name, Env: c.to.Name, Image: c.image, Previous: c.change.Place.Ref,
		Source: rules.Origin(c.waybill), Committed: c.waybill.Source.CommittedAt, Run: req.Run, Reason: reason + rules.OrderOf(c.decision),
	}.String() + from + rules.TrailerBase + ": " + c.base + "\n"
}

func (c candidate) request(branch, expect, message string) configrepo.Request {
	r := configrepo.Request{Branch: branch, Expect: expect, Parent: c.base, Message: message}
	if len(c.change.Edits) > 0 {
		r.Changes = append(r.Changes, configrepo.Change{Path: c.change.Place.File, Content: c.change.After})
	}
	for _, file := range slices.Sorted(maps.Keys(c.change.Copies)) {
		if len(c.change.Edits) > 0 && file == c.change.Place.File {
			continue // both in one
		}
		r.Changes = append(r.Changes, configrepo.Change{Path: file, Content: c.change.Copies[file]})
	}
	return r
}

// commit writes to an environment that takes commits.
func (p *Promoter) commit(ctx context.Context, c candidate, req Request, result Promotion) (Promotion, error) {
	if c.decision.State() == evidence.Pending {
		result.State, result.Reason = Pending, c.refusal()
		return result, nil
	}
	sha, err := p.Repo.Commit(ctx, c.request(req.Branch, c.base, c.message(req)))
	if err != nil {
		return result, err
	}
	result.State, result.Commit, result.Branch = Committed, sha, req.Branch
	return result, nil
}

func (p *Promoter) pullRequest(ctx context.Context, now view, c candidate, req Request, result Promotion) (Promotion, error) {
	title, body, overflow, err := p.text(ctx, c)
	if err != nil {
		return result, err
	}
	result.Body, result.Overflow = body, overflow
	pull, err := now.pull(result.Branch)
	if err != nil {
		return result, err
	}
	head, moved, err := p.branch(ctx, c, req, pull, &result)
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
	return result, p.follow(ctx, now, c, *pull, &result)
}

// follow does what a pull request needs once it is as it should be, now or in
// an earlier run that was interrupted before it could.
func (p *Promoter) follow(ctx context.Context, now view, c candidate, pull rules.Pull, result *Promotion) error {
	if result.State == Unchanged {
		if checked, err := now.checked(); err != nil || checked[pull.Head] {
			return err
		}
	}
	if result.State != Updated && len(c.to.Reviewers) > 0 {
		if err := p.Forge.RequestReviewers(ctx, pull.Number, c.to.Reviewers); err != nil {
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
	ctx context.Context, c candidate, req Request, pull *rules.Pull, result *Promotion,
) (head string, moved bool, err error) {
	current, own, err := p.at(ctx, c, pull, result.Branch)
	if err != nil {
		return "", false, err
	}
	if current != "" {
		if own == nil {
			return "", false, p.leaveAlone(ctx, c, pull, result)
		}
		merged, declined := false, false
		if pull == nil && p.Forge != nil && own.Image == c.image {
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
		case !merged && bytes.Equal(own.File, c.change.After) && history.SameCopies(own.Copies, c.change.Copies):
			behind, err := p.behind(ctx, c, req, own)
			if err != nil || !behind {
				return current, false, err
			}
		}
	}
	head, err = p.Repo.Commit(ctx, c.request(result.Branch, current, c.message(req)))
	return head, true, err
}

// behind reports whether a promotion that could be merged is not built on the head
// of the base, where the base takes only what is. One that waits is left alone:
// each new head costs a check.
func (p *Promoter) behind(ctx context.Context, c candidate, req Request, own *rules.Branch) (bool, error) {
	if own.Base == c.base || p.Forge == nil || !c.decision.Allowed {
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
	ctx context.Context, c candidate, pull *rules.Pull, branch string,
) (head string, own *rules.Branch, err error) {
	if pull == nil {
		return rules.At(ctx, p.Repo, branch, c.app, c.to.Name)
	}
	own, err = rules.Own(ctx, p.Repo, pull.Head, c.app, c.to.Name)
	return pull.Head, own, err
}

const foreignMarker = "<!-- waybill:foreign -->"

func (p *Promoter) leaveAlone(ctx context.Context, c candidate, pull *rules.Pull, result *Promotion) error {
	result.State = Foreign
	result.Reason = fmt.Sprintf("somebody else has pushed to %s; merge or delete that branch to have Waybill promote again", result.Branch)
	if pull == nil {
		return nil
	}
	result.Number, result.URL = pull.Number, pull.URL
	return p.Forge.Comment(ctx, pull.Number, foreignMarker, fmt.Sprintf(
		"Waybill leaves this branch alone, because it holds more than its own commit. `%s` would go from %s to %s with "+
			"`%s`.\n\nMerge or close this pull request and delete the branch to have Waybill open a new one.",
		c.app.Name, c.origin(), c.to.Name, c.image.Digest()))
}

// reportRefused brings the text of a pull request that is open for the digest
// up to date, so that nobody merges on what was true once.
func (p *Promoter) reportRefused(ctx context.Context, now view, c candidate, result *Promotion) error {
	pull, err := now.pull(result.Branch)
	if err != nil || pull == nil {
		return err
	}
	own, err := rules.Own(ctx, p.Repo, pull.Head, c.app, c.to.Name)
	if err != nil || own == nil || own.Image != c.image {
		return err
	}
	result.Number, result.URL = pull.Number, pull.URL
	title, body, overflow, err := p.text(ctx, c)
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
func (p *Promoter) settle(ctx context.Context, now view, m move, result *Promotion) error {
	if m.to.Promotion == config.Auto {
		return nil
	}
	pull, err := now.pull(result.Branch)
	if err != nil || pull == nil {
		return err
	}
	result.Number, result.URL = pull.Number, pull.URL
	if own, err := rules.Own(ctx, p.Repo, pull.Head, m.app, m.to.Name); err != nil || own == nil {
		return err
	}
	if err := p.Forge.Comment(ctx, pull.Number, currentMarker, fmt.Sprintf(
		"%s runs %s already: there is nothing left to promote.", markdown.Text(m.to.Name),
		markdown.Code(result.Image.Digest()))); err != nil {
		return err
	}
	if err := p.Repo.DeleteBranch(ctx, result.Branch, pull.Head); err != nil {
		return err
	}
	result.Reason = fmt.Sprintf("closed #%d, which is not needed any more", pull.Number)
	return p.Forge.ClosePull(ctx, pull.Number)
}
