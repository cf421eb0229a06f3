package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// withConfigCommands adds the commands of scripts about the config repository.
func withConfigCommands(
	commands map[string]func(ts *testscript.TestScript, neg bool, args []string),
) map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	commands["deliver"] = deliver
	commands["configrepo"] = makeConfigRepo
	commands["github"] = startGitHub
	commands["protect"] = protectMain
	commands["pull"] = showPull
	commands["propose"] = propose
	commands["push"] = push
	commands["denyregistry"] = denyRegistry
	commands["dispatched"] = countDispatches
	commands["webhook"] = startWebhook
	commands["told"] = readTold
	return withHealthCommands(commands)
}

// deliver pushes an image and signs it with the key NAME.key, with every record
// that the policy asks for, and sets IMAGE and IMAGE_N: deliver N APP KEY
func deliver(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: deliver N APP KEY")
	}
	n, app, key := args[0], args[1], args[2]
	pushImage(ts, false, []string{"acme/" + app, "content " + n})
	number, err := strconv.Atoi(n)
	ts.Check(err)
	committed := time.Date(2026, 1, 1, 0, number, 0, 0, time.UTC).Format(time.RFC3339) // image 2 is newer than image 1
	dir := ts.MkAbs("documents-" + n)
	ts.Check(os.MkdirAll(dir, 0o755))
	files := map[string]string{
		"build.json": `{"schema": "https://waybill.dev/build/v1", "image": "$IMAGE", "digest": "$DIGEST", "engine": "assemble", "platforms": {"linux/amd64": "$AMD64", "linux/arm64": "$ARM64"},
 "dockerfile": {"path": "Dockerfile", "digest": "sha256:1212"}, "context": ".",
 "source": {"repository": "https://github.com/acme/` + app + `", "commit": "` + strings.Repeat(n, 40)[:40] + `",
 "committedAt": "` + committed + `"},
 "startedAt": "$PAST", "finishedAt": "$PAST"}`,
		"report.json": `{"schema": "https://waybill.dev/scan/v1", "image": "$IMAGE", "scanner": {"name": "trivy", "version": "0.72.0"},
 "database": {"repository": "registry/trivy-db", "digest": "sha256:3333", "version": 2, "updatedAt": "$PAST"}, "startedAt": "$PAST", "finishedAt": "$PAST",
 "platforms": [{"platform": "linux/amd64", "digest": "$AMD64", "packages": [], "findings": []}, {"platform": "linux/arm64", "digest": "$ARM64", "packages": [], "findings": []}]}`,
		"sbom.json": `{"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": {"type": "container", "name": "$IMAGE"}}, "components": []}`,
	}
	for name, text := range files {
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(os.Expand(text, ts.Getenv)), 0o600))
	}
	ts.Check(ts.Exec(
		"waybill", "sign", ts.Getenv("IMAGE"), "--key", key+".key", "--sbom", filepath.Join(dir, "sbom.json"), "--scan-report",
		filepath.Join(dir, "report.json"), "--provenance", filepath.Join(dir, "build.json"),
	))
	ts.Setenv("IMAGE_"+n, ts.Getenv("IMAGE"))
	ts.Setenv("DIGEST_"+n, ts.Getenv("DIGEST"))
}

// makeConfigRepo puts the environment into the files of a directory, in place
// of $NAME, and commits them to main; $PUBKEY is KEY.pub: configrepo DIR KEY
func makeConfigRepo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: configrepo DIR KEY")
	}
	key, err := os.ReadFile(ts.MkAbs(args[1] + ".pub"))
	ts.Check(err)
	quoted, err := json.Marshal(string(key))
	ts.Check(err)
	ts.Setenv("PUBKEY", string(quoted))
	dir := ts.MkAbs(args[0])
	ts.Check(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(os.Expand(string(data), ts.Getenv)), 0o644)
	}))
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"config", "user.name", "Ada"}, {"config", "user.email", "ada@example.com"},
		{"add", "--all"}, {"commit", "--quiet", "-m", "Begin"},
	} {
		_, err := git.Run(context.Background(), dir, args...)
		ts.Check(err)
	}
}

