package demo_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	door "github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// frontendFollows delivers the second application, which Helm renders: beside
// the first one, by the same workflow, and again as one changed line.
func frontendFollows(ctx context.Context, t *testing.T, s *rehearsal.Sandbox) {
	t.Helper()
	dir := t.TempDir()
	from := os.DirFS(filepath.Join(tooltest.Root(t), "examples", "frontend"))
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		return os.WriteFile(at, []byte(strings.ReplaceAll(string(data), "ghcr.io/acme", s.URLs().Registry+"/acme")), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	secrets, vars := s.GitHub.Variables("acme/backend")
	if err := s.GitHub.CreateRepository(ctx, githubd.Seed{Name: "acme/frontend", Dir: dir, Vars: vars, Secrets: secrets}); err != nil {
		t.Fatal(err)
	}
	client, err := door.New(door.Options{Token: s.GitHub.CreateToken(githubd.Token{User: "alice"}), APIURL: s.URLs().API, ServerURL: s.URLs().Server})
	if err != nil {
		t.Fatal(err)
	}
	repo := configrepo.NewGitHub(client, door.Repository{Owner: "acme", Name: "frontend"})
	head, err := repo.Head(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Commit(ctx, configrepo.Request{Branch: "main", Expect: head, Parent: head, Message: "Begin", Changes: []configrepo.Change{{Path: "CHANGES.md", Content: []byte("# Changes\n")}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.GitHub.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	if runs := s.GitHub.Runs("acme/frontend"); len(runs) != 1 || runs[0].Conclusion != "success" {
		t.Fatalf("the frontend's runs: %+v", runs)
	}
	for name, overlay := range map[string]string{"backend": "apps/backend/overlays/dev/kustomization.yaml", "frontend": "apps/frontend/overlays/dev/values.yaml"} {
		change, err := git.RunEnv(ctx, s.GitHub.GitDir("acme/config"), rehearsal.Environment(os.Getenv), "log", "--grep=^bump "+name+" in dev", "--format=", "--numstat", "main")
		if err != nil || strings.Join(strings.Fields(change), " ") != "1 1 "+overlay {
			t.Errorf("the bump of %s changed %q, %v; want one line of %s", name, change, err, overlay)
		}
	}
	for _, p := range s.GitHub.Pulls("acme/config") {
		if p.HeadRef != "waybill/staging/frontend" {
			continue
		}
		if statuses := s.GitHub.Statuses("acme/config", p.HeadSHA); len(statuses) != 1 || statuses[0].State != "success" || !regexp.MustCompile(`frontend: dev → staging`).MatchString(p.Title) {
			t.Errorf("%s: %+v", p.Title, statuses)
		}
		return
	}
	t.Error("the frontend's promotion is not open")
}
