package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
)

// joinedPlan is what the claim of #1 leads to, if that was joined.
func (w *infraWorld) joinedPlan() (j seal.Joined) {
	w.t.Helper()
	_, data, is := strings.Cut(read(w.t, w.firstClaim().Plan), "waybill-joined-plan/v1\n")
	if is {
		if err := json.Unmarshal([]byte(data), &j); err != nil {
			w.t.Fatal(err)
		}
	}
	return j
}

// keptFrom are the roots whose plans come from an earlier part.
func (w *infraWorld) keptFrom(part string) (dirs []string) {
	w.t.Helper()
	j := w.joinedPlan()
	for _, r := range j.Order {
		if r.From > 0 && j.Parts[r.From-1] == part {
			dirs = append(dirs, r.Dir)
		}
	}
	return dirs
}

// moveState applies something else to a root of matrixWorld, by hand.
func (w *infraWorld) moveState(root, input string) {
	w.t.Helper()
	elsewhere := w.t.TempDir()
	write(w.t, elsewhere, map[string]string{"main.tf": fmt.Sprintf(matrixRoot, input)})
	w.terraform(elsewhere, "init", "-input=false")
	w.terraform(elsewhere, "apply", "-input=false", "-auto-approve")
	state := read(w.t, filepath.Join(elsewhere, "terraform.tfstate"))
	write(w.t, filepath.Join(w.clone, root), map[string]string{"terraform.tfstate": state})
}

// One root is planned again alone. The others are not even looked at by terraform, keep
// their fingerprints and approvals, and all of it is applied as one plan.
func TestOneRootIsPlannedAgain(t *testing.T) {
	t.Parallel()
	w := matrixWorld(t)
	before := w.plan("--changed-since", "origin/main")
	first := w.firstClaim()
	w.approve("dan", before)
	w.moveState("infra/one", "other")
	two := filepath.Join(w.clone, "infra", "two", "terraform.tfstate")
	write(t, filepath.Dir(two), map[string]string{"terraform.tfstate": "no state at all\n"}) // planning it would fail
	w.comment("ada", "/plan infra/one")
	w.event("issue_comment", commentEvent(1, "ada", "/plan infra/one"))
	code, _, words := w.planJob("--spread", "--group-size", "25")
	w.wants("plan", code, 0, words)
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	claim := w.firstClaim()
	if claim.Fingerprint == before || len(claim.Roots) != 3 {
		t.Fatalf("planned again, it is %+v", claim)
	}
	for i, r := range claim.Roots {
		if same := claim.Parts[i] == first.Parts[i]; r.Dir != first.Roots[i].Dir || same == (r.Dir == "infra/one") {
			t.Errorf("%s: the fingerprint is the same: %t", r.Dir, same)
		}
	}
	if kept := w.keptFrom(first.Plan); !slices.Equal(kept, []string{"infra/prod", "infra/two"}) {
		t.Errorf("kept %s", kept)
	}
	if claim.Planned.IsZero() || time.Since(claim.Planned) > time.Hour {
		t.Errorf("the oldest plan is of %s", claim.Planned)
	}
	body := w.github.Pulls("acme/infra")[0].Comments[0]
	w.wants("the comment", 0, 0, body, "Planned again: `infra/one`", "The plans of the other 2 roots stand; the oldest is of 20",
		"to change", "`infra/two`")
	for _, key := range []string{"GITHUB_ACTIONS", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY"} {
		delete(w.env, key)
	}
	code, _, words = w.gate("--checkout", w.clone)
	w.wants("gate", code, 4, words, "infra/one")
	if strings.Contains(words, "infra/two: 1 of") || strings.Contains(words, "infra/prod: 1 of") {
		t.Errorf("others are approved anew: %s", words)
	}
	w.approve("bob", claim.Fingerprint)
	code, _, words = w.gate("--checkout", w.clone)
	w.wants("gate", code, 0, words)
	w.merge()
	code, _, words = w.apply()
	w.wants("apply", code, 0, words, "infra/one: applied", "infra/two: applied", "infra/prod: applied")
	w.seen = bytes.NewBuffer(regexp.MustCompile(`(?m)^::add-mask::.*$`).ReplaceAll(w.seen.Bytes(), nil)) // the runner shows none
	w.noSecrets(secret)
}

