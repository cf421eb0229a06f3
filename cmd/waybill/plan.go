package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runPlan(ctx context.Context, call *cli.Call) error {
	var where infra
	err := planAll(ctx, call, &where)
	if err != nil && where.pull != nil && call.In.Bool("comment") && !call.In.Bool("validate_only") {
		err = outcome.Join(err, where.sayPlanFailed(ctx, call, err))
	}
	return err
}

func planAll(ctx context.Context, call *cli.Call, place *infra) error {
	recipients, err := seal.ParseRecipients(call.In.List("seal_to"))
	if err != nil {
		return err
	}
	if len(recipients) > 0 && !call.In.Has("store") {
		return outcome.Usagef("--seal-to without --store: say where the sealed plan is kept")
	}
	store, err := seal.ParsePlace(call.In.String("store"))
	if err != nil {
		return err
	}
	top, err := top(ctx, call)
	if err != nil {
		return err
	}
	where, err := openInfra(ctx, call)
	if err != nil {
		return err
	}
	*place = where
	wanted := rootRequest(call, top)
	wanted.Since = call.In.String("changed_since")
	chosen, err := roots.Select(ctx, wanted)
	if err != nil {
		return err
	}
	list := chosen.Roots
	tool, done, err := tool(call, top)
	if err != nil {
		return err
	}
	defer done()
	tool.Unlocked = !call.In.Bool("lock")
	judge, err := policyGuard(ctx, call, where, top)
	if err != nil {
		return err
	}
	tool.Guard = judge.check
	if err := judge.trees(ctx, call, list); err != nil {
		return err
	}
	if err := chosen.Check(); err != nil {
		return err
	}
	if err := chooseTerraform(ctx, call, top, list, &tool); err != nil {
		return err
	}
	if call.In.Bool("validate_only") {
		return validateRoots(ctx, call, top, list, tool, judge)
	}
	if len(list)+len(chosen.Removed) == 0 {
		return nothingPlanned(ctx, call, top, where)
	}
	logout, err := loginFor(ctx, call, &tool)
	if err != nil {
		return err
	}
	defer logout()
	head, err := plannedHead(ctx, call, top, where)
	if err != nil {
		return err
	}
	request := plan.Request{Top: top, Roots: list, Head: head, Tool: tool, Parallel: call.In.Int("parallel"), States: chosen.States, Adopt: judge.mayAdopt, Removed: chosen.Removed}
	if where.onGitHub() {
		request.Repository = where.repo.String()
	}
	result, err := plan.Run(ctx, request)
	if err = judge.report(call, err); err != nil {
		return err
	}
	sealed, err := sealResult(ctx, call, store, recipients, result)
	if err != nil {
		return err
	}
	return reportPlan(ctx, call, where, result, sealed)
}

// sealResult seals the plan and keeps it; where is empty without recipients.
func sealResult(ctx context.Context, call *cli.Call, store seal.Place, recipients []seal.Recipient, result *plan.Result) (where string, err error) {
	if len(recipients) == 0 {
		return "", nil
	}
	data, err := seal.Seal(seal.Of(result, time.Now(), call.In.Duration("expires")), recipients)
	if err != nil {
		return "", err
	}
	host := ""
	if store.Dir == "" {
		host = store.Repository.RegistryStr()
	}
	return store.Save(ctx, sealedStore(call, host), result.Fingerprint, data)
}

func plannedHead(ctx context.Context, call *cli.Call, top string, where infra) (string, error) {
	if head := call.In.String("head"); head != "" {
		return head, nil
	}
	line, err := git.Run(ctx, top, "rev-list", "--parents", "--max-count=1", "HEAD")
	commits := strings.Fields(line)
	if err != nil || len(commits) == 0 {
		return "", err
	}
	if where.pull == nil {
		return commits[0], nil
	}
	// Of GitHub's merge of a pull request, the head is the last parent.
	if !slices.Contains([]string{commits[0], commits[len(commits)-1]}, where.pull.HeadSHA) {
		return "", outcome.Refusedf("the checkout is %.7s, neither the head %.7s of #%d nor its merge: somebody pushed meanwhile, and the newer commit gets a plan of its own", commits[0], where.pull.HeadSHA, where.pull.Number)
	}
	return where.pull.HeadSHA, nil
}

func reportPlan(ctx context.Context, call *cli.Call, where infra, result *plan.Result, sealed string) error {
	view := comment.Of(result)
	view.Sealed, view.RunURL = sealed, call.Runner.Context().RunURL()
	type root struct {
		plan.RootRecord
		Summary summary.Summary `json:"summary"`
	}
	summary := struct {
		Fingerprint plan.Fingerprint `json:"fingerprint"`
		Head        string           `json:"head"`
		Plan        string           `json:"plan,omitempty"`
		Roots       []root           `json:"roots"`
	}{Fingerprint: result.Fingerprint, Head: result.Document.Head, Plan: sealed}
	changes := false
	for _, r := range result.Roots {
		record := r.Record
		record.Changes, record.Plan = "", "" // would let anybody try values
		summary.Roots = append(summary.Roots, root{record, r.Summary})
		changes = changes || r.Summary.Changes()
	}
	document, err := jsonDocument(summary)
	if err != nil {
		return err
	}
	if where.pull != nil {
		if view.Approval, err = askForApproval(ctx, where, result); err != nil {
			return err
		}
	}
	if call.In.String("format") == "json" {
		_, err = fmt.Fprintln(call.Stdout, string(document))
	} else {
		_, err = fmt.Fprint(call.Stdout, withoutMarkers(view.Comment(maxLog)))
	}
	if err != nil {
		return err
	}
	if where.pull != nil && call.In.Bool("comment") {
		if err := where.commentPlan(ctx, view); err != nil {
			return err
		}
	}
	if err := call.Runner.Summary(withoutMarkers(view.Comment(runner.SummaryLimit / 4))); err != nil {
		return err
	}
	if len(document) > maxOutput {
		document = []byte(`{"omitted":"too large for an output"}`)
	}
	return outcome.Join(call.Output("fingerprint", string(result.Fingerprint)), call.Output("changes", strconv.FormatBool(changes)),
		call.Output("plan", sealed), call.Output("summary", string(document)))
}

// askForApproval says who must approve. Where no rule says so, that is what the
// comment says: it is for gate and apply to refuse.
func askForApproval(ctx context.Context, where infra, result *plan.Result) (string, error) {
	rules, _, err := where.rules(ctx)
	if err == nil {
		var changes []approval.Change
		for _, r := range result.Roots {
			changes = append(changes, approval.Change{Dir: r.Record.Dir, Destroys: r.Summary.Destroys(), None: !r.Summary.Changes(), Uses: r.Sources.Uses})
		}
		changes = append(changes, removedChanges(result.Document.Removed)...)
		var needs approval.Needs
		if needs, err = approval.NeedsOf(rules, changes); err == nil {
			return approval.Ask(result.Fingerprint, needs), nil
		}
	}
	if outcome.Code(err) == outcome.Refused {
		return "⚠️ Nobody can approve this plan: " + markdown.Text(err.Error()), nil
	}
	return "", err
}

// maxLog is the most that a plan prints: a log takes it all.
const maxLog = 1 << 30

// maxOutput keeps a job's outputs below what GitHub takes for all of them, 1 MB.
const maxOutput = 256 << 10

// withoutMarkers drops the lines that are for machines.
func withoutMarkers(comment string) string {
	for strings.HasPrefix(comment, "<!--") {
		_, comment, _ = strings.Cut(comment, "\n")
	}
	return comment
}