type githubKey struct{}

// startGitHub makes acme/config of a directory's files on a stand-in for
// GitHub, and sets what a job there finds in its environment: github DIR
func startGitHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: github DIR")
	}
	server, err := sandbox.New(sandbox.Options{Dir: ts.MkAbs("github-state")})
	ts.Check(err)
	stop, err := server.Listen(context.Background())
	ts.Check(err)
	ts.Defer(stop)
	ts.Check(os.RemoveAll(filepath.Join(ts.MkAbs(args[0]), ".git")))
	ts.Check(server.CreateRepository(context.Background(), sandbox.Seed{Name: "acme/config", Dir: ts.MkAbs(args[0]), Private: true}))
	permissions := map[string]string{"contents": "write", "pull-requests": "write", "statuses": "write", "actions": "write"}
	ts.Setenv("OLD_TOKEN", server.CreateToken(sandbox.Token{Job: true, Permissions: maps.Clone(permissions)}))
	permissions["deployments"], permissions["attestations"] = "write", "write"
	token := server.CreateToken(sandbox.Token{Job: true, Permissions: permissions})
	for name, value := range map[string]string{
		"GITHUB_API_URL": server.APIURL(), "GITHUB_SERVER_URL": server.URL(), "GITHUB_TOKEN": token,
		"CONFIG_GIT": server.GitDir("acme/config"),
	} {
		ts.Setenv(name, value)
	}
	ts.Setenv("OWNER_TOKEN", server.CreateToken(sandbox.Token{User: "olive"}))
	ts.Setenv("READ_TOKEN", server.CreateToken(sandbox.Token{Job: true, Permissions: map[string]string{"contents": "read"}}))
	stand := ts.Value(githubKey{}).(*standIn)
	stand.server, stand.started = server, map[string]int{}
	server.OnEvent(func(e sandbox.Event) {
		stand.mu.Lock()
		defer stand.mu.Unlock()
		if e.Name == "workflow_dispatch" {
			stand.started[e.Workflow]++
		}
	})
}

// protectMain lets main of acme/config move by pull requests and an App alone,
// and sets APP_ID and APP_KEY of that App: protect
func protectMain(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: protect")
	}
	server := ts.Value(githubKey{}).(*standIn).server
	ts.Check(server.Protect("acme/config", "waybill-acme"))
	id, key, err := server.CreateApp(sandbox.App{Slug: "waybill-acme", Repositories: []string{"acme/config"},
		Permissions: map[string]string{
			"contents": "write", "pull-requests": "write", "statuses": "write", "actions": "write",
		}})
	ts.Check(err)
	ts.Setenv("APP_ID", id)
	ts.Setenv("APP_KEY", key)
}

// standIn is the script's own.
type standIn struct {
	server *sandbox.Server
	denied atomic.Bool

	mu      sync.Mutex
	started map[string]int // by workflow file
}

// countDispatches says how often a workflow was started since it was last
// asked: dispatched FILE N
func countDispatches(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: dispatched FILE N")
	}
	s := ts.Value(githubKey{}).(*standIn)
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := fmt.Sprint(s.started[args[0]]); got != args[1] {
		ts.Fatalf("%s was started %s times", args[0], got)
	}
	delete(s.started, args[0])
}

// deny answers for the registry once denyregistry was called.
func (s *standIn) deny(w http.ResponseWriter, _ *http.Request) bool {
	if s.denied.Load() {
		http.Error(w, `{"errors":[{"code":"DENIED","message":"the registry is closed"}]}`, http.StatusForbidden)
	}
	return s.denied.Load()
}

// denyRegistry makes the registry refuse everything: denyregistry
func denyRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: denyregistry")
	}
	ts.Value(githubKey{}).(*standIn).denied.Store(true)
}

