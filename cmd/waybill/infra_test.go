package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd/githubtest"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

const infraRules = `apiVersion: waybill.dev/v1
terraform:
  apply: before-merge
  rules:
    - {dir: "infra/*", approvals: 1, from: [acme/dba, dan], destroy: {approvals: 2, from: [acme/dba, dan]}}
`

const infraRoot = `terraform {
  backend "local" {}
}

variable "password" {
  type      = string
  sensitive = true
}

module "service" {
  source   = "../../modules/service"
  name     = "prod"
  password = var.password
}
`

const infraModule = `variable "name" {
  type = string
}

variable "password" {
  type      = string
  sensitive = true
}

resource "terraform_data" "service" {
  input            = { name = var.name, password = var.password, list = [var.name, var.password] }
  triggers_replace = [var.name]
}
`

// secret is planted in a variable; nothing may show it.
const secret = "planted-Sesame-4711"

// infraWorld is a GitHub with an infrastructure repository and a pull request of
// ada's, planned by a job. bob and carol are in acme/dba, dan is named by the
// rule, eve is nobody.
type infraWorld struct {
	t                 *testing.T
	github            *sandbox.Server
	clone             string // of the pull request's branch
	key, recipient    string
	store             string
	jobToken, members string
	env               map[string]string
	seen              *bytes.Buffer // all that was ever printed
	clock             *atomic.Int64 // seconds that GitHub is ahead
}

func newInfraWorld(t *testing.T, files map[string]string) *infraWorld {
	t.Helper()
	tooltest.Find(t, "terraform")
	clock := new(atomic.Int64)
	server := githubtest.Start(
		t, sandbox.Options{Now: func() time.Time { return time.Now().Add(time.Duration(clock.Load()) * time.Second) }},
	)
	seed := t.TempDir()
	write(t, seed, map[string]string{
		"waybill.yaml": infraRules, "infra/prod/main.tf": infraRoot, "modules/service/main.tf": infraModule,
		".gitignore": "*.tfstate*\n",
	})
	write(t, seed, files)
	if err := server.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/infra", Dir: seed}); err != nil {
		t.Fatal(err)
	}
	server.SetTeam("acme/dba", "bob", "carol", "ada", "mallory")
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w := &infraWorld{
		t: t, github: server, key: identity.String(), recipient: identity.Recipient().String(), store: t.TempDir(),
		seen: new(bytes.Buffer), clock: clock,
	}
	w.jobToken = server.CreateToken(sandbox.Token{
		Job: true, Repositories: []string{"acme/infra"},
		Permissions: map[string]string{"contents": "read", "pull-requests": "write"},
	})
	w.members = server.CreateToken(sandbox.Token{User: "reader", Permissions: map[string]string{"members": "read"}})
	w.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": t.TempDir(), "GITHUB_API_URL": server.APIURL(), "GITHUB_SERVER_URL": server.URL(),
		"GITHUB_TOKEN": w.jobToken, "WAYBILL_INPUT_TEAM_TOKEN": w.members, "WAYBILL_INPUT_SEAL_KEY": w.key, "TF_VAR_password": secret,
	}
	if gogc := os.Getenv("GOGC"); gogc != "" {
		w.env["GOGC"] = gogc
	}
	job := t.TempDir()
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		w.env[name] = filepath.Join(job, name)
		write(t, job, map[string]string{name: ""})
	}
	w.clone = w.cloneAs("ada")
	w.git(w.clone, "checkout", "-q", "-b", "change")
	return w
}

// open makes the pull request of what files change, pushed and opened by user.
func (w *infraWorld) open(user string, files map[string]string) {
	w.t.Helper()
	w.push("ada", files)
	w.api(user, "POST", "/repos/acme/infra/pulls", `{"title":"t","body":"b","head":"change","base":"main"}`)
}

