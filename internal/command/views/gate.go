package views

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/gate/apply"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/drift"
	"github.com/waybill-dev/waybill/internal/gate/login"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/proposal"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/verdict"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// summaryLimit is the most of a plan or a drift report that a step's summary
// shows: the summaries of all steps share a job's page.
const summaryLimit = runner.SummaryLimit / 4

// wholePlan is the most that a plan prints: a log takes all of it.
const wholePlan = 1 << 30

// Login renders a login that was written.
func Login(_ options.Login, r login.Result) show.View {
	expires := r.Expires.Format(time.RFC3339)
	v := show.View{Outputs: map[string]string{"expires": expires}}
	v.Linef("logged in until %s: begin before then, and for what takes longer than the cloud's session "+
		"give the same inputs to waybill plan, apply or drift", expires)
	return v
}

// Planned is the document of a plan.
type Planned struct {
	*proposal.Document
	Stale     []proposal.Stale     `json:"stale,omitempty"`     // pull requests that are planned again, with --again-workflow
	Matrix    *proposal.Matrix     `json:"matrix,omitempty"`    // jobs that plan, with --list or --spread
	Validated *proposal.Validation `json:"validated,omitempty"` // with --validate-only
	Findings  []policy.Finding     `json:"findings,omitempty"`  // of the policy, which refused
}

// Plan renders a plan, or what spoke against one.
func Plan(in options.Plan, r proposal.Result) show.View {
	v := show.View{Document: Planned{r.Shown(), r.Stale, r.Matrix, r.Validated, r.Findings}}
	refused := findings(&v, r.Findings)
	switch {
	case refused != "":
		v.Outputs = map[string]string{"findings": refused}
	case r.Answered != "":
		v.Linef("nothing is planned, and a reply says why: %s", r.Answered)
		v.Outputs = map[string]string{"answered": "true"}
	case r.Validated != nil:
	case r.Matrix != nil:
		v.Linef("%s", compact(r.Matrix))
		v.Outputs = map[string]string{"matrix": compact(r.Matrix)}
		if r.Workspaces != nil {
			v.Outputs["workspaces"] = compact(r.Workspaces)
		}
	case in.AgainWorkflow != "":
		for _, p := range r.Stale {
			v.Linef("#%d is planned again: %s", p.PullRequest, p.Why)
		}
		v.Linef("%d of the open pull requests have a plan that is out of date", len(r.Stale))
	case r.Result == nil:
		v.Linef("nothing to plan: no root is touched")
		v.Outputs = map[string]string{"fingerprint": "", "changes": "false", "plan": ""}
	default:
		v.Markdown = r.View.Text(summaryLimit)
		v.Printed = r.View.Text(wholePlan)
		v.Outputs = map[string]string{
			"fingerprint": string(r.Fingerprint), "changes": strconv.FormatBool(r.Changes()), "plan": r.View.Sealed,
			"summary": record.Output([]byte(show.JSON(r.Shown()))),
		}
	}
	if r.Validated != nil {
		validated(&v, r)
	}
	for _, none := range r.Unmatched {
		v.Annotations = append(v.Annotations, runner.Annotation{Level: runner.Warning, Title: "waybill plan", Message: none})
	}
	return v
}

func validated(v *show.View, r proposal.Result) {
	for _, p := range r.Validated.Problems {
		if p.File != "" {
			v.Annotations = append(v.Annotations, runner.Annotation{Level: runner.Failure, File: p.File, Message: p.Message})
		}
	}
	if len(r.Validated.Problems)+len(r.Findings) == 0 {
		v.Linef("%d roots pass the policy, are formatted and valid", r.Validated.Roots)
	}
}

// findings renders every finding of the policy, and returns them as an output.
func findings(v *show.View, list []policy.Finding) string {
	if len(list) == 0 {
		return ""
	}
	for _, f := range list {
		v.Annotations = append(v.Annotations, runner.Annotation{
			Level: runner.Failure, File: f.File, Line: f.Line, Column: f.Column,
			Title: "waybill policy: " + f.Rule, Message: f.Message + "\n" + f.Fix,
		})
	}
	refused := policy.RefusedError{Findings: list}
	v.Markdown = refused.Markdown()
	return record.Output([]byte(show.JSON(Planned{Findings: list})))
}

// Gated is the document of the gate's decision.
type Gated struct {
	*approval.Decision
	Status      string          `json:"status,omitempty"`      // state of the commit status that was reported
	Description string          `json:"description,omitempty"` // of that status
	Elsewhere   string          `json:"elsewhere,omitempty"`   // default branch, if the pull request is made against another one
	Started     string          `json:"started,omitempty"`     // branch on which the workflow that decides was started
	Signed      *record.Signed  `json:"signed,omitempty"`      // the record of the decision
	Hooked      *verdict.Hooked `json:"hooked,omitempty"`      // what the hooks said, with --run-hooks
}

