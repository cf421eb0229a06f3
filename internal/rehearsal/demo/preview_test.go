package demo_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	door "github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// pullRequestsAreBuilt opens two pull requests to the application after it was
// delivered: one of its own that changes nothing of the image, and one of a fork
// that brings a vulnerable package. Both are built and scanned; nothing is pushed.
func pullRequestsAreBuilt(ctx context.Context, t *testing.T, s *rehearsal.Sandbox, seed string) {
	t.Helper()
	// A private repository runs nothing for forks: a public one that has the same
	// application does.
	for _, name := range []string{"acme/open", "mallory/open"} {
		if err := s.GitHub.CreateRepository(ctx, githubd.Seed{Name: name, Dir: seed}); err != nil {
			t.Fatal(err)
		}
	}
	// A fork has the history of what it is a fork of.
	if _, err := git.RunEnv(ctx, s.GitHub.GitDir("acme/open"), rehearsal.Environment(os.Getenv), "push", "--quiet", "--force",
		s.GitHub.GitDir("mallory/open"), "main:main"); err != nil {
		t.Fatal(err)
	}
	before := tags(ctx, t, s)
	for _, p := range []struct {
		user, owner, repo, branch, conclusion string
		change                                map[string]string
		says                                  []string
	}{
		{"alice", "acme", "backend", "readme", "success", map[string]string{"README.md": "# More\n"}, []string{
			" passes", "against sha256:", "new none",
		}},
		{"mallory", "mallory", "open", "openssl", "failure", map[string]string{
			".dockerignore":             "",
			"root/etc/alpine-release":   "3.22.1\n",
			"root/lib/apk/db/installed": "P:openssl\nV:3.5.1-r0\no:openssl\n\n",
			"Dockerfile":                "FROM scratch\nARG TARGETOS TARGETARCH\nCOPY dist/${TARGETOS}-${TARGETARCH}/backend /\nCOPY root /\n",
		}, []string{"is refused: 1 finding", "new 1: CVE-1990-0010 (openssl)"}},
	} {
		client, err := door.New(door.Options{
			Token:  s.GitHub.CreateToken(githubd.Token{User: p.user}),
			APIURL: s.URLs().API, ServerURL: s.URLs().Server,
		})
		if err != nil {
			t.Fatal(err)
		}
		repo := configrepo.NewGitHub(client, door.Repository{Owner: p.owner, Name: p.repo})
		head, err := repo.Head(ctx, "main")
		if err != nil {
			t.Fatal(err)
		}
		var changes []configrepo.Change
		for path, content := range p.change {
			changes = append(changes, configrepo.Change{Path: path, Content: []byte(content)})
		}
		if _, err := repo.Commit(ctx, configrepo.Request{Branch: p.branch, Parent: head, Message: p.branch, Changes: changes}); err != nil {
			t.Fatal(err)
		}
		if err := s.GitHub.WaitIdle(ctx); err != nil {
			t.Fatal(err)
		}
		started := len(s.GitHub.Runs("acme/" + p.repo))
		if _, err := client.OpenPull(ctx, door.Repository{Owner: "acme", Name: p.repo}, door.NewPull{
			Title: p.branch, Head: p.owner + ":" + p.branch, Base: "main",
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.GitHub.WaitIdle(ctx); err != nil {
			t.Fatal(err)
		}
		runs := s.GitHub.Runs("acme/" + p.repo)[started:]
		if len(runs) != 1 || runs[0].Event != "pull_request" || runs[0].Conclusion != p.conclusion {
			t.Fatalf("%s: runs %+v", p.branch, runs)
		}
		log, err := os.ReadFile(runs[0].Log)
		if err != nil {
			t.Fatal(err)
		}
		for _, says := range append(p.says, "linux/arm64", "linux/amd64") {
			if !strings.Contains(string(log), says) {
				t.Errorf("%s: the log lacks %q:\n%s", p.branch, says, log)
			}
		}
		for _, job := range runs[0].Jobs {
			ran := job.Conclusion == "success" || job.Conclusion == "failure"
			name := strings.TrimSpace(job.Name[strings.LastIndex(job.Name, "/")+1:])
			if ran && !slices.Contains([]string{"test", "preview", "deliver"}, name) {
				t.Errorf("%s: the job %s ran", p.branch, job.Name)
			}
		}
	}
	if after := tags(ctx, t, s); after != before {
		t.Errorf("a pull request wrote to the registry: %s, before %s", after, before)
	}
}

// versionsAreTagged pushes a version tag of the commit that was delivered. No
// image is built: the one of the commit gets the names of the version.
func versionsAreTagged(ctx context.Context, t *testing.T, s *rehearsal.Sandbox) {
	t.Helper()
	env := rehearsal.Environment(os.Getenv)
	dir := t.TempDir()
	token := s.GitHub.CreateToken(githubd.Token{User: "alice"})
	address := strings.Replace(s.URLs().Server, "://", "://x-access-token:"+token+"@", 1) + "/acme/backend.git"
	started := len(s.GitHub.Runs("acme/backend"))
	for _, args := range [][]string{
		{"clone", "--quiet", address, "."}, {"tag", "v1.2.3"}, {"push", "--quiet", "origin", "v1.2.3"},
	} {
		if _, err := git.RunEnv(ctx, dir, env, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.GitHub.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	runs := s.GitHub.Runs("acme/backend")[started:]
	if len(runs) != 1 || runs[0].Conclusion != "success" {
		t.Fatalf("runs of the tag: %+v", runs)
	}
	for _, job := range runs[0].Jobs {
		if job.Conclusion == "success" && !strings.HasSuffix(job.Name, "version") && !strings.HasSuffix(job.Name, "deliver") {
			t.Errorf("the job %s ran for a version tag", job.Name)
		}
	}
	for _, want := range []string{`"1.2.3"`, `"1.2"`, `"1"`, `"latest"`} {
		if got := tags(ctx, t, s); !strings.Contains(got, want) {
			t.Errorf("no tag %s: %s", want, got)
		}
	}
}

// tags are those of the application's image.
func tags(ctx context.Context, t *testing.T, s *rehearsal.Sandbox) string {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.URLs().Registry+"/v2/acme/backend/tags/list", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(data), `"main"`) {
		t.Fatalf("tags: %d %s %v", answer.StatusCode, data, err)
	}
	return string(data)
}