// showPull writes a pull request, and the statuses of its head, to FILE; with
// merge it merges it: pull N FILE|merge
func showPull(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pull N FILE|merge")
	}
	server := ts.Value(githubKey{}).(*standIn).server
	var n int
	_, err := fmt.Sscan(args[0], &n)
	ts.Check(err)
	if args[1] == "merge" {
		_, err := server.MergePull(context.Background(), "acme/config", n, "ada", "merge")
		ts.Check(err)
		return
	}
	pulls := server.Pulls("acme/config")
	if n > len(pulls) {
		ts.Fatalf("there are %d pull requests", len(pulls))
	}
	p := pulls[n-1]
	text := fmt.Sprintf("%s %s\n%s\n\n%s\n", p.State, p.HeadRef, p.Title, p.Body)
	for _, s := range server.Statuses("acme/config", p.HeadSHA) {
		text += fmt.Sprintf("status %s %s: %s\n", s.Context, s.State, s.Description)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// push adds a commit, as a person, in which FILE stands at PATH: push BRANCH PATH FILE
func push(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: push BRANCH PATH FILE")
	}
	ctx, server := context.Background(), ts.Value(githubKey{}).(*standIn).server
	client, err := github.New(github.Options{
		Token: server.CreateToken(sandbox.Token{User: "ada"}), APIURL: server.APIURL(), ServerURL: server.URL(),
	})
	ts.Check(err)
	repo := configrepo.NewGitHub(client, github.Repository{Owner: "acme", Name: "config"})
	head, err := repo.Head(ctx, args[0])
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	_, err = repo.Commit(ctx, configrepo.Request{
		Branch: args[0], Expect: head, Parent: head, Message: "more", Changes: []configrepo.Change{{Path: args[1], Content: data}},
	})
	ts.Check(err)
}

// propose opens a pull request, as a person, in which FILE stands at PATH:
// propose BRANCH PATH FILE
func propose(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: propose BRANCH PATH FILE")
	}
	ctx, server := context.Background(), ts.Value(githubKey{}).(*standIn).server
	client, err := github.New(github.Options{
		Token: server.CreateToken(sandbox.Token{User: "ada"}), APIURL: server.APIURL(), ServerURL: server.URL(),
	})
	ts.Check(err)
	name := github.Repository{Owner: "acme", Name: "config"}
	repo := configrepo.NewGitHub(client, name)
	head, err := repo.Head(ctx, "main")
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	_, err = repo.Commit(ctx, configrepo.Request{
		Branch: args[0], Parent: head, Message: "change", Changes: []configrepo.Change{{Path: args[1], Content: data}},
	})
	ts.Check(err)
	_, err = client.OpenPull(ctx, name, github.NewPull{Title: "change", Head: args[0], Base: "main"})
	ts.Check(err)
}

// posts are what a webhook was told.
type posts struct {
	mu   sync.Mutex
	list []string
}

type postsKey struct{}

// startWebhook starts a server to notify and sets WAYBILL_WEBHOOK: webhook
func startWebhook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: webhook")
	}
	told := ts.Value(postsKey{}).(*posts)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told.mu.Lock()
		defer told.mu.Unlock()
		told.list = append(told.list, r.Header.Get("X-Waybill-Event")+" "+string(body))
	}))
	ts.Defer(server.Close)
	ts.Setenv("WAYBILL_WEBHOOK", server.URL+"/hushhush")
}

// readTold writes to FILE what was told since the last time: told FILE
func readTold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: told FILE")
	}
	told := ts.Value(postsKey{}).(*posts)
	told.mu.Lock()
	defer told.mu.Unlock()
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(told.list, "\n")+"\n"), 0o600))
	told.list = nil
}

// TestConfigCommandsHaveStories: a command without a story is one that nobody
// has seen work.
func TestConfigCommandsHaveStories(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"bump", "promote", "check", "diff", "rollback", "status", "doctor", "init", "audit"} {
		if scripts, err := filepath.Glob("testdata/script/" + command + "_*.txtar"); err != nil || len(scripts) == 0 {
			t.Errorf("%s: no script is named after it (%v)", command, err)
		}
	}
}
