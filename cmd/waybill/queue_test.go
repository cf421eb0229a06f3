package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
)

// twoRoots is a repository with two roots: prod uses the module, lone does not.
func twoRoots(t *testing.T) *infraWorld {
	t.Helper()
	return newInfraWorld(
		t,
		map[string]string{
			"infra/lone/main.tf": "terraform {\n  backend \"local\" {}\n}\n\nresource \"terraform_data\" \"lone\" {\n  input = " +
				"\"one\"\n}\n",
		},
	)
}

// onMain brings the clone to the default branch, as the apply job has it.
func (w *infraWorld) onMain() string {
	w.t.Helper()
	w.git(w.clone, "fetch", "-q", w.remote("ada"), "main")
	w.git(w.clone, "checkout", "-q", "--detach", "FETCH_HEAD")
	return w.git(w.clone, "rev-parse", "HEAD")
}

func (w *infraWorld) mergeAs(method string) string {
	w.t.Helper()
	sha, err := w.github.MergePull(w.t.Context(), "acme/infra", 1, "ada", method)
	if err != nil {
		w.t.Fatal(err)
	}
	return sha
}

// pushed makes what runs next the job of a push to the default branch.
func (w *infraWorld) pushed(before, after string) {
	w.event("push", map[string]any{"before": before, "after": after, "ref": "refs/heads/main"})
}

const changedModule = infraModule + "\nlocals {\n  more = 1\n}\n"

// What was merged meanwhile and has nothing to do with a plan leaves it valid;
// what it depends on does not, and is named.
func TestStaleAfterAnotherMerge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		main map[string]string // what is merged first
		do   func(w *infraWorld)
		says []string // of apply; empty is applied
		gate string
	}{
		"another root":             {main: map[string]string{"infra/lone/main.tf": "terraform {\n  backend \"local\" {}\n}\n"}},
		"a file that no root uses": {main: map[string]string{"README.md": "words\n"}},
		"a module that the root uses": {main: map[string]string{"modules/service/main.tf": changedModule},
			says: []string{
				"infra/prod: configuration was sha256:", "infra/prod: not as in the planned commit: modules/service/main.tf",
				"plan again",
			},
			gate: "infra/prod: its configuration is not the planned one where this would be merged: modules/service/main.tf"},
		"the root itself": {main: map[string]string{"infra/prod/other.tf": "locals {\n  other = 1\n}\n"},
			says: []string{"infra/prod: configuration was sha256:", "infra/prod: not as in the planned commit: infra/prod/other.tf"},
			gate: "infra/prod: its configuration is not the planned one where this would be merged: infra/prod/other.tf"},
		"the state": {main: map[string]string{"README.md": "words\n"},
			do: func(w *infraWorld) {
				w.applyElsewhere("infra/prod", "resource \"terraform_data\" \"stranger\" {\n  input = 1\n}\n")
			},
			says: []string{
				"infra/prod: state lineage was none when planned", "something was applied since",
				"infra/prod: planned now, it would differ:", `  terraform_data.stranger: approved: nothing; now: is destroyed`,
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := twoRoots(t)
			w.open("ada", map[string]string{"infra/prod/note.tf": "output \"note\" {\n  value = \"hello\"\n}\n"})
			f := w.plan("--changed-since", "origin/main")
			w.approve("bob", f)
			w.commitOnMain(c.main)
			w.git(w.clone, "fetch", "-q", w.remote("ada"), "refs/pull/1/merge")
			w.git(w.clone, "checkout", "-q", "--detach", "FETCH_HEAD") // what would be merged
			code, _, words := w.gate("--checkout", w.clone)
			if c.gate == "" {
				w.wants("gate", code, 0, words, "approved by bob")
			} else {
				w.wants("gate", code, 3, words, c.gate, "bring the branch up to date and plan again")
			}
			w.mergeAs("squash")
			w.onMain()
			if c.do != nil {
				c.do(w)
			}
			before := w.state()
			code, _, words = w.apply()
			if len(c.says) == 0 {
				w.wants("apply", code, 0, words, "infra/prod: applied")
				return
			}
			w.wants("apply", code, 3, words, c.says...)
			if w.state() != before {
				t.Error("something was applied")
			}
			w.noSecrets(secret)
		})
	}
}

// applyElsewhere applies something else to the root's state, from another clone.
func (w *infraWorld) applyElsewhere(dir, configuration string) {
	w.t.Helper()
	other := w.t.TempDir()
	write(
		w.t, other,
		map[string]string{"main.tf": fmt.Sprintf(
			"terraform {\n  backend \"local\" {\n    path = %q\n  }\n}\n\n%s", filepath.Join(w.clone, dir, "terraform.tfstate"),
			configuration,
		)},
	)
	w.terraform(other, "init", "-input=false")
	w.terraform(other, "apply", "-auto-approve", "-input=false")
}

