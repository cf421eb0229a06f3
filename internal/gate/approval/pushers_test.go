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
