package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// scenario is a root and what is changed in it. GENERATION in the configuration
// is another number each time; WORLD is a directory, STATE the state's file.
type scenario struct {
	title  string
	root   string
	count  int  // resources
	create bool // every time from nothing
}

const offline = `terraform {
  backend "local" {
    path = "STATE"
  }
}

resource "terraform_data" "x" {
  count = COUNT
  input = {
    name = "resource-${count.index}"
    tags = { team = "platform", env = "prod", generation = count.index < 20 ? "GENERATION" : "0" }
    list = [for i in range(10) : "value-${i}"]
  }
}
`

const remote = `terraform {
  required_providers {
    world = { source = "waybill-dev/world" }
  }
  backend "local" {
    path = "STATE"
  }
}

provider "world" {
  latency = 250
}

resource "world_thing" "x" {
  count    = COUNT
  path     = "WORLD/${count.index}"
  settings = { name = "resource-${count.index}", generation = count.index < 20 ? "GENERATION" : "0" }
}
`

// infraGate carries a change through plan, seal, approval, gate and apply, and
// through plain terraform: init and plan in one job, init and apply in another.
func infraGate(ctx context.Context, e environment) error {
	made, changed, remoteOnes := 3*e.changed/5, e.changed, 3*e.changed/5
	scenarios := []scenario{
		{title: fmt.Sprintf("%d resources made, no API behind them", made), root: offline, count: made, create: true},
		{title: fmt.Sprintf("20 of %d resources changed, no API behind them", changed), root: offline, count: changed},
	}
	if e.worldMirror() != "" {
		scenarios = append(scenarios, scenario{
			title: fmt.Sprintf("20 of %d resources changed, each resource takes its API 250 ms", remoteOnes),
			root:  remote, count: remoteOnes,
		})
	}
	e.printf(
		"\n### A change through the gate, against plain terraform\n\nMedian of %d rounds in turn. Plain is `init` and `plan` in one "+
			"job, `init` and `apply` in the next.\n\n",
		e.runs(3),
	)
	e.printf("| | plain plan | `waybill plan`, sealed | plain apply | `gate` | `waybill apply` | all, plain | all, Waybill | " +
		"**overhead** | of processor time |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range scenarios {
		if err := e.gateScenario(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	return nil
}

// times are what plan, gate and apply took in each round.
type times struct{ clock, cpu [3][]time.Duration }

func (t *times) add(step int, clock, cpu time.Duration) {
	t.clock[step], t.cpu[step] = append(t.clock[step], clock), append(t.cpu[step], cpu)
}

// gateWorld is a GitHub with one infrastructure repository.
type gateWorld struct {
	e          environment
	s          *rehearsal.Sandbox
	dir, clone string
	env        []string
	dan        string // token of who approves
}

func (e environment) gateScenario(ctx context.Context, s scenario) error {
	dir, err := os.MkdirTemp("", "waybill-bench-gate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := e.useMirror(dir); err != nil {
		return err
	}
	w, err := newGateWorld(ctx, e, dir, s)
	if err != nil {
		return err
	}
	defer w.s.Close()
	peer := filepath.Join(dir, "peer")
	if err := e.first(ctx, s, peer, peer+".tfstate", filepath.Join(dir, "world-peer")); err != nil {
		return err
	}
	var plain, ours times
	for round := range e.runs(3) {
		if s.create {
			for _, state := range []string{"ours.tfstate", "peer.tfstate"} {
				if err := os.Remove(filepath.Join(dir, state)); err != nil && !os.IsNotExist(err) {
					return err
				}
			}
		}
		if err := w.round(ctx, s, round+1, &ours); err != nil {
			return err
		}
		if err := writeFiles(
			peer, map[string][]byte{"main.tf": s.text(round+1, peer+".tfstate", filepath.Join(dir, "world-peer"))},
		); err != nil {
			return err
		}
		if err := e.plainRound(ctx, peer, &plain); err != nil {
			return err
		}
	}
	made, peerMade := instances(filepath.Join(dir, "ours.tfstate"), e.runs(3)), instances(peer+".tfstate", e.runs(3))
	if err := same("resources of the last generation", made, peerMade, min(s.count, 20)); err != nil {
		return err
	}
	var total, cpu [2]figures
	for round := range e.runs(3) {
		total[0] = append(total[0], plain.clock[0][round]+plain.clock[2][round])
		total[1] = append(total[1], ours.clock[0][round]+ours.clock[1][round]+ours.clock[2][round])
		cpu[0] = append(cpu[0], plain.cpu[0][round]+plain.cpu[2][round])
		cpu[1] = append(cpu[1], ours.cpu[0][round]+ours.cpu[1][round]+ours.cpu[2][round])
	}
	m := func(f []time.Duration) string { return milliseconds(figures(f).median()) }
	overhead := func(f [2]figures) float64 { return 100 * (float64(f[1].median())/float64(f[0].median()) - 1) }
	e.printf(
		"| %s | %s | %s | %s | %s | %s | %s | %s | **%+.0f %%** | %+.0f %% |\n", s.title, m(plain.clock[0]), m(ours.clock[0]),
		m(plain.clock[2]), m(ours.clock[1]), m(ours.clock[2]), m(total[0]), m(total[1]), overhead(total), overhead(cpu),
	)
	return nil
}

// useMirror lets terraform take the stand-in for a cloud from where it was built.
func (e *environment) useMirror(dir string) error {
	mirror := e.worldMirror()
	if mirror == "" {
		return nil
	}
	rc := filepath.Join(dir, "terraformrc")
	e.env = append(slices.Clone(e.env), "TF_CLI_CONFIG_FILE="+rc)
	return os.WriteFile(
		rc,
		fmt.Appendf(nil, "provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\ndisable_checkpoint = true\n", mirror),
		0o600,
	)
}

// instances counts the resources of a generation in a state.
func instances(state string, generation int) int {
	data, err := os.ReadFile(state)
	if err != nil {
		return 0
	}
	var content struct {
		Resources []struct {
			Instances []struct {
				Attributes map[string]json.RawMessage `json:"attributes"`
			} `json:"instances"`
		} `json:"resources"`
	}
	if json.Unmarshal(data, &content) != nil {
		return 0
	}
	n := 0
	named := regexp.MustCompile(fmt.Sprintf(`"generation": ?"%d"`, generation))
	for _, resource := range content.Resources {
		for _, instance := range resource.Instances {
			for _, name := range []string{"input", "settings"} { // of terraform_data, of the stand-in
				if named.Match(instance.Attributes[name]) {
					n++
				}
			}
		}
	}
	return n
}

// plainRound plans and applies with terraform alone, each as a job of its own.
func (e environment) plainRound(ctx context.Context, dir string, took *times) error {
	for i, step := range [][]string{{"plan", "-input=false", "-out=tfplan"}, nil, {"apply", "-input=false", "tfplan"}} {
		if step == nil {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, ".terraform")); err != nil { // a job begins with nothing
			return err
		}
		begin, cpu := time.Now(), spent()
		if err := e.terraform(ctx, dir, "init", "-input=false"); err != nil {
			return err
		}
		if err := e.terraform(ctx, dir, step...); err != nil {
			return err
		}
		took.add(i, time.Since(begin), spent()-cpu)
	}
	return nil
}

func (s scenario) text(generation int, state, world string) []byte {
	return replaceAll(s.root, "COUNT", fmt.Sprint(s.count), "GENERATION", fmt.Sprint(generation), "STATE", state, "WORLD", world)
}

// first makes the root as it is before any change.
func (e environment) first(ctx context.Context, s scenario, dir, state, world string) error {
	if err := os.MkdirAll(world, 0o755); err != nil {
		return err
	}
	if err := writeFiles(dir, map[string][]byte{"main.tf": s.text(0, state, world)}); err != nil {
		return err
	}
	if err := e.terraform(ctx, dir, "init", "-input=false"); err != nil || s.create {
		return err
	}
	return e.terraform(ctx, dir, "apply", "-input=false", "-auto-approve")
}

func newGateWorld(ctx context.Context, e environment, dir string, s scenario) (*gateWorld, error) {
	w := &gateWorld{e: e, dir: dir, clone: filepath.Join(dir, "clone")}
	seed := filepath.Join(dir, "seed")
	root := filepath.Join(seed, "infra", "prod")
	if err := e.first(ctx, s, root, filepath.Join(dir, "ours.tfstate"), filepath.Join(dir, "world-ours")); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(root, ".terraform")); err != nil {
		return nil, err
	}
	rules := "apiVersion: waybill.dev/v1\nterraform:\n  rules:\n    - {dir: \"infra/*\", approvals: 1, from: [dan]}\n"
	if err := writeFiles(seed, map[string][]byte{"waybill.yaml": []byte(rules)}); err != nil {
		return nil, err
	}
	return w, w.start(ctx, seed)
}