// The run of a comment starts the run that plans, and names itself by its number: the plan
// is of what that comment says, and its author is answered.
func TestPlanOfACommentByItsNumber(t *testing.T) {
	t.Parallel()
	w, part := planFirst(t)
	id := w.comment("ada", "/plan infra/one")
	code, _, words := w.planJob("--asked-by", id, "--group-size", "25")
	w.wants("plan", code, 0, words)
	if kept := w.keptFrom(part); !slices.Equal(kept, []string{"infra/prod", "infra/two"}) {
		t.Errorf("kept %s", kept)
	}
	stands := w.firstClaim()
	edited := w.comment("ada", "/plan infra/one")
	w.tick()
	w.api("mallory", "PATCH", "/repos/acme/infra/issues/comments/"+edited, `{"body":"/plan infra/two"}`)
	deleted := w.comment("ada", "/plan infra/one")
	w.api("ada", "DELETE", "/repos/acme/infra/issues/comments/"+deleted, "")
	for name, c := range map[string]struct {
		comment, says, answer string
		code                  int
	}{
		"what is no root": {w.comment("ada", "/plan infra/none"), "infra/none is no root", "infra/none is no root", 0},
		"that was changed": {
			edited, "was changed since it was written: write a new one", "@ada: nothing was planned", 0,
		},
		"that asks for nothing": {w.comment("ada", "hello"), "does not ask for a plan", "@ada: nothing was planned", 0},
		"that was deleted":      {deleted, "#1 has no comment " + deleted + ": it was deleted", "", 3},
		"of no number":          {"x1", `--asked-by "x1": give the number of a comment`, "", 2},
	} {
		count := len(w.github.Pulls("acme/infra")[0].Comments)
		code, _, words := w.planJob("--asked-by", c.comment, "--group-size", "25")
		w.wants(name, code, c.code, words, c.says)
		comments := w.github.Pulls("acme/infra")[0].Comments
		if c.answer != "" {
			w.wants(name, 0, 0, comments[len(comments)-1], c.answer)
		} else if len(comments) != count {
			t.Errorf("%s: %s", name, comments[count:])
		}
	}
	if now := w.firstClaim(); now.Fingerprint != stands.Fingerprint || now.Plan != stands.Plan {
		t.Errorf("the plan does not stand any more: %+v", now)
	}
}

// firstPart is where the first plan of #1 is kept.
func planFirst(t *testing.T) (w *infraWorld, part string) {
	t.Helper()
	w = matrixWorld(t)
	w.plan("--changed-since", "origin/main")
	return w, w.firstClaim().Plan
}

