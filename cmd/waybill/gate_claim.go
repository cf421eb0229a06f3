package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// gateReporter is who reports: the App that app_id names, where one is named.
func gateReporter(ctx context.Context, call *cli.Call, where infra) (*github.Client, bool, error) {
	if call.In.String("app_id") == "" && call.In.String("app_key") == "" {
		return where.api, false, nil
	}
	client, err := configRepositoryClient(ctx, call, where.repo)
	return client, true, err
}

// startGate starts the gate's workflow on the default branch, which no pull
// request can change.
func (i infra) startGate(ctx context.Context, call *cli.Call, workflow string) error {
	info, err := i.api.Repo(ctx, i.repo)
	if err != nil {
		return err
	}
	inputs := map[string]string{"pull_request": strconv.Itoa(i.pull.Number)}
	for _, name := range []string{"merge_group", "merge_base", "plan_result"} {
		if value := call.In.String(name); value != "" {
			inputs[name] = value
		}
	}
	call.Sayf("started  %s on %s", workflow, info.DefaultBranch)
	return i.api.Dispatch(ctx, i.repo, workflow, info.DefaultBranch, inputs)
}

// isElsewhere reports whether the pull request is made against another branch
// than the default one. A status sticks to the commit: one that was given there
// would count on the default branch when the base is changed.
func (i infra) isElsewhere(ctx context.Context, call *cli.Call) (bool, error) {
	info, err := i.api.Repo(ctx, i.repo)
	if err != nil || i.pull.BaseRef == info.DefaultBranch {
		return false, err
	}
	call.Sayf("pull request #%d is made against %s: %s is reported for %s alone", i.pull.Number, i.pull.BaseRef, call.In.String("status_context"), info.DefaultBranch)
	return true, nil
}

// gateClaim is what the plan of the head is. Where there is a checkout, that there
// was nothing to plan is not believed: it is looked up.
func gateClaim(ctx context.Context, call *cli.Call, where infra) (claim comment.Claim, err error) {
	switch result := call.In.String("plan_result"); {
	case result != "" && result != "success":
		return claim, &unplannedError{failed: true}
	case call.In.Bool("nothing_planned"):
		if call.In.Has("checkout") {
			return claim, nothingOrUnplanned(ctx, call, where)
		}
		return claim, &unplannedError{none: !where.strict}
	}
	claim, found, err := where.claim(ctx)
	if err != nil {
		return claim, err
	}
	if !found || call.In.Bool("status") && claim.Head != where.pull.HeadSHA {
		return claim, nothingOrUnplanned(ctx, call, where)
	}
	return claim, nil
}

// nothingOrUnplanned looks whether the change touches a root at all, as far as
// there is a checkout to look at.
func nothingOrUnplanned(ctx context.Context, call *cli.Call, where infra) error {
	chosen, looked, err := where.touched(ctx, call)
	if err != nil {
		return err
	}
	return &unplannedError{none: looked && len(chosen.Roots)+len(chosen.Removed) == 0}
}

// touched chooses the roots that the pull request touches, where its merge is
// checked out.
func (i infra) touched(ctx context.Context, call *cli.Call) (roots.Selection, bool, error) {
	base, err := i.mergeBase(call)
	if err != nil || !call.In.Has("checkout") || base == "" {
		return roots.Selection{}, false, err
	}
	top, err := top(ctx, call)
	if err != nil {
		return roots.Selection{}, false, err
	}
	chosen, err := roots.Touched(ctx, roots.Request{Top: top, Since: base, Backend: call.In.List("backend_config")})
	return chosen, true, err
}

// mergeBase is what the pull request would be merged into: of a merge queue's
// group, with what is merged before it.
func (i infra) mergeBase(call *cli.Call) (string, error) {
	if given := call.In.String("merge_base"); given != "" {
		return given, nil
	}
	event, err := call.Runner.Event()
	if err != nil {
		return "", err
	}
	if event.MergeGroup != nil && event.MergeGroup.BaseSHA != "" {
		return event.MergeGroup.BaseSHA, nil
	}
	return i.pull.BaseSHA, nil
}