// start starts the GitHub with the repository that is in seed, and clones it.
func (w *gateWorld) start(ctx context.Context, seed string) (err error) {
	e, dir := w.e, w.dir
	if w.s, err = rehearsal.Start(ctx, rehearsal.Options{
		Dir: filepath.Join(dir, "sandbox"), Act: "none", Env: rehearsal.Environment(getenv(e.env)),
	}); err != nil {
		return err
	}
	if err := w.s.GitHub.CreateRepository(ctx, githubd.Seed{Name: "acme/infra", Dir: seed}); err != nil {
		return err
	}
	w.dan = w.s.GitHub.CreateToken(githubd.Token{User: "dan"})
	token := w.s.GitHub.CreateToken(githubd.Token{
		Job: true, Repositories: []string{"acme/infra"},
		Permissions: map[string]string{"contents": "read", "pull-requests": "write", "statuses": "write"},
	})
	w.env = append(
		slices.Clone(e.env), "GITHUB_TOKEN="+token, "GITHUB_API_URL="+w.s.URLs().API, "GITHUB_SERVER_URL="+w.s.URLs().Server,
		"WAYBILL_INPUT_SEAL_KEY="+sealIdentity,
	)
	_, err = git.RunEnv(ctx, dir, gitAuthor, "clone", "--quiet", w.remote("ada"), w.clone)
	return err
}

