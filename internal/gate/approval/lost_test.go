package approval_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
)

// Who may write can change and delete the words of others, also an /unapprove. What
// cannot be read any more takes an approval back.
func TestWordsThatAreLost(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return t0.Add(time.Duration(seconds) * time.Second) }
	said := func(user string, seconds int, body string, edit *github.Edit) approval.Vote {
		return approval.Vote{User: user, At: at(seconds), Kind: approval.Comment, Body: body, Edited: edit}
	}
	by := func(who string, seconds int, others bool) *github.Edit {
		return &github.Edit{By: who, At: at(seconds), Others: others}
	}
	for name, c := range map[string]struct {
		votes   []approval.Vote
		deleted []github.Deletion
		reason  approval.Reason // empty where the approval counts
		detail  string
	}{
		"a later comment, changed by somebody else": {
			votes:  []approval.Vote{said("bob", 5, "fine", by("mallory", 9, true))},
			reason: approval.EditedLater, detail: "mallory changed a later comment of theirs, which may have taken it back",
		},
		"a later review, changed by somebody who is not known": {
			votes:  []approval.Vote{{User: "bob", At: at(5), Kind: approval.Review, State: "COMMENTED", Edited: by("", 9, true)}},
			reason: approval.EditedLater, detail: "somebody changed a later review of theirs",
		},
		"an earlier comment, changed afterwards by somebody else": {
			votes:  []approval.Vote{said("bob", -5, "fine", by("mallory", 9, true))},
			reason: approval.EditedLater, detail: "mallory changed",
		},
		"an earlier comment, changed before":     {votes: []approval.Vote{said("bob", -5, "fine", by("mallory", -1, true))}},
		"a later comment, changed by its author": {votes: []approval.Vote{said("bob", 5, "fine", by("bob", 9, false))}},
		"a later comment of another, changed":    {votes: []approval.Vote{said("carol", 5, "fine", by("mallory", 9, true))}},
		"a comment that its author made take it back": {
			votes: []approval.Vote{said("bob", -5, "/unapprove", by("bob", 9, false))}, reason: approval.TakenBack,
		},
		"a comment that took back an earlier approval": {votes: []approval.Vote{said("bob", -5, "/unapprove", nil)}},
		"a comment of theirs, deleted by somebody else": {
			deleted: []github.Deletion{{At: at(9), Author: "Bob", By: "mallory"}},
			reason:  approval.DeletedLater, detail: "mallory deleted a comment of Bob afterwards, which may have taken it back",
		},
		"a comment of theirs, deleted in the same second": {
			deleted: []github.Deletion{{At: t0, Author: "bob", By: "bob"}}, reason: approval.DeletedLater, detail: "bob deleted",
		},
		"a comment of nobody knows whom, by nobody knows whom": {
			deleted: []github.Deletion{{At: at(9)}}, reason: approval.DeletedLater, detail: "somebody deleted a comment of somebody",
		},
		"a comment of theirs, deleted before": {deleted: []github.Deletion{{At: at(-1), Author: "bob", By: "mallory"}}},
		"a comment of another, deleted":       {deleted: []github.Deletion{{At: at(9), Author: "carol", By: "mallory"}}},
	} {
		p := approval.Pull{
			Number: 1, Author: "ada", Head: "head", Pushers: []string{"ada"}, Deleted: c.deleted,
			Votes: append(c.votes, review("bob", "approve "+full.Short())),
		}
		d, err := approval.Decide(t.Context(), p, approval.Subject{Fingerprint: full}, approval.Needs{Roots: need(1, "acme/dba")}, people{})
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.reason == "" && d.Verdict != approval.Approved:
			t.Errorf("%s: %s", name, d.Reason())
		case c.reason != "" && (d.Verdict == approval.Approved || len(d.Ignored) != 1 || d.Ignored[0].Reason != c.reason ||
			!strings.Contains(d.Ignored[0].Detail, c.detail)):
			t.Errorf("%s: %+v", name, d)
		}
	}
}
