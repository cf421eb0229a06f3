package apps_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/apps"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

var repo = github.Repository{Owner: "acme", Name: "config"}

// What the rules of a branch keep a job token from, an App on their bypass list
// may do; its token is for one repository and for what was asked.
func TestAppMovesAProtectedBranch(t *testing.T) {
	t.Parallel()
	server, before, after := protected(t)
	job := github.Options{
		APIURL: server.APIURL(), ServerURL: server.URL(),
		Token: server.CreateToken(sandbox.Token{Job: true, Permissions: map[string]string{"contents": "write"}}),
	}
	if err := move(t, job, before, after); err == nil ||
		!strings.Contains(err.Error(), "Changes must be made through a pull request") || !strings.Contains(err.Error(), "bypass list") {
		t.Fatalf("a job token: %v", err)
	}
	id, key, err := server.CreateApp(sandbox.App{
		Slug: "mover", Permissions: map[string]string{"contents": "write", "actions": "write"},
		Repositories: []string{"acme/config", "acme/other"},
	})
	if err != nil {
		t.Fatal(err)
	}
	options := github.Options{APIURL: server.APIURL(), ServerURL: server.URL()}
	token, err := apps.Token(t.Context(), options, apps.App{ID: id, Key: key}, repo, map[string]string{"contents": "write"})
	if err != nil {
		t.Fatal(err)
	}
	options.Token = token
	if err := move(t, options, before, after); err != nil {
		t.Errorf("the App: %v", err)
	}
	client, err := github.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Dispatch(t.Context(), repo, "bump.yml", "main", nil); err == nil || !strings.Contains(err.Error(), "actions") {
		t.Errorf("a permission that was not asked for: %v", err)
	}
	if _, err := client.Repo(t.Context(), github.Repository{Owner: "acme", Name: "other"}); !github.IsNotFound(err) {
		t.Errorf("a repository that was not asked for: %v", err)
	}
}

// What an installation has beside what is needed is asked for only if it has it:
// Apps that were registered with fewer permissions go on.
func TestAppAlsoMay(t *testing.T) {
	t.Parallel()
	server, _, _ := protected(t)
	server.SetTeam("acme/platform", "bob")
	for slug, members := range map[string]string{"old": "", "new": "read"} {
		permissions := map[string]string{"contents": "write"}
		if members != "" {
			permissions["members"] = members
		}
		id, key, err := server.CreateApp(sandbox.App{Slug: slug, Permissions: permissions, Repositories: []string{"acme/config"}})
		if err != nil {
			t.Fatal(err)
		}
		sees := map[string]bool{}
		for name, also := range map[string]map[string]string{"also": github.AskTeams, "needed": nil} {
			options := github.Options{APIURL: server.APIURL(), ServerURL: server.URL()}
			options.Token, err = apps.Token(
				t.Context(), options, apps.App{ID: id, Key: key, Also: also}, repo, map[string]string{"contents": "read"},
			)
			if err != nil {
				t.Fatalf("%s, %s: %v", slug, name, err)
			}
			client, err := github.New(options)
			if err != nil {
				t.Fatal(err)
			}
			sees[name], err = client.TeamMember(t.Context(), "acme", "platform", "bob")
			if err != nil && !strings.Contains(err.Error(), "members") {
				t.Errorf("%s, %s: %v", slug, name, err)
			}
		}
		if sees["also"] != (members != "") || sees["needed"] {
			t.Errorf("the App %s sees the team: %v", slug, sees)
		}
	}
}

func TestAppTrouble(t *testing.T) {
	t.Parallel()
	server, _, _ := protected(t)
	id, key, err := server.CreateApp(sandbox.App{
		Slug: "mover", Permissions: map[string]string{"contents": "read"}, Repositories: []string{"acme/config"},
	})
	if err != nil {
		t.Fatal(err)
	}
	other := otherKey(t)
	write := map[string]string{"contents": "write", "pull-requests": "write"}
	tests := map[string]struct {
		app  apps.App
		repo github.Repository
		now  time.Time
		code int
		want string
	}{
		"not a key": {
			apps.App{ID: id, Key: "planted-secret"}, repo, time.Time{}, outcome.Usage, "app_key is not an RSA private key",
		},
		"half a key":    {apps.App{ID: id, Key: key[:200]}, repo, time.Time{}, outcome.Usage, "app_key is not an RSA private key"},
		"another's key": {apps.App{ID: id, Key: other}, repo, time.Time{}, outcome.Broken, "is `app_key` its private key"},
		"not installed": {
			apps.App{ID: id, Key: key}, github.Repository{Owner: "acme", Name: "other"}, time.Time{}, outcome.Broken,
			"is not installed on acme/other: install it there, with contents: write, pull-requests: write",
		},
		"lacks permissions": {
			apps.App{ID: id, Key: key}, repo, time.Time{}, outcome.Broken,
			"lacks a permission on acme/config: it needs contents: write, pull-requests: write",
		},
		"a clock behind": {
			apps.App{ID: id, Key: key}, repo, time.Now().Add(-time.Hour), outcome.Broken,
			"must be a numeric value representing the future time",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := github.Options{APIURL: server.APIURL(), ServerURL: server.URL()}
			if !test.now.IsZero() {
				options.Now = func() time.Time { return test.now }
			}
			_, err := apps.Token(t.Context(), options, test.app, test.repo, write)
			if err == nil || !strings.Contains(err.Error(), test.want) || outcome.Code(err) != test.code {
				t.Fatalf("%v (code %d)", err, outcome.Code(err))
			}
			if strings.Contains(err.Error(), "planted-secret") || strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("the error holds the key: %v", err)
			}
		})
	}
}

// protected is a sandbox whose acme/config moves by pull requests and by the
// App mover alone, with two commits, of which main has the first.
func protected(t *testing.T) (server *sandbox.Server, before, after string) {
	t.Helper()
	server = githubtest.Start(t, sandbox.Options{})
	dir := t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(".github/workflows/bump.yml", "on: workflow_dispatch\njobs: {}\n")
	for _, name := range []string{"acme/config", "acme/other"} {
		if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: name, Dir: dir, Private: true}); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Protect("acme/config", "mover"); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		out, err := git.RunEnv(t.Context(), server.GitDir("acme/config"), []string{
			"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		}, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before = run("rev-parse", "main")
	return server, before, run("commit-tree", before+"^{tree}", "-p", before, "-m", "more")
}

func move(t *testing.T, o github.Options, before, after string) error {
	t.Helper()
	client, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return client.UpdateRef(t.Context(), repo, "main", before, after)
}

func otherKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}
