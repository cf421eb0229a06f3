// Package approval decides whether a terraform plan is approved: by whom, for
// which fingerprint, by which rules.
//
// An approval is a review of the pull request's current head, or a comment,
// that names the plan's fingerprint. It counts when its author is allowed by
// the rule of the directory, is neither the author of the pull request nor
// the person who pushed its head, has not asked for changes since, and when its text is
// the one that was written: anybody who may write to a repository can edit the
// words of others. Rules come from the base branch, never from the pull request.
//
// A decision is a value with reasons. What GitHub does not answer is an error,
// never an approval and never a refusal. The package writes nothing.
package approval

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/text"
)

// Vote is a review or comment that may be an approval.
type Vote struct {
	ID       int64
	User     string
	At       time.Time
	Kind     string // Review or Comment
	State    string // of a review: APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED
	CommitID string // of a review: the head it is of
	Body     string
	Edited   *github.Edit // nil if its text is the one that was written
	URL      string
}

// Kinds of vote.
const (
	Review  = "review"
	Comment = "comment"
)

const (
	stateDismissed = "DISMISSED"
	stateChanges   = "CHANGES_REQUESTED"
)

// Pull is what is known of the pull request.
type Pull struct {
	Number  int
	Author  string
	Head    string
	Pushers []string // who moved the branch to Head
	Votes   []Vote   // in any order
	Deleted []github.Deletion
}

// Need is what one root asks for: each of the sets of rules that hold, those
// of the base branch now and those from which the pull request was made.
type Need struct {
	Dir       string
	Workspace string // empty is the default one
	Approvals int
	From      []string // users, or ORG/TEAM, whom the rule names
	Owners    []string // users, or ORG/TEAM, whom CODEOWNERS names; they must be able to write
	Why       string   // of CODEOWNERS: which line, for which files
	Destroys  bool
	Root      plan.Fingerprint // of the root's plan
}

// who lists all who may approve.
func (n Need) who() []string { return append(slices.Clone(n.From), n.Owners...) }

// Approval is a vote that counts.
type Approval struct {
	User  string    `json:"user"`
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	ID    int64     `json:"id,omitempty"` // of the review or comment
	URL   string    `json:"url,omitempty"`
	Names string    `json:"names"`        // the fingerprint, as far as it was said
	As    string    `json:"as,omitempty"` // which of those who may approve: the user, a team
}

// Ignored is a vote that names a fingerprint and does not count.
type Ignored struct {
	User   string `json:"user"`
	Reason Reason `json:"reason"`
	Detail string `json:"detail"`
	URL    string `json:"url,omitempty"`
}

// Reason says why a vote does not count.
type Reason string

// The reasons.
const (
	OtherFingerprint Reason = "other-fingerprint"
	TooFewDigits     Reason = "too-few-digits"
	OtherHead        Reason = "other-head"
	ByAuthor         Reason = "author"
	ByPusher         Reason = "last-pusher"
	Dismissed        Reason = "dismissed"
	ChangesAsked     Reason = "changes-requested"
	EditedAfter      Reason = "edited"
	NotAllowed       Reason = "not-allowed"
	NoWriter         Reason = "no-writer"
	TakenBack        Reason = "taken-back"
	EditedLater      Reason = "later-edited"
	DeletedLater     Reason = "later-deleted"
)

// Subject is what is approved: a plan of several roots, and what it is made of.
type Subject struct {
	Fingerprint plan.Fingerprint // of the whole plan
	// Earlier are plans of the same head, by what they are made of: who approved
	// one approved those of its roots whose plan is the same now.
	Earlier []plan.Parts
}

// covers says which of the names stands for the root with a fingerprint, and how.
func (s Subject) covers(names []plan.Fingerprint, root plan.Fingerprint) (name plan.Fingerprint, is bool) {
	for _, n := range names {
		if n.Means(s.Fingerprint) || n.Means(root) || s.earlier(n, root) {
			return n, true
		}
	}
	return "", false
}

// earlier reports whether a name stands for an earlier plan which that root is a
// part of. Its parts prove it: nobody can make others with the same fingerprint.
func (s Subject) earlier(name, root plan.Fingerprint) bool {
	return slices.ContainsFunc(s.Earlier, func(parts plan.Parts) bool {
		full, err := parts.Fingerprint()
		return err == nil && name.Means(full) && slices.Contains(parts, root)
	})
}

// about keeps the names that stand for the plan or one of its roots.
func (s Subject) about(names []plan.Fingerprint, needs []Need) (kept []plan.Fingerprint) {
	for _, n := range names {
		covers := func(need Need) bool {
			_, is := s.covers([]plan.Fingerprint{n}, need.Root)
			return is
		}
		if n.Means(s.Fingerprint) || slices.ContainsFunc(needs, covers) {
			kept = append(kept, n)
		}
	}
	return kept
}

// vote is one that counts as far as the pull request goes, with all that its
// author named.
type vote struct {
	Approval
	names []plan.Fingerprint
}