// A root whose plan does not stand any more is planned with the one that was asked for.
func TestPlansThatDoNotStand(t *testing.T) {
	t.Parallel()
	all := []string{"infra/prod", "infra/two"}
	rewritten := func(change func(p map[string]any)) func(*infraWorld, string) {
		return func(w *infraWorld, part string) {
			var p map[string]any
			if err := json.Unmarshal([]byte(read(w.t, part+".part.json")), &p); err != nil {
				w.t.Fatal(err)
			}
			change(p)
			data, _ := json.Marshal(p)
			write(w.t, w.store, map[string]string{filepath.Base(part) + ".part.json": string(data)})
		}
	}
	// claimed changes what the plan comment claims; its author stays who it was.
	claimed := func(change func(claim map[string]any)) func(*infraWorld, string) {
		return func(w *infraWorld, _ string) {
			body := w.github.Pulls("acme/infra")[0].Comments[0]
			before, rest, _ := strings.Cut(body, "<!-- waybill:claim ")
			text, after, _ := strings.Cut(rest, " -->")
			var claim map[string]any
			if err := json.Unmarshal([]byte(text), &claim); err != nil {
				w.t.Fatal(err)
			}
			change(claim)
			data, _ := json.Marshal(claim)
			edited, _ := json.Marshal(map[string]string{"body": before + "<!-- waybill:claim " + string(data) + " -->" + after})
			id := w.apiList("ada", "/repos/acme/infra/issues/1/comments")[0]["id"]
			w.api("dan", "PATCH", fmt.Sprintf("/repos/acme/infra/issues/comments/%.0f", id), string(edited))
		}
	}
	merged := func(name, text string) func(*infraWorld, string) {
		return func(w *infraWorld, _ string) {
			w.git(w.clone, "checkout", "-q", "--detach", "origin/main")
			write(w.t, w.clone, map[string]string{name: text})
			w.git(w.clone, "add", name)
			w.git(w.clone, "commit", "-q", "-m", "on main")
			w.git(w.clone, "push", "-q", w.remote("dan"), "HEAD:refs/heads/main")
			w.git(w.clone, "fetch", "-q", w.remote("ada"), "refs/pull/1/merge", "+refs/heads/main:refs/remotes/origin/main")
			w.git(w.clone, "checkout", "-q", "--detach", "refs/remotes/origin/main")
			w.git(w.clone, "merge", "-q", "--no-ff", "-m", "merge", "change")
		}
	}
	for name, c := range map[string]struct {
		do   func(w *infraWorld, part string)
		kept []string
	}{
		"nothing has changed": {func(*infraWorld, string) {}, all},
		"a state moved": {func(w *infraWorld, _ string) {
			w.postAs(w.jobToken, strings.Replace(movedComment, "infra/prod", "infra/two", 1))
		}, all[:1]},
		"a stranger says that a state moved": {func(w *infraWorld, _ string) { w.comment("eve", movedComment) }, all},
		"a module was merged":                {merged("modules/service/main.tf", infraModule+"# other\n"), all[1:]},
		"a lock file was merged":             {merged("infra/two/.terraform.lock.hcl", "# empty\n"), all[:1]},
		"a state moved before it was planned": {func(w *infraWorld, _ string) {
			w.postAs(w.jobToken, strings.NewReplacer("infra/prod", "infra/two", `"x"`, `""`, "7", "0").Replace(movedComment))
		}, all},
		"its claim is too long for a comment": {claimed(func(claim map[string]any) {
			delete(claim, "roots")
			delete(claim, "parts")
		}), all},
		"the comment names too few fingerprints": {claimed(func(claim map[string]any) {
			claim["parts"] = claim["parts"].([]any)[:1]
		}), nil},
		"the comment names another plan": {claimed(func(claim map[string]any) {
			claim["fingerprint"] = strings.Repeat("a", 64)
		}), nil},
		"it does not say which files a root reads": {rewritten(func(p map[string]any) {
			p["roots"].([]any)[2].(map[string]any)["sources"] = nil
		}), all[:1]},
		"it holds a root that the comment does not": {rewritten(func(p map[string]any) {
			p["roots"] = append(p["roots"].([]any), map[string]any{"record": map[string]any{"dir": "infra/more"}})
			p["parts"] = append(p["parts"].([]any), strings.Repeat("a", 64))
		}), all},
		"somebody pushed": {func(w *infraWorld, _ string) { w.push("ada", map[string]string{"README.md": "x\n"}) }, nil},
		"it was applied": {func(w *infraWorld, _ string) {
			w.postAs(w.jobToken, comment.AppliedMarker+"\n**Not applied in full:** plan `a41f`\n")
		}, nil},
		"a stranger says that it was applied": {func(w *infraWorld, _ string) {
			w.comment("eve", comment.AppliedMarker+"\n**Applied** plan `a41f`\n")
		}, all},
		"an apply was refused": {func(w *infraWorld, _ string) {
			w.postAs(w.jobToken, comment.AppliedMarker+"\n@ada: nothing was applied.\n")
		}, all},
		"nothing is said of its roots":        {func(w *infraWorld, part string) { _ = os.Remove(part + ".part.json") }, nil},
		"the store does not have it any more": {func(w *infraWorld, part string) { _ = os.Remove(part) }, nil},
		"it is old": {rewritten(func(p map[string]any) {
			p["at"] = time.Now().Add(-8 * 24 * time.Hour).Format(time.RFC3339)
		}), nil},
		"it expires soon": {rewritten(func(p map[string]any) {
			p["at"] = time.Now().Add(-6*24*time.Hour - time.Hour).Format(time.RFC3339)
		}), nil},
		"it is of some days ago": {rewritten(func(p map[string]any) {
			p["at"] = time.Now().Add(-5 * 24 * time.Hour).Format(time.RFC3339)
		}), all},
		"it is of tomorrow": {rewritten(func(p map[string]any) {
			p["at"] = time.Now().Add(24 * time.Hour).Format(time.RFC3339)
		}), nil},
		"it is of another commit": {rewritten(func(p map[string]any) { p["head"] = strings.Repeat("a", 40) }), nil},
		"it is of another repository": {
			rewritten(func(p map[string]any) { p["repository"] = "eve/infra" }), nil,
		},
		"other fingerprints": {rewritten(func(p map[string]any) { p["parts"].([]any)[2] = strings.Repeat("a", 64) }), all[:1]},
		"too few fingerprints": {
			rewritten(func(p map[string]any) { p["parts"] = p["parts"].([]any)[:1] }), nil,
		},
		"another terraform planned one": {rewritten(func(p map[string]any) {
			p["roots"].([]any)[2].(map[string]any)["record"].(map[string]any)["terraform"] = "terraform 1.0.0"
		}), all[:1]},
		"no JSON": {func(w *infraWorld, part string) {
			write(w.t, w.store, map[string]string{filepath.Base(part) + ".part.json": "{"})
		}, nil},
		"no plan": {func(w *infraWorld, _ string) {
			for _, c := range w.apiList("ada", "/repos/acme/infra/issues/1/comments") {
				w.api("dan", "DELETE", fmt.Sprintf("/repos/acme/infra/issues/comments/%.0f", c["id"]), "")
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, part := planFirst(t)
			c.do(w, part)
			code, _, words := w.planJob("--only", "infra/one", "--group-size", "25")
			w.wants("plan", code, 0, words)
			if kept := w.keptFrom(part); !slices.Equal(kept, c.kept) {
				t.Errorf("kept %s, not %s", kept, c.kept)
			}
			if claim := w.firstClaim(); len(claim.Roots) != 3 || claim.Planned.IsZero() == (len(c.kept) > 0) {
				t.Errorf("the plan is %+v", claim)
			}
		})
	}
}

// A plan that is kept elsewhere, or whose states lie elsewhere by what the job says, is no
// plan of which something can be kept. Without a key or a pull request there is none.
func TestPlansOfElsewhereDoNotStand(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]string{
		"another store": {"--store", t.TempDir()}, "another place of the states": {"--backend-config", "path=elsewhere.tfstate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, part := planFirst(t)
			code, _, words := w.planJob(append([]string{"--only", "infra/one", "--group-size", "25"}, more...)...)
			w.wants("plan", code, 0, words)
			if j := w.joinedPlan(); len(w.firstClaim().Roots) != 3 || len(j.Parts) != 0 {
				t.Errorf("kept %s of %s: %+v", w.keptFrom(part), part, j)
			}
		})
	}
	for name, args := range map[string][]string{
		"no key":          {"--pull-request", "1", "--head", ""},
		"no pull request": {"--seal-to", "KEY", "--store", "STORE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := planFirst(t)
			args = append([]string{
				"plan", "--repo", "acme/infra", "--checkout", w.clone, "--format", "json", "--changed-since", "origin/main",
				"--only", "infra/one",
			}, args...)
			for i := range args {
				args[i] = strings.NewReplacer("KEY", w.recipient, "STORE", w.store).Replace(args[i])
			}
			code, out, words := w.run(args...)
			w.wants("plan", code, 0, words)
			for _, dir := range []string{"infra/one", "infra/two", "infra/prod"} {
				if !strings.Contains(out, `"dir": "`+dir+`"`) {
					t.Errorf("%s is not planned: %s", dir, out)
				}
			}
		})
	}
}

