package approval_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/plan"
)

// Who approves takes it back by /unapprove: everything, or what it names.
func TestUnapprove(t *testing.T) {
	t.Parallel()
	comment := func(user, body string, at time.Duration) approval.Vote {
		return approval.Vote{User: user, At: t0.Add(at), Kind: approval.Comment, Body: body}
	}
	yes := comment("bob", "/approve "+full.Short(), 0)
	for body, back := range map[string]bool{
		"/unapprove": true, "/unapprove.": true, "/unapprove " + full.Short(): true, "no, wait\n/unapprove": true,
		"unapprove": false, "> /unapprove": false, "<!--\n/unapprove\n-->": false, "/unapprove b41f 09c2 77de": false,
		"do not /unapprove": false, "/unapprove, this is wrong": true, "/unapprove all of it": true, "\u200b/un\u200dapprove": true,
		"/unapprove \u202e" + full.Short(): true, "/unapproved": false,
	} {
		d := decide(t, 0, need(1, "bob"), yes, comment("Bob", body, time.Minute))
		if (d.Verdict == approval.Pending) != back || back && (len(d.Ignored) != 1 || d.Ignored[0].Reason != approval.TakenBack) {
			t.Errorf("%q: %s %+v", body, d.Verdict, d.Ignored)
		}
	}
	if d := decide(t, 0, need(1, "bob"), yes, comment("eve", "/unapprove", time.Minute)); d.Verdict != approval.Approved {
		t.Error("somebody takes back the approval of another")
	}
	if d := decide(t, 0, need(1, "bob"), comment("bob", "/unapprove", -time.Minute), yes); d.Verdict != approval.Approved {
		t.Error("what was taken back cannot be given again")
	}
}

func digest(digit string) plan.Fingerprint { return plan.Fingerprint(strings.Repeat(digit, 64)) }

// An approval of an earlier plan counts for the roots whose plan is the same now,
// and for no other; one that names a root counts for that root alone.
func TestApprovalsOfParts(t *testing.T) {
	t.Parallel()
	network, service, moved := digest("a"), digest("b"), digest("c")
	earlier := plan.Parts{network, service}
	old, err := earlier.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	parts := plan.Parts{network, moved}
	now, err := parts.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	needs := []approval.Need{
		{Dir: "network", Approvals: 1, From: []string{"bob"}, Root: network},
		{Dir: "service", Approvals: 1, From: []string{"bob"}, Root: moved},
	}
	for name, c := range map[string]struct {
		subject approval.Subject
		says    []string
		want    string // of the approvals that each root has
	}{
		"the whole plan":        {approval.Subject{Fingerprint: now}, []string{now.Short()}, "11"},
		"an earlier plan":       {approval.Subject{Fingerprint: now, Earlier: []plan.Parts{earlier}}, []string{old.Short()}, "10"},
		"nobody proves it":      {approval.Subject{Fingerprint: now}, []string{old.Short()}, "00"},
		"other parts are named": {approval.Subject{Fingerprint: now, Earlier: []plan.Parts{{network, moved}}}, []string{old.Short()}, "00"},
		"one root":              {approval.Subject{Fingerprint: now}, []string{moved.Short()}, "01"},
		"each root by itself":   {approval.Subject{Fingerprint: now}, []string{moved.Short(), network.Short()}, "11"},
		"an earlier plan, and what moved": {
			approval.Subject{Fingerprint: now, Earlier: []plan.Parts{earlier}}, []string{old.Short(), moved.Short()}, "11",
		},
	} {
		p := approval.Pull{Author: "ada", Head: "head"}
		for _, s := range c.says {
			p.Votes = append(p.Votes, review("bob", "approve "+s))
		}
		d, err := approval.Decide(t.Context(), p, c.subject, approval.Needs{Roots: needs}, people{})
		if err != nil {
			t.Fatal(err)
		}
		has := ""
		for _, r := range d.Roots {
			has += string(rune('0' + len(r.Approvals)))
		}
		if has != c.want || (d.Verdict == approval.Approved) != (c.want == "11") {
			t.Errorf("%s: %s %s, want %s: %+v", name, d.Verdict, has, c.want, d.Ignored)
		}
	}
}

// A root whose backend or providers change asks for what destroying asks for, even
// where no resource changes; the reason says why.
func TestMovesAskForTheStrictestRule(t *testing.T) {
	t.Parallel()
	rule := config.TerraformRule{
		Dir: "**", Plan: config.TerraformApproval{Approvals: 1, From: config.Approvers{"bob"}},
		Destroy: &config.TerraformApproval{Approvals: 2, From: config.Approvers{"bob", "dan"}},
	}
	rules := []approval.Rules{{Terraform: config.Terraform{Rules: []config.TerraformRule{rule}}}}
	for name, c := range map[string]struct {
		change approval.Change
		want   int // approvals
	}{
		"a change":           {approval.Change{Dir: "d"}, 1},
		"none":               {approval.Change{Dir: "d", None: true}, 0},
		"a move":             {approval.Change{Dir: "d", Moves: []string{"its workspace was a, and is b"}}, 2},
		"a move and nothing": {approval.Change{Dir: "d", None: true, Moves: []string{"its workspace was a, and is b"}}, 2},
	} {
		needs, err := approval.NeedsOf(rules, []approval.Change{c.change})
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for _, n := range needs.Roots {
			got += n.Approvals
			if c.want == 2 && n.Why != "its workspace was a, and is b" {
				t.Errorf("%s: because %q", name, n.Why)
			}
		}
		if got != c.want {
			t.Errorf("%s asks for %d, want %d", name, got, c.want)
		}
	}
}

