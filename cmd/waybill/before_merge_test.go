package main

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// A plan is applied after its merge. Where the rules let it be applied before,
// the head must be what a merge would bring, and green.
func TestApplyBeforeTheMerge(t *testing.T) {
	t.Parallel()
	status := func(state string) func(*infraWorld) {
		return func(w *infraWorld) {
			w.api("ada", "POST", "/repos/acme/infra/statuses/"+w.git(w.clone, "rev-parse", "HEAD"), `{"context":"ci","state":"`+state+`"}`)
		}
	}
	for name, c := range map[string]struct {
		rules string
		do    func(w *infraWorld)
		code  int
		says  string
	}{
		"not as the rules say": {
			strings.Replace(infraRules, "  apply: before-merge\n", "", 1), func(*infraWorld) {}, 3,
			`pull request #1 is not merged: its plan is applied afterwards`,
		},
		"behind its base": {infraRules, func(w *infraWorld) {
			w.commitOnMain(map[string]string{"README.md": "other\n"})
		}, 3, `the head of #1 lacks 1 commits of main: bring it up to date, and plan again`},
		"in conflict": {infraRules, func(w *infraWorld) {
			w.commitOnMain(map[string]string{"infra/prod/note.tf": "conflict\n"})
		}, 3, `pull request #1 cannot be merged as it is`},
		"a red status":     {infraRules, status("failure"), 3, `status ci of #1 is failure`},
		"a pending status": {infraRules, status("pending"), 4, `status ci of #1 is pending`},
		"a red check": {infraRules, func(w *infraWorld) {
			w.check("failure")
		}, 3, `check test of #1 is failure`},
		"a check that runs": {infraRules, func(w *infraWorld) {
			w.check("")
		}, 4, `check test of #1 is still running`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newInfraWorld(t, map[string]string{"waybill.yaml": c.rules})
			w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
			w.approve("bob", w.plan())
			c.do(w)
			code, _, words := w.apply()
			w.wants("apply", code, c.code, words, c.says)
			if w.state() != "" {
				t.Error("something was applied")
			}
		})
	}
	t.Run("a draft", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		w.push("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
		w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"change","base":"main","draft":true}`)
		w.approve("bob", w.plan())
		code, _, words := w.apply()
		w.wants("apply", code, 3, words, "pull request #1 is a draft")
	})
	t.Run("into another branch", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/side")
		w.push("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
		w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"change","base":"side"}`)
		w.approve("bob", w.plan())
		code, _, words := w.apply()
		w.wants("apply", code, 3, words, "pull request #1 is made against side: before the merge, only what goes to main is applied")
	})
	t.Run("green and up to date", func(t *testing.T) {
		t.Parallel()
		w, f := ready(t)
		w.approve("bob", f)
		status("success")(w)
		w.check("success")
		code, _, words := w.apply()
		w.wants("apply", code, 0, words, "infra/prod: applied")
	})
	t.Run("after the merge, whatever the rules", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, map[string]string{"waybill.yaml": strings.Replace(infraRules, "  apply: before-merge\n", "", 1)})
		w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
		w.approve("bob", w.plan())
		w.merge()
		code, _, words := w.apply()
		w.wants("apply", code, 0, words, "infra/prod: applied")
	})
}

// commitOnMain pushes to the base branch, past the pull request.
func (w *infraWorld) commitOnMain(files map[string]string) string {
	w.t.Helper()
	dir := w.cloneAs("dan")
	write(w.t, dir, files)
	w.git(dir, "add", "-A")
	w.git(dir, "commit", "-q", "-m", "on main")
	w.git(dir, "push", "-q", w.remote("dan"), "HEAD:refs/heads/main")
	return w.git(dir, "rev-parse", "HEAD")
}

// check makes a job named test on the head, which ended so; empty is that it
// runs.
func (w *infraWorld) check(conclusion string) {
	head := w.git(w.clone, "rev-parse", "HEAD")
	run := w.github.AddRun(sandbox.Run{
		Repository: "acme/infra", Path: ".github/workflows/test.yml", Workflow: "test", Event: "pull_request", HeadSHA: head,
		Actor: "ada",
	})
	status := "completed"
	if conclusion == "" {
		status = "in_progress"
	}
	w.github.UpdateRun("acme/infra", run.ID, func(r *sandbox.Run) {
		r.Status, r.Conclusion = status, conclusion
		r.Jobs = []sandbox.RunJob{{Name: "test", Status: status, Conclusion: conclusion}}
	})
}

// A comment asks for the plan to be applied; not anybody's, not in any form.
func TestApplyCommentForms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user, body, action string
		code               int
		says               string
	}{
		"a stranger":              {"eve", "/apply", "created", 3, "eve has no write access to acme/infra, so /apply was ignored"},
		"edited":                  {"bob", "/apply", "edited", 3, "the comment was edited: only a new one asks for something"},
		"in a sentence":           {"bob", "please /apply", "created", 2, "does not ask for anything"},
		"another word":            {"bob", "/apply-later", "created", 2, "does not ask for anything"},
		"the plan of another day": {"bob", "/apply aaaa bbbb cccc", "created", 3, `\(other-plan\): it is plan`},
		"asked for":               {"bob", "/apply\r\nthank you", "created", 0, "infra/prod: applied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			w.github.SetPermission("acme/infra", "eve", "read")
			w.approve("bob", f)
			w.event("issue_comment", map[string]any{
				"action": c.action, "issue": map[string]any{"number": 1, "pull_request": map[string]any{}},
				"comment": map[string]any{"id": 1, "body": c.body, "user": map[string]any{"login": c.user}},
			})
			code, _, words := w.run("apply", "--checkout", w.clone, "--lock-timeout", "1s")
			w.wants("apply", code, c.code, words, c.says)
			if c.code == 0 {
				w.wants(
					"the log", 0, 0, words,
					"(?s)::group::apply infra/prod\n.*infra/prod  module.service.terraform_data.service: Creation complete.*::endgroup::",
				)
			}
			if applied := w.state() != ""; applied != (c.code == 0) {
				t.Errorf("applied: %t", applied)
			}
			comments := w.github.Pulls("acme/infra")[0].Comments
			answered := strings.Contains(comments[len(comments)-1], "@bob: nothing was applied")
			if want := name == "the plan of another day"; answered != want {
				t.Errorf("answered %t: %s", answered, comments[len(comments)-1])
			}
		})
	}
}

// Whoever is outside can say what looks like a plan. It is neither believed nor
// taken over by the next plan.
func TestPlanCommentsFromOutside(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.github.SetPermission("acme/infra", "eve", "read")
	head := w.push("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
	w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"change","base":"main"}`)
	forged := comment.Marker + "\n<!-- waybill:claim {\"fingerprint\":\"" + strings.Repeat("ab", 32) + "\",\"head\":\"" +
		head + "\",\"roots\":[{\"dir\":\"infra/prod\"}]} -->\nall is well"
	w.comment("eve", forged)
	code, _, words := w.gate()
	w.wants("gate", code, 2, words, "has no plan")
	f := w.plan()
	comments := w.github.Pulls("acme/infra")[0].Comments
	if len(comments) != 2 || comments[0] != forged || !strings.Contains(comments[1], f.Short()) {
		t.Errorf("the comments are %q", comments)
	}
	code, _, words = w.gate()
	w.wants("gate", code, 4, words, "plan "+f.Short()+" of #1 is not approved yet")
}
