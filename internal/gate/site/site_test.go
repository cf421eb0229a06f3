package site_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

const rules = "apiVersion: waybill.dev/v1\nterraform:\n  digits: 20\n"

// world is a repository with one pull request from branch change.
type world struct {
	*githubd.Server
	t   *testing.T
	api *github.Client
}

func newWorld(t *testing.T, files map[string]string) world {
	t.Helper()
	w := world{Server: githubtest.Start(t, githubd.Options{}), t: t}
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.CreateRepository(t.Context(), githubd.Seed{Name: "acme/infra", Dir: dir}); err != nil {
		t.Fatal(err)
	}
	var err error
	w.api, err = github.New(github.Options{Token: w.CreateToken(githubd.Token{User: "ada"}), APIURL: w.APIURL(), ServerURL: w.URL()})
	if err != nil {
		t.Fatal(err)
	}
	w.commit("change", "main")
	if _, err := w.api.OpenPull(
		t.Context(), github.Repository{Owner: "acme", Name: "infra"}, github.NewPull{Title: "t", Head: "change", Base: "main"},
	); err != nil {
		t.Fatal(err)
	}
	return w
}

// commit makes a commit without changes on top of another, at the head of a branch.
func (w world) commit(branch, on string) string {
	w.t.Helper()
	env := []string{"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	sha, err := git.RunEnv(w.t.Context(), w.GitDir("acme/infra"), env, "commit-tree", on+"^{tree}", "-p", on, "-m", "next")
	if err == nil {
		_, err = git.Run(w.t.Context(), w.GitDir("acme/infra"), "update-ref", "refs/heads/"+branch, sha)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return sha
}

func (w world) open() *site.Site {
	w.t.Helper()
	s, err := site.Open(w.t.Context(), site.Request{API: w.api, Repo: "acme/infra", Pull: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// The tip is fixed at the first read: what is decided names it, even where the
// branch has moved since. The site of another pull request has its own.
func TestTheTipIsFixed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"waybill.yaml": rules})
	s := w.open()
	tip, err := s.Tip(t.Context())
	if err != nil || tip != s.Pull.BaseSHA {
		t.Fatalf("%s %v", tip, err)
	}
	if now, err := s.Now(t.Context()); now != tip || err != nil {
		t.Errorf("not moved: %s %v", now, err)
	}
	next := w.commit("main", "main")
	if got, err := s.Tip(t.Context()); got != tip || err != nil {
		t.Errorf("the tip is %s now, was %s: %v", got, tip, err)
	}
	if revisions, err := s.Revisions(t.Context()); err != nil || !slices.Equal(revisions, []string{tip}) {
		t.Errorf("%v %v", revisions, err)
	}
	if now, err := s.Now(t.Context()); now != next || err != nil {
		t.Errorf("moved: %s %v", now, err)
	}
	other := s.Of(s.Pull)
	if revisions, err := other.Revisions(t.Context()); err != nil || !slices.Equal(revisions, []string{next, tip}) {
		t.Errorf("of another: %v %v", revisions, err)
	}
}

// A tag of the branch's name does not answer for it.
func TestATagIsNoBranch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"waybill.yaml": rules})
	if _, err := git.Run(t.Context(), w.GitDir("acme/infra"), "tag", "main", "change"); err != nil {
		t.Fatal(err)
	}
	s := w.open()
	if tip, err := s.Tip(t.Context()); err != nil || tip != s.Pull.BaseSHA {
		t.Errorf("%s %v", tip, err)
	}
}

func TestRulesOfTheDefaultBranch(t *testing.T) {
	t.Parallel()
	s := newWorld(t, map[string]string{"waybill.yaml": rules, "CODEOWNERS": "* @dan\n"}).open()
	if terraform, err := s.Terraform(t.Context()); err != nil || terraform.Digits != 20 {
		t.Errorf("%+v %v", terraform, err)
	}
	if name, data, err := s.CodeOwners(t.Context(), s.Pull.BaseSHA); name != "CODEOWNERS" || string(data) != "* @dan\n" || err != nil {
		t.Errorf("%s %q %v", name, data, err)
	}
	_, _, err := s.TerraformAt(t.Context(), strings.Repeat("1", 40))
	if err == nil || outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "GitHub does not show commit 1111111") {
		t.Errorf("a commit that is not there: %v", err)
	}
	s = newWorld(t, map[string]string{"README.md": "x"}).open()
	if terraform, err := s.Terraform(t.Context()); err != nil || terraform.Digits != 0 || len(terraform.Rules) > 0 ||
		terraform.MayAdopt("x") {
		t.Errorf("without a file: %+v %v", terraform, err)
	}
}

// One comment for each marker, whoever else writes one; what was written is read
// again.
func TestKeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"waybill.yaml": rules})
	eve, err := github.New(github.Options{Token: w.CreateToken(githubd.Token{User: "eve"}), APIURL: w.APIURL(), ServerURL: w.URL()})
	if err != nil {
		t.Fatal(err)
	}
	s := w.open()
	if err := s.Say(t.Context(), eve, "<!-- m --> eve"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"<!-- m --> one", "<!-- m --> two", "<!-- m --> two"} {
		if err := s.Keep(t.Context(), s.API, "<!-- m -->", text); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Pulls("acme/infra")[0].Comments; !slices.Equal(got, []string{"<!-- m --> eve", "<!-- m --> two"}) {
		t.Errorf("%q", got)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for says, r := range map[string]site.Request{
		"--pull-request is of which repository?": {Pull: 1},
		"--repo: repository \"acme\" is not":     {Repo: "acme"},
	} {
		if _, err := site.Open(t.Context(), r); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

// The rules just before a merge are those of the default branch, also where the pull request
// brought several commits, of which only the first one comes right after it.
func TestRulesBeforeAMerge(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"merge", "squash", "rebase"} {
		w := newWorld(t, map[string]string{"waybill.yaml": rules})
		stale := w.open().Pull.BaseSHA
		w.commit("change", "change")
		if err := w.api.ClosePull(t.Context(), github.Repository{Owner: "acme", Name: "infra"}, 1); err != nil {
			t.Fatal(err)
		}
		second, err := w.api.OpenPull(
			t.Context(), github.Repository{Owner: "acme", Name: "infra"}, github.NewPull{Title: "t", Head: "change", Base: "main"},
		)
		if err != nil {
			t.Fatal(err)
		}
		before := w.commit("main", "main")
		if _, err := w.MergePull(t.Context(), "acme/infra", second.Number, "ada", method); err != nil {
			t.Fatal(err)
		}
		s, err := site.Open(t.Context(), site.Request{API: w.api, Repo: "acme/infra", Pull: second.Number})
		if err != nil {
			t.Fatal(err)
		}
		s.Pull.BaseSHA = stale // as GitHub has it until somebody pushes
		if revisions, err := s.Revisions(t.Context()); err != nil || !slices.Contains(revisions, before) {
			t.Errorf("%s: %v without %s: %v", method, revisions, before, err)
		}
	}
}
