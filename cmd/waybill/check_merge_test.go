package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

const unsignedOverlay = "resources: [d.yaml]\nimages: [{name: a, newName: registry.invalid/a, digest: \"sha256:DIGEST\"}]\n"

// checkWorld is a config repository on the stand-in with one application in
// prod, and a branch that deploys a digest that nobody signed.
type checkWorld struct {
	*configrepotest.Repo
	t     *testing.T
	token string
	head  string // of the branch evil
}

func newCheckWorld(t *testing.T) checkWorld {
	t.Helper()
	overlay := func(digit string) string {
		return strings.Replace(unsignedOverlay, "DIGEST", strings.Repeat(digit, 64), 1)
	}
	r := configrepotest.GitHub(t, map[string]string{
		"waybill.yaml": "apiVersion: waybill.dev/v1\nenvironments: [{name: prod}]\napps:\n  a: {image: " +
			"registry.invalid/a}\npolicy:\n  require: [signature]\n" +
			"  signers: [{issuer: https://i.example, workflow: \"a/b/.github/workflows/c.yml@refs/heads/main\"}]\n",
		"apps/a/overlays/prod/kustomization.yaml": overlay("0"),
		"apps/a/overlays/prod/d.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, " +
			"image: a}]}\n",
		".github/workflows/check.yml": "on: {workflow_dispatch: {inputs: {pull_request: {}, merge_group: {}}}}\njobs: {}\n",
	})
	w := checkWorld{Repo: r, t: t, token: r.Server.CreateToken(sandbox.Token{User: "ada"})}
	w.head = r.Write(t, "evil", "evil", map[string]string{"apps/a/overlays/prod/kustomization.yaml": overlay("1")})
	r.Write(t, "mine", "mine", map[string]string{"README.md": "mine\n"})
	return w
}

func (w checkWorld) check(env map[string]string, args ...string) (stderr string, code int) {
	w.t.Helper()
	all := map[string]string{
		"GITHUB_TOKEN": w.token, "GITHUB_API_URL": w.Server.APIURL(), "GITHUB_SERVER_URL": w.Server.URL(), "HOME": w.t.TempDir(),
		"WAYBILL_INPUT_TRUSTED_ROOT": `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`,
	}
	for k, v := range env {
		all[k] = v
	}
	var words bytes.Buffer
	code = program.Run(w.t.Context(), cli.Process{
		Args: append([]string{"check", "--repo", "acme/config"}, args...), Getenv: func(name string) string { return all[name] },
		Stdout: new(bytes.Buffer), Stderr: &words,
	})
	return words.String(), code
}

// The status speaks of the default branch. A pull request into one's own branch
// gets none, so there is none to take along when its base becomes main.
func TestCheckSpeaksOfTheDefaultBranch(t *testing.T) {
	t.Parallel()
	w := newCheckWorld(t)
	pull, err := w.API.OpenPull(t.Context(), w.Name, github.NewPull{Title: "t", Head: "evil", Base: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	stderr, code := w.check(nil, "--pull-request", "1")
	if got := w.Server.Statuses("acme/config", w.head); code != outcome.Done || len(got) != 0 ||
		!strings.Contains(stderr, "goes into mine, and main is what is deployed") {
		t.Errorf("into mine: exit %d, statuses %+v, %s", code, got, stderr)
	}
	w.retarget(pull.Number, "main")
	stderr, code = w.check(nil, "--pull-request", "1")
	got := w.Server.Statuses("acme/config", w.head)
	if code != outcome.Broken && code != outcome.Refused || len(got) != 1 || got[0].State == "success" {
		t.Fatalf("into main: exit %d, statuses %+v, %s", code, got, stderr)
	}
	base, err := w.Head(t.Context(), "main")
	if err != nil || !strings.HasPrefix(got[0].Description, "onto main@"+base[:10]+": ") {
		t.Errorf("the status names no base: %q, %v", got[0].Description, err)
	}
}

func (w checkWorld) retarget(number int, base string) {
	w.t.Helper()
	if err := w.Server.Retarget(w.t.Context(), "acme/config", number, base); err != nil {
		w.t.Fatal(err)
	}
}

// A merge group is judged as a whole, onto the default branch.
func TestCheckJudgesMergeGroups(t *testing.T) {
	t.Parallel()
	w := newCheckWorld(t)
	if _, code := w.check(nil, "--merge-group", w.head); code == outcome.Done {
		t.Errorf("a group with an unsigned digest: exit %d", code)
	}
	if got := w.Server.Statuses("acme/config", w.head); len(got) != 1 || got[0].State == "success" {
		t.Errorf("statuses %+v", got)
	}
	harmless, err := w.Head(t.Context(), "mine")
	if err != nil {
		t.Fatal(err)
	}
	if stderr, code := w.check(nil, "--merge-group", harmless); code != outcome.Done {
		t.Errorf("a group that deploys nothing: exit %d, %s", code, stderr)
	}
	if got := w.Server.Statuses("acme/config", harmless); len(got) != 1 || got[0].State != "success" {
		t.Errorf("statuses %+v", got)
	}
	for want, args := range map[string][]string{
		"is not a commit":         {"--merge-group", "main"},
		"both name what to judge": {"--merge-group", w.head, "--pull-request", "1"},
	} {
		if stderr, code := w.check(nil, args...); code != outcome.Usage || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit %d, %s", args, code, stderr)
		}
	}
}

// What runs the file of a merge group starts the default branch's, and judges
// nothing.
func TestCheckStartsTheDefaultBranchs(t *testing.T) {
	t.Parallel()
	w := newCheckWorld(t)
	var started []sandbox.Event
	w.Server.OnEvent(func(e sandbox.Event) {
		if e.Name == "workflow_dispatch" {
			started = append(started, e)
		}
	})
	w.token = w.Server.CreateToken(sandbox.Token{
		Job: true, Permissions: map[string]string{"actions": "write", "contents": "read"}, Repositories: []string{"acme/config"},
	})
	stderr, code := w.check(nil, "--merge-group", w.head, "--start-workflow", "check.yml")
	if code != outcome.Done || len(started) != 1 || started[0].Ref != "refs/heads/main" || started[0].Inputs["merge_group"] != w.head {
		t.Errorf("exit %d, started %+v, %s", code, started, stderr)
	}
	if got := w.Server.Statuses("acme/config", w.head); len(got) != 0 {
		t.Errorf("statuses %+v", got)
	}
}

// The status is the App's: the ruleset takes it from nobody else.
func TestCheckReportsAsTheApp(t *testing.T) {
	t.Parallel()
	w := newCheckWorld(t)
	w.Clock.Pass(time.Since(w.Clock.Now())) // an App shows itself by the clock
	id, key, err := w.Server.CreateApp(sandbox.App{Slug: "acme-waybill", Repositories: []string{"acme/config"},
		Permissions: map[string]string{
			"contents": "read", "pull-requests": "read", "statuses": "write", "metadata": "read",
		}})
	if err != nil {
		t.Fatal(err)
	}
	harmless, err := w.Head(t.Context(), "mine")
	if err != nil {
		t.Fatal(err)
	}
	w.token = ""
	stderr, code := w.check(map[string]string{"WAYBILL_INPUT_APP_ID": id, "WAYBILL_INPUT_APP_KEY": key}, "--merge-group", harmless)
	got := w.Server.Statuses("acme/config", harmless)
	if code != outcome.Done || len(got) != 1 || got[0].Creator != "acme-waybill[bot]" {
		t.Errorf("exit %d, %+v, %s", code, got, stderr)
	}
}
