package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

const mergeRules = infraRules + "  merge: squash\n"

// mergeable is a pull request whose plan is approved, in a repository that merges what
// was applied.
func mergeable(t *testing.T, rules string) (w *infraWorld, head string) {
	t.Helper()
	w = newInfraWorld(t, map[string]string{"waybill.yaml": rules})
	w.open("ada", map[string]string{"infra/prod/note.tf": "output \"note\" {\n  value = \"hello\"\n}\n"})
	w.approve("bob", w.plan())
	return w, w.git(w.clone, "rev-parse", "HEAD")
}

// listed is the head that the job list gives to the job that merges.
func (w *infraWorld) listed() string {
	w.t.Helper()
	w.env["GITHUB_OUTPUT"] = filepath.Join(w.t.TempDir(), "output")
	write(w.t, "", map[string]string{w.env["GITHUB_OUTPUT"]: ""})
	code, words := w.says(1, "bob", "/apply", "--list")
	w.wants("list", code, 0, words, "")
	return parseOutputs(w.t, w.env["GITHUB_OUTPUT"])["merge_head"]
}

// What was applied before its merge is merged: that head, when all of it is applied, as
// the rules of the branch let it.
func TestMergeOfWhatWasApplied(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules   string
		applied bool
		do      func(w *infraWorld)
		head    string // empty is the one that was listed
		code    int
		says    string
		merged  bool
	}{
		"all is applied":     {mergeRules, true, func(*infraWorld) {}, "", 0, "", true},
		"nothing is applied": {mergeRules, false, func(*infraWorld) {}, "", 3, "not applied yet: infra/prod. #1 is not merged", false},
		"merged by somebody": {mergeRules, true, func(w *infraWorld) { w.merge() }, "", 0, "", true},
		"another head is listed": {
			mergeRules, true, func(*infraWorld) {}, strings.Repeat("a", 40), 3, "the head of #1 is .*, and aaaaaaa was applied", false,
		},
		"pushed meanwhile": {mergeRules, true, func(w *infraWorld) {
			w.push("ada", map[string]string{"infra/prod/note.tf": "# other\n"})
		}, "", 3, "the head of #1 is .* was applied: it is not merged", false},
		"the base moved": {mergeRules, true, func(w *infraWorld) {
			w.commitOnMain(map[string]string{"README.md": "other\n"})
		}, "", 3, "the head of #1 lacks 1 commits of main", false},
		"closed": {mergeRules, true, func(w *infraWorld) {
			w.api("ada", "PATCH", "/repos/acme/infra/pulls/1", `{"state":"closed"}`)
		}, "", 3, "#1 is closed: it is not merged", false},
		"a status is red": {mergeRules, true, func(w *infraWorld) {
			w.api("ada", "POST", "/repos/acme/infra/statuses/"+w.git(w.clone, "rev-parse", "HEAD"), `{"context":"ci","state":"failure"}`)
		}, "", 3, "status ci of #1 is failure", false},
		"the branch asks for more": {mergeRules, true, func(w *infraWorld) {
			if err := w.github.SetRequired("acme/infra", "another"); err != nil {
				w.t.Fatal(err)
			}
		}, "", 3, `GitHub does not let #1 be merged: .*Required status check "another" is expected`, false},
		"planned again, and it differs": {mergeRules, true, func(w *infraWorld) {
			w.env["TF_VAR_password"] = "another-Sesame-4711"
			w.plan()
		}, "", 3, "not applied yet: infra/prod", false},
		"its hold was ended": {mergeRules, true, func(w *infraWorld) {
			code, words := w.says(1, "bob", "/unlock")
			w.wants("/unlock", code, 0, words, "")
		}, "", 3, "not applied yet: infra/prod", false},
		"a writer says that it is applied": {mergeRules, false, func(w *infraWorld) {
			w.comment("mallory", w.forgedHold())
			w.api("mallory", "POST", "/repos/acme/infra/issues/1/labels", `["waybill-hold"]`)
		}, "", 3, "not applied yet: infra/prod", false},
		"another plan was applied": {mergeRules, false, func(w *infraWorld) {
			w.postAs(w.jobToken, strings.Replace(w.forgedHold(), string(w.firstClaim().Fingerprint), strings.Repeat("a", 64), 1))
		}, "", 3, "not applied yet: infra/prod", false},
		"another workspace was applied": {mergeRules, false, func(w *infraWorld) {
			w.postAs(w.jobToken, strings.Replace(w.forgedHold(), "default", "dev", 1))
		}, "", 3, "not applied yet: infra/prod", false},
		"the plan comment is gone": {mergeRules, true, func(w *infraWorld) {
			first := w.apiList("ada", "/repos/acme/infra/issues/1/comments")[0]
			w.api("mallory", "DELETE", fmt.Sprintf("/repos/acme/infra/issues/comments/%.0f", first["id"]), "")
		}, "", 3, "#1 has no plan of its head", false},
		"a root waits": {mergeRules, true, func(w *infraWorld) {
			claim := w.firstClaim()
			claim.Waits = []plan.Waiting{{Dir: "infra/app", Workspace: "default", After: []string{"infra/prod"}}}
			w.editFirstComment(comment.Marker + "\n<!-- waybill:claim " + string(claim.JSON()) + " -->\n")
		}, "", 3, "not applied yet: infra/app", false},
		"nobody asks for it": {
			infraRules, true, func(*infraWorld) {}, "HEAD", 3, "terraform.merge of the default branch does not let apply merge #1", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, head := mergeable(t, c.rules)
			listed := w.listed()
			if want := map[bool]string{true: head}[c.rules == mergeRules]; listed != want {
				t.Errorf("listed %q, want %q", listed, want)
			}
			switch c.head {
			case "HEAD":
				listed = head
			case "":
			default:
				listed = c.head
			}
			if c.applied {
				code, words := w.says(1, "bob", "/apply")
				w.wants("apply", code, 0, words, "infra/prod: applied")
			}
			c.do(w)
			token := w.env["GITHUB_TOKEN"]
			w.env["GITHUB_TOKEN"] = w.github.CreateToken(sandbox.Token{
				Job: true, Repositories: []string{"acme/infra"},
				Permissions: map[string]string{"contents": "write", "pull-requests": "write", "statuses": "read", "checks": "read"},
			})
			code, words := w.says(1, "bob", "/apply", "--merge-head", listed)
			w.env["GITHUB_TOKEN"] = token
			w.wants("merge", code, c.code, words, c.says)
			pull := w.github.Pulls("acme/infra")[0]
			if pull.Merged != c.merged {
				t.Errorf("merged: %t", pull.Merged)
			}
			if c.code == 3 && !strings.Contains(pull.Comments[len(pull.Comments)-1], "@bob: nothing was merged.") {
				t.Errorf("it was not answered: %s", pull.Comments[len(pull.Comments)-1])
			}
		})
	}
}

