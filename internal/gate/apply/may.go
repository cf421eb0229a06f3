package apply

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// asker is who asked for the plan to be applied by a comment; empty where no
// comment did. It refuses one of somebody who may not write to the repository.
func (o Order) asker(ctx context.Context) (string, error) {
	c := o.Asked
	switch {
	case c == nil:
		return "", nil
	case o.Site.Pull == nil:
		return "", outcome.Usagef("the comment is not on a pull request")
	case c.Action != "created":
		return "", outcome.Refusedf("the comment was %s: only a new one asks for something", c.Action)
	case !c.Applies() && !c.SaysUnlock():
		return "", outcome.Usagef("the comment does not ask for anything: its first line is /apply, or /apply and a fingerprint, or " +
			"/unlock, or /unlock DIR LOCK")
	}
	may, err := o.Site.API.CanWrite(ctx, o.Site.Repo, c.User)
	if err != nil {
		return "", err
	}
	if !may {
		return "", outcome.Refusedf("%s has no write access to %s, so %s was ignored", c.User, o.Site.Repo, strings.Fields(c.Body)[0])
	}
	if c.SaysUnlock() && !c.Unlocks() {
		err = outcome.Refusedf("/unlock alone ends the hold of this pull request; /unlock DIR LOCK, or /unlock DIR WORKSPACE LOCK, a lock " +
			"of terraform, whose id the refused apply names")
	}
	return c.User, err
}

// NotApplied is why nothing was applied although somebody asked for it by a
// comment.
type NotApplied struct {
	By     string
	What   string // was not done, such as "applied"
	Reason error
}

func (e *NotApplied) Error() string { return e.Reason.Error() }

// Unwrap keeps the reason reachable.
func (e *NotApplied) Unwrap() error { return e.Reason }

// Markdown is the answer on the pull request: nobody looks for the run of a
// comment.
func (e *NotApplied) Markdown() string {
	return Marker + "\n@" + e.By + ": nothing was " + e.What + ".\n\n" + markdown.Fence("", text.Printable(e.Reason.Error()))
}

// answer marks a refusal, or a wait, that the author of the asking comment has to
// be told of.
func (o Order) answer(by string, err error) error {
	if code := outcome.Code(err); by == "" || code != outcome.Refused && code != outcome.Pending {
		return err
	}
	told := &NotApplied{By: by, What: "applied", Reason: err}
	switch {
	case o.Asked.SaysUnlock():
		told.What = "unlocked"
	case o.MergeHead != "":
		told.What = "merged"
	}
	return told
}

// Push is a push to the default branch.
type Push struct{ Before, After string }

// maxPushed bounds the commits of one push of which pull requests are looked for.
const maxPushed = 100

// pushed are the pull requests that brought the commits of a push to the default
// branch, oldest first: one, or as many as a merge queue merged at once.
func (o Order) pushed(ctx context.Context) ([]*github.PullRequest, error) {
	commits := []string{o.Head}
	if before := o.Push.Before; strings.Trim(before, "0") != "" && o.Push.After == o.Head {
		most := fmt.Sprintf("--max-count=%d", maxPushed+1)
		out, err := git.Run(ctx, o.Tool.Top, "rev-list", "--first-parent", "--reverse", most, before+".."+o.Head)
		if err != nil {
			return nil, fmt.Errorf("list the commits that were pushed (the clone must be whole): %w", err)
		}
		if commits = strings.Fields(out); len(commits) > maxPushed {
			return nil, outcome.Usagef("more than %d commits were pushed at once: start apply for each pull request, with --pull-request N",
				maxPushed)
		}
	}
	var pulls []*github.PullRequest
	for _, sha := range commits {
		found, err := o.Site.API.PullsOfCommit(ctx, o.Site.Repo, sha)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			// Of the commits of a rebased one, the last is its merge.
			known := slices.ContainsFunc(pulls, func(o *github.PullRequest) bool { return o.Number == p.Number })
			if p.Merged && p.MergeSHA == sha && !known {
				pulls = append(pulls, &p)
			}
		}
	}
	if len(pulls) == 0 {
		return nil, outcome.Refusedf("commit %.7s came by no pull request, so nobody can have approved a plan of it", o.Head)
	}
	return pulls, nil
}

// mayApply refuses a pull request that is not merged, unless the rules let plans
// be applied before: then its head must be what a merge would bring.
func mayApply(ctx context.Context, s *site.Site) error {
	p := s.Pull
	if p == nil || p.Merged {
		return nil
	}
	rules, err := approval.RulesOf(ctx, s)
	if err != nil {
		return err
	}
	branch, err := s.DefaultBranch(ctx)
	if err != nil {
		return err
	}
	switch {
	case slices.ContainsFunc(rules, func(r approval.Rules) bool { return !r.BeforeMerge }):
		return outcome.Refusedf("pull request #%d is not merged: its plan is applied afterwards "+
			"(terraform.apply: before-merge in waybill.yaml of the default branch would let it be applied now)", p.Number)
	case p.BaseRef != branch:
		return outcome.Refusedf("pull request #%d is made against %s: before the merge, only what goes to %s is applied",
			p.Number, p.BaseRef, branch)
	case p.Draft:
		return outcome.Refusedf("pull request #%d is a draft: mark it as ready first", p.Number)
	case !p.Mergeable:
		return outcome.Refusedf("pull request #%d cannot be merged as it is, or GitHub has not found out yet: resolve its "+
			"conflicts, or try again",
			p.Number)
	}
	if err := upToDate(ctx, s); err != nil {
		return err
	}
	return green(ctx, s)
}