func (w *gateWorld) remote(user string) string {
	token := w.s.GitHub.CreateToken(githubd.Token{User: user})
	return strings.Replace(w.s.URLs().Server, "http://", "http://x-access-token:"+token+"@", 1) + "/acme/infra.git"
}

// round opens a pull request, plans, approves, asks the gate, merges, applies;
// what Waybill does is timed.
func (w *gateWorld) round(ctx context.Context, s scenario, n int, took *times) error {
	branch := fmt.Sprintf("change-%d", n)
	// A job has a clone of what the rounds before have merged.
	if _, err := git.RunEnv(ctx, w.clone, gitAuthor, "fetch", "--quiet", w.remote("ada"), "main:refs/remotes/origin/main"); err != nil {
		return err
	}
	if _, err := git.RunEnv(ctx, w.clone, gitAuthor, "checkout", "--quiet", "-b", branch); err != nil {
		return err
	}
	if err := writeFiles(
		w.clone,
		map[string][]byte{"infra/prod/main.tf": s.text(n, filepath.Join(w.dir, "ours.tfstate"), filepath.Join(w.dir, "world-ours"))},
	); err != nil {
		return err
	}
	if err := commitAll(ctx, w.clone, branch); err != nil {
		return err
	}
	if _, err := git.RunEnv(ctx, w.clone, gitAuthor, "push", "--quiet", w.remote("ada"), "HEAD:refs/heads/"+branch); err != nil {
		return err
	}
	ada := w.s.GitHub.CreateToken(githubd.Token{User: "ada"})
	if err := w.api(ctx, ada, "/pulls", map[string]string{"title": branch, "body": "b", "head": branch, "base": "main"}); err != nil {
		return err
	}
	out, err := w.waybill(ctx, took, 0, "plan", "--repo", "acme/infra", "--pull-request", fmt.Sprint(n), "--checkout", w.clone,
		"--dir", "infra/prod",
		"--seal-to", sealRecipient, "--store", filepath.Join(w.dir, "store"), "--format", "json")
	if err != nil {
		return err
	}
	var summary struct{ Fingerprint string }
	if err := json.Unmarshal(out, &summary); err != nil {
		return err
	}
	if err := w.api(
		ctx, w.dan, fmt.Sprintf("/pulls/%d/reviews", n),
		map[string]string{"event": "APPROVE", "body": "approve " + summary.Fingerprint},
	); err != nil {
		return err
	}
	if _, err := w.waybill(ctx, took, 1, "gate", "--repo", "acme/infra", "--pull-request", fmt.Sprint(n)); err != nil {
		return err
	}
	if _, err := w.s.GitHub.MergePull(ctx, "acme/infra", n, "ada", "merge"); err != nil {
		return err
	}
	_, err = w.waybill(ctx, took, 2, "apply", "--repo", "acme/infra", "--pull-request", fmt.Sprint(n), "--checkout", w.clone)
	return err
}

func (w *gateWorld) waybill(ctx context.Context, took *times, step int, args ...string) ([]byte, error) {
	begin, cpu := time.Now(), spent()
	out, err := process.Command{Path: w.e.bin("waybill"), Env: w.env, Args: args}.Output(ctx)
	took.add(step, time.Since(begin), spent()-cpu)
	return out, err
}

func (w *gateWorld) api(ctx context.Context, token, path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.s.URLs().API+"/repos/acme/infra"+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode >= 300 {
		return fmt.Errorf("%s: %d %s", path, resp.StatusCode, answer)
	}
	return nil
}
