package promote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/waybill-dev/waybill/internal/configrepo"
	"github.com/waybill-dev/waybill/internal/deployment"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/promotion"
)

// trailerBase names the commit that a promotion branch was built on, so that
// what the branch holds can be told from what somebody added to it.
const trailerBase = "Waybill-Base"

func (c candidate) message(req Request) string {
	return deployment.Message{
		Verb: "promote", App: c.app.Name, Env: c.to.Name, Image: c.image, Previous: c.change.Place.Ref,
		Source: promotion.Origin(c.waybill), Run: req.Run, Reason: "It runs in " + c.from.Name + " and its evidence passes the policy of " + c.to.Name + ".",
	}.String() + trailerBase + ": " + c.base + "\n"
}

func (c candidate) request(branch, expect, message string) configrepo.Request {
	return configrepo.Request{Branch: branch, Expect: expect, Parent: c.base, Message: message,
		Changes: []configrepo.Change{{Path: c.change.Place.File, Content: c.change.After}}}
}

// commit writes to an environment that takes commits. A lost race is left to
// the next run, which the winner's push starts.
func (p *Promoter) commit(ctx context.Context, c candidate, req Request, result Promotion) (Promotion, error) {
	if c.decision.State() == evidence.Pending {
		result.State, result.Reason = Pending, c.refusal()
		return result, nil
	}
	sha, err := p.Repo.Commit(ctx, c.request(req.Branch, c.base, c.message(req)))
	if errors.Is(err, configrepo.ErrMoved) {
		result.State, result.Reason = Pending, "the branch moved meanwhile; the next run promotes"
		return result, nil
	}
	if err != nil {
		return result, err
	}
	result.State, result.Commit, result.Branch = Committed, sha, req.Branch
	return result, nil
}

func (p *Promoter) pullRequest(ctx context.Context, c candidate, req Request, result Promotion) (Promotion, error) {
	title, body, overflow, err := p.text(ctx, c)
	if err != nil {
		return result, err
	}
	result.Body, result.Overflow = body, overflow
	var pull *promotion.Pull
	if p.Forge != nil {
		if pull, err = p.Forge.FindPull(ctx, result.Branch, req.Branch); err != nil {
			return result, err
		}
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
		if len(c.to.Reviewers) > 0 {
			if err := p.Forge.RequestReviewers(ctx, pull.Number, c.to.Reviewers); err != nil {
				result.Reason = "opened, but the reviewers could not be asked: " + err.Error()
			}
		}
	case moved || !sameText(pull.Body, body) || pull.Title != title:
		if err := p.Forge.EditPull(ctx, pull.Number, title, body); err != nil {
			return result, err
		}
		result.State = Updated
	default:
		result.State = Unchanged
	}
	result.Number, result.URL = pull.Number, pull.URL
	if result.State != Unchanged {
		pull.Head = head
		if err := p.Forge.StartCheck(ctx, *pull); err != nil {
			return result, err
		}
	}
	return result, nil
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
func (p *Promoter) branch(ctx context.Context, c candidate, req Request, pull *promotion.Pull, result *Promotion) (head string, moved bool, err error) {
	current, err := p.Repo.Head(ctx, result.Branch)
	if errors.Is(err, configrepo.ErrNotFound) {
		current, err = "", nil
	}
	if err != nil {
		return "", false, err
	}
	if current != "" {
		own, upToDate, err := p.own(ctx, c, current)
		if err != nil {
			return "", false, err
		}
		if !own {
			return "", false, p.leaveAlone(ctx, c, pull, result)
		}
		if upToDate {
			if pull == nil && p.Forge != nil {
				closed, err := p.Forge.Closed(ctx, result.Branch, current)
				if err != nil {
					return "", false, err
				}
				if closed {
					result.State = Declined
					result.Reason = fmt.Sprintf("somebody closed the pull request for this digest; delete the branch %s to have it opened again", result.Branch)
				}
			}
			return current, false, nil
		}
	}
	head, err = p.Repo.Commit(ctx, c.request(result.Branch, current, c.message(req)))
	if errors.Is(err, configrepo.ErrMoved) {
		return "", false, fmt.Errorf("%w: another run is at it; run again", err)
	}
	return head, true, err
}

// own says whether a branch holds Waybill's own commit and nothing else, and
// whether that commit is still what it should be: the right digest, on a base
// whose overlay has not changed since.
func (p *Promoter) own(ctx context.Context, c candidate, head string) (own, upToDate bool, err error) {
	entries, err := p.Repo.Log(ctx, head, "", 1)
	if err != nil || len(entries) == 0 {
		return false, false, err
	}
	message := entries[0].Message
	base := deployment.Trailer(message, trailerBase)
	if base == "" || deployment.Trailer(message, deployment.TrailerApp) != c.app.Name || deployment.Trailer(message, deployment.TrailerEnvironment) != c.to.Name {
		return false, false, nil
	}
	now, err := p.Repo.Snapshot(ctx, head)
	if err != nil {
		return false, false, err
	}
	was, err := p.Repo.Snapshot(ctx, base)
	if errors.Is(err, configrepo.ErrNotFound) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	file := c.change.Place.File
	same := maps.EqualFunc(without(now.Files, file), without(was.Files, file), bytes.Equal)
	return same, same && bytes.Equal(now.Files[file], c.change.After), nil
}

func without(files map[string][]byte, name string) map[string][]byte {
	rest := maps.Clone(files)
	delete(rest, name)
	return rest
}

const foreignMarker = "<!-- waybill:foreign -->"

func (p *Promoter) leaveAlone(ctx context.Context, c candidate, pull *promotion.Pull, result *Promotion) error {
	result.State = Foreign
	result.Reason = fmt.Sprintf("somebody else has pushed to %s; merge or delete that branch to have Waybill promote again", result.Branch)
	if pull == nil {
		return nil
	}
	result.Number, result.URL = pull.Number, pull.URL
	return p.Forge.Comment(ctx, pull.Number, foreignMarker, fmt.Sprintf(
		"Waybill leaves this branch alone, because it holds more than its own commit. `%s` would go from %s to %s with `%s`.\n\nMerge or close this pull request and delete the branch to have Waybill open a new one.",
		c.app.Name, c.from.Name, c.to.Name, c.image.Digest()))
}

// reportRefused brings the text of a pull request that is open for the digest
// up to date, so that nobody merges on what was true once.
func (p *Promoter) reportRefused(ctx context.Context, c candidate, req Request, result *Promotion) error {
	if p.Forge == nil {
		return nil
	}
	pull, err := p.Forge.FindPull(ctx, result.Branch, req.Branch)
	if err != nil || pull == nil {
		return err
	}
	own, upToDate, err := p.own(ctx, c, pull.Head)
	if err != nil || !own || !upToDate {
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
	return p.Forge.StartCheck(ctx, *pull)
}