// candidates are the votes that count as far as the pull request goes, one of
// each user; and those that do not, with the reason.
func candidates(p Pull, s Subject, needs Needs) (valid []vote, ignored []Ignored) {
	votes := slices.Clone(p.Votes)
	slices.SortStableFunc(votes, func(a, b Vote) int { return a.At.Compare(b.At) })
	for i, v := range votes {
		names := named(v)
		if len(names) == 0 {
			continue
		}
		about := s.about(names, needs.Roots)
		reason, detail := p.against(v, after(votes, i), s)
		enough := slices.DeleteFunc(slices.Clone(about), func(f plan.Fingerprint) bool { return len(f) < needs.Digits })
		switch {
		case len(about) == 0:
			reason, detail = OtherFingerprint, "it names "+names[0].Short()+", this plan is "+s.Fingerprint.Short()
		case len(enough) == 0:
			reason = TooFewDigits
			detail = fmt.Sprintf("it names %d digits of the fingerprint, %d are asked for", len(about[0]), needs.Digits)
		}
		if reason != "" {
			ignored = append(ignored, Ignored{User: v.User, Reason: reason, Detail: detail, URL: v.URL})
			continue
		}
		if i := slices.IndexFunc(valid, func(a vote) bool { return strings.EqualFold(a.User, v.User) }); i >= 0 {
			valid[i].names = append(valid[i].names, enough...)
			continue
		}
		valid = append(valid, vote{
			Approval: Approval{User: v.User, At: v.At, Kind: v.Kind, ID: v.ID, URL: v.URL, Names: string(enough[0])}, names: enough,
		})
	}
	return valid, ignored
}

// after lists the votes that may have been given after one, and those whose text was
// changed after it. GitHub tells times to the second, and lists reviews apart from
// comments: of the same second, either may be the later one.
func after(votes []Vote, i int) []Vote {
	later := slices.Clone(votes[i+1:])
	for _, o := range votes[:i] {
		changed := o.Edited != nil && !o.Edited.At.Before(votes[i].At)
		if changed || o.Kind != votes[i].Kind && o.At.Equal(votes[i].At) {
			later = append(later, o)
		}
	}
	return later
}

// against says what speaks against a vote, whatever it is about; later are those
// that were given after it.
func (p Pull) against(v Vote, later []Vote, s Subject) (reason Reason, detail string) {
	afterwards := func(is func(Vote) bool) bool {
		return slices.ContainsFunc(later, func(o Vote) bool { return strings.EqualFold(o.User, v.User) && is(o) })
	}
	switch {
	case v.Edited != nil:
		return EditedAfter, "its text was edited after it was written: write a new one"
	case v.Kind == Review && v.State == stateDismissed:
		return Dismissed, "the review was dismissed"
	case v.Kind == Review && v.State == stateChanges:
		return ChangesAsked, "the review asks for changes"
	case v.Kind == Review && v.CommitID != p.Head:
		return OtherHead, "the review is of commit " + text.Commit(v.CommitID) + ", the head is " + text.Commit(p.Head)
	case strings.EqualFold(v.User, p.Author):
		return ByAuthor, "nobody approves a plan of their own pull request"
	case containsFold(p.Pushers, v.User):
		return ByPusher, "this person pushed the head, and may not approve it"
	case afterwards(func(o Vote) bool { return o.Kind == Review && o.State == stateChanges }):
		return ChangesAsked, "asked for changes afterwards"
	case afterwards(func(o Vote) bool { return o.Kind == Review && o.State == stateDismissed }):
		// It may have asked for changes. Anybody who may write can dismiss it.
		return Dismissed, "a later review of theirs was dismissed: what it asked for is not known any more, so they must approve again"
	case afterwards(func(o Vote) bool { return o.takesBack(v, s) }):
		return TakenBack, "was taken back by /unapprove"
	}
	return p.lost(v, later)
}

// lost says what may have taken a vote back and cannot be read any more: a later text of
// its author that somebody else changed, and a comment of theirs that is gone. Anybody
// who may write can do both.
func (p Pull) lost(v Vote, later []Vote) (reason Reason, detail string) {
	for _, o := range later {
		if strings.EqualFold(o.User, v.User) && o.Edited != nil && o.Edited.Others {
			return EditedLater, fmt.Sprintf("%s changed a later %s of theirs, which may have taken it back: they must approve again",
				cmp.Or(o.Edited.By, "somebody"), o.Kind)
		}
	}
	for _, d := range p.Deleted {
		if !d.At.Before(v.At) && (d.Author == "" || strings.EqualFold(d.Author, v.User)) {
			return DeletedLater, fmt.Sprintf("%s deleted a comment of %s afterwards, which may have taken it back: they must approve again",
				cmp.Or(d.By, "somebody"), cmp.Or(d.Author, "somebody"))
		}
	}
	return "", ""
}

// takesBack reports whether a later vote takes back an earlier one of the same
// user: all of them, or those that name the same.
func (v Vote) takesBack(earlier Vote, s Subject) bool {
	back, all := takesBack(v)
	if all {
		return true
	}
	return slices.ContainsFunc(back, func(b plan.Fingerprint) bool {
		return b.Means(s.Fingerprint) || slices.ContainsFunc(named(earlier), func(n plan.Fingerprint) bool {
			return strings.HasPrefix(string(n), string(b)) || strings.HasPrefix(string(b), string(n))
		})
	})
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(l, s) })
}
