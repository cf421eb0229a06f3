// Package pulls is what the steps ask of GitHub beside files and commits: pull
// requests of the config repository, their checks, and how commits of a source
// repository stand to each other.
//
// It translates between internal/door/github and the words of internal/delivery/rules
// and decides nothing.
package pulls

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/settings"
)

// Forge is the config repository's pull requests, and the source repositories
// beside it.
type Forge struct {
	API           *github.Client
	Repository    github.Repository
	Sources       Sources          // that source repositories are read with; API if nil
	Branch        string           // that pull requests go into
	CheckWorkflow string           // file, started for each pull request; empty starts none
	StatusContext string           // of the commit status that the check reports as
	Starts        bool             // what this identity does starts workflows, as an App's does and a job token's does not
	Now           func() time.Time // nil is the clock
	// Statuses, if not nil, keeps those of each commit, as they were read first.
	Statuses *sync.Map
	// Dry, if not nil, is told what would be written, and nothing is.
	Dry func(format string, args ...any)
}

// FindPull finds the open pull request of a branch; nil without one.
func (f Forge) FindPull(ctx context.Context, branch, base string) (*rules.Pull, error) {
	pr, err := f.API.FindPull(ctx, f.Repository, branch, base)
	return pullOf(pr), err
}

// OpenPulls lists the open pull requests from Waybill's branches, by branch.
func (f Forge) OpenPulls(ctx context.Context, base string) (map[string]rules.Pull, error) {
	list, err := f.API.ListPulls(ctx, f.Repository, "waybill/")
	if err != nil {
		return nil, err
	}
	pulls := make(map[string]rules.Pull)
	for _, pr := range list {
		if pr.BaseRef == base {
			pulls[pr.HeadRef] = *pullOf(&pr)
		}
	}
	return pulls, nil
}

// OpenPull opens a pull request, or finds the one that is open already.
func (f Forge) OpenPull(ctx context.Context, branch, base, title, body string) (*rules.Pull, error) {
	if f.Dry != nil {
		f.Dry("would open a pull request from %s: %s", branch, title)
		return &rules.Pull{Title: title, Body: body}, nil
	}
	pr, err := f.API.OpenPull(ctx, f.Repository, github.NewPull{Title: title, Body: body, Head: branch, Base: base})
	return pullOf(pr), err
}

// EditPull sets title and body.
func (f Forge) EditPull(ctx context.Context, number int, title, body string) error {
	if f.Dry != nil {
		f.Dry("would edit #%d: %s", number, title)
		return nil
	}
	_, err := f.API.EditPull(ctx, f.Repository, number, title, body)
	return err
}

func pullOf(pr *github.PullRequest) *rules.Pull {
	if pr == nil {
		return nil
	}
	return &rules.Pull{Number: pr.Number, Title: pr.Title, Body: pr.Body, URL: pr.URL, Head: pr.HeadSHA}
}

// ClosePull closes a pull request without merging it.
func (f Forge) ClosePull(ctx context.Context, number int) error {
	if f.Dry != nil {
		f.Dry("would close #%d", number)
		return nil
	}
	return f.API.ClosePull(ctx, f.Repository, number)
}

// Past says what became of the pull requests of a branch at a head that are
// closed: merged, or declined by somebody.
func (f Forge) Past(ctx context.Context, branch, head string) (merged, declined bool, err error) {
	closed, err := f.API.ClosedPulls(ctx, f.Repository, branch)
	for _, pr := range closed {
		if pr.HeadSHA == head {
			merged, declined = merged || pr.Merged, declined || !pr.Merged
		}
	}
	return merged, declined && !merged, err
}

// Comment makes body the one comment of its own that begins with the marker.
func (f Forge) Comment(ctx context.Context, number int, marker, body string) error {
	if f.Dry != nil {
		f.Dry("would comment on #%d", number)
		return nil
	}
	me, err := f.API.Viewer(ctx)
	if err != nil {
		return err
	}
	return f.API.UpsertOwnComment(ctx, f.Repository, number, github.OwnComment{
		Login: me, Marker: marker, Body: marker + "\n" + strings.TrimPrefix(body, marker+"\n"),
	})
}

// UpToDate reports whether a rule of the branch wants pull requests to be up to date
// with it. Where there are no rulesets, none does.
func (f Forge) UpToDate(ctx context.Context, branch string) (bool, error) {
	found, err := settings.Of(f.API).Rules(ctx, f.Repository, branch)
	if github.IsNotFound(err) || github.IsStatus(err, http.StatusForbidden) {
		return false, nil
	}
	return slices.ContainsFunc(found, func(r settings.Rule) bool { return r.Parameters.UpToDate }), err
}

