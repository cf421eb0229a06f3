package proposal

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Again starts a workflow that plans, for each open pull request whose plan is out of
// date.
type Again struct {
	Workflow string        // file
	Age      time.Duration // at which a plan is out of date in any case
	Now      time.Time
	Registry func(host string) seal.Registry
}

// Stale is a pull request whose plan is out of date.
type Stale struct {
	PullRequest int    `json:"pull_request"`
	Why         string `json:"why"`
}

// Run starts the workflow for each of them. A pull request without a plan of its head is
// left alone: its own events plan it.
func (a Again) Run(ctx context.Context, s *site.Site) (stale []Stale, err error) {
	branch, err := s.DefaultBranch(ctx)
	if err != nil {
		return nil, err
	}
	pulls, err := s.API.ListPulls(ctx, s.Repo, "")
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, pull := range pulls {
		if pull.BaseRef != branch {
			continue
		}
		why, err := a.why(ctx, s.Of(&pull))
		if err == nil && why != "" {
			stale = append(stale, Stale{PullRequest: pull.Number, Why: why})
			err = s.API.Dispatch(ctx, s.Repo, a.Workflow, branch, map[string]string{"pull_request": strconv.Itoa(pull.Number)})
			if github.IsNotFound(err) {
				err = fmt.Errorf("start %s, which needs the permission actions: write: %w", a.Workflow, err)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("#%d: %w", pull.Number, err))
		}
	}
	return stale, outcome.Join(errs...)
}

// why says why the plan of a pull request is out of date; empty is that it is not.
func (a Again) why(ctx context.Context, s *site.Site) (string, error) {
	claim, found, err := comment.FindClaim(ctx, s)
	if err == nil && found {
		claim, err = claim.Whole(ctx, a.Registry)
	}
	if outcome.Code(err) == outcome.Refused {
		return text.Flat(err.Error()), nil // what it names is not what it says
	}
	if err != nil || !found || claim.Head != s.Pull.HeadSHA {
		return "", err
	}
	moved, err := comment.FindMoved(ctx, s)
	if err != nil {
		return "", err
	}
	if now := claim.Before(moved); len(now) > 0 {
		return now[0].String(), nil
	}
	if a.Age > 0 && a.Now.Sub(claim.At) > a.Age {
		return fmt.Sprintf("it is of %s", claim.At.UTC().Format(time.DateOnly)), nil
	}
	return merged(ctx, s.Top, claim)
}

// merged says what was merged since the plan was made that the plan is bound to. The
// checkout is the default branch.
func merged(ctx context.Context, top string, claim comment.Claim) (string, error) {
	out, err := git.Run(ctx, top, "log", "--first-parent", "--diff-merges=first-parent", "--since="+claim.At.UTC().Format(time.RFC3339),
		"--no-renames", "--name-only", "-z", "--format=", "HEAD")
	if err != nil {
		return "", fmt.Errorf("list what was merged since the plan (the clone must be whole): %w", err)
	}
	for file := range strings.SplitSeq(out, "\x00") {
		file = strings.TrimPrefix(file, "\n")
		if file != "" && slices.ContainsFunc(claim.Roots, func(r comment.ClaimRoot) bool { return r.Uses(file) }) {
			return text.Printable(file) + " was changed since", nil
		}
	}
	return "", nil
}
