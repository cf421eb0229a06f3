package demo_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	door "github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// severalImages sets up a repository with two images by what init writes. Both
// were built from main. A pull request builds the image whose files it changes,
// and one that changes the README builds none.
func severalImages(ctx context.Context, t *testing.T, s *rehearsal.Sandbox) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	for name, text := range map[string]string{
		"api/Dockerfile": "FROM scratch\nCOPY Dockerfile /\n", "api/index.html": "",
		"web/Dockerfile": "FROM scratch\nCOPY made/tool index.html /\n",
		"web/index.html": "<p>", "README.md": "# Shop\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	host := s.URLs().Registry
	n := starter.Names{Owner: "acme", App: "shop", Registry: host + "/acme"}
	if err := n.Derive(ctx, starter.App, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := starter.Write(dir, starter.App, n, false); err != nil {
		t.Fatal(err)
	}
	prepares(t, filepath.Join(dir, ".github", "workflows", "ci.yml"))
	if err := s.GitHub.CreateRepository(ctx, githubd.Seed{Name: "acme/shop", Dir: dir, Private: true}); err != nil {
		t.Fatal(err)
	}
	buildFromMain(ctx, t, s, host, "api", "web")
	client, err := door.New(door.Options{
		Token: s.GitHub.CreateToken(githubd.Token{User: "alice"}), APIURL: s.URLs().API, ServerURL: s.URLs().Server,
	})
	if err != nil {
		t.Fatal(err)
	}
	name := door.Repository{Owner: "acme", Name: "shop"}
	repo := configrepo.NewGitHub(client, name)
	head, err := repo.Head(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	for path, builds := range map[string]string{"README.md": "", "web/index.html": "shop-web"} {
		branch := "change-" + strings.ToLower(filepath.Base(path))
		if _, err := repo.Commit(ctx, configrepo.Request{
			Branch: branch, Parent: head, Message: branch, Changes: []configrepo.Change{{Path: path, Content: []byte("new\n")}},
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.GitHub.WaitIdle(ctx); err != nil {
			t.Fatal(err)
		}
		started := len(s.GitHub.Runs("acme/shop"))
		if _, err := client.OpenPull(ctx, name, door.NewPull{Title: branch, Head: branch, Base: "main"}); err != nil {
			t.Fatal(err)
		}
		if err := s.GitHub.WaitIdle(ctx); err != nil {
			t.Fatal(err)
		}
		runs := s.GitHub.Runs("acme/shop")[started:]
		if len(runs) != 1 || runs[0].Conclusion != "success" {
			t.Fatalf("%s: runs %+v", path, runs)
		}
		data, err := os.ReadFile(runs[0].Log)
		if err != nil {
			t.Fatal(err)
		}
		log := string(data)
		for _, image := range []string{"shop-api", "shop-web"} {
			answer := "no file of the image changed since commit " + head[:7] + ", which " + host + "/acme/" + image + ":main"
			if image == builds {
				answer = "files changed since commit " + head[:7] + ", which " + host + "/acme/" + image + ":main"
			}
			if !strings.Contains(log, answer) {
				t.Errorf("%s: the log lacks %q\n%s", path, answer, log)
			}
		}
		if scans := strings.Count(log, "waybill-image@sha256:") > 0; scans != (builds != "") {
			t.Errorf("%s: an image was built and scanned: %t\n%s", path, scans, log)
		}
	}
}

// prepares makes every call of a workflow prepare a file that the build then has.
func prepares(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), "\n    with:\n", "\n    with:\n"+
		"      prepare: mkdir web/made && echo 'pre'pared > web/made/tool && chmod 755 web/made/tool\n      prepared: web/made\n")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// buildFromMain does what delivering main would: an image with its commit, and
// the branch's tag. The Dockerfile of web copies what was prepared.
func buildFromMain(ctx context.Context, t *testing.T, s *rehearsal.Sandbox, host string, names ...string) {
	t.Helper()
	clone := t.TempDir()
	if _, err := git.RunEnv(
		ctx, clone, rehearsal.Environment(os.Getenv), "clone", "--quiet", s.GitHub.GitDir("acme/shop"), ".",
	); err != nil {
		t.Fatal(err)
	}
	made := t.TempDir()
	if err := os.MkdirAll(filepath.Join(made, "web", "made"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(made, "web", "made", "tool"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		out, err := process.Command{
			Path: filepath.Join(tooltest.Root(t), "bin", "waybill"), Dir: clone,
			Args: []string{"build", "--image", host + "/acme/shop-" + name, "--context", name, "--prepared", made},
			Env:  append(rehearsal.Environment(os.Getenv), "HOME="+t.TempDir()),
		}.Output(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := imageref.Parse(strings.TrimSpace(string(out)))
		if err != nil {
			t.Fatal(err)
		}
		if err := registry.New(registry.Options{}).Tag(ctx, ref, "main"); err != nil {
			t.Fatal(err)
		}
	}
}