// GitHub tells times to the second. Of one second, what takes an approval back counts
// as the later of the two, wherever GitHub lists it.
func TestTimesThatAreEqual(t *testing.T) {
	t.Parallel()
	yes := approval.Vote{User: "bob", At: t0, Kind: approval.Comment, Body: "/approve " + full.Short()}
	back := review("bob", "unapprove")
	back.State = "COMMENTED"
	changes := review("bob", "no")
	changes.State = "CHANGES_REQUESTED"
	for reason, no := range map[approval.Reason]approval.Vote{approval.TakenBack: back, approval.ChangesAsked: changes} {
		for _, votes := range [][]approval.Vote{{no, yes}, {yes, no}} {
			d := decide(t, 0, need(1, "bob"), votes...)
			if d.Verdict != approval.Pending || len(d.Ignored) != 1 || d.Ignored[0].Reason != reason {
				t.Errorf("%s: %s %+v", reason, d.Verdict, d.Ignored)
			}
		}
		no.At = t0.Add(-time.Second)
		if d := decide(t, 0, need(1, "bob"), no, yes); d.Verdict != approval.Approved {
			t.Errorf("%s a second before: %s", reason, d.Reason())
		}
	}
}

// A review that asked for changes still stands against an earlier approval when
// somebody else has dismissed it.
func TestDismissingRestoresNoApproval(t *testing.T) {
	t.Parallel()
	yes := approval.Vote{User: "bob", At: t0, Kind: approval.Comment, Body: "/approve " + full.Short()}
	no := review("bob", "no")
	no.State, no.At = "DISMISSED", t0.Add(time.Minute)
	d := decide(t, 0, need(1, "bob"), yes, no)
	if d.Verdict != approval.Pending || len(d.Ignored) != 1 || d.Ignored[0].Reason != approval.Dismissed ||
		!strings.Contains(d.Reason(), "a later review of theirs was dismissed") {
		t.Errorf("%s: %s", d.Verdict, d.Reason())
	}
	yes.At = t0.Add(2 * time.Minute)
	if d := decide(t, 0, need(1, "bob"), no, yes); d.Verdict != approval.Approved {
		t.Errorf("approved again: %s", d.Reason())
	}
}

// What only looks like an approval is none; nor is one that readers would not see.
func TestLookalikesApproveNothing(t *testing.T) {
	t.Parallel()
	short := full.Short()
	first := string(full[0])
	for name, body := range map[string]string{
		"a digit of another script": "/approve " + strings.Replace(short, first, "\u0430", 1), // Cyrillic
		"a wide digit":              "/approve " + strings.Replace(short, first, "\uff11", 1),
		"a mark that turns it":      "/approve \u202e" + short,
		"a mark in front":           "\u200f/approve " + short,
		"a space of no width":       "/approve " + short[:4] + "\u200b" + short[4:],
		"a soft hyphen":             "/app\u00adrove " + short,
		"a wide slash":              "\uff0fapprove " + short,
		"a long s":                  "/approve " + short + "\u017f",
		"a word behind":             "/approve " + short + " not",
		"a word in front":           "do not /approve " + short,
		"in a cell":                 "| /approve " + short + " |\n|---|",
		"in a quotation":            "> /approve " + short,
		"in HTML":                   "<details>\n/approve " + short + "\n</details>",
		"in a code block":           "```\n/approve " + short + "\n```",
		"after very much":           strings.Repeat("> ", 20_000) + "/approve " + short,
	} {
		d := decide(t, 0, need(1, "bob"), approval.Vote{User: "bob", At: t0, Kind: approval.Comment, Body: body})
		if d.Verdict != approval.Pending {
			t.Errorf("%s: approved by %q", name, body[:min(len(body), 80)])
		}
	}
	for _, body := range []string{
		"/approve " + short, "/APPROVE  " + strings.ToUpper(short) + ".", "fine\r\n\r\n/approve\t" + short + "\r\n",
	} {
		d := decide(t, 0, need(1, "bob"), approval.Vote{User: "bob", At: t0, Kind: approval.Comment, Body: body})
		if d.Verdict != approval.Approved {
			t.Errorf("%q: %s", body, d.Reason())
		}
	}
}
