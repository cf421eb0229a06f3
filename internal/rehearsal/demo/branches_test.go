package demo_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	door "github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// branchesAreOnlyTested pushes branches to the application: one that is fine,
// and those that break a rule of the first job. None of them is built.
func branchesAreOnlyTested(ctx context.Context, t *testing.T, s *rehearsal.Sandbox) {
	t.Helper()
	token := s.GitHub.CreateToken(githubd.Token{
		User: "alice", Repositories: []string{"acme/backend"},
		Permissions: map[string]string{"contents": "write", "workflows": "write"},
	})
	client, err := door.New(door.Options{Token: token, APIURL: s.URLs().API, ServerURL: s.URLs().Server})
	if err != nil {
		t.Fatal(err)
	}
	repo := configrepo.NewGitHub(client, door.Repository{Owner: "acme", Name: "backend"})
	head, err := repo.Head(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	ci, err := repo.File(ctx, head, ".github/workflows/ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	with := func(old, new string) []byte {
		if !strings.Contains(string(ci), old) {
			t.Fatalf("ci.yml has no %q", old)
		}
		return []byte(strings.Replace(string(ci), old, new, 1))
	}
	before := len(s.GitHub.Runs("acme/backend"))
	branches := map[string]struct {
		conclusion, says string
		change           configrepo.Change
	}{
		"fine": {"success", "at least 80 % asked", configrepo.Change{Path: "NOTES.md", Content: []byte("x\n")}},
		"little-tested": {
			"failure", "of the code is reached by tests, 99.9 % asked",
			configrepo.Change{Path: ".github/workflows/ci.yml", Content: with("coverage_floor: 80", "coverage_floor: 99.9")},
		},
		"not-measured": {
			"failure", "the command for coverage prints no percentage",
			configrepo.Change{Path: ".github/workflows/ci.yml", Content: with("make -s coverage", "echo many")},
		},
		"not-formatted": {
			"failure", "not formatted", configrepo.Change{Path: "tasks_more.go", Content: []byte("package main\nvar  more = 1\n")},
		},
	}
	for name, b := range branches {
		if _, err := repo.Commit(ctx, configrepo.Request{
			Branch: name, Parent: head, Message: name, Changes: []configrepo.Change{b.change},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.GitHub.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	runs := s.GitHub.Runs("acme/backend")[before:]
	if len(runs) != len(branches) {
		t.Fatalf("%d runs, want one for each of %d branches", len(runs), len(branches))
	}
	for _, run := range runs {
		b, log := branches[run.HeadBranch], ""
		if data, err := os.ReadFile(run.Log); err == nil {
			log = string(data)
		}
		if run.Conclusion != b.conclusion || !strings.Contains(log, b.says) || strings.Contains(log, "deliver/build") {
			t.Errorf("%s: %s, want %s, %q and no build in\n%s", run.HeadBranch, run.Conclusion, b.conclusion, b.says, log)
		}
	}
}

// examplesStand judges the config repository as it stands after the delivery:
// every digest that it deploys has its evidence, every overlay renders.
func examplesStand(t *testing.T, s *rehearsal.Sandbox) {
	t.Helper()
	dir := t.TempDir()
	token := s.GitHub.CreateToken(githubd.Token{
		User: "bob", Repositories: []string{"acme/config"}, Permissions: map[string]string{"contents": "read"},
	})
	_, vars := s.GitHub.Variables("acme/config")
	root := filepath.Join(dir, "root.json")
	if err := os.WriteFile(root, []byte(vars["WAYBILL_TRUSTED_ROOT"]), 0o600); err != nil {
		t.Fatal(err)
	}
	command := process.Command{Path: filepath.Join(tooltest.Root(t), "bin", "waybill"),
		Args: []string{"check", "--repo", "acme/config", "--head", "main", "--trusted-root", root, "--format", "json"},
		Env:  []string{"HOME=" + dir, "GITHUB_TOKEN=" + token, "GITHUB_API_URL=" + s.URLs().API, "GITHUB_SERVER_URL=" + s.URLs().Server}}
	out, err := command.Output(t.Context())
	if err != nil || !strings.Contains(string(out), `"allowed": true`) || !strings.Contains(string(out), `"findings": []`) {
		t.Errorf("the examples, delivered: %v %s", err, out)
	}
}
