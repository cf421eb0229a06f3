package approval_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const full = plan.Fingerprint("a41f09c277de0123456789abcdef0123456789abcdef0123456789abcdef0123")

var t0 = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func review(user, body string) approval.Vote {
	return approval.Vote{User: user, At: t0, Kind: approval.Review, State: "APPROVED", CommitID: "head", Body: body}
}

type people struct{}

func (people) TeamMember(_ context.Context, org, team, user string) (bool, error) {
	if org+"/"+team != "acme/dba" {
		return false, errors.New("no such team")
	}
	return user == "bob" || user == "Carol", nil
}

func (people) CanWrite(_ context.Context, user string) (bool, error) {
	if user == "unknown" {
		return false, errors.New("no answer")
	}
	return user != "reader", nil
}

func decide(t *testing.T, digits int, needs []approval.Need, votes ...approval.Vote) approval.Decision {
	t.Helper()
	p := approval.Pull{Number: 1, Author: "ada", Head: "head", Pushers: []string{"Pia"}, Votes: votes}
	d, err := approval.Decide(t.Context(), p, approval.Subject{Fingerprint: full}, approval.Needs{Roots: needs, Digits: digits}, people{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func need(n int, from ...string) []approval.Need {
	return []approval.Need{{Dir: "d", Approvals: n, From: from}}
}

func TestWhatCounts(t *testing.T) {
	t.Parallel()
	line := "approve " + full.Short()
	with := func(change func(*approval.Vote)) approval.Vote {
		v := review("bob", line)
		change(&v)
		return v
	}
	for name, c := range map[string]struct {
		vote    approval.Vote
		ignored approval.Reason // empty where it counts or is no vote
		counts  bool
	}{
		"a review":                  {review("bob", line), "", true},
		"in other case":             {review("carol", "Approve A41F09C277DE"), approval.NotAllowed, false}, // the team knows Carol
		"by name":                   {review("Carol", "looks fine\r\n  "+line+"  \r\nthanks"), "", true},
		"as code":                   {review("bob", "approve `a41f 09c2 77de`"), "", true},
		"in a fence within a fence": {review("bob", "```\n```go\n"+line+"\n```"), "", false},
		"in a longer fence":         {review("bob", "````\n```\n"+line+"\n````"), "", false},
		"in an HTML comment":        {review("bob", "fine <!--\n"+line+"\n-->"), "", false},
		"in an indented block":      {review("bob", "fine\n\n    "+line), "", false},
		"below a quotation":         {review("bob", "> what?\n\n"+line), "", true},
		"all digits":                {review("bob", "approve "+string(full)), "", true},
		"a comment": {
			with(func(v *approval.Vote) { v.Kind, v.State, v.Body = approval.Comment, "", "/approve a41f09c277de" }), "", true,
		},
		"a comment without slash":  {with(func(v *approval.Vote) { v.Kind = approval.Comment }), "", false},
		"a review that comments":   {with(func(v *approval.Vote) { v.State = "COMMENTED" }), "", true},
		"eleven digits":            {review("bob", "approve a41f 09c2 77d"), "", false},
		"one wrong digit":          {review("bob", "approve a41f 09c2 77df"), approval.OtherFingerprint, false},
		"more digits, one wrong":   {review("bob", "approve "+string(full[:63])+"4"), approval.OtherFingerprint, false},
		"in the middle of a line":  {review("bob", "I do not "+line), "", false},
		"with words behind":        {review("bob", line+" never"), "", false},
		"quoted":                   {review("bob", "> "+line), "", false},
		"fenced":                   {review("bob", "~~~\n"+line+"\n~~~"), "", false},
		"with a full stop":         {review("bob", line+"."), "", true},
		"after a greeting":         {review("bob", "Thanks, ada.\n"+line+"\n-- \nbob"), "", true},
		"in a comment of HTML":     {review("bob", "<!-- it waits\n"+line+"\n-->"), "", false},
		"behind a comment of HTML": {review("bob", "so <!--\n"+line+"\n--> no"), "", false},
		"after an open comment":    {review("bob", "<!--\n\n"+line), "", false},
		"after a closed comment":   {review("bob", "<!-- a <details> -->\n\n"+line), "", true},
		"indented as code":         {review("bob", "as it says:\n\n    "+line), "", false},
		"fenced by more":           {review("bob", "````\n```\n"+line+"\n````"), "", false},
		"fenced in a list":         {review("bob", "- a\n  ```\n  "+line+"\n  ```"), "", false},
		"a lazy quotation":         {review("bob", "> they say\n"+line), "", false},
		"in preformatted HTML":     {review("bob", "<pre>\n"+line+"\n</pre>"), "", false},
		"in a quotation of HTML":   {review("bob", "<blockquote>\n\n"+line+"\n\n</blockquote>"), "", false},
		"after such a quotation":   {review("bob", "<blockquote>\n\nsee\n\n</blockquote>\n\n"+line), "", true},
		"in inline HTML":           {review("bob", "see <code>\n"+line+"\n</code>"), "", false},
		"in a code span":           {review("bob", "`\n"+line+"\n`"), "", false},
		"struck out":               {review("bob", "~~"+line+"~~"), "", false},
		"in a list":                {review("bob", "- "+line), "", false},
		"dismissed":                {with(func(v *approval.Vote) { v.State = "DISMISSED" }), approval.Dismissed, false},
		"changes requested":        {with(func(v *approval.Vote) { v.State = "CHANGES_REQUESTED" }), approval.ChangesAsked, false},
		"older head":               {with(func(v *approval.Vote) { v.CommitID = "old" }), approval.OtherHead, false},
		"edited":                   {with(func(v *approval.Vote) { v.Edited = &github.Edit{At: t0} }), approval.EditedAfter, false},
		"author, in other case":    {review("ADA", line), approval.ByAuthor, false},
		"pusher, in other case":    {review("pia", line), approval.ByPusher, false},
		"somebody":                 {review("eve", line), approval.NotAllowed, false},
		"a team's name as a login": {review("acme/dba", line), approval.NotAllowed, false},
	} {
		d := decide(t, 0, need(1, "acme/dba", "pia", "ada"), c.vote)
		if (d.Verdict == approval.Approved) != c.counts {
			t.Errorf("%s: %+v", name, d)
		}
		switch {
		case c.ignored == "" && len(d.Ignored) > 0, c.ignored != "" && (len(d.Ignored) != 1 || d.Ignored[0].Reason != c.ignored):
			t.Errorf("%s: ignored %+v, want %q", name, d.Ignored, c.ignored)
		}
	}
}

func TestOnePersonCountsOnce(t *testing.T) {
	t.Parallel()
	line := "approve " + full.Short()
	again := review("bob", line)
	again.Kind, again.Body = approval.Comment, "/"+line
	d := decide(t, 0, need(2, "acme/dba", "BOB"), review("bob", line), review("Bob", line), again)
	if d.Verdict != approval.Pending || d.Roots[0].Missing() != 1 ||
		!strings.Contains(d.Reason(), "1 of 2 approvals; still needed: 1 of acme/dba") {
		t.Errorf("%s\n%+v", d.Reason(), d)
	}
	if d := decide(t, 0, need(2, "acme/dba"), review("bob", line), review("Carol", line)); d.Verdict != approval.Approved {
		t.Errorf("%+v", d)
	}
}

func TestEveryNeedHolds(t *testing.T) {
	t.Parallel()
	needs := append(need(1, "acme/dba"), approval.Need{Dir: "e", Approvals: 1, From: []string{"dan"}, Destroys: true})
	d := decide(t, 0, needs, review("bob", "approve "+full.Short()))
	if d.Verdict != approval.Pending || !strings.Contains(
		d.Reason(), "e: 0 of 1 approvals, because the plan destroys; still needed: 1 of dan",
	) {
		t.Errorf("%s", d.Reason())
	}
}

func TestChangesAskedForTakeItBack(t *testing.T) {
	t.Parallel()
	no := review("bob", "wait")
	no.State, no.At = "CHANGES_REQUESTED", t0.Add(time.Minute)
	yes := review("bob", "approve "+full.Short())
	if d := decide(t, 0, need(1, "bob"), no, yes); d.Verdict != approval.Pending || d.Ignored[0].Reason != approval.ChangesAsked {
		t.Errorf("%+v", d)
	}
	yes.At = t0.Add(2 * time.Minute)
	if d := decide(t, 0, need(1, "bob"), no, yes); d.Verdict != approval.Approved {
		t.Errorf("approved again: %+v", d)
	}
}

func TestDigits(t *testing.T) {
	t.Parallel()
	d := decide(t, 20, need(1, "bob"), review("bob", "approve "+string(full[:19])))
	if d.Verdict != approval.Pending || d.Ignored[0].Reason != approval.TooFewDigits ||
		!strings.Contains(d.Reason(), "approve a41f 09c2 77de 0123 4567") {
		t.Errorf("%s %+v", d.Reason(), d)
	}
	if d := decide(t, 20, need(1, "bob"), review("bob", "approve "+string(full[:20]))); d.Verdict != approval.Approved {
		t.Errorf("%+v", d)
	}
}

func TestUnknownMembershipIsAnError(t *testing.T) {
	t.Parallel()
	p := approval.Pull{Author: "ada", Head: "head", Votes: []approval.Vote{review("bob", "approve "+full.Short())}}
	_, err := approval.Decide(t.Context(), p, approval.Subject{Fingerprint: full}, approval.Needs{Roots: need(1, "acme/unknown")}, people{})
	if err == nil || outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "no such team") {
		t.Errorf("%v", err)
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	parse := func(rules string) approval.Rules {
		c, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nterraform:\n"+rules))
		if err != nil {
			t.Fatal(err)
		}
		return approval.Rules{Terraform: c.Terraform()}
	}
	strict := parse("  digits: 20\n  rules:\n    - {dir: '**', approvals: 1, from: [dan]}\n    - {dir: 'infra/*', approvals: 1, " +
		"from: [bob], destroy: {approvals: 2}}\n")
	loose := parse("  rules: [{dir: '**', approvals: 0}]\n")
	needs, err := approval.NeedsOf(
		[]approval.Rules{loose, strict},
		[]approval.Change{{Dir: "infra/a"}, {Dir: "infra/b", Destroys: true}, {Dir: "infra/c", None: true}, {Dir: "other"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, n := range needs.Roots {
		got[n.Dir+" "+strings.Join(n.From, ",")] = n.Approvals
	}
	if len(got) != 6 || got["infra/a bob"] != 1 || got["infra/b bob"] != 2 || got["other dan"] != 1 || needs.Digits != 20 {
		t.Errorf("%+v", needs)
	}
	if _, err := approval.NeedsOf(
		[]approval.Rules{strict, parse("  rules: []\n")}, []approval.Change{{Dir: "infra/a"}},
	); outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "infra/a: no rule says who approves it") {
		t.Errorf("a root without rule: %v", err)
	}
}

func TestForksAreRefused(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"eve/infra", ""} {
		where := &site.Site{Repo: github.Repository{Owner: "acme", Name: "infra"}, Pull: &github.PullRequest{Number: 1, HeadRepo: from}}
		_, err := approval.Collect(t.Context(), where)
		if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "comes from a fork") {
			t.Errorf("%q: %v", from, err)
		}
	}
}