// forgedHold says that the plan was applied.
func (w *infraWorld) forgedHold() string {
	return `<!-- waybill:hold [{"dir":"infra/prod","workspace":"default","plan":"` + string(w.firstClaim().Fingerprint) + `"}] -->`
}

// A stranger cannot have anything merged, not even what was applied.
func TestStrangersMergeNothing(t *testing.T) {
	t.Parallel()
	w, _ := mergeable(t, mergeRules)
	listed := w.listed()
	code, words := w.says(1, "bob", "/apply")
	w.wants("apply", code, 0, words, "infra/prod: applied")
	w.github.SetPermission("acme/infra", "eve", "read")
	code, words = w.says(1, "eve", "/apply", "--merge-head", listed)
	w.wants("merge", code, 3, words, "eve has no write access to acme/infra, so /apply was ignored")
	if w.github.Pulls("acme/infra")[0].Merged {
		t.Error("it is merged")
	}
}

// Without a plan of the head there is nothing to merge after an apply.
func TestNothingToMerge(t *testing.T) {
	t.Parallel()
	w, _ := mergeable(t, mergeRules)
	w.push("ada", map[string]string{"infra/prod/note.tf": "# other\n"})
	if listed := w.listed(); listed != "" {
		t.Errorf("listed %q", listed)
	}
}