// One workspace of a root is planned again, and the others keep their plans.
func TestOneWorkspaceIsPlannedAgain(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{
		"waybill.yaml":      infraRules + "  roots: [{dir: infra/app, workspaces: [dev, prod, test]}]\n",
		"infra/app/main.tf": fmt.Sprintf(matrixRoot, "old"),
	})
	for _, workspace := range []string{"dev", "prod", "test"} {
		if err := os.MkdirAll(filepath.Join(w.clone, "infra/app/terraform.tfstate.d", workspace), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.open("ada", map[string]string{"infra/app/main.tf": fmt.Sprintf(matrixRoot, "new")})
	w.plan("--changed-since", "origin/main")
	part := w.firstClaim().Plan
	code, _, words := w.planJob("--only", "infra/app prod", "--group-size", "25")
	w.wants("plan", code, 0, words)
	var kept []string
	j := w.joinedPlan()
	for _, r := range j.Order {
		if r.From > 0 && j.Parts[r.From-1] == part {
			kept = append(kept, r.Workspace)
		}
	}
	if !slices.Equal(kept, []string{"dev", "test"}) {
		t.Errorf("kept %s", kept)
	}
}

// An entry of waybill.yaml that says something else asks for a new plan: it is not in the
// digest of the root's files.
func TestEntriesThatChangedAreNotKept(t *testing.T) {
	t.Parallel()
	for entry, kept := range map[string]bool{
		"": true, ", destroy: true": false, ", refreshOnly: true": false, ", varFiles: [infra/two/x.tfvars]": false,
		", version: \">= 1.0\"": true, // which is the one that planned it
	} {
		w := matrixWorld(t)
		listed := func(entry string) {
			write(t, w.clone, map[string]string{
				"waybill.yaml": infraRules + "  roots: [{dir: infra/one}, {dir: infra/two" + entry + "}, {dir: infra/prod}]\n",
			})
		}
		listed("")
		w.push("ada", map[string]string{"infra/two/x.tfvars": "\n"})
		w.plan("--changed-since", "origin/main")
		part := w.firstClaim().Plan
		listed(entry)
		code, _, words := w.planJob("--only", "infra/one", "--group-size", "25")
		w.wants(entry, code, 0, words)
		if got := w.keptFrom(part); slices.Contains(got, "infra/two") != kept || !slices.Contains(got, "infra/prod") {
			t.Errorf("%q: kept %s", entry, got)
		}
	}
}

// One root that cannot be planned takes nothing from the others: the failure stands on the
// pull request, nothing of the plan before counts, and the next /plan DIR takes the other
// plans over, with their approvals.
func TestAFailedRootKeepsTheOthers(t *testing.T) {
	t.Parallel()
	w, part := planFirst(t)
	first := w.firstClaim()
	w.approve("dan", first.Fingerprint)
	state := filepath.Join(w.clone, "infra", "one", "terraform.tfstate")
	before, _ := os.ReadFile(state)
	plan := func(want int, args ...string) string {
		t.Helper()
		code, _, words := w.planJob(append([]string{"--group-size", "25"}, args...)...)
		w.wants("plan", code, want, words)
		return w.github.Pulls("acme/infra")[0].Comments[0]
	}
	broken := func() { write(t, filepath.Dir(state), map[string]string{"terraform.tfstate": "no state at all\n"}) }
	mended := func() {
		if err := os.Remove(state); err != nil {
			t.Fatal(err)
		}
		if len(before) > 0 {
			write(t, filepath.Dir(state), map[string]string{"terraform.tfstate": string(before)})
		}
	}
	broken()
	for range 2 { // also one failure after another
		body := plan(1, "--only", "infra/one")
		w.wants("the comment", 0, 0, body, "The plan of .* failed.* There is nothing to approve until it is planned again",
			"The sealed plans of the other roots are kept")
		if _, is := comment.ReadClaim(body); is {
			t.Errorf("it claims a plan: %s", body)
		}
	}
	code, _, words := w.gate("--checkout", w.clone)
	if code == 0 {
		t.Errorf("the gate believes the plan before: %s", words)
	}
	mended()
	plan(0, "--only", "infra/one")
	if kept := w.keptFrom(part); !slices.Equal(kept, []string{"infra/prod", "infra/two"}) {
		t.Errorf("kept %s", kept)
	}
	again := w.firstClaim()
	if again.Fingerprint != first.Fingerprint || again.Planned.IsZero() {
		t.Errorf("it is %+v", again)
	}
	code, _, words = w.gate("--checkout", w.clone)
	w.wants("gate", code, 0, words) // dan's approval counts on

	broken()
	if body := plan(1); strings.Contains(body, "are kept") {
		t.Errorf("all were to be planned, and it says %s", body)
	}
	mended()
	plan(0, "--only", "infra/one")
	if j := w.joinedPlan(); len(j.Parts) > 0 {
		t.Errorf("a plan of all failed, and these are kept: %+v", j)
	}

	stands := w.firstClaim().Plan
	broken()
	plan(1, "--only", "infra/one")
	mended()
	w.postAs(w.jobToken, comment.AppliedMarker+"\n**Not applied in full:** plan `a41f`\n")
	plan(0, "--only", "infra/one")
	if kept := w.keptFrom(stands); len(kept) > 0 {
		t.Errorf("it was applied since, and these are kept: %s", kept)
	}
}

// What a stranger writes as the plan that stood is only text, and of another commit nothing
// is kept.
func TestPlansThatNeverStood(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(w *infraWorld, body string)
		kept int
	}{
		"of a job":      {func(w *infraWorld, body string) { w.postAs(w.jobToken, body) }, 2},
		"of a stranger": {func(w *infraWorld, body string) { w.comment("eve", body) }, 0},
		"of an earlier commit": {func(w *infraWorld, body string) {
			w.postAs(w.jobToken, body)
			w.push("ada", map[string]string{"README.md": "x\n"})
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, part := planFirst(t)
			stood := strings.Replace(w.github.Pulls("acme/infra")[0].Comments[0], "waybill:claim", "waybill:stood", 1)
			for _, c := range w.apiList("ada", "/repos/acme/infra/issues/1/comments") {
				w.api("dan", "DELETE", fmt.Sprintf("/repos/acme/infra/issues/comments/%.0f", c["id"]), "")
			}
			c.do(w, stood)
			code, _, words := w.planJob("--only", "infra/one", "--group-size", "25")
			w.wants("plan", code, 0, words)
			if kept := w.keptFromAny(part); len(kept) != c.kept {
				t.Errorf("kept %s", kept)
			}
		})
	}
}

