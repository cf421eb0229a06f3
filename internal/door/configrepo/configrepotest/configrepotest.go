// Package configrepotest makes config repositories for tests of what works on
// them: a bare git directory, or one on the stand-in for GitHub.
//
// Both have a clock of their own, which stands still until a test moves it.
package configrepotest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/imageref"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
)

// Store is what both kinds of config repository can do.
type Store = configrepo.Store

// Start is when every clock begins.
var Start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// Clock tells the time of a repository.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Pass lets time pass.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Repo is a config repository.
type Repo struct {
	Store
	Clock  *Clock
	GitDir string
	Dir    string // of the repository, that is the config repository; empty is all of it
	open   func(t testing.TB) Store

	// Of a repository on the stand-in.
	Server   *sandbox.Server
	API      *github.Client
	Name     github.Repository
	Requests *Requests
}

// Open opens the repository once more, as another process would.
func (r *Repo) Open(t testing.TB) Store { return r.open(t) }

// Requests counts what a client sends.
type Requests struct {
	mu     sync.Mutex
	writes []string
	reads  map[string]int // by path
}

// RoundTrip sends and counts.
func (r *Requests) RoundTrip(req *http.Request) (*http.Response, error) {
	writes := req.Method != http.MethodGet && req.Method != http.MethodHead
	if strings.HasSuffix(req.URL.Path, "/graphql") {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		writes = bytes.Contains(body, []byte(`"query":"mutation`))
	}
	r.mu.Lock()
	if writes {
		r.writes = append(r.writes, req.Method+" "+req.URL.Path)
	} else {
		if r.reads == nil {
			r.reads = map[string]int{}
		}
		r.reads[req.URL.Path]++
	}
	r.mu.Unlock()
	return http.DefaultTransport.RoundTrip(req)
}

// Writes lists the requests that change something since it was last called.
func (r *Requests) Writes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	writes := r.writes
	r.writes = nil
	return writes
}

// Reads says how often a path was read.
func (r *Requests) Reads(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reads[path]
}

// Take gives how many reads there were since it was last called, and lists them.
func (r *Requests) Take() (n int, list string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for path, times := range r.reads {
		n += times
		lines = append(lines, fmt.Sprintf("%d × %s", times, path))
	}
	clear(r.reads)
	slices.Sort(lines)
	return n, strings.Join(lines, "\n")
}

// Local makes a bare git directory with the files on main.
func Local(t testing.TB, files map[string]string) *Repo {
	t.Helper()
	clock := &Clock{now: Start}
	work, bare := seed(t, files), filepath.Join(t.TempDir(), "config.git")
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"}, {"commit", "--quiet", "-m", "Begin"},
		{"clone", "--quiet", "--bare", work, bare},
	} {
		if _, err := git.RunEnv(t.Context(), work, person(clock.Now()), args...); err != nil {
			t.Fatal(err)
		}
	}
	return local(t, bare, clock)
}

// Directory makes a bare git directory with the files below deploy/shop, beside source
// that looks like configuration.
func Directory(t testing.TB, files map[string]string) *Repo {
	t.Helper()
	all := map[string]string{
		"waybill.yaml": "apiVersion: waybill.dev/v1\nno: configuration\n", "src/main.go": "package main\n",
		"platform/broken.yaml": "{", "deploy/shopping/waybill.yaml": "no: configuration\n",
	}
	for name, text := range files {
		all[path.Join("deploy/shop", name)] = text
	}
	r := Local(t, all)
	r.within(t, "deploy/shop")
	return r
}

