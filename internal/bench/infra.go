package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
)

const parallelRoots = 4

var gitAuthor = []string{
	"GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@example.com", "GIT_COMMITTER_NAME=bench",
	"GIT_COMMITTER_EMAIL=bench@example.com",
}

func commitAll(ctx context.Context, dir, message string) error {
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", message}} {
		if _, err := git.RunEnv(ctx, dir, gitAuthor, args...); err != nil {
			return err
		}
	}
	return nil
}

func (e environment) terraform(ctx context.Context, dir string, args ...string) error {
	program, err := process.LookPath("terraform")
	if err != nil {
		return err
	}
	_, err = process.Command{
		Path: program, Args: args, Dir: dir,
		Env: append(e.env[:len(e.env):len(e.env)], "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_INPUT=0"),
	}.Output(ctx)
	return err
}

// infraRoots plans many small roots: a process of ours, against what a shell
// script does.
func infraRoots(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-roots-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files := map[string][]byte{".gitignore": []byte(".terraform\n*.tfstate*\ntfplan\n")}
	for i := range e.roots {
		files[fmt.Sprintf("infra/r%02d/main.tf", i)] = []byte("terraform {\n  backend \"local\" {}\n}\n\nresource " +
			"\"terraform_data\" \"x\" {\n  count = 20\n  input = { name = \"r-${count.index}\" }\n}\n")
	}
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	if _, err := git.Run(ctx, dir, "init", "--quiet"); err != nil {
		return err
	}
	if err := commitAll(ctx, dir, "Begin"); err != nil {
		return err
	}
	var planned struct{ Roots []struct{ Dir string } }
	ours := func() error {
		out, err := process.Command{
			Path: e.bin("waybill"), Dir: dir, Env: e.env,
			Args: []string{"plan", "--format", "json", "--parallel", fmt.Sprint(parallelRoots)},
		}.Output(ctx)
		if err != nil {
			return err
		}
		return json.Unmarshal(out, &planned)
	}
	shell := func() error {
		const script = `for d in infra/*/; do (
	cd "$d" && rm -rf .terraform && terraform init -input=false && terraform plan -input=false -out=tfplan
) || exit 1; done > /dev/null`
		_, err := process.Command{
			Path: "/bin/sh", Args: []string{"-c", script}, Dir: dir,
			Env: append(e.env[:len(e.env):len(e.env)], "CHECKPOINT_DISABLE=1"),
		}.Output(ctx)
		return err
	}
	a, b, err := alternate(e.runs(3), ours, shell)
	if err != nil {
		return err
	}
	plans, err := filepath.Glob(filepath.Join(dir, "infra", "*", "tfplan"))
	if err != nil {
		return err
	}
	if err := same("planned roots", len(planned.Roots), len(plans), e.roots); err != nil {
		return err
	}
	e.compare(
		fmt.Sprintf("Planning %d roots of 20 resources", e.roots),
		fmt.Sprintf("`waybill plan`, %d at a time on %d cores: summary, policy, fingerprint", parallelRoots, runtime.NumCPU()),
		"a shell loop of `terraform init` and `terraform plan`", a, b,
	)
	return nil
}

func replaceAll(text string, pairs ...string) []byte {
	return []byte(strings.NewReplacer(pairs...).Replace(text))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// worldMirror is the provider that stands for a cloud whose calls take time;
// empty where make tools has not built it.
func (e environment) worldMirror() string {
	mirror := filepath.Join(e.tools, "world")
	if !isFile(filepath.Join(
		mirror, "registry.terraform.io/waybill-dev/world/1.0.0", runtime.GOOS+"_"+runtime.GOARCH, "terraform-provider-world_v1.0.0",
	)) {
		return ""
	}
	return mirror
}
