package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// matrixSeed writes a repository of many roots in four environments, each with a
// provider that stands for a cloud's where make tools has built it.
func (w *gateWorld) matrixSeed(ctx context.Context, seed string, generation int) error {
	text, lock := offline, []byte(nil)
	if w.e.worldMirror() != "" {
		text = remote
		one := filepath.Join(w.dir, "one")
		s := scenario{root: remote, count: 1, create: true}
		if err := w.e.first(ctx, s, one, one+".tfstate", filepath.Join(w.dir, "world")); err != nil {
			return err
		}
		var err error
		if lock, err = os.ReadFile(filepath.Join(one, ".terraform.lock.hcl")); err != nil {
			return err
		}
	}
	files := make(map[string][]byte)
	rules := "apiVersion: waybill.dev/v1\nterraform:\n  rules:\n    - {dir: \"infra/**\", approvals: 1, from: [dan]}\n  environments:\n"
	for i := range w.e.spread {
		name := fmt.Sprintf("infra/e%d/r%04d", i%environments, i)
		state := filepath.Join(w.dir, "states", fmt.Sprintf("%04d.tfstate", i))
		files[name+"/main.tf"] = (scenario{root: text, count: 2}).text(generation, state, filepath.Join(w.dir, "world"))
		if lock != nil {
			files[name+"/.terraform.lock.hcl"] = lock
		}
	}
	for i := range environments {
		rules += fmt.Sprintf("    - {dir: \"infra/e%d/*\", name: infra-e%d}\n", i, i)
	}
	files["waybill.yaml"] = []byte(rules)
	return writeFiles(seed, files)
}

const environments = 3

// infraMatrix plans a pull request that touches very many roots as a matrix of jobs
// does, one job after the other, and joins what they planned.
func infraMatrix(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-matrix-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := e.useMirror(dir); err != nil {
		return err
	}
	w := &gateWorld{e: e, dir: dir, clone: filepath.Join(dir, "clone")}
	seed := filepath.Join(dir, "seed")
	if err := w.matrixSeed(ctx, seed, 0); err != nil {
		return err
	}
	if err := w.start(ctx, seed); err != nil {
		return err
	}
	defer w.s.Close()
	if err := w.matrixPull(ctx); err != nil {
		return err
	}
	return w.matrixJobs(ctx)
}

// matrixJobs runs the jobs of the matrix and what follows them.
func (w *gateWorld) matrixJobs(ctx context.Context) error {
	e, dir := w.e, w.dir
	plan := func(took *times, args ...string) ([]byte, error) {
		return w.waybill(ctx, took, 0, append([]string{
			"plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--changed-since", "origin/main",
			"--seal-to", sealRecipient, "--store", filepath.Join(dir, "store"), "--run", "1", "--format", "json",
		}, args...)...)
	}
	var listed, jobs, joined, gated times
	out, err := plan(&listed, "--list")
	if err != nil {
		return err
	}
	var said struct {
		Matrix struct{ Include []struct{ Group string } }
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return err
	}
	for _, job := range said.Matrix.Include {
		if _, err := plan(&jobs, "--group", job.Group); err != nil {
			return err
		}
	}
	if out, err = plan(&joined, "--join"); err != nil {
		return err
	}
	var made struct {
		Fingerprint string
		Roots       []struct{ Dir string }
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return err
	}
	if err := same("planned roots", len(made.Roots), e.spread, e.spread); err != nil {
		return err
	}
	review := map[string]string{"event": "APPROVE", "body": "approve " + made.Fingerprint}
	if err := w.api(ctx, w.dan, "/pulls/1/reviews", review); err != nil {
		return err
	}
	if _, err := w.waybill(ctx, &gated, 1, "gate", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone); err != nil {
		return err
	}
	e.printf(
		"\n### A pull request of %d roots in %d jobs\n\nThe jobs ran one after the other here, each on all cores. On GitHub they run at "+
			"the same time.\n\n| | |\n|---|---|\n| `plan --list` | %s |\n| `plan --group`, a job | %s |\n| all of them together | %s |\n"+
			"| `plan --join` | %s |\n| `gate` | %s |\n| comments | %d |\n",
		e.spread, len(jobs.clock[0]), milliseconds(listed.clock[0][0]), figures(jobs.clock[0]), milliseconds(sum(jobs.clock[0])),
		milliseconds(joined.clock[0][0]), milliseconds(gated.clock[1][0]), len(w.s.GitHub.Pulls("acme/infra")[0].Comments),
	)
	return nil
}

func sum(list []time.Duration) (all time.Duration) {
	for _, d := range list {
		all += d
	}
	return all
}

// matrixPull opens a pull request that changes every root.
func (w *gateWorld) matrixPull(ctx context.Context) error {
	if err := w.matrixSeed(ctx, w.clone, 1); err != nil {
		return err
	}
	if _, err := git.RunEnv(ctx, w.clone, gitAuthor, "checkout", "--quiet", "-b", "all"); err != nil {
		return err
	}
	if err := commitAll(ctx, w.clone, "Change all"); err != nil {
		return err
	}
	if _, err := git.RunEnv(ctx, w.clone, gitAuthor, "push", "--quiet", w.remote("ada"), "HEAD:refs/heads/all"); err != nil {
		return err
	}
	ada := w.s.GitHub.CreateToken(githubd.Token{User: "ada"})
	return w.api(ctx, ada, "/pulls", map[string]string{"title": "all", "body": "b", "head": "all", "base": "main"})
}
