package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// asApp lets the gate report as an App, and gives its login.
func (w *infraWorld) asApp() string {
	w.t.Helper()
	id, key, err := w.github.CreateApp(sandbox.App{Slug: "acme-waybill", Repositories: []string{"acme/infra"},
		Permissions: map[string]string{
			"contents": "read", "pull-requests": "write", "statuses": "write", "metadata": "read"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.env["WAYBILL_INPUT_APP_ID"], w.env["WAYBILL_INPUT_APP_KEY"] = id, key
	return "acme-waybill[bot]"
}

// forgedPlan writes a plan comment that says what it likes.
func forgedPlan(claim comment.Claim) string {
	data, _ := json.Marshal(claim)
	return comment.Marker + "\n<!-- waybill:claim " + string(data) + " -->\n**1 root**\n"
}

var note = map[string]string{"infra/prod/note.tf": "output \"note\" {\n  value = \"hello\"\n}\n"}

// A plan comment counts by who wrote it. One by somebody who may write to the
// repository, before the first plan, says that nothing changes and gets nothing.
func TestForgedPlanComment(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.open("ada", note)
	head := w.git(w.clone, "rev-parse", "HEAD")
	w.env["GITHUB_TOKEN"] = w.github.CreateToken(sandbox.Token{
		Job: true, Repositories: []string{"acme/infra"},
		Permissions: map[string]string{"contents": "read", "pull-requests": "write", "statuses": "write"},
	})
	claim := comment.Claim{
		Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Head: head, Roots: []comment.ClaimRoot{{Dir: "infra/prod"}},
	}
	w.comment("carol", forgedPlan(claim))
	code, _, words := w.gate("--status")
	w.wants("gate", code, 0, words, "pending: waits for a plan of "+head[:7])
	if got := w.status(head); got != "pending: waits for a plan of "+head[:7] {
		t.Error(got)
	}
	// Somebody who asks by hand is told the same.
	code, _, words = w.gate()
	w.wants("gate", code, 2, words, "has no plan: run waybill plan on it first")
	// The real one is found behind it.
	w.plan()
	code, _, words = w.gate("--status")
	w.wants("gate", code, 0, words, "still needed: 1 of acme/dba, dan")
}

// With the App, a job's own comment is not believed either: that nothing changes,
// that a root is left out, that there was nothing to plan.
func TestGateBelievesTheTree(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{"infra/dev/main.tf": strings.ReplaceAll(infraRoot, "prod", "dev")})
	app := w.asApp()
	delete(w.env, "WAYBILL_INPUT_SEAL_KEY")
	w.open("ada", note)
	head := w.git(w.clone, "rev-parse", "HEAD")
	job := func(body string) {
		t.Helper()
		server := w.env["GITHUB_TOKEN"]
		w.postAs(server, body)
	}
	claim := comment.Claim{
		Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Head: head, Roots: []comment.ClaimRoot{{Dir: "infra/dev"}},
		Parts: plan.Parts{plan.Fingerprint(strings.Repeat("b", 64))},
	}
	job(forgedPlan(claim))
	code, _, words := w.gate("--status", "--checkout", w.clone)
	w.wants("gate", code, 3, words, "fingerprints of them that are not of plan aaaa aaaa aaaa: plan again")
	var err error
	if claim.Fingerprint, err = claim.Parts.Fingerprint(); err != nil {
		t.Fatal(err)
	}
	w.editFirstComment(forgedPlan(claim))
	code, _, words = w.gate("--status", "--checkout", w.clone)
	w.wants("gate", code, 3, words, "infra/prod is touched, and the plan does not name it")
	w.wants("the status", 0, 0, w.status(head), "^failure: infra/prod is touched")
	// Nothing to plan is looked up.
	code, _, words = w.gate("--status", "--nothing-planned", "--checkout", w.clone)
	w.wants("gate", code, 0, words, "pending: waits for a plan of "+head[:7])
	// The root as it is, and the claim that nothing changes.
	sources, err := roots.ReadSources(t.Context(), w.clone, "infra/prod", nil)
	if err != nil {
		t.Fatal(err)
	}
	claim.Roots = []comment.ClaimRoot{{Dir: "infra/prod", Configuration: sources.Digest}}
	w.editFirstComment(forgedPlan(claim))
	code, _, words = w.gate("--status", "--checkout", w.clone)
	w.wants("gate", code, 0, words,
		"pending: plan "+claim.Fingerprint.Short()+" of #1 is not approved yet", "still needed: 1 of acme/dba, dan")
	for _, s := range w.apiList("ada", "/repos/acme/infra/commits/"+head+"/statuses") {
		if creator, _ := s["creator"].(map[string]any); creator["login"] != app {
			t.Errorf("%v reported, not the App", creator)
		}
	}
	// The seal key settles what the plan is: this one does not exist.
	w.plan()
	claim.Plan = w.firstClaim().Plan
	w.editFirstComment(forgedPlan(claim))
	code, _, words = w.gate("--status", "--checkout", w.clone, "--seal-key-file", w.keyFile())
	w.wants("gate", code, 3, words, `the sealed plan is refused \(other-plan\)`)
}

// With the key, the gate decides by the sealed plan, and says what it does.
func TestGateOpensTheSealedPlan(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.asApp()
	head := w.git(w.clone, "rev-parse", "HEAD")
	claim := w.firstClaim()
	claim.Roots = []comment.ClaimRoot{{Dir: "infra/prod", Configuration: claim.Roots[0].Configuration}}
	w.editFirstComment(forgedPlan(claim)) // it says less than the plan does
	code, _, words := w.gate("--status", "--comment", "--checkout", w.clone, "--seal-key-file", w.keyFile())
	w.wants("gate", code, 0, words, "still needed: 1 of acme/dba, dan")
	w.approve("bob", f)
	code, _, words = w.gate("--status", "--comment", "--checkout", w.clone, "--seal-key-file", w.keyFile())
	w.wants("gate", code, 0, words, "approved by bob")
	if got := w.status(head); got != "success: approved by bob" {
		t.Error(got)
	}
	comments := strings.Join(w.github.Pulls("acme/infra")[0].Comments, "\n")
	w.wants("the gate's comment", 0, 0, comments, "The sealed plan itself says:", `output note is added`)
}

// A status sticks to its commit. On another base it would be given by that base's
// leave, and count on main when the base is changed.
func TestGateSpeaksOfTheDefaultBranch(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.push("ada", note)
	w.git(w.clone, "push", "-q", w.remote("ada"), "origin/main:refs/heads/lax")
	w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"change","base":"lax"}`)
	w.env["GITHUB_TOKEN"] = w.token("dan")
	head := w.git(w.clone, "rev-parse", "HEAD")
	for _, args := range [][]string{{"--status"}, {"--status", "--nothing-planned"}} {
		code, _, words := w.gate(args...)
		w.wants("gate", code, 0, words, "#1 is made against lax: waybill/gate is reported for main alone")
	}
	if got := w.status(head); got != "none" {
		t.Error(got)
	}
}

// A plan that failed is a failure on the head, whatever an earlier plan said.
func TestGateAfterAPlanThatFailed(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	w.env["GITHUB_TOKEN"] = w.token("dan")
	head := w.git(w.clone, "rev-parse", "HEAD")
	code, _, words := w.gate("--status", "--plan-result", "failure")
	w.wants("gate", code, 0, words, "failure: the plan of "+head[:7]+" failed; see its run")
	if got := w.status(head); got != "failure: the plan of "+head[:7]+" failed; see its run" {
		t.Error(got)
	}
}

// Where a root cannot be planned, the comment says why, and what the others would do. It
// makes no claim, so that nothing of it can be approved.
func TestFailedPlanShowsTheOtherRoots(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]string{
		"infra/prod: plan: .*one is not two": "output \"bad\" {\n  value = 1\n  precondition {\n" +
			"    condition     = var.password == \"2\"\n    error_message = \"one is not two, says ${nonsensitive(var.password)}\"\n  }\n}\n",
		"infra/prod: initialise: .*bad.tf line 1": "output \"bad\" {\n  values = 1\n}\n",
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			failedPlanShowsTheOthers(t, says, c)
		})
	}
}

func failedPlanShowsTheOthers(t *testing.T, says, c string) {
	t.Helper()
	w := newInfraWorld(t, map[string]string{"infra/dev/main.tf": strings.Replace(infraRoot, `"prod"`, `"dev"`, 1)})
	w.open("ada", map[string]string{
		"infra/prod/bad.tf": c,
		"infra/dev/more.tf": "output \"more\" {\n  value = \"what dev would do\"\n}\n",
	})
	code, _, words := w.run("plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--changed-since", "origin/main",
		"--seal-to", w.recipient, "--store", w.store)
	w.wants("plan", code, 1, words, "(?s)"+says)
	said := w.saidOn(1)
	w.wants("the comment", 0, 0, said, "The plan of .* failed", "(?s)"+says,
		"The other roots would do this.*nothing can be approved", "(?s)`infra/dev` .*what dev would do")
	if strings.Contains(said, "waybill:claim") || strings.Contains(said, "fingerprint") {
		t.Errorf("it claims something: %s", said)
	}
	w.noSecrets(secret)
	code, _, words = w.gate()
	w.wants("gate", code, 2, words, "no plan: run waybill plan on it first")
}
