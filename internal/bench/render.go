package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/process"
)

const overlays = 200

// rendering renders many overlays over a base, in-process and by a loop of
// kustomize build.
func rendering(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-render-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := fleet(e.root, overlays)
	if err != nil {
		return err
	}
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	objects := 0
	ours := func() error {
		objects = 0
		r := render.New(files)
		for i := range overlays {
			rendered, err := r.Kustomize(fmt.Sprintf("apps/app-%d/overlays/prod", i))
			if err != nil {
				return err
			}
			objects += len(rendered)
		}
		return nil
	}
	peer := func() error {
		for i := range overlays {
			if _, err := (process.Command{Path: e.tool("kustomize"), Dir: dir, Env: e.env,
				Args: []string{"build", fmt.Sprintf("apps/app-%d/overlays/prod", i)}}).Output(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	a, b, err := alternate(3, ours, peer)
	if err != nil {
		return err
	}
	e.compare(fmt.Sprintf("Rendering %d overlays (%d objects)", overlays, objects), "waybill", "a loop of `kustomize build`", a, b)
	return nil
}

// fleet is the example's backend, many times.
func fleet(root string, n int) (map[string][]byte, error) {
	files := make(map[string][]byte)
	example := filepath.Join(root, "examples", "config", "apps", "backend")
	for _, part := range []string{"base", "overlays/prod"} {
		entries, err := os.ReadDir(filepath.Join(example, filepath.FromSlash(part)))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			data, err := os.ReadFile(filepath.Join(example, filepath.FromSlash(part), entry.Name()))
			if err != nil {
				return nil, err
			}
			for i := range n {
				files[fmt.Sprintf("apps/app-%d/%s/%s", i, part, entry.Name())] = data
			}
		}
	}
	return files, nil
}

func writeFiles(dir string, files map[string][]byte) error {
	for name, data := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
