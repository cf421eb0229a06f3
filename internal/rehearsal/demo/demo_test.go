package demo_test

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	door "github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/github/apps"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/demo"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// TestDelivery runs what make demo runs, and holds what came out against what
// should have: by looking at the repositories, the registry and the logs.
func TestDelivery(t *testing.T) {
	t.Parallel()
	root := tooltest.Root(t)
	for _, name := range []string{"waybill", "waybill-scan"} {
		if _, err := os.Stat(filepath.Join(root, "bin", name)); err != nil {
			t.Skipf("needs bin/%s: run make build", name)
		}
	}
	for _, tool := range []string{"fulcio", "rekor-server", "timestamp-server"} {
		tooltest.Find(t, tool)
	}
	var out bytes.Buffer
	dir := t.TempDir()
	o := demo.Options{
		Root: root, Dir: dir, Tools: filepath.Dir(tooltest.Find(t, "act")), Env: rehearsal.Environment(os.Getenv), Out: &out,
		Logf: t.Logf,
	}
	o.After = func(ctx context.Context, s *rehearsal.Sandbox, r *demo.Report) error {
		checkRegistry(t, r)
		refusesUnsigned(ctx, t, s)
		askingStartsNothingElse(t, s)
		humanEditGoesRed(ctx, t, s)
		branchesAreOnlyTested(ctx, t, s)
		versionsAreTagged(ctx, t, s)
		severalImages(ctx, t, s)
		pullRequestsAreBuilt(ctx, t, s, filepath.Join(dir, "seed", "app"))
		frontendFollows(ctx, t, s, o.Tools)
		queueIsJudged(ctx, t, s)
		examplesStand(t, s)
		return nil
	}
	r, err := demo.Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out.String(), failedLog(dir))
	}
	checkRuns(t, r, demo.Supported(o.Tools) == nil)
	checkPulls(t, r)
	noSecrets(t, filepath.Join(dir, "runs"))
	if t.Failed() {
		t.Log(out.String())
	}
}

