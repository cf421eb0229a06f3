package main

import (
	"strings"
	"testing"

	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// second opens another pull request on the same root, from the default branch, and
// leaves its branch checked out.
func (w *infraWorld) second() {
	w.t.Helper()
	w.git(w.clone, "checkout", "-q", "-b", "second", "origin/main")
	write(w.t, w.clone, map[string]string{"infra/prod/second.tf": "output \"second\" {\n  value = \"hello\"\n}\n"})
	w.git(w.clone, "add", "-A")
	w.git(w.clone, "commit", "-q", "-m", "second")
	w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/second")
	w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"second","head":"second","base":"main"}`)
}

// commentEvent is what GitHub says of a new comment.
func commentEvent(n int, user, body string) map[string]any {
	return map[string]any{
		"action": "created", "issue": map[string]any{"number": n, "pull_request": map[string]any{}},
		"comment": map[string]any{"id": 1, "body": body, "user": map[string]any{"login": user}},
	}
}

// says runs the job that a comment on a pull request starts.
func (w *infraWorld) says(n int, user, body string, args ...string) (code int, words string) {
	w.t.Helper()
	w.event("issue_comment", commentEvent(n, user, body))
	code, _, words = w.run(append([]string{"apply", "--checkout", w.clone, "--lock-timeout", "1s"}, args...)...)
	for _, key := range []string{"GITHUB_ACTIONS", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY"} {
		delete(w.env, key)
	}
	return code, words
}

func (w *infraWorld) saidOn(n int) string {
	return strings.Join(w.github.Pulls("acme/infra")[n-1].Comments, "\n")
}

// What was applied before its merge holds its roots: the plan of another pull request
// would take it back. The hold ends with the merge, or by /unlock of somebody who may write.
func TestAppliedBeforeTheMergeHolds(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied")
	w.wants("#1", 0, 0, w.saidOn(1), "Applied before the merge", "- infra/prod")
	w.second()
	second := w.planOf("2")
	w.reviewOf(2, "bob", second)
	gate := func(what string, code int, says string) {
		t.Helper()
		got, _, words := w.run("gate", "--repo", "acme/infra", "--pull-request", "2")
		w.wants(what, got, code, words, says)
	}
	held := "#1 was applied to infra/prod before its merge, and holds it: merge or close that one, or comment /unlock"
	gate("gate while it is held", 4, held)
	got, words := w.says(2, "bob", "/apply")
	w.wants("apply while it is held", got, 4, words, held)
	if strings.Contains(w.state(), `"second"`) {
		t.Error("the second plan was applied")
	}
	got, words = w.says(2, "bob", "/unlock")
	w.wants("/unlock on another", got, 3, words, "#2 holds no root")
	w.github.SetPermission("acme/infra", "eve", "read")
	got, words = w.says(1, "eve", "/unlock")
	w.wants("/unlock by a stranger", got, 3, words, "eve has no write access to acme/infra, so /unlock was ignored")
	gate("gate after what they tried", 4, held)
	got, words = w.says(1, "dan", "/unlock\nthank you")
	w.wants("/unlock", got, 0, words, "ended the hold of infra/prod")
	w.wants("#1", 0, 0, w.saidOn(1), "@dan ended the hold")
	gate("gate afterwards", 0, "approved by bob")
	got, words = w.says(1, "dan", "/unlock")
	w.wants("/unlock again", got, 3, words, "#1 holds no root")
}

// Two applies of one root do not overtake each other: a hold that began while a plan was
// checked keeps it from being applied.
func TestHeldWhileThePlanWasChecked(t *testing.T) {
	t.Parallel()
	w, _ := ready(t)
	w.second()
	w.reviewOf(2, "bob", w.planOf("2"))
	reads := 0
	w.sees(func(_, body string) { // one request after the other
		if strings.Contains(body, "qualifiedName") {
			if reads++; reads == 2 {
				w.postAs(w.jobToken, w.forgedHold())
				w.api("ada", "POST", "/repos/acme/infra/issues/1/labels", `["Waybill-Hold"]`)
			}
		}
	})
	code, words := w.says(2, "bob", "/apply")
	w.wants("apply", code, 4, words, "#1 was applied to infra/prod before its merge, and holds it")
	if w.state() != "" {
		t.Error("something was applied")
	}
}

func TestHoldsEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *infraWorld){
		"by the merge": func(w *infraWorld) { w.merge() },
		"by closing":   func(w *infraWorld) { w.api("ada", "PATCH", "/repos/acme/infra/pulls/1", `{"state":"closed"}`) },
		// Somebody who may write can do the same by hand, and GitHub says who did.
		"with its label": func(w *infraWorld) { w.api("ada", "DELETE", "/repos/acme/infra/issues/1/labels/waybill-hold", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			w.approve("bob", f)
			code, _, words := w.apply()
			w.wants("apply", code, 0, words, "infra/prod: applied")
			w.second()
			w.reviewOf(2, "bob", w.planOf("2"))
			code, _, words = w.run("gate", "--repo", "acme/infra", "--pull-request", "2")
			w.wants("gate", code, 4, words, "holds it")
			end(w)
			code, _, words = w.run("gate", "--repo", "acme/infra", "--pull-request", "2")
			w.wants("gate afterwards", code, 0, words, "approved by bob")
		})
	}
}

// A plan of which nothing is applied holds nothing, and no hold is believed that
// somebody else wrote, or that stands on a pull request without the label.
func TestNoHold(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	forged := `<!-- waybill:hold [{"dir":"infra/prod","workspace":"default"}] -->`
	w.comment("eve", forged)
	w.api("eve", "POST", "/repos/acme/infra/issues/1/labels", `["waybill-hold"]`)
	w.second()
	w.reviewOf(2, "bob", w.planOf("2"))
	code, _, words := w.run("gate", "--repo", "acme/infra", "--pull-request", "2")
	w.wants("gate", code, 0, words, "approved by bob")
}

// /unlock with the id of a lock that a dead job left ends that lock, and no other.
func TestUnlockOfALock(t *testing.T) {
	t.Parallel()
	server := newStateServer(t)
	w := newInfraWorld(t, server.root())
	w.open("ada", map[string]string{"infra/prod/note.tf": "output \"note\" {\n  value = \"hello\"\n}\n"})
	w.approve("bob", w.plan())
	server.steal(false)
	code, _, words := w.apply()
	w.wants("apply", code, 3, words, "somebody else holds the state's lock", "comment /unlock infra/prod stolen-by-mallory")
	code, words = w.says(1, "bob", "/unlock infra/prod stolen-by-mallory")
	w.wants("/unlock in a checkout of the change", code, 3, words, "the checkout is .* not .* of the default branch")
	w.git(w.clone, "checkout", "-q", "origin/main")
	for _, c := range []struct {
		what, user, body string
		code             int
		says             string
		args             []string
	}{
		{"a stranger", "mallory-2", "/unlock infra/prod stolen-by-mallory", 3, "has no write access", nil},
		{
			"another lock", "bob", "/unlock infra/prod stolen-by-eve", 3,
			"the lock of infra/prod is another: it is held by lock stolen-by-mallory", nil,
		},
		{"an option", "bob", "/unlock infra/prod -h", 3, "the lock of infra/prod is another", nil},
		{"no root", "bob", "/unlock modules/service stolen-by-mallory", 3, "modules/service is no root of the default branch", nil},
		{"another workspace", "bob", "/unlock infra/prod dev stolen-by-mallory", 3, "infra/prod in workspace dev is no root", nil},
		{
			"another environment", "bob", "/unlock infra/prod stolen-by-mallory", 3,
			"infra/prod is applied in the environment infra, and this job is in dev",
			[]string{"--environment", "dev"},
		},
		{"in a sentence", "bob", "please /unlock infra/prod stolen-by-mallory", 2, "does not ask for anything", nil},
		{"more words", "bob", "/unlock infra/prod default stolen-by-mallory now", 3, "/unlock alone ends the hold", nil},
		{"without its lock", "bob", "/unlock infra/prod", 3, "/unlock DIR LOCK, or /unlock DIR WORKSPACE LOCK", nil},
		{"another word", "bob", "/unlocked infra/prod stolen-by-mallory", 2, "does not ask for anything", nil},
	} {
		w.github.SetPermission("acme/infra", "mallory-2", "read")
		code, words := w.says(1, c.user, c.body, c.args...)
		w.wants(c.what, code, c.code, words, c.says)
		if server.held() == "" {
			t.Fatalf("%s: the lock is gone", c.what)
		}
	}
	w.wants("the answers", 0, 0, w.saidOn(1), "(?s)@bob: nothing was unlocked.*/unlock alone ends the hold")
	running := w.github.AddRun(sandbox.Run{Repository: "acme/infra", Path: ".github/workflows/apply.yml", Actor: "dan"})
	w.github.UpdateRun("acme/infra", running.ID, func(r *sandbox.Run) { r.Status = "in_progress" })
	w.env["GITHUB_WORKFLOW_REF"] = "acme/infra/.github/workflows/apply.yml@refs/heads/main"
	w.env["GITHUB_TOKEN"] = w.token("dan")
	code, words = w.says(1, "bob", "/unlock infra/prod stolen-by-mallory")
	w.wants("while another run applies", code, 4, words, "another run of apply.yml is in progress, and may hold the lock")
	w.github.UpdateRun("acme/infra", running.ID, func(r *sandbox.Run) { r.Status = "completed" })
	code, words = w.says(1, "bob", "/unlock infra/prod/ stolen-by-mallory", "--environment", "infra")
	w.wants("/unlock", code, 0, words, "ended the lock of infra/prod, held by lock stolen-by-mallory")
	w.wants("#1", 0, 0, w.saidOn(1), "@bob ended the lock of infra/prod, held by lock stolen-by-mallory")
	code, words = w.says(1, "bob", "/unlock infra/prod stolen-by-mallory")
	w.wants("/unlock again", code, 3, words, "nobody holds a lock of infra/prod")
	if server.held() != "" {
		t.Errorf("the lock is still %s", server.held())
	}
}

// The matrix of a comment /unlock is the one environment whose lock is meant.
func TestUnlockInItsEnvironment(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{"waybill.yaml": infraRules + "  environments: [{dir: infra/prod, name: prod, role: r}]\n"})
	w.open("ada", note)
	w.plan()
	for body, want := range map[string]string{
		"/unlock infra/prod some-lock": `{"include":[{"environment":"prod","role":"r"}]}`,
		"/unlock infra/dev some-lock":  `{"include":[{"environment":"infra","role":""}]}`,
		"/unlock infra/prod":           `{"include":[{"environment":"infra","role":""}]}`, // which answers
		"/unlock":                      `{"include":[{"environment":"infra","role":""}]}`,
		"/apply":                       `{"include":[{"environment":"prod","role":"r"}]}`,
	} {
		code, words := w.says(1, "bob", body, "--list")
		if w.wants("list", code, 0, words, ""); !strings.Contains(read(t, w.env["GITHUB_OUTPUT"]), want) {
			t.Errorf("%s: %s", body, words)
		}
	}
}
