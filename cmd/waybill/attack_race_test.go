package main

import (
	"strings"
	"testing"
)

// Checking a plan takes a while, in which terraform is initialised and the plan is shown.
// What happens to the pull request meanwhile counts, as if it had happened before.
func TestWhileThePlanIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do     func(w *infraWorld, review string)
		merged bool
		code   int
		says   string
	}{
		"taken back": {func(w *infraWorld, _ string) { w.comment("bob", "/unapprove") }, false, 4, `bob \(taken-back\)`},
		"taken back after the merge": {
			func(w *infraWorld, _ string) { w.comment("bob", "/unapprove") }, true, 4, `bob \(taken-back\)`,
		},
		"dismissed": {func(w *infraWorld, review string) {
			w.api("mallory", "PUT", "/repos/acme/infra/pulls/1/reviews/"+review+"/dismissals", `{"message":"no"}`)
		}, true, 4, `bob \(dismissed\)`},
		"edited": {func(w *infraWorld, review string) {
			w.api("mallory", "PUT", "/repos/acme/infra/pulls/1/reviews/"+review, `{"body":"approve of something"}`)
		}, true, 4, "0 of 1 approvals"},
		"taken back, and deleted": {func(w *infraWorld, _ string) {
			w.api("mallory", "DELETE", "/repos/acme/infra/issues/comments/"+w.comment("bob", "/unapprove"), "")
		}, true, 4, `bob \(later-deleted\)`},
		"closed": {func(w *infraWorld, _ string) {
			w.api("ada", "PATCH", "/repos/acme/infra/pulls/1", `{"state":"closed"}`)
		}, false, 3, "#1 was pushed to or closed while its plan was checked"},
		"pushed to": {func(w *infraWorld, _ string) {
			w.git(w.clone, "push", "-q", "--force", w.remote("ada"), "HEAD~1:refs/heads/change")
		}, false, 3, "#1 was pushed to or closed while its plan was checked"},
		"something else is said": {func(w *infraWorld, _ string) { w.comment("eve", "/unapprove") }, true, 0, "infra/prod: applied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			review := w.approve("bob", f)
			if c.merged {
				w.merge()
				w.onMain()
			}
			reads := 0
			w.sees(func(_, body string) { // one request after the other
				if strings.Contains(body, "qualifiedName") {
					if reads++; reads == 2 {
						w.tick()
						c.do(w, review)
					}
				}
			})
			code, _, words := w.apply()
			w.wants("apply", code, c.code, words, c.says)
			if applied := w.state() != ""; applied != (c.says == "infra/prod: applied") {
				t.Errorf("applied: %t", applied)
			}
			if reads < 2 {
				t.Errorf("the branch was read %d times", reads)
			}
		})
	}
}