// ready opens a pull request of ada's, plans it, and gives the fingerprint.
func ready(t *testing.T) (*infraWorld, plan.Fingerprint) {
	t.Helper()
	w := newInfraWorld(t, nil)
	w.open("ada", map[string]string{"infra/prod/note.tf": "output \"note\" {\n  value = \"hello\"\n}\n"})
	return w, w.plan()
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *infraWorld) git(dir string, args ...string) string {
	w.t.Helper()
	out, err := git.RunEnv(
		w.t.Context(), dir,
		[]string{"GIT_AUTHOR_NAME=ada", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=ada", "GIT_COMMITTER_EMAIL=a@example.com"},
		args...,
	)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *infraWorld) token(user string) string {
	return w.github.CreateToken(sandbox.Token{
		User:        user,
		Permissions: map[string]string{"contents": "write", "pull-requests": "write", "actions": "write", "statuses": "write"},
	})
}

func (w *infraWorld) remote(user string) string {
	return strings.Replace(w.github.URL(), "http://", "http://x-access-token:"+w.token(user)+"@", 1) + "/acme/infra.git"
}

func (w *infraWorld) cloneAs(user string) string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "clone")
	w.git(w.t.TempDir(), "clone", "-q", w.remote(user), dir)
	return dir
}

// push commits files on the pull request's branch and pushes it as user.
func (w *infraWorld) push(user string, files map[string]string) string {
	w.t.Helper()
	write(w.t, w.clone, files)
	w.git(w.clone, "add", "-A")
	w.git(w.clone, "commit", "-q", "--allow-empty", "-m", "change")
	w.git(w.clone, "push", "-q", "--force", w.remote(user), "HEAD:refs/heads/change")
	return w.git(w.clone, "rev-parse", "HEAD")
}

func (w *infraWorld) api(user, method, path, body string) map[string]any {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.github.APIURL()+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token(user))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, data, err)
	}
	var answer map[string]any
	_ = json.Unmarshal(data, &answer)
	return answer
}

// apiList reads a list.
func (w *infraWorld) apiList(user, path string) []map[string]any {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.github.APIURL()+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token(user))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		w.t.Fatal(err)
	}
	return list
}

// review submits a review and gives its id.
func (w *infraWorld) review(user, event, body string) string {
	w.t.Helper()
	text, _ := json.Marshal(map[string]string{"event": event, "body": body})
	return fmt.Sprintf("%.0f", w.api(user, "POST", "/repos/acme/infra/pulls/1/reviews", string(text))["id"])
}

// reviewOf approves the plan of another pull request than the first.
func (w *infraWorld) reviewOf(n int, user string, f plan.Fingerprint) {
	w.t.Helper()
	text, _ := json.Marshal(map[string]string{"event": "APPROVE", "body": "approve " + f.Short()})
	w.api(user, "POST", fmt.Sprintf("/repos/acme/infra/pulls/%d/reviews", n), string(text))
}

// terraform runs the real one in a directory.
func (w *infraWorld) terraform(dir string, args ...string) {
	w.t.Helper()
	command := process.Command{Path: "terraform", Args: args, Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.t.TempDir()}}
	if err := command.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *infraWorld) approve(user string, f plan.Fingerprint) string {
	return w.review(user, "APPROVE", "fine\n\napprove "+f.Short())
}

func (w *infraWorld) comment(user, body string) string {
	w.t.Helper()
	text, _ := json.Marshal(map[string]string{"body": body})
	return fmt.Sprintf("%.0f", w.api(user, "POST", "/repos/acme/infra/issues/1/comments", string(text))["id"])
}

func (w *infraWorld) merge() string {
	w.t.Helper()
	sha, err := w.github.MergePull(w.t.Context(), "acme/infra", 1, "ada", "squash")
	if err != nil {
		w.t.Fatal(err)
	}
	return sha
}

// run runs the real program; its words and results are kept for the search for
// secrets.
func (w *infraWorld) run(args ...string) (code int, out, words string) {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	code = program.Run(w.t.Context(), cli.Process{
		Args: args, Getenv: func(name string) string { return w.env[name] }, Stdout: &stdout, Stderr: &stderr,
	})
	w.seen.Write(stdout.Bytes())
	w.seen.Write(stderr.Bytes())
	return code, stdout.String(), stderr.String()
}

// event makes what runs next a job that the event started.
func (w *infraWorld) event(name string, payload map[string]any) {
	w.t.Helper()
	data, err := json.Marshal(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.t.TempDir(), "event.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	for key, value := range map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": path, "GITHUB_REPOSITORY": "acme/infra",
	} {
		w.env[key] = value
	}
}

