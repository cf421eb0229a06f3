package verdict

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// A pull request is judged since where its merge leaves the default branch. GitHub names the
// base that it had when somebody pushed last: against that one, a change which was merged
// since and is taken back looks like none.
func TestSinceTheDefaultBranch(t *testing.T) {
	t.Parallel()
	server := githubtest.Start(t, githubd.Options{})
	seed := t.TempDir()
	file := func(dir, text string) {
		if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte("terraform {\n  backend \"local\" {}\n}\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file(seed, "")
	if err := server.CreateRepository(t.Context(), githubd.Seed{Name: "acme/infra", Dir: seed}); err != nil {
		t.Fatal(err)
	}
	api, err := github.New(github.Options{
		Token: server.CreateToken(githubd.Token{User: "ada"}), APIURL: server.APIURL(), ServerURL: server.URL(),
	})
	if err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	run := func(args ...string) string {
		t.Helper()
		env := []string{"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
		out, err := git.RunEnv(t.Context(), clone, env, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := git.Run(t.Context(), t.TempDir(), "clone", "-q", server.GitDir("acme/infra"), clone); err != nil {
		t.Fatal(err)
	}
	stale := run("rev-parse", "HEAD")
	file(clone, "# closed\n")
	run("commit", "-q", "-am", "close a port")
	closed := run("rev-parse", "HEAD")
	run("push", "-q", "origin", "HEAD:refs/heads/main")
	file(clone, "")
	run("commit", "-q", "-am", "open it again")
	run("push", "-q", "origin", "HEAD:refs/heads/change")
	open := func(pull github.PullRequest) Request {
		pull.Number, pull.DefaultBranch, pull.BaseSHA = 1, "main", stale
		s, err := site.Open(t.Context(), site.Request{API: api, Repo: "acme/infra", Top: clone})
		if err != nil {
			t.Fatal(err)
		}
		s = s.Of(&pull)
		return Request{Site: s}
	}
	r := open(github.PullRequest{BaseRef: "main"})
	if touched, err := r.touched(t.Context()); err != nil || len(touched.Roots) != 1 {
		t.Errorf("what is taken back: %+v %v", touched, err)
	}
	for name, c := range map[string]struct {
		pull github.PullRequest
		want string
	}{
		"open": {github.PullRequest{BaseRef: "main"}, closed}, "merged": {github.PullRequest{BaseRef: "main", Merged: true}, stale},
		"into another branch": {github.PullRequest{BaseRef: "side"}, stale},
	} {
		if got, err := open(c.pull).base(t.Context()); err != nil || got != c.want {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	// The default branch has moved to a commit that the clone does not have.
	dir := server.GitDir("acme/infra")
	tree, err := git.RunEnv(t.Context(), dir, []string{
		"GIT_AUTHOR_NAME=b", "GIT_AUTHOR_EMAIL=b@example.com", "GIT_COMMITTER_NAME=b", "GIT_COMMITTER_EMAIL=b@example.com",
	}, "commit-tree", "main^{tree}", "-p", "main", "-m", "next")
	if err == nil {
		_, err = git.Run(t.Context(), dir, "update-ref", "refs/heads/main", tree)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := open(github.PullRequest{BaseRef: "main"}).base(t.Context()); err != nil || got != closed {
		t.Errorf("the branch has moved: %s %v", got, err)
	}
}
