package apply

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// What is not merged is applied onto the tip that it was judged for, or not at
// all; and a tag of the branch's name does not say where the branch is.
func TestTheTipMoves(t *testing.T) {
	t.Parallel()
	server := githubtest.Start(t, githubd.Options{})
	if err := server.CreateRepository(t.Context(), githubd.Seed{Name: "acme/infra", Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	api, err := github.New(github.Options{
		Token: server.CreateToken(githubd.Token{User: "ada"}), APIURL: server.APIURL(), ServerURL: server.URL(),
	})
	if err != nil {
		t.Fatal(err)
	}
	dir, env := server.GitDir("acme/infra"), []string{
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := git.RunEnv(t.Context(), dir, env, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := run("rev-parse", "main")
	head := run("commit-tree", "main^{tree}", "-p", first, "-m", "head")
	run("update-ref", "refs/heads/change", head)
	where := func(top string, merged bool) *site.Site {
		return &site.Site{
			API: api, Repo: github.Repository{Owner: "acme", Name: "infra"}, Top: top,
			Pull: &github.PullRequest{Number: 1, HeadSHA: head, BaseRef: "main", DefaultBranch: "main", Merged: merged},
		}
	}
	still := func(s *site.Site) error {
		now, err := s.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stillOnTip(t.Context(), s, now)
	}
	open, merged := where(dir, false), where(dir, true)
	for _, s := range []*site.Site{open, merged, where(t.TempDir(), false)} { // by the clone, and without one
		if err := upToDate(t.Context(), s); err != nil {
			t.Errorf("up to date: %v", err)
		}
		if err := still(s); err != nil {
			t.Errorf("not moved: %v", err)
		}
	}
	run("tag", "main", first)
	run("update-ref", "refs/heads/main", run("commit-tree", first+"^{tree}", "-p", first, "-m", "moved"))
	if err := still(open); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "main moved while the plan of #1 was checked") {
		t.Errorf("moved: %v", err)
	}
	if err := still(merged); err != nil {
		t.Errorf("what is merged: %v", err)
	}
	for _, top := range []string{dir, t.TempDir()} {
		if err := upToDate(t.Context(), where(top, false)); outcome.Code(err) != outcome.Refused ||
			!strings.Contains(err.Error(), "the head of #1 lacks 1 commits of main") {
			t.Errorf("behind: %v", err)
		}
	}
}