func checkRuns(t *testing.T, r *demo.Report, frontend bool) {
	t.Helper()
	var got []string
	for _, run := range r.Runs {
		got = append(got, run.Repository+" "+filepath.Base(run.Path)+" "+run.Event+" "+run.Conclusion)
	}
	want := []string{
		"acme/backend ci.yml push success",
		"acme/config bump.yml deployment success",           // asked for by the application's run
		"acme/config promote.yml push success",              // by bump's commit, which is an App's
		"acme/config check.yml pull_request_target success", // by the App's pull request
		"acme/config promote.yml push success",              // by the merge
		"acme/config check.yml pull_request_target success",
	}
	if frontend {
		want = append(want, "acme/frontend ci.yml push success", want[1], want[2], want[3])
	}
	if !slices.Equal(got, want) {
		t.Errorf("runs\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func checkPulls(t *testing.T, r *demo.Report) {
	t.Helper()
	if len(r.Pulls) < 2 {
		t.Fatalf("%d pull requests, want 2 of the backend", len(r.Pulls))
	}
	r.Pulls = r.Pulls[:2]
	staging, prod := r.Pulls[0], r.Pulls[1]
	if !staging.Merged || staging.HeadRef != "waybill/staging/backend" || r.Checks[staging.Number].State != "success" {
		t.Errorf("staging: %+v, check %+v", staging, r.Checks[staging.Number])
	}
	if prod.State != "open" || prod.HeadRef != "waybill/prod/backend" || r.Checks[prod.Number].State != "pending" ||
		!strings.Contains(r.Checks[prod.Number].Description, "soak") {
		t.Errorf("prod: %+v, check %+v", prod, r.Checks[prod.Number])
	}
	if !slices.Contains(prod.Teams, "platform") {
		t.Errorf("teams asked to review prod: %v", prod.Teams)
	}
	for _, p := range r.Pulls {
		for _, want := range []string{
			r.Image.Digest(), "linux/amd64, linux/arm64", "acme/config/.github/workflows/deliver.yml", "**scan**", "```diff",
			"waybill rollback --app backend",
		} {
			if !strings.Contains(p.Body, want) {
				t.Errorf("pull request #%d does not say %q:\n%s", p.Number, want, p.Body)
			}
		}
	}
}

// checkRegistry asks the public command line whether the image is whole.
func checkRegistry(t *testing.T, r *demo.Report) {
	t.Helper()
	out, err := process.Command{
		Path: tooltest.Find(t, "crane"), Args: []string{"validate", "--remote", r.Image.String()},
		Env: []string{"HOME=" + t.TempDir()},
	}.Output(t.Context())
	if err != nil {
		t.Errorf("crane validate: %v\n%s", err, out)
	}
	tags, err := process.Command{
		Path: tooltest.Find(t, "crane"), Args: []string{"ls", r.Image.Repository()}, Env: []string{"HOME=" + t.TempDir()},
	}.Output(t.Context())
	if err != nil || !regexp.MustCompile(`^1\nmain\nsha-[0-9a-f]{7}\n$`).Match(tags) {
		t.Errorf("the image is not tagged by run, branch and commit, and nothing else: %q %v", tags, err)
	}
}

// refusesUnsigned asks for a digest without evidence, as the application could.
func refusesUnsigned(ctx context.Context, t *testing.T, s *rehearsal.Sandbox) {
	t.Helper()
	before := len(s.GitHub.Runs("acme/config"))
	unsigned := s.URLs().Registry + "/acme/backend@" + pushEmpty(t, s.URLs().Registry)
	token := s.GitHub.CreateToken(githubd.Token{
		User: "mallory", Repositories: []string{"acme/config"}, Permissions: map[string]string{"deployments": "write"},
	})
	out, err := process.Command{Path: filepath.Join(tooltest.Root(t), "bin", "waybill"),
		Args: []string{
			"bump", unsigned, "--app", "backend", "--env", "dev", "--repo", "acme/config", "--branch", "main", "--via",
			"deployment",
		},
		Env: []string{
			"HOME=" + t.TempDir(), "GITHUB_TOKEN=" + token, "GITHUB_API_URL=" + s.URLs().API,
			"GITHUB_SERVER_URL=" + s.URLs().Server,
		}}.Output(ctx)
	var failed *process.Error
	if !asProcessError(err, &failed) || failed.Code != 3 || !strings.Contains(failed.Stderr, "acme/config refused: ") {
		t.Errorf("an unsigned digest: %v %s", err, out)
	}
	if err := s.GitHub.WaitIdle(ctx); err != nil { // the answer comes before the run has ended
		t.Fatal(err)
	}
	runs := s.GitHub.Runs("acme/config")
	if len(runs) != before+1 || runs[len(runs)-1].Conclusion != "failure" {
		t.Fatalf("%d runs, want one more than %d, failed", len(runs), before)
	}
	log, err := os.ReadFile(runs[len(runs)-1].Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"signature", "provenance", "sbom", "scan"} {
		if !regexp.MustCompile(`(?i)` + kind + `.*no `).Match(log) {
			t.Errorf("the refusal gives no reason for %s", kind)
		}
	}
}

// humanEditGoesRed opens a pull request, as a person, that writes an unsigned
// digest into prod and weakens the policy with it.
func humanEditGoesRed(ctx context.Context, t *testing.T, s *rehearsal.Sandbox) {
	t.Helper()
	token := s.GitHub.CreateToken(githubd.Token{
		User: "carol", Repositories: []string{"acme/config"},
		Permissions: map[string]string{"contents": "write", "pull-requests": "write"},
	})
	client, err := door.New(door.Options{Token: token, APIURL: s.URLs().API, ServerURL: s.URLs().Server})
	if err != nil {
		t.Fatal(err)
	}
	name := door.Repository{Owner: "acme", Name: "config"}
	repo := configrepo.NewGitHub(client, name)
	head, err := repo.Head(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	const overlay = "apps/backend/overlays/prod/kustomization.yaml"
	data, err := repo.File(ctx, head, overlay)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := repo.File(ctx, head, "waybill.yaml")
	if err != nil {
		t.Fatal(err)
	}
	edited := regexp.MustCompile(`sha256:[0-9a-f]{64}`).ReplaceAll(data, []byte(pushEmpty(t, s.URLs().Registry)))
	weaker := regexp.MustCompile(`require: .*`).ReplaceAll(rules, []byte("require: []"))
	if _, err := repo.Commit(ctx, configrepo.Request{Branch: "hotfix", Parent: head, Message: "Hotfix", Changes: []configrepo.Change{
		{Path: overlay, Content: edited}, {Path: "waybill.yaml", Content: weaker},
	}}); err != nil {
		t.Fatal(err)
	}
	// Into a branch of her own first: no status that could be taken along.
	if _, err := repo.Commit(ctx, configrepo.Request{
		Branch: "mine", Parent: head, Message: "Mine", Changes: []configrepo.Change{{Path: "MINE.md", Content: []byte("mine\n")}},
	}); err != nil {
		t.Fatal(err)
	}
	pull, err := client.OpenPull(ctx, name, door.NewPull{Title: "Hotfix", Head: "hotfix", Base: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.GitHub.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	if statuses := s.GitHub.Statuses("acme/config", pull.HeadSHA); len(statuses) != 0 {
		t.Errorf("statuses of a pull request into another branch: %+v", statuses)
	}
	if err := s.GitHub.Retarget(ctx, "acme/config", pull.Number, "main"); err != nil {
		t.Fatal(err)
	}
	if err := s.GitHub.WaitIdle(ctx); err != nil {
		t.Fatal(err)
	}
	statuses := s.GitHub.Statuses("acme/config", pull.HeadSHA)
	if len(statuses) != 1 || statuses[0].Context != "waybill/check" || statuses[0].State != "failure" ||
		statuses[0].Creator != demo.MoveApp.Slug+"[bot]" {
		t.Errorf("statuses of a pull request with an unsigned digest: %+v", statuses)
	}
	// Then by a status of her own, and one of a workflow's token.
	for _, by := range []githubd.Token{{User: "carol"}, {
		Job: true, Permissions: map[string]string{"statuses": "write"}, Repositories: []string{"acme/config"},
	}} {
		if status := post(
			t, s.GitHub.CreateToken(by), s.URLs().API+"/repos/acme/config/statuses/"+pull.HeadSHA,
			`{"state":"success","context":"waybill/check"}`,
		); status != http.StatusCreated {
			t.Errorf("status by %+v: %d", by, status)
		}
		if _, err := s.GitHub.MergePull(ctx, "acme/config", pull.Number, "carol", "merge"); err == nil ||
			!strings.Contains(err.Error(), `"waybill/check" is expected`) {
			t.Errorf("merged by a status of %+v: %v", by, err)
		}
	}
}

func asProcessError(err error, into **process.Error) bool {
	e, ok := err.(*process.Error)
	*into = e
	return ok
}

// pushEmpty pushes an image that nobody signed and gives its digest.
func pushEmpty(t *testing.T, host string) string {
	t.Helper()
	layer := filepath.Join(t.TempDir(), "layer.tar")
	if err := os.WriteFile(layer, make([]byte, 1024), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := process.Command{Path: tooltest.Find(t, "crane"), Env: []string{"HOME=" + t.TempDir()},
		Args: []string{"append", "--new_layer", layer, "--new_tag", host + "/acme/unsigned:x"}}.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, digest, _ := strings.Cut(strings.TrimSpace(string(out)), "@")
	if _, err := (process.Command{Path: tooltest.Find(t, "crane"), Env: []string{"HOME=" + t.TempDir()},
		Args: []string{"copy", host + "/acme/unsigned@" + digest, host + "/acme/backend:mallory"}}).Output(t.Context()); err != nil {
		t.Fatal(err)
	}
	return digest
}

// askingStartsNothingElse tries what somebody with the application's key could:
// none of it starts, stops or changes anything but a bump.
func askingStartsNothingElse(t *testing.T, s *rehearsal.Sandbox) {
	t.Helper()
	secrets, vars := s.GitHub.Variables("acme/backend")
	app := apps.App{ID: vars["WAYBILL_ASK_APP_ID"], Key: secrets["WAYBILL_ASK_APP_KEY"]}
	options, config := door.Options{APIURL: s.URLs().API, ServerURL: s.URLs().Server}, door.Repository{Owner: "acme", Name: "config"}
	token, err := apps.Token(t.Context(), options, app, config, map[string]string{"deployments": "write"})
	if err != nil {
		t.Fatal(err)
	}
	for scope := range demo.MoveApp.Permissions {
		if _, err := apps.Token(t.Context(), options, app, config, map[string]string{scope: "write"}); err == nil ||
			!strings.Contains(err.Error(), "lacks a permission") {
			t.Errorf("the application's App can get a token with %s: %v", scope, err)
		}
	}
	before, main := len(s.GitHub.Runs("acme/config")), mainOf(t, s)
	for path, body := range map[string]string{
		"/git/refs": `{"ref":"refs/heads/x","sha":"0000000000000000000000000000000000000000"}`,
		"/pulls":    `{"title":"x","head":"x","base":"main"}`,
		"/actions/workflows/rollback.yml/dispatches":        `{"ref":"main","inputs":{"app":"backend","env":"dev","reason":"x"}}`,
		"/actions/workflows/rollback-direct.yml/dispatches": `{"ref":"main","inputs":{"app":"backend","env":"dev","reason":"x"}}`,
		"/actions/workflows/bump.yml/dispatches":            `{"ref":"main","inputs":{"image":"x","app":"backend","env":"dev"}}`,
		"/dispatches":                                       `{"event_type":"x"}`,
		"/statuses/" + main:                                 `{"state":"success","context":"waybill/check"}`,
		"/issues/1/comments":                                `{"body":"x"}`,
	} {
		if status := post(t, token, s.URLs().API+"/repos/acme/config"+path, body); status != http.StatusForbidden {
			t.Errorf("POST %s with the application's token: %d, want 403", path, status)
		}
	}
	if after := len(s.GitHub.Runs("acme/config")); after != before || mainOf(t, s) != main {
		t.Errorf("%d runs, were %d; main is %s, was %s", after, before, mainOf(t, s), main)
	}
	// Its own deployments, at a ref or with a task that is not the bump's, bump
	// nothing: the run of main's file skips the job, and another ref's has no key.
	if err := s.GitHub.WaitIdle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"ref":"main","task":"deploy","payload":{"image":"x","app":"backend","env":"dev"},"required_contexts":[]}`,
		`{"ref":"` + main + `","task":"waybill-bump","payload":{"image":"x","app":"backend","env":"dev"},"required_contexts":[]}`,
	} {
		if status := post(t, token, s.URLs().API+"/repos/acme/config/deployments", body); status != http.StatusCreated {
			t.Errorf("deployment: %d", status)
		}
		if err := s.GitHub.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
		runs := s.GitHub.Runs("acme/config")
		for _, job := range runs[len(runs)-1].Jobs {
			if job.Conclusion != "skipped" {
				t.Errorf("%s: job %s %s", body, job.Name, job.Conclusion)
			}
		}
	}
	if secrets, _ := s.GitHub.RunVariables("acme/config", "", []string{"waybill"}); secrets["WAYBILL_APP_KEY"] != "" {
		t.Error("a deployment of a commit gets the key that moves digests")
	}
}

func mainOf(t *testing.T, s *rehearsal.Sandbox) string {
	t.Helper()
	sha, err := git.Run(t.Context(), s.GitHub.GitDir("acme/config"), "rev-parse", "main")
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

func post(t *testing.T, token, address, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

var token = regexp.MustCompile(`gh[ps]_[0-9a-f]{20,}`)

// noSecrets looks for tokens in everything that the runs left behind.
func noSecrets(t *testing.T, dir string) {
	t.Helper()
	logs := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".log") {
			logs++
		}
		if found := token.Find(data); found != nil {
			t.Errorf("%s holds a token", path)
		}
		return nil
	})
	if err != nil || logs < 6 {
		t.Errorf("%d logs looked through, %v", logs, err)
	}
}

// failedLog is the end of the newest log, for a failure in CI where nobody can
// look.
func failedLog(dir string) string {
	logs, _ := filepath.Glob(filepath.Join(dir, "runs", "*.log"))
	slices.SortFunc(logs, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	if len(logs) == 0 {
		return ""
	}
	data, _ := os.ReadFile(logs[len(logs)-1])
	return string(data[max(0, len(data)-4000):])
}