// keptFromAny is keptFrom, where the plan comment need not be the first.
func (w *infraWorld) keptFromAny(part string) (dirs []string) {
	w.t.Helper()
	for _, body := range w.github.Pulls("acme/infra")[0].Comments {
		claim, is := comment.ReadClaim(body)
		_, data, joined := strings.Cut(read(w.t, cmp.Or(claim.Plan, os.DevNull)), "waybill-joined-plan/v1\n")
		var j seal.Joined
		if !is || !joined || json.Unmarshal([]byte(data), &j) != nil {
			continue
		}
		for _, r := range j.Order {
			if r.From > 0 && j.Parts[r.From-1] == part {
				dirs = append(dirs, r.Dir)
			}
		}
	}
	return dirs
}

// Somebody who names what cannot be planned is told which roots there are. The plan that
// stands is left alone.
func TestPlanNamesNoRoot(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{
		"infra/one/main.tf": fmt.Sprintf(matrixRoot, "old"), "infra/two/main.tf": fmt.Sprintf(matrixRoot, "old"),
	})
	w.git(w.clone, "rm", "-q", "-r", "infra/two")
	w.open("ada", note)
	w.plan("--changed-since", "origin/main")
	asks := 0
	stands := w.github.Pulls("acme/infra")[0].Comments[0]
	for words, says := range map[string]string{
		"/plan infra/none":         `infra/none is no root\. The roots that it touches are: infra/prod`,
		"/plan infra/one":          "infra/one is a root that this pull request does not touch",
		"/plan infra/prod staging": `infra/prod .*staging.* is no root`,
		"/plan infra/two":          "infra/two is taken away by this pull request",
		"/plan ../../etc":          `\.\./\.\./etc is no root`,
		"/plan please, again now":  "the comment names no root: its first line is /plan",
	} {
		write(t, filepath.Dir(w.env["GITHUB_OUTPUT"]), map[string]string{"GITHUB_OUTPUT": ""})
		asks++
		event := commentEvent(1, "ada", words)
		event["comment"].(map[string]any)["id"] = asks
		w.event("issue_comment", event)
		w.planJob("--spread", "--group-size", "25") // the job runs twice, and answers once
		code, _, printed := w.planJob("--spread", "--group-size", "25")
		w.wants(words, code, 0, printed, says)
		comments := w.github.Pulls("acme/infra")[0].Comments
		last := comments[len(comments)-1]
		w.wants(words, 0, 0, last, "<!-- waybill:answer [0-9]+ -->\n@ada: nothing was planned, and the plan that stands is as it was", says)
		if comments[0] != stands {
			t.Errorf("%s: the plan comment is %s", words, comments[0])
		}
		if out := read(t, w.env["GITHUB_OUTPUT"]); !strings.Contains(out, "answered") || !strings.Contains(out, "true") {
			t.Errorf("%s: the outputs are %s", words, out)
		}
	}
	for _, key := range []string{"GITHUB_ACTIONS", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY"} {
		delete(w.env, key)
	}
	code, _, printed := w.planJob("--only", "infra/none") // nobody is there to be answered
	w.wants("by hand", code, 3, printed, "infra/none is no root")
	code, _, printed = w.planJob("--only", "a b c")
	w.wants("by hand", code, 2, printed, "a b c names no root: write DIR, or DIR WORKSPACE")
	if got := w.github.Pulls("acme/infra")[0].Comments; len(got) != 7 {
		t.Errorf("six comments have these answers: %s", got[1:])
	}
}

