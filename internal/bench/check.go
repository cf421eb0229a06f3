package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
)

const checked = 1000

// checking judges a whole config repository, a process of its own from start to
// end; the peer renders the same overlays one by one and judges nothing.
func checking(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := fleet(e.root, checked)
	if err != nil {
		return err
	}
	var config strings.Builder
	config.WriteString("apiVersion: waybill.dev/v1\nenvironments: [{name: prod}]\napps:\n")
	for i := range checked {
		fmt.Fprintf(&config, "  app-%d: {image: ghcr.io/acme/demo-api}\n", i)
	}
	files["waybill.yaml"] = []byte(config.String())
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	author := []string{
		"GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@example.com", "GIT_COMMITTER_NAME=bench",
		"GIT_COMMITTER_EMAIL=bench@example.com",
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"}, {"commit", "--quiet", "--message", "Begin"},
	} {
		if _, err := git.RunEnv(ctx, dir, append(slices.Clone(e.env), author...), args...); err != nil {
			return err
		}
	}
	ours := func() error {
		_, err := process.Command{Path: e.bin("waybill"), Args: []string{"check", "--dir", dir}, Env: e.env}.Output(ctx)
		return err
	}
	peer := func() error {
		for i := range checked {
			if _, err := (process.Command{Path: e.tool("kustomize"), Dir: dir, Env: e.env,
				Args: []string{"build", fmt.Sprintf("apps/app-%d/overlays/prod", i)}}).Output(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	a, b, err := alternate(1, ours, peer)
	if err != nil {
		return err
	}
	e.compare(
		fmt.Sprintf("Checking a repository of %d overlays", checked), "`waybill check`",
		"a loop of `kustomize build`, which judges nothing", a, b,
	)
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		return err
	}
	e.printf("\nLargest resident size of any process so far: %d MB.\n", usage.Maxrss/1024)
	return nil
}