// upToDate refuses a head that lacks commits of the default branch. A clone that
// has both commits proves it; GitHub is asked where it does not. Commits are named
// by their ids: a tag can have the name of a branch.
func upToDate(ctx context.Context, s *site.Site) error {
	tip, err := s.Tip(ctx)
	if err != nil {
		return err
	}
	if _, err := git.Run(ctx, s.Top, "--no-replace-objects", "merge-base", "--is-ancestor", tip, s.Pull.HeadSHA); err == nil {
		return nil
	}
	compared, err := s.API.Compare(ctx, s.Repo, tip, s.Pull.HeadSHA)
	if err != nil {
		return err
	}
	if compared.BehindBy > 0 {
		return outcome.Refusedf("the head of #%d lacks %d commits of %s: bring it up to date, and plan again",
			s.Pull.Number, compared.BehindBy, s.Pull.BaseRef)
	}
	return nil
}

// still refuses, right before anything is applied, what does not hold any more since it
// was judged: the default branch has moved, or another pull request holds a root.
func (o Order) still(ctx context.Context, a *Applier) error {
	if o.Site.Pull == nil {
		return nil
	}
	now, err := o.Site.Now(ctx)
	if err != nil {
		return err
	}
	return outcome.Join(stillOnTip(ctx, o.Site, now), o.stillMerged(ctx, a, now), a.held(ctx, o.Site))
}

// stillApproved decides anew, right before anything is applied, where something was said
// since it was decided. What is not merged must still be the head of an open pull request.
func (o Order) stillApproved(ctx context.Context, approved func() error) error {
	s := o.Site
	if s.Pull == nil {
		return nil
	}
	if !s.Pull.Merged {
		now, err := s.API.Pull(ctx, s.Repo, s.Pull.Number)
		if err != nil {
			return err
		}
		if now.HeadSHA != s.Pull.HeadSHA || now.State == "closed" && !now.Merged {
			return outcome.Refusedf("#%d was pushed to or closed while its plan was checked: nothing of it is applied", s.Pull.Number)
		}
	}
	other, err := s.Listen(ctx)
	if err != nil || !other {
		return err
	}
	return approved()
}

// stillOnTip refuses what is not merged and for which the default branch has moved to
// another tip since it was judged.
func stillOnTip(ctx context.Context, s *site.Site, now string) error {
	tip, err := s.Tip(ctx)
	if err != nil || s.Pull.Merged || tip == now {
		return err
	}
	return outcome.Refusedf("%s moved while the plan of #%d was checked: bring the head up to date, and plan again",
		s.Pull.BaseRef, s.Pull.Number)
}

// stillMerged refuses a merged plan of whose roots the default branch holds other files
// by now than the checkout: an old job that is run again would apply what was reverted
// meanwhile.
func (o Order) stillMerged(ctx context.Context, a *Applier, tip string) error {
	s := o.Site
	if !s.Pull.Merged {
		return nil
	}
	branch, err := s.DefaultBranch(ctx)
	if err != nil {
		return err
	}
	sha, head, err := s.Checkout(ctx)
	if err != nil || sha == tip {
		return err
	}
	since := sha
	if head { // the head itself is checked out, which the merge brought to the branch
		since = s.Pull.MergeSHA
	}
	compared, err := s.API.Compare(ctx, s.Repo, since, tip)
	if err != nil {
		return err
	}
	again := fmt.Sprintf("comment /apply on #%d, which applies %s as it is now", s.Pull.Number, branch)
	switch {
	case compared.BehindBy > 0:
		return outcome.Refusedf("the checkout %.7s is not on %s: %s", sha, branch, again)
	case compared.MoreFiles:
		return outcome.Refusedf("%s has moved from %.7s to %.7s, by more files than GitHub lists: %s", branch, sha, tip, again)
	}
	var lines []string
	for _, r := range a.roots {
		changed := slices.DeleteFunc(slices.Clone(compared.Files), func(f string) bool { return !r.sources.Uses(f) })
		if len(changed) > 0 {
			lines = append(lines, fmt.Sprintf("%s: %s has changed since the checkout %.7s: %s", r.record.Dir, branch, sha,
				text.List(changed, maxFilesNamed)))
		}
	}
	if len(lines) > 0 {
		return outcome.Refusedf("%s\n%s", text.Printable(strings.Join(lines, "\n")), again)
	}
	return nil
}

// green refuses a head on which a status or check has not succeeded. That of the
// gate is left out: apply decides for itself.
func green(ctx context.Context, s *site.Site) error {
	checks, err := s.API.Checks(ctx, s.Repo, s.Pull.HeadSHA)
	if err != nil {
		return err
	}
	for _, c := range checks {
		what, waits := "check "+c.Name, "still running"
		if c.Status {
			what, waits = "status "+c.Name, "pending"
		}
		switch {
		case c.Status && c.Name == "waybill/gate" || slices.Contains([]string{"success", "neutral", "skipped"}, c.State):
		case c.State == "pending" || c.State == "expected":
			return outcome.Pendingf("%s of #%d is %s", what, s.Pull.Number, waits)
		default:
			return outcome.Refusedf("%s of #%d is %s", what, s.Pull.Number, c.State)
		}
	}
	return nil
}