// Who exchanges what a joined plan is made of makes another plan than the approved one.
func TestPartsThatAreExchanged(t *testing.T) {
	t.Parallel()
	w := matrixWorld(t)
	w.plan("--changed-since", "origin/main")
	w.moveState("infra/one", "other")
	code, _, words := w.planJob("--only", "infra/one", "--group-size", "25")
	w.wants("plan", code, 0, words)
	claim := w.firstClaim()
	w.approve("dan", claim.Fingerprint)
	w.merge()
	honest := w.joinedPlan()
	for name, c := range map[string]struct {
		change func(j *seal.Joined)
		says   string
	}{
		"the older plan of a root": {func(j *seal.Joined) {
			for i := range j.Order {
				if j.Order[i].Dir == "infra/one" {
					j.Order[i].From = slices.Index(j.Parts, j.Parts[j.Order[(i+1)%3].From-1]) + 1
				}
			}
		}, "it is plan .*, not "},
		"no part of a root": {func(j *seal.Joined) { j.Order[0].From = 9 }, "do not hold .* exactly once"},
		"any part":          {func(j *seal.Joined) { j.Order[0].From = 0 }, "its parts hold 4 roots, and it lists 3"},
		"twice":             {func(j *seal.Joined) { j.Order[1] = j.Order[0] }, "do not hold .* exactly once"},
		"a root left out":   {func(j *seal.Joined) { j.Order = j.Order[:2] }, "it is plan .*, not "},
		"another order":     {func(j *seal.Joined) { slices.Reverse(j.Order) }, "it is plan .*, not "},
		"a part elsewhere":  {func(j *seal.Joined) { j.Parts[0] = "/etc/passwd" }, "which is not kept beside it"},
	} {
		j := seal.Joined{Parts: slices.Clone(honest.Parts), Order: slices.Clone(honest.Order), Removed: honest.Removed}
		c.change(&j)
		data, err := j.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		write(t, w.store, map[string]string{filepath.Base(claim.Plan): string(data)})
		code, _, words := w.apply()
		w.wants(name, code, 3, words, c.says)
	}
	data, err := honest.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	write(t, w.store, map[string]string{filepath.Base(claim.Plan): string(data)})
	code, _, words = w.apply()
	w.wants("the honest one", code, 0, words, "infra/one: applied")
}