// Gate renders what was decided about a plan.
func Gate(in options.Gate, r verdict.Result) show.View {
	document := Gated{Elsewhere: r.Elsewhere, Started: r.Started, Signed: r.Signed}
	if r.Status != nil {
		document.Status, document.Description = r.Status.State, r.Status.Description
	}
	v := show.View{}
	switch status := r.Status; {
	case r.Decided():
		v, document.Decision = decided(r), &r.Decision
	case r.Started != "":
		v.Linef("started  %s on %s", in.StartWorkflow, r.Started)
	case r.Helped:
		v.Linef("answered on #%d", r.Site.Pull.Number)
	case in.RunHooks:
		v.Outputs = map[string]string{"hooks": compact(r.Hooked)}
		v.Linef("%d results of hooks", len(r.Hooked.Hooks))
		document.Hooked = r.Hooked
	case r.Elsewhere != "":
		v.Linef("pull request #%d is made against %s: %s is reported for %s alone",
			r.Site.Pull.Number, r.Site.Pull.BaseRef, in.StatusContext, r.Elsewhere)
	case r.Kept:
		v.Linef("there is no plan of %.7s: its status stays %s", r.Site.Pull.HeadSHA, status.State)
	case status != nil:
		v.Linef("%s: %s", status.State, status.Description)
	}
	v.Document = document
	return v
}

func decided(r verdict.Result) show.View {
	d := r.Decision
	v := show.View{Text: d.Verdict + "\n", Markdown: verdict.Markdown(d), Outputs: map[string]string{
		"decision": d.Verdict, "approvers": strings.Join(d.Approvers(), "\n"), "record": record.Output([]byte(show.JSON(d))),
	}}
	if d.Verdict == approval.Pending {
		waits := outcome.Pendingf("plan %s of #%d is not approved yet\n%s", d.Fingerprint.Short(), d.PullRequest, d.Reason())
		if r.Status != nil { // the status holds the merge, and the run has done what it is for
			v.Linef("pending: %v", waits)
		} else {
			v.Verdict = waits
		}
		return v
	}
	v.Linef("plan %s of #%d is approved by %s", d.Fingerprint.Short(), d.PullRequest, d.By())
	signed(&v, r.Signed)
	return v
}

// signed renders where the signed record is.
func signed(v *show.View, s *record.Signed) {
	if s != nil {
		v.Linef("the record is signed by %s, beside %s", s.By.Name(), s.Place)
		v.Outputs["signed_record"] = s.Place
	}
}

// Applied is the document of one plan that was applied, or of why none was.
type Applied struct {
	*apply.Record
	Signed   *record.Signed   `json:"signed,omitempty"`   // the record
	Findings []policy.Finding `json:"findings,omitempty"` // of the policy, which refused
}

// Apply renders what became of one plan.
func Apply(_ options.Apply, r apply.Result) show.View {
	v := show.View{Document: Applied{r.Record, r.Signed, r.Findings}}
	switch {
	case len(r.Findings) > 0:
		findings(&v, r.Findings)
	case r.Matrix != nil:
		v.Linef("%s", compact(r.Matrix))
		v.Outputs = map[string]string{"matrix": compact(r.Matrix), "merge_head": r.MergeHead}
	case r.Ready:
		v.Linef("would apply the plan %s: every check passes", r.Fingerprint.Short())
		dry(&v)
	case r.Unlocked != "":
		v.Linef("ended %s", r.Unlocked)
		v.Outputs = map[string]string{"applied": "false"}
	case r.Record == nil && r.Plan != "":
		v.Linef("#%d: no root of its plan is applied in this environment", r.Site.Pull.Number)
		v.Outputs = map[string]string{"applied": "false"}
	case r.Record == nil:
		if r.Site != nil && r.Site.Pull != nil {
			v.Linef("nothing to apply: pull request #%d has no plan", r.Site.Pull.Number)
		}
		v.Outputs = map[string]string{"applied": "false"}
	default:
		v.Markdown = r.Markdown()
		v.Linef("%s", apply.Report(r.Roots))
		v.Outputs = map[string]string{"applied": strconv.FormatBool(r.Failed == nil), "record": record.Output([]byte(show.JSON(r.Record)))}
		signed(&v, r.Signed)
	}
	return v
}

// Drift renders what drifted.
func Drift(in options.Drift, r drift.Report) show.View {
	if r.Matrix != nil {
		v := show.View{Document: r, Outputs: map[string]string{"matrix": compact(r.Matrix)}}
		v.Linef("%s", compact(r.Matrix))
		return v
	}
	v := show.View{
		Markdown: r.Markdown(summaryLimit), Printed: r.Markdown(markdown.MaxComment), Verdict: r.Outcome(in.FailOnDrift),
		Outputs: map[string]string{drift.Drifted: compact(r.Entries(drift.Drifted)), drift.Broken: compact(r.Entries(drift.Broken))},
	}
	warn := func(message string) {
		v.Annotations = append(v.Annotations, runner.Annotation{Level: runner.Warning, Title: "waybill drift", Message: message})
	}
	for _, root := range r.Of(drift.Drifted) {
		warn(root.Title())
	}
	for _, i := range r.Ignores {
		warn(i.String())
	}
	return v
}

// compact is texts and numbers as JSON, on one line.
func compact(list any) string {
	data, _ := json.Marshal(list)
	return string(data)
}