// within makes a directory the config repository.
func (r *Repo) within(t testing.TB, dir string) {
	whole := r.open
	r.Dir, r.open = dir, func(t testing.TB) Store {
		store, err := configrepo.Within(whole(t), dir)
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	r.Store = r.open(t)
}

func local(t testing.TB, bare string, clock *Clock) *Repo {
	r := &Repo{Clock: clock, GitDir: bare, open: func(t testing.TB) Store {
		l, err := configrepo.OpenLocal(t.Context(), bare, configrepo.LocalOptions{
			Name: "waybill", Email: "waybill@example.com", Now: clock.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}}
	r.Store = r.open(t)
	return r
}

// InPlace opens the git directory behind the stand-in, as who has a clone.
func (r *Repo) InPlace(t testing.TB) Store { return local(t, r.GitDir, r.Clock) }

// Copy makes a local repository once more, with a clock of its own. It borrows the
// objects of the first one: copying a file for each of them takes longer than most
// tests.
func (r *Repo) Copy(t testing.TB) *Repo {
	t.Helper()
	bare := filepath.Join(t.TempDir(), "config.git")
	for _, dir := range []string{"objects/info", "refs"} {
		if err := os.MkdirAll(filepath.Join(bare, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{
		"objects/info/alternates": filepath.Join(r.GitDir, "objects") + "\n", "packed-refs": r.Git(t, "show-ref") + "\n",
	}
	for _, name := range []string{"HEAD", "config"} {
		data, err := os.ReadFile(filepath.Join(r.GitDir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(data)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(bare, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := local(t, bare, &Clock{now: r.Clock.Now()})
	c.within(t, r.Dir)
	return c
}

// JobPermissions are those of the workflows that write to the repository.
func JobPermissions() map[string]string {
	return map[string]string{"contents": "write", "pull-requests": "write", "statuses": "write", "actions": "write", "deployments": "write"}
}

// GitHub makes acme/config on a stand-in of its own, reached with a job token.
func GitHub(t testing.TB, files map[string]string) *Repo { return GitHubThatCuts(t, 0, files) }

// GitHubThatCuts is GitHub, which cuts lists of files after a number of entries.
func GitHubThatCuts(t testing.TB, entries int, files map[string]string) *Repo {
	t.Helper()
	clock := &Clock{now: Start}
	server := githubtest.Start(t, sandbox.Options{Now: clock.Now, ListsAtMost: entries})
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/config", Dir: seed(t, files), Private: true}); err != nil {
		t.Fatal(err)
	}
	r := &Repo{
		Clock: clock, GitDir: server.GitDir("acme/config"), Server: server, Name: github.Repository{Owner: "acme", Name: "config"},
		Requests: &Requests{},
	}
	r.API = r.Client(t, sandbox.Token{Job: true, Permissions: JobPermissions()})
	r.open = func(t testing.TB) Store {
		g := configrepo.NewGitHub(r.API, r.Name)
		g.Now = clock.Now
		return g
	}
	r.Store = r.open(t)
	return r
}

// Client is another client of the stand-in.
func (r *Repo) Client(t testing.TB, token sandbox.Token) *github.Client {
	t.Helper()
	client, err := github.New(github.Options{
		Token: r.Server.CreateToken(token), APIURL: r.Server.APIURL(), ServerURL: r.Server.URL(),
		HTTPClient: &http.Client{Transport: r.Requests},
		Sleep:      func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Both runs a test on each kind of repository, and on one that is a directory.
func Both(t *testing.T, files map[string]string, test func(t *testing.T, r *Repo)) {
	t.Helper()
	for name, make := range map[string]func(testing.TB, map[string]string) *Repo{"local": Local, "GitHub": GitHub, "directory": Directory} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, make(t, files))
		})
	}
}

// Write commits files to a branch as a person would, and gives the commit. A
// branch that is not there begins at main; a file with an empty text goes.
func (r *Repo) Write(t testing.TB, branch, message string, files map[string]string) string {
	t.Helper()
	if r.Requests == nil {
		return r.quickly(t, branch, message, files)
	}
	ctx := t.Context()
	main, err := r.Head(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	request := configrepo.Request{Branch: branch, Parent: main, Message: message}
	if head, err := r.Head(ctx, branch); err == nil {
		request.Expect, request.Parent = head, head
	}
	for name, text := range files {
		change := configrepo.Change{Path: name, Content: []byte(text)}
		if text == "" {
			change.Content = nil
		}
		request.Changes = append(request.Changes, change)
	}
	sha, err := r.Commit(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	r.Requests.Writes()
	return sha
}

// quickly writes to a local repository with two runs of git, where Commit needs a
// dozen.
func (r *Repo) quickly(t testing.TB, branch, message string, files map[string]string) string {
	t.Helper()
	from := "refs/heads/" + branch
	if r.Git(t, "for-each-ref", from) == "" {
		from = "refs/heads/main"
	}
	var in strings.Builder
	fmt.Fprintf(&in, "commit refs/heads/%s\nmark :1\ncommitter Ada <ada@example.com> %d +0000\ndata %d\n%s\nfrom %s^0\n",
		branch, r.Clock.Now().Unix(), len(message), message, from)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if text := files[name]; text != "" {
			fmt.Fprintf(&in, "M 100644 inline %q\ndata %d\n%s\n", r.Path(name), len(text), text)
		} else {
			fmt.Fprintf(&in, "D %q\n", r.Path(name))
		}
	}
	in.WriteString("get-mark :1\n")
	sha, err := git.Command{
		Dir: r.GitDir, Args: []string{"-c", "fastimport.unpackLimit=1", "fast-import", "--quiet"},
		Stdin: strings.NewReader(in.String()),
	}.Line(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

// Git asks git of the repository.
func (r *Repo) Git(t testing.TB, args ...string) string {
	t.Helper()
	out, err := git.RunEnv(t.Context(), r.GitDir, person(r.Clock.Now()), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Path is a path of the config repository as one of the whole repository.
func (r *Repo) Path(name string) string { return path.Join(r.Dir, name) }

// Text reads a file at the head of a branch.
func (r *Repo) Text(t testing.TB, branch, name string) string {
	t.Helper()
	return r.Git(t, "show", branch+":"+r.Path(name))
}

func person(now time.Time) []string {
	when := now.Format(time.RFC3339)
	return []string{"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada",
		"GIT_COMMITTER_EMAIL=ada@example.com",
		"GIT_AUTHOR_DATE=" + when, "GIT_COMMITTER_DATE=" + when}
}

func seed(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Placeholder is the digest that starter files hold.
const Placeholder = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

// Config is a waybill.yaml of dev, staging (soak 30 m) and prod (soak 24 h, a
// reviewer, frozen over the holidays) with the applications.
func Config(apps ...string) string {
	var out strings.Builder
	out.WriteString(`apiVersion: waybill.dev/v1
environments:
  - {name: dev, promotion: auto}
  - {name: staging, promotion: pull-request, soak: 30m}
  - {name: prod, promotion: pull-request, soak: 24h, reviewers: [acme/platform], freeze: [{from: 2026-12-20, until: 2027-01-03, reason: holidays}]}
apps:
`)
	for _, app := range apps {
		fmt.Fprintf(&out, "  %s: {image: ghcr.io/acme/%s, source: acme/%s}\n", app, app, app)
	}
	out.WriteString(`policy:
  signers:
    - {issuer: "https://token.actions.githubusercontent.com", workflow: acme/config/.github/workflows/deliver.yml@refs/heads/main, source: acme/*}
  scan: {severity: high, ignoreUnfixed: true, maxAge: 168h}
`)
	return out.String()
}

// Files is a repository of applications on Kustomize, nothing deployed yet.
func Files(apps ...string) map[string]string {
	files := map[string]string{"waybill.yaml": Config(apps...)}
	for _, app := range apps {
		files["apps/"+app+"/base/kustomization.yaml"] = "resources:\n  - deployment.yaml\n"
		files["apps/"+app+"/base/deployment.yaml"] = Deployment(app, app)
		for _, env := range []string{"dev", "staging", "prod"} {
			files[Overlay(app, env)] = OverlayText(app, Placeholder)
		}
	}
	return files
}

// With gives files with some changed.
func With(files, changed map[string]string) map[string]string {
	files = maps.Clone(files)
	maps.Copy(files, changed)
	return files
}

// Overlay is the path of an application's overlay.
func Overlay(app, env string) string {
	return "apps/" + app + "/overlays/" + env + "/kustomization.yaml"
}

// OverlayText names a digest; its line is 6.
func OverlayText(app, digest string) string {
	return "resources:\n  - ../../base\nimages:\n  - name: " + app + "\n    newName: ghcr.io/acme/" + app + "\n    digest: " + digest + "\n"
}

// Deployment runs an image.
func Deployment(name, image string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ` + name + `
spec:
  selector:
    matchLabels: {app: ` + name + `}
  template:
    metadata:
      labels: {app: ` + name + `}
    spec:
      containers:
        - name: ` + name + `
          image: ` + image + `
`
}

// Deploy writes a digest into an overlay, as a person would.
func (r *Repo) Deploy(t testing.TB, branch, env, app string, ref imageref.Ref) string {
	t.Helper()
	return r.Write(t, branch, "deploy", map[string]string{Overlay(app, env): OverlayText(app, ref.Digest())})
}
