package approval

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Teams asks GitHub who is in a team. It may act by another token than the rest.
type Teams interface {
	TeamMember(ctx context.Context, org, team, user string) (bool, error)
}

// Question is whether a plan of a pull request is approved.
type Question struct {
	Subject
	Site    *site.Site
	Teams   Teams
	Changes []Change
}

// Of reads the approvals of the pull request and holds them against the rules of
// every revision that has a say.
func Of(ctx context.Context, q Question) (Decision, error) {
	needs, revisions, err := Ruled(ctx, q.Site, q.Changes)
	if err != nil {
		return Decision{}, err
	}
	pull, err := Collect(ctx, q.Site)
	if err != nil {
		return Decision{}, err
	}
	decision, err := Decide(ctx, pull, q.Subject, needs, people{q.Teams, q.Site})
	decision.Repository, decision.Rules = q.Site.Repo.String(), revisions
	return decision, err
}

// people asks GitHub who somebody is.
type people struct {
	Teams
	site *site.Site
}

func (p people) CanWrite(ctx context.Context, user string) (bool, error) {
	return p.site.API.CanWrite(ctx, p.site.Repo, user)
}

// Ruled says what changes ask for by the rules of every revision that has a say,
// and which revisions those are.
func Ruled(ctx context.Context, s *site.Site, changes []Change) (Needs, []string, error) {
	rules, err := RulesOf(ctx, s)
	if err != nil {
		return Needs{}, nil, err
	}
	var revisions []string
	for _, r := range rules {
		revisions = append(revisions, r.Revision)
	}
	needs, err := NeedsOf(rules, changes)
	return needs, revisions, err
}

// RulesOf reads the rules of every revision that has a say.
func RulesOf(ctx context.Context, s *site.Site) ([]Rules, error) {
	revisions, err := s.Revisions(ctx)
	if err != nil {
		return nil, err
	}
	var rules []Rules
	for _, sha := range revisions {
		terraform, is, err := s.TerraformAt(ctx, sha)
		if err != nil {
			return nil, err
		}
		if !is {
			return nil, outcome.Refusedf("%s has no %s at %s, so nobody is named who may approve: "+
				"it must be on the default branch before the pull request is made",
				s.Repo, config.FileName, text.Commit(sha))
		}
		rules = append(rules, Rules{Terraform: terraform, Revision: sha})
	}
	if !slices.ContainsFunc(rules, func(r Rules) bool { return r.NeedsCodeOwners() }) {
		return rules, nil
	}
	return rules, readOwners(ctx, s, rules)
}

// readOwners adds to the rules what CODEOWNERS says of the files of the pull
// request.
func readOwners(ctx context.Context, s *site.Site, rules []Rules) error {
	branch, err := s.DefaultBranch(ctx)
	if err != nil {
		return err
	}
	if s.Pull.BaseRef != branch {
		return outcome.Refusedf("#%d is made against %s: which files it would change on %s is not known, and a rule asks for their owners",
			s.Pull.Number, s.Pull.BaseRef, branch)
	}
	files, err := s.API.PullFiles(ctx, s.Repo, s.Pull.Number)
	if err != nil {
		return err
	}
	for n := range rules {
		rules[n].Files = files
		name, data, err := s.CodeOwners(ctx, rules[n].Revision)
		if err == nil && name != "" {
			rules[n].Owners, err = ParseCodeOwners(name, data)
		}
		if err != nil {
			return fmt.Errorf("at %s: %w", text.Commit(rules[n].Revision), err)
		}
	}
	return nil
}

// Committed refuses changes that need an approval, by the rules of the checkout's
// HEAD: where there is no pull request, nobody can have given one.
func Committed(ctx context.Context, s *site.Site, changes []Change) error {
	terraform, is, err := s.Committed(ctx)
	if err != nil {
		return err
	}
	if !is {
		return outcome.Refusedf("HEAD has no %s, so nothing says that a plan may be applied without approval", config.FileName)
	}
	needs, err := NeedsOf([]Rules{{Terraform: terraform}}, changes)
	if err != nil {
		return err
	}
	for _, n := range needs.Roots {
		if n.Approvals > 0 {
			return outcome.Pendingf("%s needs %d approvals of %s, and approvals are given on a pull request: --pull-request N "+
				"--repo OWNER/NAME",
				n.name(), n.Approvals, strings.Join(n.From, ", "))
		}
	}
	return nil
}

// Removed are what roots that are taken away ask for: as much as if they were
// destroyed. parts are their fingerprints.
func Removed(removed []roots.Removed, parts plan.Parts) (changes []Change) {
	for i, r := range removed {
		changes = append(changes, Change{
			Dir: r.Dir, Workspace: r.Workspace, Destroys: true, Root: parts[i], Uses: (&roots.Sources{Dirs: []string{r.Dir}}).Uses,
		})
	}
	return changes
}

// Waits are what roots ask for that cannot be planned yet: as much as any change of
// them, of the whole plan. Their code is merged with it, and nobody has seen what it
// does.
func Waits(waiting []plan.Waiting, full plan.Fingerprint) (changes []Change) {
	for _, w := range waiting {
		uses := (&roots.Sources{Dirs: []string{w.Dir}}).Uses
		changes = append(changes, Change{Dir: w.Dir, Workspace: w.Workspace, Root: full, Uses: uses})
	}
	return changes
}

// Collect reads everything that may be an approval of the pull request.
func Collect(ctx context.Context, s *site.Site) (Pull, error) {
	pr := s.Pull
	p := Pull{Number: pr.Number, Author: pr.Author, Head: pr.HeadSHA}
	if !strings.EqualFold(pr.HeadRepo, s.Repo.String()) {
		return p, outcome.Refusedf("pull request #%d comes from a fork: its plan is neither made nor applied here", pr.Number)
	}
	var err error
	if p.Pushers, err = s.API.Pushers(ctx, s.Repo, pr.HeadRef, pr.HeadSHA); err != nil {
		return p, err
	}
	if len(p.Pushers) == 0 {
		return p, fmt.Errorf("find who pushed %s: GitHub has no record of it, and that person may not approve: push the branch again",
			text.Commit(pr.HeadSHA))
	}
	said, err := s.Conversation(ctx)
	if err != nil {
		return p, err
	}
	p.Deleted = said.Deleted
	for _, r := range said.Reviews {
		p.Votes = append(p.Votes, Vote{
			ID: r.ID, User: r.Author, At: r.Submitted, Kind: Review, State: r.State, CommitID: r.CommitID, Body: r.Body,
			Edited: r.Edited, URL: r.URL,
		})
	}
	for _, c := range said.Comments {
		vote := Vote{ID: c.ID, User: c.Author, At: c.Created, Kind: Comment, Body: c.Body, Edited: c.Edit, URL: c.URL}
		if vote.Edited == nil && c.Edited() {
			vote.Edited = &github.Edit{At: c.Updated, Others: true} // GitHub does not say what was changed
		}
		p.Votes = append(p.Votes, vote)
	}
	return p, nil
}
