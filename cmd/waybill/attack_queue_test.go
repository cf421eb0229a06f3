package main

import (
	"cmp"
	"testing"

	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// Whoever may write starts gate.yml on the default branch with inputs of their own: with a
// commit that is no group of the queue, and one that it is said to build on.
func TestGroupsThatAreNone(t *testing.T) {
	t.Parallel()
	w := twoRoots(t)
	main := w.git(w.clone, "rev-parse", "HEAD")
	w.open("ada", note)
	w.asApp()
	delete(w.env, "WAYBILL_INPUT_SEAL_KEY")
	head := w.git(w.clone, "rev-parse", "HEAD")
	next := w.push("ada", map[string]string{"README.md": "words\n"})
	waits := "pending: waits for a plan of " + next[:7]
	built := head[:7] + " is neither on main nor the last group that the merge queue has before " + next[:7]
	for name, c := range map[string]struct {
		group, base string
		code        int
		says        string
		status      string
	}{
		"built on itself":        {next, next, 3, next[:7] + " is neither on main", "failure: "},
		"built on a part of it":  {next, head, 3, built, "failure: " + built},
		"built on the branch":    {next, main, 0, waits, waits},
		"nothing is said of it":  {next, "", 0, waits, waits},
		"a base without a group": {"", next, 2, "--merge-base is of which group", "none"},
	} {
		args := []string{"--status", "--checkout", w.clone}
		if c.group != "" {
			args = append(args, "--merge-group", c.group)
		}
		if c.base != "" {
			args = append(args, "--merge-base", c.base)
		}
		code, _, words := w.gate(args...)
		w.wants(name, code, c.code, words, c.says)
		if c.group != "" {
			w.wants(name, 0, 0, w.status(next), "^"+c.status)
		}
	}
}

// A group is judged since the one before it, by what the queue says of itself, and not by
// what a job says: else a root that the group changes counts as one of the group before it.
func TestGroupsBeforeOne(t *testing.T) {
	t.Parallel()
	w := twoRoots(t)
	main := w.git(w.clone, "rev-parse", "HEAD")
	w.open("ada", note)
	for n, files := range map[string]string{"second": "infra/lone/note.tf", "third": "README.md"} {
		w.git(w.clone, "checkout", "-q", "-B", n, main)
		write(t, w.clone, map[string]string{files: "# words\n"})
		w.git(w.clone, "add", "-A")
		w.git(w.clone, "commit", "-q", "-m", n)
		w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/"+n)
	}
	for _, n := range []string{"second", "third"} {
		w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"`+n+`","base":"main"}`)
	}
	if err := w.github.Enqueue(t.Context(), "acme/infra", "bob", 1, 2, 3); err != nil {
		t.Fatal(err)
	}
	w.asApp()
	w.env["GITHUB_TOKEN"] = w.github.CreateToken(sandbox.Token{
		Job: true, Repositories: []string{"acme/infra"}, Permissions: map[string]string{"contents": "read", "pull-requests": "write"},
	})
	delete(w.env, "WAYBILL_INPUT_SEAL_KEY")
	w.git(w.clone, "fetch", "-q", w.remote("ada"), "+refs/heads/gh-readonly-queue/*:refs/remotes/queue/*")
	sha := func(n string) string {
		return w.git(w.clone, "for-each-ref", "--format=%(objectname)", "refs/remotes/queue/main/pr-"+n+"-*")
	}
	w.git(w.clone, "checkout", "-q", "--detach", sha("2"))
	w.git(w.clone, "commit", "-q", "--allow-empty", "-m", "on top of it")
	w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/top")
	top := w.git(w.clone, "rev-parse", "HEAD")
	for name, c := range map[string]struct {
		pull, base string
		code       int
		says       string
		group      string // if it is not that of the pull request
	}{
		"the last one":               {"3", sha("2"), 0, "success: no terraform root is touched", ""},
		"the one before it":          {"3", sha("1"), 3, "nor the last group that the merge queue has before", ""},
		"no group at all":            {"3", main, 0, "pending: waits for a plan", ""},
		"itself":                     {"3", sha("3"), 3, "nor the last group that the merge queue has before", ""},
		"one that touches a root":    {"2", sha("1"), 0, "pending: waits for a plan", ""},
		"one that comes after it":    {"1", sha("3"), 3, "nor the last group that the merge queue has before", ""},
		"of its own, which it is in": {"2", sha("2"), 3, "nor the last group that the merge queue has before", ""},
		"a commit on its own group":  {"2", sha("2"), 3, "nor the last group that the merge queue has before", top},
		"the group of another one":   {"3", sha("2"), 3, "nor the last group that the merge queue has before", sha("2")},
	} {
		group := cmp.Or(c.group, sha(c.pull))
		w.git(w.clone, "checkout", "-q", "--detach", group)
		code, _, words := w.run(
			"gate", "--repo", "acme/infra", "--pull-request", c.pull, "--status", "--checkout", w.clone, "--merge-group", group,
			"--merge-base", c.base,
		)
		w.wants(name, code, c.code, words, c.says)
	}
}