// One root again, and again: the parts of the plan before are flat, and a plan that comes
// out as it was before does not overwrite its own part.
func TestOneRootAgainAndAgain(t *testing.T) {
	t.Parallel()
	w, part := planFirst(t)
	prints := map[plan.Fingerprint]bool{w.firstClaim().Fingerprint: true}
	for _, root := range []string{"infra/one", "infra/two", "infra/one", "infra/prod"} {
		code, _, words := w.planJob("--only", root, "--group-size", "25")
		w.wants(root, code, 0, words)
		prints[w.firstClaim().Fingerprint] = true
	}
	if len(prints) != 1 {
		t.Errorf("the same plans have %d fingerprints", len(prints))
	}
	if j := w.joinedPlan(); slices.Contains(j.Parts, part) || len(j.Order) != 3 {
		t.Errorf("every root was planned again since, and the plan is %+v", j)
	}
	w.approve("dan", w.firstClaim().Fingerprint)
	code, _, words := w.gate("--checkout", w.clone)
	w.wants("gate", code, 0, words)
	w.merge()
	code, _, words = w.apply()
	w.wants("apply", code, 0, words, "infra/one: applied")
}

// Where several jobs plan what is planned again, the one that joins takes their parts, and
// those of the plan that stands.
func TestPlanAgainInSeveralJobs(t *testing.T) {
	t.Parallel()
	w, part := planFirst(t)
	w.postAs(w.jobToken, strings.Replace(movedComment, "infra/prod", "infra/two", 1))
	only := []string{"--only", "infra/one"}
	code, out, words := w.planJob(append(only, "--spread")...)
	w.wants("spread", code, 0, words)
	if !strings.Contains(out, `"group": "2/2"`) || strings.Contains(out, "3/3") {
		t.Errorf("the matrix is %s", out)
	}
	for _, group := range []string{"1/2", "2/2"} {
		code, _, words = w.planJob(append(only, "--group", group)...)
		w.wants(group, code, 0, words)
	}
	code, _, words = w.planJob(append(only, "--join")...)
	w.wants("join", code, 0, words)
	if kept := w.keptFrom(part); !slices.Equal(kept, []string{"infra/prod"}) || len(w.joinedPlan().Parts) != 3 {
		t.Errorf("kept %s of %+v", kept, w.joinedPlan())
	}
	w.approve("dan", w.firstClaim().Fingerprint)
	w.merge()
	code, _, words = w.apply()
	w.wants("apply", code, 0, words, "infra/one: applied", "infra/two: applied", "infra/prod: applied")
}

