package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// What docs/terraform.md says of apply, and no other test tries.

// Another value of a variable in terraform.environments makes earlier plans invalid.
func TestVariablesOfEnvironmentsAreBound(t *testing.T) {
	t.Parallel()
	rules := strings.Replace(infraRules, "  apply: before-merge\n", "", 1) +
		"  environments: [{dir: infra/prod, name: infra, variables: {size: \"%d\"}}]\n"
	w := newInfraWorld(t, map[string]string{
		"waybill.yaml": fmt.Sprintf(rules, 1), "infra/prod/size.tf": "variable \"size\" {\n  type = number\n}\n",
	})
	w.open("ada", map[string]string{"infra/prod/note.tf": "output \"size\" {\n  value = var.size\n}\n"})
	w.approve("bob", w.plan())
	w.merge()
	w.commitOnMain(map[string]string{"waybill.yaml": fmt.Sprintf(rules, 2)})
	w.onMain()
	code, _, words := w.apply()
	w.wants("apply", code, 3, words, "infra/prod: variable size was another value when planned, is the one in terraform.environments now")
	w.commitOnMain(map[string]string{"waybill.yaml": fmt.Sprintf(rules, 1)})
	w.onMain()
	code, _, words = w.apply()
	w.wants("apply with the first value", code, 0, words, "infra/prod: applied")
}

// Of a push that merged several pull requests, one that breaks ends the run: what broke
// may be in the way of the next.
func TestAPushOfSeveralThatBreaks(t *testing.T) {
	t.Parallel()
	w := twoRoots(t)
	before := w.git(w.clone, "rev-parse", "HEAD")
	w.open("ada", map[string]string{"infra/prod/first.tf": "resource \"terraform_data\" \"first\" {\n  lifecycle {\n    postcondition {\n" +
		"      condition     = self.id == \"x\"\n      error_message = \"it breaks\"\n    }\n  }\n}\n"})
	w.approve("bob", w.planOf("1", "--changed-since", "origin/main"))
	w.git(w.clone, "checkout", "-q", "-b", "second", "origin/main")
	write(t, w.clone, map[string]string{"infra/lone/second.tf": "output \"second\" {\n  value = 1\n}\n"})
	w.git(w.clone, "add", "-A")
	w.git(w.clone, "commit", "-q", "-m", "second")
	w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/second")
	w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"second","head":"second","base":"main"}`)
	w.reviewOf(2, "bob", w.planOf("2", "--changed-since", "origin/main"))
	w.merge()
	if _, err := w.github.MergePull(t.Context(), "acme/infra", 2, "ada", "squash"); err != nil {
		t.Fatal(err)
	}
	w.pushed(before, w.onMain())
	code, _, words := w.run("apply", "--checkout", w.clone, "--lock-timeout", "1s")
	w.wants("apply", code, 1, words, "it breaks", "not begun: the plans of the 1 pull requests after it")
	if strings.Contains(words, "infra/lone") {
		t.Errorf("the second was begun: %s", words)
	}
}

// More commits than anybody looks up at once name no pull request.
func TestAPushOfTooManyCommits(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	before := w.git(w.clone, "rev-parse", "HEAD")
	head := before
	for i := range 101 {
		var err error
		if head, err = git.RunEnv(t.Context(), w.clone, []string{
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		}, "commit-tree", before+"^{tree}", "-p", head, "-m", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	w.git(w.clone, "push", "-q", w.remote("ada"), head+":refs/heads/main")
	w.pushed(before, w.onMain())
	code, _, words := w.run("apply", "--checkout", w.clone)
	w.wants("apply", code, 2, words, "more than 100 commits were pushed at once: start apply for each pull request")
}