// wholePlan refuses a plan that leaves out a root that the change touches, and
// one by which two roots share a state.
func wholePlan(ctx context.Context, call *cli.Call, where infra, claim comment.Claim) error {
	chosen, looked, err := where.touched(ctx, call)
	if err != nil || !looked {
		return err
	}
	named := func(dir, workspace string) bool {
		for _, r := range claim.Roots {
			if r.Dir == dir && (r.Workspace == workspace || r.Workspace == "" && workspace == roots.DefaultWorkspace) {
				return true
			}
		}
		return false
	}
	var missing []string
	for _, r := range chosen.Roots {
		if !named(r.Dir, cmp.Or(r.Workspace, roots.DefaultWorkspace)) {
			missing = append(missing, fmt.Sprintf("%s is touched, and the plan does not name it", r.Dir))
		}
	}
	for _, r := range chosen.Removed {
		if !named(r.Dir, r.Workspace) {
			missing = append(missing, fmt.Sprintf("%s is taken away, and the plan does not say so", r.Dir))
		}
	}
	if len(missing) > 0 {
		return outcome.Refusedf("%s\nplan again", strings.Join(missing, "\n"))
	}
	return chosen.Check()
}

// roomForRecord is left in the gate's comment for the decision and its record.
const roomForRecord = 30_000

// openClaimed opens the sealed plan that the plan comment points to, where there
// is a key, and takes from it what the plan does.
func openClaimed(ctx context.Context, call *cli.Call, where infra, claim comment.Claim) (comment.Claim, error) {
	if call.In.String("seal_key") == "" && call.In.String("seal_key_file") == "" {
		return claim, nil
	}
	identities, err := sealKey(call)
	if err != nil {
		return claim, err
	}
	if claim.Plan == "" {
		return claim, outcome.Refusedf("the plan of #%d was not sealed: give seal_to and store to waybill plan", where.pull.Number)
	}
	bundle, err := openSealed(ctx, call, claim.Plan, identities, seal.Expect{Now: time.Now(), Fingerprint: claim.Fingerprint, Repository: where.repo.String()})
	if err != nil {
		return claim, err
	}
	full, err := bundle.Document.Fingerprint()
	if err != nil {
		return claim, err
	}
	if bundle.Document.Head != where.pull.HeadSHA {
		return claim, outcome.Refusedf("the sealed plan is of commit %.7s, the head is %.7s: plan again", bundle.Document.Head, where.pull.HeadSHA)
	}
	view := comment.View{Fingerprint: full, Head: bundle.Document.Head, Removed: bundle.Document.Removed, Sealed: claim.Plan}
	var parsed []*terraform.Plan
	for _, root := range bundle.Roots {
		p, err := terraform.ParsePlan(root.JSON)
		if err != nil {
			return claim, err
		}
		parsed = append(parsed, p)
	}
	secrets := redact.FindSecrets(parsed...)
	sources := make(map[string]comment.ClaimRoot)
	for _, r := range claim.Roots {
		sources[r.Dir] = r
	}
	for i, record := range bundle.Document.Roots {
		known := sources[record.Dir]
		view.Roots = append(view.Roots, comment.RootView{Dir: record.Dir, Workspace: record.Workspace, Whole: record.Whole, Summary: summary.Summarize(parsed[i], secrets),
			Sources: &roots.Sources{Dirs: known.Sources, VarFiles: record.VarFiles, Whole: record.Whole, Digest: record.Configuration}})
	}
	opened := view.Claim()
	opened.Text = "\nThe sealed plan itself says:\n\n" + withoutMarkers(view.Comment(comment.MaxComment-roomForRecord)) + "\n"
	return opened, nil
}
