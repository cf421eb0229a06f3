package github_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

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
	token, err := github.AppToken(t.Context(), options, github.App{ID: id, Key: key}, repo, map[string]string{"contents": "write"})
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

// Where jobs may open no pull requests, which setup sees to and GitHub's own default is,
// the error says that an App may.
func TestJobsThatMayOpenNoPull(t *testing.T) {
	t.Parallel()
	server, _, after := protected(t)
	as := func(token sandbox.Token) *github.Client {
		client, err := github.New(github.Options{APIURL: server.APIURL(), ServerURL: server.URL(), Token: server.CreateToken(token)})
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	rights := map[string]string{"contents": "write", "pull-requests": "write"}
	owner, job := as(sandbox.Token{User: "owner"}), as(sandbox.Token{Job: true, Permissions: rights})
	if _, err := owner.CreateRef(t.Context(), repo, "refs/heads/change", after); err != nil {
		t.Fatal(err)
	}
	if err := owner.SetJobRights(t.Context(), repo, github.JobRights{Default: "read"}); err != nil {
		t.Fatal(err)
	}
	pull := github.NewPull{Title: "x", Head: "change", Base: "main"}
	if _, err := job.OpenPull(t.Context(), repo, pull); err == nil ||
		!strings.Contains(err.Error(), "GitHub Actions is not permitted to create or approve pull requests") ||
		!strings.Contains(err.Error(), "let a GitHub App act, with `app_id` and `app_key`; or allow it under Settings, Actions") {
		t.Errorf("a job's token: %v", err)
	}
	if err := owner.SetJobRights(t.Context(), repo, github.JobRights{Default: "read", Approve: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := job.OpenPull(t.Context(), repo, pull); err != nil {
		t.Errorf("where it is allowed: %v", err)
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
			options.Token, err = github.AppToken(
				t.Context(), options, github.App{ID: id, Key: key, Also: also}, repo, map[string]string{"contents": "read"},
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
		app  github.App
		repo github.Repository
		now  time.Time
		code int
		want string
	}{
		"not a key": {
			github.App{ID: id, Key: "planted-secret"}, repo, time.Time{}, outcome.Usage, "app_key is not an RSA private key",
		},
		"half a key":    {github.App{ID: id, Key: key[:200]}, repo, time.Time{}, outcome.Usage, "app_key is not an RSA private key"},
		"another's key": {github.App{ID: id, Key: other}, repo, time.Time{}, outcome.Broken, "is `app_key` its private key"},
		"not installed": {
			github.App{ID: id, Key: key}, github.Repository{Owner: "acme", Name: "other"}, time.Time{}, outcome.Broken,
			"is not installed on acme/other: install it there, with contents: write, pull-requests: write",
		},
		"lacks permissions": {
			github.App{ID: id, Key: key}, repo, time.Time{}, outcome.Broken,
			"lacks a permission on acme/config: it needs contents: write, pull-requests: write",
		},
		"a clock behind": {
			github.App{ID: id, Key: key}, repo, time.Now().Add(-time.Hour), outcome.Broken,
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
			_, err := github.AppToken(t.Context(), options, test.app, test.repo, write)
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
	w := newWorld(t)
	dir := t.TempDir()
	writeFile(t, dir, "f", "1\n")
	if err := w.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/other", Dir: dir, Private: true}); err != nil {
		t.Fatal(err)
	}
	if err := w.Protect("acme/config", "mover"); err != nil {
		t.Fatal(err)
	}
	return w.Server, w.main, w.topic
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
