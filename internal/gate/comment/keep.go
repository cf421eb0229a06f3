package comment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// actionsBot is whom the job tokens of a repository's workflows act as.
const actionsBot = "github-actions[bot]"

// FindClaim finds the plan comment of the pull request. Who wrote it decides, not
// its text: only a comment of the jobs' identity counts, or of the caller's own. Every
// workflow of the repository has that identity, so that it is still a claim.
func FindClaim(ctx context.Context, s *site.Site) (claim Claim, found bool, err error) {
	return findClaim(ctx, s, claims)
}

// FindStood finds the plan of which roots may keep theirs: the one that stands, or the one
// that stood before a root of it could not be planned again. Of the latter nothing counts
// but the parts that a new plan takes over.
func FindStood(ctx context.Context, s *site.Site) (claim Claim, found bool, err error) {
	if claim, found, err = FindClaim(ctx, s); err != nil || found {
		return claim, found, err
	}
	return findClaim(ctx, s, stood)
}

func findClaim(ctx context.Context, s *site.Site, says string) (claim Claim, found bool, err error) {
	said, err := s.Conversation(ctx)
	if err != nil {
		return claim, false, err
	}
	for _, c := range said.Comments {
		claim, is := readClaim(c.Body, says)
		if !is {
			continue
		}
		if claim.At = c.Updated; !claim.Planned.IsZero() && claim.Planned.Before(claim.At) {
			claim.At = claim.Planned
		}
		if c.By(actionsBot) {
			return claim, true, nil
		}
		me, err := s.Login(ctx, s.API)
		if err != nil || c.By(me) {
			return claim, err == nil, err
		}
	}
	return claim, false, nil
}

// AppliedMarker begins the comments that say what was applied.
const AppliedMarker = "<!-- waybill:apply -->"

// AppliedSince reports whether a job said since then that it applied something of the
// pull request, all of it or not: states have moved.
func AppliedSince(ctx context.Context, s *site.Site, then time.Time) (bool, error) {
	said, err := s.Conversation(ctx)
	if err != nil {
		return false, err
	}
	for _, c := range said.Comments {
		if !strings.HasPrefix(c.Body, AppliedMarker+"\n**") || c.Updated.Before(then) {
			continue
		}
		if c.By(actionsBot) {
			return true, nil
		}
		me, err := s.Login(ctx, s.API)
		if err != nil || c.By(me) {
			return err == nil, err
		}
	}
	return false, nil
}

// Whole reads the claim where the plan is kept, when it is too long for a comment.
func (c Claim) Whole(ctx context.Context, registry func(host string) seal.Registry) (Claim, error) {
	if len(c.Roots) > 0 || c.Plan == "" {
		return c, nil
	}
	data, err := seal.LoadClaim(ctx, seal.Source{Plan: c.Plan, Registry: registry})
	if err != nil {
		return c, err
	}
	var kept Claim
	if err := json.Unmarshal(data, &kept); err != nil {
		return c, fmt.Errorf("read what is claimed of the plan %s: plan again: %w", c.Plan, err)
	}
	if kept.Fingerprint != c.Fingerprint || kept.Head != c.Head {
		return c, outcome.Refusedf("the plan comment names plan %s, and %s is plan %s: plan again", c.Fingerprint.Short(), c.Plan,
			kept.Fingerprint.Short())
	}
	c.Roots, c.Parts, c.Earlier, c.Waits = kept.Roots, kept.Parts, kept.Earlier, kept.Waits
	return c, nil
}

// Keep brings the comments of a plan up to date: as many as it needs, and none
// that goes on with an earlier plan.
func Keep(ctx context.Context, s *site.Site, v View) error {
	pages := v.Comments(markdown.MaxComment)
	if err := dropPages(ctx, s, len(pages)+1); err != nil {
		return err
	}
	moved, err := FindMoved(ctx, s)
	if err == nil {
		err = KeepMoved(ctx, s, v.Claim().Before(moved))
	}
	if err != nil {
		return err
	}
	for n, page := range pages {
		marker := Marker
		if n > 0 {
			marker = PageMarker(n + 1)
		}
		if err := s.Keep(ctx, s.API, marker, page); err != nil {
			return err
		}
	}
	return nil
}

// dropPages empties the comments that went on with an earlier plan, from the nth, which is 2 or
// more.
func dropPages(ctx context.Context, s *site.Site, from int) error {
	for n := from; n <= MaxPages; n++ {
		marker := PageMarker(n)
		own, err := s.Own(ctx, s.API, marker)
		if err == nil && len(own) > 0 {
			err = s.Keep(ctx, s.API, marker, marker+"\nThe plan has no such part any more.\n")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const maxFailure = 20_000 // runes

// Failure is why there is no plan.
type Failure struct {
	Why    error
	RunURL string
	// Alone says that one root was to be planned again: the others may keep what they have.
	Alone bool
}

// kept is what a failure says of the plan that stood: a line that readers do not see, and
// one that they do. Both are empty where there is none of this commit.
func (f Failure) kept(ctx context.Context, s *site.Site) (line, words string, err error) {
	if !f.Alone {
		return "", "", nil
	}
	claim, _, err := FindStood(ctx, s)
	if err != nil || claim.Head != s.Pull.HeadSHA { // where there is none, it is of no commit
		return "", "", err
	}
	claim.Planned = claim.At // this comment is of now, and the plan is not
	return claim.comment(stood) + "\n", "The sealed plans of the other roots are kept: the next `/plan DIR` takes those over that still stand.\n\n", nil
}

// KeepFailure replaces the plan comment by one that says why there is no plan: an
// earlier plan must not stand there as if it were of this commit.
func KeepFailure(ctx context.Context, s *site.Site, f Failure) error {
	failed := f.Why
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	verb := "failed"
	if outcome.Code(failed) == outcome.Refused {
		verb = "was refused"
	}
	words := text.Cut(text.Printable(failed.Error()), maxFailure, "\n… (the rest is in the log of the run)")
	line, keeps, err := f.kept(ctx, s)
	body := fmt.Sprintf("%s\n%s❌ **The plan of %s %s.** There is nothing to approve until it is planned again.\n\n",
		Marker, line, shortCode(s.Pull.HeadSHA), verb) + keeps + markdown.Fence("", words)
	var partial *plan.PartialError
	if errors.As(failed, &partial) && len(partial.Roots) > 0 {
		body += Of(&plan.Result{Roots: partial.Roots}).beside(markdown.MaxComment - utf8.RuneCountInString(body) - roomForEnding)
	}
	if f.RunURL != "" {
		body += "\n" + markdown.Link("run", f.RunURL) + "\n"
	}
	if err == nil {
		err = dropPages(ctx, s, 2)
	}
	if err == nil {
		err = s.Keep(ctx, s.API, Marker, body)
	}
	if err != nil {
		return fmt.Errorf("say on #%d that the plan failed: %w", s.Pull.Number, err)
	}
	return nil
}

// KeepNothing says in an earlier plan comment that the change touches no root any
// more. Where there is none, it says nothing.
func KeepNothing(ctx context.Context, s *site.Site, head string) error {
	own, err := s.Own(ctx, s.API, Marker)
	if err != nil || len(own) == 0 {
		return err
	}
	if err := dropPages(ctx, s, 2); err != nil {
		return err
	}
	return s.Keep(ctx, s.API, Marker, fmt.Sprintf("%s\nNothing to plan: %s touches no terraform root.\n", Marker, shortCode(head)))
}

func shortCode(sha string) string { return markdown.Code(fmt.Sprintf("%.7s", sha)) }
