package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/imageref"
)

const (
	oldDigest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	newDigest = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

// kustomization is written as people write them: comments, their own
// indentation, quotes and order.
func kustomization(i int) string {
	return fmt.Sprintf(`# app-%[1]d in prod
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: app-%[1]d

resources:
  - ../../base   # shared
  # - ../extra

patches:
    - target: {kind: Deployment}
      patch: |-
        - op: replace
          path: /spec/replicas
          value: 3

# bumped by CI
images:
    - name: app
      newName: ghcr.io/acme/app-%[1]d
      digest: %[2]s # do not edit
    - name: "sidecar"
      newName: 'ghcr.io/acme/sidecar'
      newTag: "1.27"

labels:
- pairs: {team: "a"}
`, i, oldDigest)
}

// overlayEdits changes one digest in many kustomizations, by waybill's editor
// and by kustomize edit set image.
func overlayEdits(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-overlay-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files := make(map[string][]byte)
	for i := range e.edited {
		files[fmt.Sprintf("apps/app-%d/kustomization.yaml", i)] = []byte(kustomization(i))
	}
	var oursLines, peerLines, oursEdits, oursNew, peerNew int
	ours := func() error {
		oursLines, oursEdits, oursNew = 0, 0, 0
		for i := range e.edited {
			result, err := editOverlay(files, i)
			if err != nil {
				return err
			}
			oursEdits += len(result.Edits)
			if err := os.WriteFile(filepath.Join(dir, "ours.yaml"), result.After, 0o644); err != nil {
				return err
			}
			oursLines += changedLines(string(result.Before), string(result.After))
			oursNew += strings.Count(string(result.After), newDigest)
		}
		return nil
	}
	peer := func() error {
		peerLines, peerNew = 0, 0
		for i := range e.edited {
			before := kustomization(i)
			after, err := e.kustomizeEdit(ctx, dir, before, i)
			if err != nil {
				return err
			}
			peerLines += changedLines(before, after)
			peerNew += strings.Count(after, newDigest)
		}
		return nil
	}
	a, b, err := alternate(e.runs(5), ours, peer)
	if err != nil {
		return err
	}
	if err := same("files that name the new digest", oursNew, peerNew, e.edited); err != nil {
		return err
	}
	e.compare(
		fmt.Sprintf("One digest in each of %d kustomizations", e.edited), "waybill (in-process)",
		"`kustomize edit set image` (a process a file)", a, b,
	)
	e.printf(
		"\nChanged lines (removed and added, as `git diff --stat` counts): waybill %d (%d lines edited), kustomize %d.\n",
		oursLines, oursEdits, peerLines,
	)
	return nil
}

// kustomizeEdit is the nth kustomization once the command line has edited it.
func (e environment) kustomizeEdit(ctx context.Context, dir, before string, n int) (string, error) {
	name := filepath.Join(dir, "kustomization.yaml")
	if err := os.WriteFile(name, []byte(before), 0o644); err != nil {
		return "", err
	}
	_, err := process.Command{
		Path: e.tool("kustomize"), Dir: dir, Env: e.env,
		Args: []string{"edit", "set", "image", fmt.Sprintf("app=ghcr.io/acme/app-%d@%s", n, newDigest)},
	}.Output(ctx)
	if err != nil {
		return "", err
	}
	after, err := os.ReadFile(name)
	return string(after), err
}

// editOverlay names the new digest in the nth kustomization.
func editOverlay(files map[string][]byte, n int) (overlay.Result, error) {
	repository, err := imageref.ParseRepository(fmt.Sprintf("ghcr.io/acme/app-%d", n))
	if err != nil {
		return overlay.Result{}, err
	}
	ref, err := imageref.New(repository, newDigest)
	if err != nil {
		return overlay.Result{}, err
	}
	return overlay.Set(files, overlay.Target{Path: fmt.Sprintf("apps/app-%d", n), Image: repository}, ref)
}