func (w *infraWorld) plan(args ...string) plan.Fingerprint {
	w.t.Helper()
	code, out, words := w.run(append(
		[]string{
			"plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--seal-to", w.recipient, "--store",
			w.store, "--format", "json",
		},
		args...,
	)...)
	if code != 0 {
		w.t.Fatalf("plan ended with %d: %s", code, words)
	}
	var summary struct{ Fingerprint plan.Fingerprint }
	if err := json.Unmarshal([]byte(out), &summary); err != nil {
		w.t.Fatal(err)
	}
	return summary.Fingerprint
}

func (w *infraWorld) gate(args ...string) (int, string, string) {
	w.t.Helper()
	return w.run(append([]string{"gate", "--repo", "acme/infra", "--pull-request", "1"}, args...)...)
}

func (w *infraWorld) apply(args ...string) (int, string, string) {
	w.t.Helper()
	return w.run(append(
		[]string{"apply", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--lock-timeout", "1s"}, args...,
	)...)
}

func (w *infraWorld) state() string {
	data, err := os.ReadFile(filepath.Join(w.clone, "infra/prod/terraform.tfstate"))
	if err != nil {
		return ""
	}
	return string(data)
}

// wants asserts exit code and words, and that nothing was applied where it was
// not to be.
func (w *infraWorld) wants(what string, code, want int, words string, texts ...string) {
	w.t.Helper()
	if code != want {
		w.t.Errorf("%s ended with %d, want %d: %s", what, code, want, words)
	}
	for _, text := range texts {
		if !regexp.MustCompile(text).MatchString(words) {
			w.t.Errorf("%s does not say %q: %s", what, text, words)
		}
	}
}

// noSecrets searches everything that left the job, byte by byte.
func (w *infraWorld) noSecrets(secrets ...string) {
	w.t.Helper()
	places := map[string]string{"output and log": w.seen.String()}
	for _, p := range w.github.Pulls("acme/infra") {
		places["comments"] += strings.Join(p.Comments, "\n")
		for _, s := range w.apiList("ada", "/repos/acme/infra/commits/"+p.HeadSHA+"/statuses") {
			places["statuses"] += fmt.Sprint(s)
		}
	}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		places[name] = read(w.t, w.env[name])
	}
	for _, dir := range []string{w.store, w.clone} {
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			name := filepath.Base(path)
			if err != nil || entry.IsDir() && name == ".git" {
				return filepath.SkipDir
			}
			if entry.IsDir() || strings.HasPrefix(name, "terraform.tfstate") || strings.HasPrefix(name, ".terraform.tfstate") {
				return nil // the backend, in these tests
			}
			places[name] = read(w.t, path)
			if strings.HasSuffix(name, ".sigstore.json") {
				_, _, predicate := statement(w.t, []byte(places[name]))
				places["statement of "+name] = fmt.Sprint(predicate)
			}
			return nil
		})
		if err != nil && !strings.HasPrefix(dir, "oci://") {
			w.t.Fatal(err)
		}
	}
	for place, text := range places {
		for _, s := range append(secrets, w.key, w.jobToken, w.members) {
			if strings.Contains(text, s) {
				w.t.Errorf("%s holds a secret", place)
			}
		}
	}
}

// postAs comments on the first pull request with a token.
func (w *infraWorld) postAs(token, body string) {
	w.t.Helper()
	text, _ := json.Marshal(map[string]string{"body": body})
	w.send(token, http.MethodPost, "/repos/acme/infra/issues/1/comments", string(text))
}

// editFirstComment changes the text of the first comment by its author's means.
func (w *infraWorld) editFirstComment(body string) {
	w.t.Helper()
	first := w.apiList("ada", "/repos/acme/infra/issues/1/comments")[0]
	text, _ := json.Marshal(map[string]string{"body": body})
	w.send(w.jobToken, http.MethodPatch, fmt.Sprintf("/repos/acme/infra/issues/comments/%.0f", first["id"]), string(text))
}

func (w *infraWorld) send(token, method, path, body string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.github.APIURL()+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		data, _ := io.ReadAll(resp.Body)
		w.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, data)
	}
}

func (w *infraWorld) firstClaim() comment.Claim {
	w.t.Helper()
	claim, ok := comment.ReadClaim(w.github.Pulls("acme/infra")[0].Comments[0])
	if !ok {
		w.t.Fatal("the first comment is no plan")
	}
	return claim
}

func (w *infraWorld) keyFile() string {
	w.t.Helper()
	dir := w.t.TempDir()
	write(w.t, dir, map[string]string{"key.txt": w.key})
	return filepath.Join(dir, "key.txt")
}