// RequestReviewers asks users, and teams written as ORG/TEAM.
func (f Forge) RequestReviewers(ctx context.Context, number int, reviewers []string) error {
	if f.Dry != nil {
		f.Dry("would ask %s to review", strings.Join(reviewers, ", "))
		return nil
	}
	var users, teams []string
	for _, r := range reviewers {
		if _, team, ok := strings.Cut(r, "/"); ok {
			teams = append(teams, team)
		} else {
			users = append(users, r)
		}
	}
	return f.API.RequestReviewers(ctx, f.Repository, number, users, teams)
}

// Words and patience for the status that waits for a check.
const (
	checkStarted = "the check has been started"
	checkWithin  = 20 * time.Minute
)

// StartCheck marks the head as waiting and starts the check workflow from the
// base branch, so that the pull request cannot bring its own. A head that has
// just been pushed by somebody whose pushes start workflows is checked already.
func (f Forge) StartCheck(ctx context.Context, pull rules.Pull, pushed bool) error {
	if f.CheckWorkflow == "" || pushed && f.Starts || f.Dry != nil {
		return nil
	}
	if err := f.API.SetStatus(ctx, f.Repository, pull.Head, github.Status{
		Context: f.StatusContext, State: "pending", Description: checkStarted,
	}); err != nil {
		return err
	}
	return f.API.Dispatch(ctx, f.Repository, f.CheckWorkflow, f.Branch, map[string]string{"pull_request": fmt.Sprint(pull.Number)})
}

// Checked reports whether the check of a head has given a verdict, or was started
// a while ago and may still. One that ended in trouble is no verdict.
func (f Forge) Checked(ctx context.Context, head string) (bool, error) {
	checked, err := f.CheckedAll(ctx, []string{head})
	return checked[head], err
}

// CheckedAll says the same of several heads, by few requests.
func (f Forge) CheckedAll(ctx context.Context, heads []string) (map[string]bool, error) {
	checked := make(map[string]bool, len(heads))
	if f.CheckWorkflow == "" {
		for _, head := range heads {
			checked[head] = true
		}
		return checked, nil
	}
	statuses, err := f.API.StatusesOf(ctx, f.Repository, heads)
	if err != nil {
		return nil, err
	}
	now := time.Now
	if f.Now != nil {
		now = f.Now
	}
	for _, head := range heads {
		for _, s := range statuses[head] {
			if s.Context == f.StatusContext {
				waits := s.State == "pending" && s.Description == checkStarted
				checked[head] = s.State != "error" && (!waits || now().Sub(s.Updated) < checkWithin)
				break
			}
		}
	}
	return checked, nil
}

// Commits lists source commits for a promotion's body.
func (f Forge) Commits(ctx context.Context, repository, base, head string) ([]rules.Commit, int, bool, error) {
	parsed, err := github.ParseRepository(repository)
	if err != nil {
		return nil, 0, false, nil
	}
	api, err := f.source(ctx, parsed)
	if err != nil || api == nil {
		return nil, 0, false, err
	}
	comparison, err := api.Compare(ctx, parsed, base, head)
	if unreadable(err) {
		return nil, 0, false, nil
	}
	if err != nil {
		return nil, 0, false, err
	}
	var commits []rules.Commit
	for i := len(comparison.Commits) - 1; i >= 0; i-- {
		c := comparison.Commits[i]
		subject, _, _ := strings.Cut(c.Message, "\n")
		commits = append(commits, rules.Commit{SHA: c.SHA, Subject: subject, Author: c.Author, URL: c.URL})
	}
	return commits, comparison.AheadBy, true, nil
}

// Link is the page of a source commit.
func (f Forge) Link(repository, commit string) string {
	return f.API.ServerURL() + "/" + repository + "/commit/" + commit
}

// Relate asks GitHub how two commits of a source repository stand to each
// other. A repository that this token cannot read gives Unknown.
func (f Forge) Relate(ctx context.Context, repository, base, head string) (rules.Relation, error) {
	parsed, err := github.ParseRepository(repository)
	if err != nil {
		return rules.Unknown, nil
	}
	api, err := f.source(ctx, parsed)
	if err != nil || api == nil {
		return rules.Unknown, err
	}
	comparison, err := api.Compare(ctx, parsed, base, head)
	if unreadable(err) {
		return rules.Unknown, nil
	}
	if err != nil {
		return "", err
	}
	relations := map[string]rules.Relation{"ahead": rules.Newer, "behind": rules.Older, "identical": rules.Same, "diverged": rules.Diverged}
	if relation, ok := relations[comparison.Status]; ok {
		return relation, nil
	}
	return rules.Unknown, nil
}

// unreadable reports whether GitHub's answer is that this token may not look, or
// that there is nothing to see.
func unreadable(err error) bool {
	return github.IsStatus(err, http.StatusNotFound) || github.IsStatus(err, http.StatusForbidden) ||
		github.IsStatus(err, http.StatusUnauthorized)
}
