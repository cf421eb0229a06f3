package approval_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// Who pushed the head may not approve it. Where GitHub does not say who that was, nothing
// is decided: neither approved nor refused.
func TestAHeadThatNobodyPushed(t *testing.T) {
	t.Parallel()
	server, dir := githubtest.Start(t, githubd.Options{}), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.CreateRepository(t.Context(), githubd.Seed{Name: "acme/infra", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	env := []string{"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	bare := server.GitDir("acme/infra")
	sha, err := git.RunEnv(t.Context(), bare, env, "commit-tree", "main^{tree}", "-p", "main", "-m", "next")
	if err == nil {
		_, err = git.Run(t.Context(), bare, "update-ref", "refs/heads/change", sha)
	}
	if err != nil {
		t.Fatal(err)
	}
	api, err := github.New(github.Options{
		Token: server.CreateToken(githubd.Token{User: "ada"}), APIURL: server.APIURL(), ServerURL: server.URL(),
	})
	if err != nil {
		t.Fatal(err)
	}
	repo := github.Repository{Owner: "acme", Name: "infra"}
	if _, err := api.OpenPull(t.Context(), repo, github.NewPull{Title: "t", Head: "change", Base: "main"}); err != nil {
		t.Fatal(err)
	}
	where, err := site.Open(t.Context(), site.Request{API: api, Repo: "acme/infra", Pull: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = approval.Collect(t.Context(), where)
	if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "GitHub has no record of it") {
		t.Errorf("%v", err)
	}
}

// A head that a job pushed can be the work of anybody who may write, of those who approve
// too: one more of them must.
func TestAHeadThatAJobPushed(t *testing.T) {
	t.Parallel()
	line := "approve " + full.Short()
	for name, c := range map[string]struct {
		pusher string
		needs  []approval.Need
		votes  []approval.Vote
		says   string // empty is approved
	}{
		"one approves": {
			"github-actions[bot]", need(1, "acme/dba"), []approval.Vote{review("bob", line)},
			"d: 1 of 2 approvals (one more than the rule says, because a workflow pushed the head, and who let it is not known; " +
				"a person may push instead); still needed: 1 of acme/dba",
		},
		"two approve": {"github-actions[bot]", need(1, "acme/dba"), []approval.Vote{review("bob", line), review("Carol", line)}, ""},
		"two rules": {
			"github-actions[bot]",
			append(need(1, "acme/dba"), approval.Need{Dir: "e", Approvals: 2, From: []string{"dan"}, Why: "it moves"}),
			[]approval.Vote{review("bob", line), review("Carol", line)}, "e: 0 of 3 approvals (it moves; one more than the rule says",
		},
		"nobody is asked": {"github-actions[bot]", need(0, "acme/dba"), nil, ""},
		"an App":          {"renovate[bot]", need(1, "acme/dba"), []approval.Vote{review("bob", line)}, ""},
	} {
		p := approval.Pull{Number: 1, Author: "ada", Head: "head", Pushers: []string{c.pusher}, Votes: c.votes}
		d, err := approval.Decide(t.Context(), p, approval.Subject{Fingerprint: full}, approval.Needs{Roots: c.needs}, people{})
		if err != nil {
			t.Fatal(err)
		}
		if (d.Verdict == approval.Approved) != (c.says == "") || !strings.Contains(d.Reason(), c.says) {
			t.Errorf("%s: %s %s", name, d.Verdict, d.Reason())
		}
	}
}
