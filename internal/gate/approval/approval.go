// Package approval decides whether a terraform plan is approved: by whom, for
// which fingerprint, by which rules.
//
// An approval is a review of the pull request's current head, or a comment,
// that names the plan's fingerprint. It counts when its author is allowed by
// the rule of the directory, is neither the author of the pull request nor
// whoever pushed its head, has not asked for changes since, and when its text is
// the one that was written: anybody who may write to a repository can edit the
// words of others. Rules come from the base branch, never from the pull request.
//
// A decision is a value with reasons. What GitHub does not answer is an error,
// never an approval and never a refusal. The package writes nothing.
package approval

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/markdown"
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
	Edited   bool
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
}

// Need is what one root asks for: each of the sets of rules that hold, those
// of the base branch now and those from which the pull request was made.
type Need struct {
	Dir       string
	Approvals int
	From      []string // users, or ORG/TEAM, whom the rule names
	Owners    []string // likewise, whom CODEOWNERS names; they must be able to write
	Why       string   // of CODEOWNERS: which line, for which files
	Destroys  bool
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
)

// approveLine is a review's line "approve a41f 09c2 77de", or a comment's
// "/approve a41f09c277de…".
var approveLine = regexp.MustCompile(`(?i)^[ \t]*(/?)approve[ \t]+` + "`?" + `([0-9a-f][0-9a-f \t]*[0-9a-f])` + "`?" + `\s*$`)

// named finds the fingerprints that a text approves. Who quotes the plan's own
// words approves nothing, and neither does what no reader sees.
func named(v Vote) []plan.Fingerprint {
	var found []plan.Fingerprint
	for _, line := range markdown.Said(v.Body) {
		m := approveLine.FindStringSubmatch(line)
		if m == nil || v.Kind == Comment && m[1] == "" {
			continue
		}
		if f, err := plan.ParseFingerprint(m[2]); err == nil {
			found = append(found, f)
		}
	}
	return found
}

// candidates are the votes that count as far as the pull request goes, the
// first of each user; and those that do not, with the reason.
func candidates(p Pull, full plan.Fingerprint, digits int) (valid []Approval, ignored []Ignored) {
	votes := slices.Clone(p.Votes)
	slices.SortStableFunc(votes, func(a, b Vote) int { return a.At.Compare(b.At) })
	lastNo := make(map[string]time.Time)
	for _, v := range votes {
		if v.Kind == Review && v.State == stateChanges {
			lastNo[strings.ToLower(v.User)] = v.At
		}
	}
	for _, v := range votes {
		names := named(v)
		if len(names) == 0 {
			continue
		}
		no := func(reason Reason, detail string) {
			ignored = append(ignored, Ignored{User: v.User, Reason: reason, Detail: detail, URL: v.URL})
		}
		i := slices.IndexFunc(names, func(f plan.Fingerprint) bool { return f.Means(full) })
		said, asked := lastNo[strings.ToLower(v.User)]
		switch {
		case i < 0:
			no(OtherFingerprint, "it names "+names[0].Short()+", this plan is "+full.Short())
		case len(names[i]) < digits:
			no(TooFewDigits, fmt.Sprintf("it names %d digits of the fingerprint, %d are asked for", len(names[i]), digits))
		case v.Edited:
			no(EditedAfter, "its text was edited after it was written: write a new one")
		case v.Kind == Review && v.State == stateDismissed:
			no(Dismissed, "the review was dismissed")
		case v.Kind == Review && v.State == stateChanges:
			no(ChangesAsked, "the review asks for changes")
		case v.Kind == Review && v.CommitID != p.Head:
			no(OtherHead, "the review is of commit "+text.Commit(v.CommitID)+", the head is "+text.Commit(p.Head))
		case strings.EqualFold(v.User, p.Author):
			no(ByAuthor, "nobody approves a plan of their own pull request")
		case containsFold(p.Pushers, v.User):
			no(ByPusher, "whoever pushed the head does not approve it")
		case asked && said.After(v.At):
			no(ChangesAsked, "asked for changes afterwards")
		case slices.ContainsFunc(valid, func(a Approval) bool { return strings.EqualFold(a.User, v.User) }):
			// said again
		default:
			valid = append(valid, Approval{User: v.User, At: v.At, Kind: v.Kind, ID: v.ID, URL: v.URL, Names: string(names[i])})
		}
	}
	return valid, ignored
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(l, s) })
}
