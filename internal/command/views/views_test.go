package views_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/command/views"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/delivery/desk"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/gate/apply"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/proposal"
	"github.com/waybill-dev/waybill/internal/gate/verdict"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// The document of a check carries the verdict; a wait that a commit status holds
// is no failure of the run.
func TestCheckVerdicts(t *testing.T) {
	t.Parallel()
	finding := func(state evidence.State) []check.Finding {
		return []check.Finding{{File: "a.yaml", Line: 3, Rule: "soak", State: state, Message: "not yet"}}
	}
	for name, c := range map[string]struct {
		verdict desk.Verdict
		code    int
		state   evidence.State
		allowed string
	}{
		"nothing found": {desk.Verdict{Result: check.Result{Findings: []check.Finding{}}}, outcome.Done, evidence.Met, "true"},
		"refused": {
			desk.Verdict{Result: check.Result{Findings: finding(evidence.Refused)}}, outcome.Refused, evidence.Refused, "false",
		},
		"pending": {
			desk.Verdict{Result: check.Result{Findings: finding(evidence.Pending)}}, outcome.Pending, evidence.Pending, "false",
		},
		"pending on the commit": {
			desk.Verdict{Result: check.Result{Findings: finding(evidence.Pending)}, OnCommit: true}, outcome.Done,
			evidence.Pending, "false",
		},
	} {
		v := views.Check(options.Check{}, c.verdict)
		document := v.Document.(views.Checked)
		if outcome.Code(v.Verdict) != c.code || document.State != c.state || v.Outputs["allowed"] != c.allowed ||
			document.Allowed != (c.allowed == "true") {
			t.Errorf("%s: %v, %+v, %v", name, v.Verdict, document, v.Outputs)
		}
		var findings []check.Finding
		if err := json.Unmarshal([]byte(v.Outputs["findings"]), &findings); err != nil || len(findings) != len(c.verdict.Findings) {
			t.Errorf("%s: the output findings is %s", name, v.Outputs["findings"])
		}
	}
	refused := views.Check(options.Check{}, desk.Verdict{Result: check.Result{Findings: []check.Finding{
		{File: "waybill.yaml", Rule: "waybill.yaml", State: evidence.Refused, Message: "m"},
		{File: "a.yaml", Line: 3, Rule: "soak", State: evidence.Refused, Message: "n"},
	}}})
	if lines := strings.Join(refused.Lines, "|"); lines != "waybill.yaml: m|a.yaml:3: soak: n" || refused.Verdict.Error() != "2 findings" {
		t.Errorf("the findings come first and name the file once: %q, %v", lines, refused.Verdict)
	}
	v := views.Check(options.Check{}, desk.Verdict{Elsewhere: "not judged: …"})
	if v.Verdict != nil || v.Text != "" || len(v.Outputs) != 0 || v.Document.(views.Checked).Allowed {
		t.Errorf("what was not judged: %+v", v)
	}
}

// A finding is an annotation at its place; a loss of protection warns.
func TestCheckAnnotations(t *testing.T) {
	t.Parallel()
	v := views.Check(options.Check{}, desk.Verdict{Result: check.Result{
		Findings: []check.Finding{{File: "a.yaml", Line: 3, State: evidence.Refused}, {File: "b.yaml", State: evidence.Pending}},
		Notes:    []check.Finding{{File: "waybill.yaml", Rule: check.RuleProtection}, {File: "c.yaml"}},
	}})
	var levels []string
	for _, a := range v.Annotations {
		levels = append(levels, a.File+" "+string(a.Level))
	}
	want := []string{
		"a.yaml " + string(runner.Failure), "b.yaml " + string(runner.Notice), "waybill.yaml " + string(runner.Warning),
		"c.yaml " + string(runner.Notice),
	}
	if strings.Join(levels, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", levels)
	}
}

// Standard output names the commit of a bump that was made, and of no other.
func TestBumpThatIsRefused(t *testing.T) {
	t.Parallel()
	for decision, text := range map[string]string{"allowed": "abc\n", "refused": "", "pending": "", "": ""} {
		v := views.Bump(options.Bump{}, bump.Result{Decision: decision, Commit: "abc"})
		if v.Text != text || v.Outputs["decision"] != decision || (v.Outputs["commit"] != "") != (text != "") {
			t.Errorf("%s: %q, %v", decision, v.Text, v.Outputs)
		}
	}
	v := views.Bump(options.Bump{}, bump.Result{Decision: "refused", Answer: "failure", URL: "https://x"})
	if v.Text != "" || len(v.Lines) != 1 || v.Lines[0] != "answered failure: https://x" {
		t.Errorf("an answer: %+v", v)
	}
}

