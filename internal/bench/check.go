package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
)

// checking judges a whole config repository, a process of its own from start to
// end; the peer renders the same overlays one by one and judges nothing.
func checking(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := fleet(e.root, e.checked)
	if err != nil {
		return err
	}
	files["waybill.yaml"] = fleetConfig(e.checked)
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	if _, err := git.Run(ctx, dir, "init", "--quiet", "--initial-branch=main"); err != nil {
		return err
	}
	if err := commitAll(ctx, dir, "Begin"); err != nil {
		return err
	}
	rendered := 0
	ours := func() error {
		_, err := e.check(ctx, dir)
		return err
	}
	peer := func() error {
		rendered = 0
		for i := range e.checked {
			out, err := e.kustomizeBuild(ctx, dir, i)
			if err != nil {
				return err
			}
			rendered += min(len(documentStart.FindAll(out, -1)), 1)
		}
		return nil
	}
	a, b, err := alternate(1, ours, peer)
	if err != nil {
		return err
	}
	if err := same("overlays", e.checked, rendered, e.checked); err != nil {
		return err
	}
	if err := e.allJudged(ctx, dir, files); err != nil {
		return err
	}
	e.compare(
		fmt.Sprintf("Checking a repository of %d overlays", e.checked), "`waybill check`",
		"a loop of `kustomize build`, which judges nothing", a, b,
	)
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		return err
	}
	e.printf("\nLargest resident size of any process so far: %d MB.\n", usage.Maxrss/1024)
	return nil
}

func fleetConfig(n int) []byte {
	var config strings.Builder
	config.WriteString("apiVersion: waybill.dev/v1\nenvironments: [{name: prod}]\napps:\n")
	for i := range n {
		fmt.Fprintf(&config, "  app-%d: {image: ghcr.io/acme/backend}\n", i)
	}
	return []byte(config.String())
}

func (e environment) check(ctx context.Context, dir string) ([]byte, error) {
	return process.Command{Path: e.bin("waybill"), Args: []string{"check", "--dir", dir, "--format", "json"}, Env: e.env}.Output(ctx)
}

// mostBroken is how many overlays get a fault: check shows no more of one kind.
const mostBroken = 100

// allJudged gives overlays from the first to the last a fault, and sees that check
// finds each.
func (e environment) allJudged(ctx context.Context, dir string, files map[string][]byte) error {
	step := max(1, e.checked/mostBroken)
	broken := make(map[string][]byte)
	for i := 0; i < e.checked; i += step {
		name := fmt.Sprintf("apps/app-%d/base/deployment.yaml", i)
		broken[name] = append(slices.Clone(files[name]), "\nfault: true\n"...)
	}
	if err := writeFiles(dir, broken); err != nil {
		return err
	}
	if err := commitAll(ctx, dir, "Break some"); err != nil {
		return err
	}
	out, err := e.check(ctx, dir)
	if err == nil {
		return errors.New("check finds no fault in a repository with faults")
	}
	var result struct {
		Findings []struct{ App, Message string }
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return fmt.Errorf("read what check prints: %w", err)
	}
	found := make(map[string]bool)
	for _, f := range result.Findings {
		if strings.Contains(f.Message, "fault") {
			found[f.App] = true
		}
	}
	return same("overlays with a fault", len(found), len(broken), len(broken))
}
