package main

import (
	"testing"

	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// The status on the head, which branch protection asks for, says who is still
// needed, and tells refused from broken.
func TestGateStatus(t *testing.T) {
	t.Parallel()
	note := map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"}
	open := func(t *testing.T) (w *infraWorld, head string) {
		w = newInfraWorld(t, nil)
		w.open("ada", note)
		w.env["GITHUB_TOKEN"] = w.token("dan")
		delete(w.env, "WAYBILL_INPUT_SEAL_KEY") // it believes the plan comment
		return w, w.git(w.clone, "rev-parse", "HEAD")
	}
	t.Run("without a plan", func(t *testing.T) {
		t.Parallel()
		w, head := open(t)
		code, _, words := w.gate("--status")
		w.wants("gate", code, 0, words, "pending: waits for a plan of "+head[:7])
		if got := w.status(head); got != "pending: waits for a plan of "+head[:7] {
			t.Error(got)
		}
		// plan ran, and touched nothing; nobody can take that back by a comment.
		code, _, words = w.gate("--status", "--nothing-planned")
		w.wants("gate", code, 0, words, "success: no terraform root is touched")
		code, _, words = w.gate("--status")
		w.wants("gate", code, 0, words, "there is no plan of "+head[:7]+": its status stays success")
		if got := w.status(head); got != "success: no terraform root is touched" {
			t.Error(got)
		}
		code, _, words = w.gate()
		w.wants("gate without a status", code, 2, words, "has no plan: run waybill plan on it first")
	})
	t.Run("from a plan to its approval, and a new head", func(t *testing.T) {
		t.Parallel()
		w, head := open(t)
		f := w.plan()
		code, _, words := w.gate("--status", "--comment")
		w.wants("gate", code, 0, words, "pending: plan .* is not approved yet")
		if got := w.status(head); got != "pending: needs 1 of acme/dba or dan for infra/prod" ||
			len(w.github.Pulls("acme/infra")[0].Comments) != 1 {
			t.Error(got, w.github.Pulls("acme/infra")[0].Comments)
		}
		id := w.approve("bob", f)
		code, _, words = w.gate("--status", "--comment")
		w.wants("gate", code, 0, words, "approved by bob")
		if got := w.status(head); got != "success: approved by bob" {
			t.Error(got)
		}
		w.api("ada", "PUT", "/repos/acme/infra/pulls/1/reviews/"+id+"/dismissals", `{"message":"no"}`)
		code, _, words = w.gate("--status", "--comment")
		w.wants("gate", code, 0, words, `does not count: bob \(dismissed\)`)
		comments := w.github.Pulls("acme/infra")[0].Comments
		if got := w.status(head); got != "pending: needs 1 of acme/dba or dan for infra/prod" || len(comments) != 2 {
			t.Error(got, comments)
		}
		w.wants("the comment", 0, 0, comments[1], `^<!-- waybill:gate -->\n\*\*Not approved yet:\*\*`, `"reason": "dismissed"`)
		next := w.push("ada", map[string]string{"infra/prod/more.tf": "locals {\n  b = 1\n}\n"})
		w.env["GITHUB_TOKEN"] = w.token("dan")
		code, _, words = w.gate("--status")
		w.wants("gate", code, 0, words, "waits for a plan")
		if got := w.status(next); got != "pending: waits for a plan of "+next[:7] {
			t.Error(got)
		}
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		w, head := open(t)
		w.plan()
		code, _, words := w.gate("--status", "--fingerprint", "aaaa bbbb cccc")
		w.wants("gate", code, 3, words, "not aaaa bbbb cccc")
		w.wants("status", 0, 0, w.status(head), "^failure: pull request #1 is about plan .*, not aaaa bbbb cccc")
	})
	t.Run("broken", func(t *testing.T) {
		t.Parallel()
		w, head := open(t)
		w.approve("bob", w.plan())
		if err := w.github.AddFault(sandbox.Fault{Path: "/graphql$", Count: 1000, Status: 403}); err != nil {
			t.Fatal(err)
		}
		code, _, words := w.gate("--status")
		w.wants("gate", code, 1, words, "GitHub answers 403")
		if got := w.status(head); got != "error: it could not be decided; see the run" {
			t.Error(got)
		}
	})
}