// Only a promotion that was asked for by name refuses or waits.
func TestPromoteVerdicts(t *testing.T) {
	t.Parallel()
	for state, code := range map[string]int{
		promote.Opened: outcome.Done, promote.Refused: outcome.Refused, promote.Foreign: outcome.Refused,
		promote.Declined: outcome.Refused, promote.Pending: outcome.Pending,
	} {
		promotions := []promote.Promotion{{App: "x", State: state, Reason: "why"}}
		if v := views.Promote(options.Promote{App: "x"}, promotions); outcome.Code(v.Verdict) != code {
			t.Errorf("%s by name: %v", state, v.Verdict)
		}
		if v := views.Promote(options.Promote{}, promotions); v.Verdict != nil {
			t.Errorf("%s among all: %v", state, v.Verdict)
		}
	}
}

// A gate that waits fails, unless a commit status holds the merge.
func TestGateVerdicts(t *testing.T) {
	t.Parallel()
	pending := approval.Decision{Verdict: approval.Pending, Repository: "acme/infra", PullRequest: 7}
	for name, c := range map[string]struct {
		result verdict.Result
		code   int
		text   string
	}{
		"approved":              {verdict.Result{Decision: approval.Decision{Verdict: approval.Approved}}, outcome.Done, "approved\n"},
		"pending":               {verdict.Result{Decision: pending}, outcome.Pending, "pending\n"},
		"pending, on a status":  {verdict.Result{Decision: pending, Status: &github.Status{State: "pending"}}, outcome.Done, "pending\n"},
		"nothing to decide":     {verdict.Result{Unplanned: true, Status: &github.Status{State: "success"}}, outcome.Done, ""},
		"decided by a workflow": {verdict.Result{Started: "main"}, outcome.Done, ""},
	} {
		v := views.Gate(options.Gate{}, c.result)
		if outcome.Code(v.Verdict) != c.code || v.Text != c.text || len(v.Lines) != 1 && c.code == outcome.Done {
			t.Errorf("%s: %v, %q, %q", name, v.Verdict, v.Text, v.Lines)
		}
		decided := c.text != ""
		if _, said := v.Outputs["decision"]; said != decided || strings.Contains(show.JSON(v.Document), `"verdict"`) != decided {
			t.Errorf("%s: %v, %s", name, v.Outputs, show.JSON(v.Document))
		}
	}
}

// What the policy found is an annotation each, an output and the document.
func TestPolicyFindings(t *testing.T) {
	t.Parallel()
	found := []policy.Finding{{Rule: "provider", File: "infra/a/main.tf", Line: 3, Message: "not allowed", Fix: "allow it"}}
	v := views.Plan(options.Plan{}, proposal.Result{Findings: found})
	if len(v.Annotations) != 1 || v.Annotations[0].File != "infra/a/main.tf" || v.Outputs["findings"] != show.JSON(v.Document) ||
		v.Outputs["fingerprint"] != "" {
		t.Errorf("plan: %+v", v)
	}
	v = views.Apply(options.Apply{}, apply.Result{Findings: found})
	if len(v.Annotations) != 1 || len(v.Outputs) != 0 || strings.Contains(show.JSON(v.Document), "applied") {
		t.Errorf("apply: %+v, %s", v, show.JSON(v.Document))
	}
}

// The summary of a build says what each step took, as text: a step's name is the
// Dockerfile author's.
func TestBuildSteps(t *testing.T) {
	t.Parallel()
	v := views.Build(options.Build{}, build.Result{Steps: []build.Step{
		{Name: "[2/3] RUN make | <b>", Seconds: 61.26}, {Name: "[3/3] COPY", Cached: true},
	}})
	for _, want := range []string{"| `[2/3] RUN make \\| <b>` | 61.3 |", "| `[3/3] COPY` | from the cache |"} {
		if !strings.Contains(v.Markdown, want) {
			t.Errorf("lacks %q:\n%s", want, v.Markdown)
		}
	}
	if got := strings.Join(v.Lines, "\n"); got != " 2 steps, 1 of them from the cache" {
		t.Errorf("says %q", got)
	}
	if v := views.Build(options.Build{}, build.Result{}); strings.Contains(v.Markdown, "Steps") || len(v.Lines) > 0 {
		t.Errorf("assembled: %s %q", v.Markdown, v.Lines)
	}
}