// A pull request is found by its merge, however it was merged.
func TestMergesFindTheirPullRequest(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"squash", "rebase", "merge"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newInfraWorld(t, nil)
			before := w.git(w.clone, "rev-parse", "HEAD")
			w.push("ada", map[string]string{"README.md": "first of two commits\n"})
			w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
			w.approve("bob", w.plan())
			after := w.mergeAs(method)
			if w.onMain() != after {
				t.Fatal("the merge is not the head of main")
			}
			w.pushed(before, after)
			code, _, words := w.run("apply", "--checkout", w.clone, "--lock-timeout", "1s")
			w.wants("apply", code, 0, words, "infra/prod: applied")
		})
	}
	t.Run("main forced back to its head", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
		w.approve("bob", w.plan())
		before, after := w.mergeAs("squash"), w.git(w.clone, "rev-parse", "HEAD")
		w.git(w.clone, "push", "-q", "--force", w.remote("ada"), "HEAD:refs/heads/main")
		w.git(w.clone, "fetch", "-q", w.remote("ada"), before)
		w.pushed(before, after)
		code, _, words := w.run("apply", "--checkout", w.clone, "--lock-timeout", "1s")
		w.wants("apply", code, 3, words, "came by no pull request")
	})
	t.Run("a commit without one", func(t *testing.T) {
		t.Parallel()
		w := newInfraWorld(t, nil)
		before := w.git(w.clone, "rev-parse", "HEAD")
		after := w.commitOnMain(map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
		w.onMain()
		w.pushed(before, after)
		code, _, words := w.run("apply", "--checkout", w.clone, "--lock-timeout", "1s")
		w.wants("apply", code, 3, words, fmt.Sprintf(
			"commit %.7s came by no pull request, so nobody can have approved a plan of it", after,
		))
	})
}

// A merge queue merges several pull requests by one push: each has its plan
// applied, and one that waits for approval does not hold up the others.
func TestQueueMergesSeveral(t *testing.T) {
	t.Parallel()
	w := twoRoots(t)
	base := w.git(w.clone, "rev-parse", "HEAD")
	w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
	first := w.plan("--changed-since", base)
	w.git(w.clone, "checkout", "-q", "-B", "second", base)
	write(t, w.clone, map[string]string{"infra/lone/note.tf": "locals {\n  b = 1\n}\n"})
	w.git(w.clone, "add", "-A")
	w.git(w.clone, "commit", "-q", "-m", "second")
	w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/second")
	w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"second","base":"main"}`)
	code, _, words := w.run(
		"plan", "--repo", "acme/infra", "--pull-request", "2", "--checkout", w.clone, "--seal-to", w.recipient, "--store", w.store,
		"--changed-since", base,
	)
	w.wants("plan", code, 0, words)
	claim, ok := comment.ReadClaim(w.github.Pulls("acme/infra")[1].Comments[0])
	if !ok || len(claim.Roots) != 1 || claim.Roots[0].Dir != "infra/lone" {
		t.Fatalf("%+v", claim)
	}
	if err := w.github.Enqueue(t.Context(), "acme/infra", "bob", 1, 2); err != nil {
		t.Fatal(err)
	}
	// The gate's status on the second group: not approved yet, and nothing that
	// its plan depends on came before it.
	group := w.git(
		w.github.GitDir("acme/infra"), "for-each-ref", "--format=%(objectname) %(refname)",
		"refs/heads/gh-readonly-queue/main/pr-2-*",
	)
	sha, ref, _ := strings.Cut(group, " ")
	w.git(w.clone, "fetch", "-q", w.remote("ada"), ref)
	w.git(w.clone, "checkout", "-q", "--detach", "FETCH_HEAD")
	w.event("merge_group", map[string]any{
		"action": "checks_requested",
		"merge_group": map[string]any{
			"head_sha": sha, "head_ref": ref, "base_sha": w.git(w.clone, "rev-parse", sha+"^1"), "base_ref": "refs/heads/main",
		},
	})
	w.env["GITHUB_TOKEN"] = w.token("dan")
	gate := func() string {
		code, _, words := w.run("gate", "--status", "--checkout", w.clone)
		w.wants("gate", code, 0, words)
		return w.status(sha)
	}
	if got := gate(); got != "pending: needs 1 of acme/dba or dan for infra/lone" {
		t.Errorf("the group's status: %s", got)
	}
	w.reviewOf(2, "bob", claim.Fingerprint)
	if got := gate(); got != "success: approved by bob" {
		t.Errorf("the group's status: %s", got)
	}
	if got := w.status(claim.Head); got != "none" {
		t.Errorf("the head has a status: %s", got)
	}
	if merged, err := w.github.MergeQueue(t.Context(), "acme/infra"); err != nil || len(merged) != 2 {
		t.Fatalf("%v %v", merged, err)
	}
	w.pushed(base, w.onMain())
	code, _, words = w.run("apply", "--checkout", w.clone, "--lock-timeout", "1s")
	w.wants("apply", code, 4, words, "#1: plan "+first.Short()+" of #1 is not approved", "infra/lone: applied")
	if _, err := os.Stat(filepath.Join(w.clone, "infra/lone/terraform.tfstate")); err != nil || w.state() != "" {
		t.Errorf("applied: %v, %s", err, w.state())
	}
	w.approve("bob", first)
	code, _, words = w.run("apply", "--checkout", w.clone, "--lock-timeout", "1s", "--pull-request", "1")
	w.wants("apply of the other", code, 0, words, "infra/prod: applied")
}