// A merged pull request is planned again in the same way, until something of it is applied:
// states have moved then, and every root is planned.
func TestOneRootIsPlannedAgainAfterTheMerge(t *testing.T) {
	t.Parallel()
	w, part := planFirst(t)
	before := w.firstClaim().Fingerprint
	w.approve("dan", before)
	w.merge()
	w.onMain()
	again := []string{"--group-size", "25", "--changed-since", "HEAD^1", "--only"}
	code, _, words := w.planJob(append(again, "infra/one")...)
	w.wants("plan", code, 0, words)
	if kept := w.keptFrom(part); len(kept) != 2 || w.firstClaim().Fingerprint != before {
		t.Errorf("kept %s; the fingerprint is %s", kept, w.firstClaim().Fingerprint.Short())
	}
	code, _, words = w.apply("--environment", "infra-one")
	w.wants("apply", code, 0, words, "infra/one: applied")
	code, _, words = w.planJob(append(again, "infra/two")...)
	w.wants("plan", code, 0, words)
	if claim := w.firstClaim(); len(w.joinedPlan().Parts) != 0 || claim.Roots[0].Dir != "infra/one" || claim.Roots[0].Changes {
		t.Errorf("after the apply it is %+v", claim)
	}
	code, _, words = w.apply("--environment", "infra")
	w.wants("apply", code, 0, words, "infra/prod: applied", "infra/two: applied")
}
