package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/process"
)

// rendering renders many overlays over a base, in-process and by a loop of
// kustomize build.
func rendering(ctx context.Context, e environment) error {
	dir, err := os.MkdirTemp("", "waybill-bench-render-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	files, err := fleet(e.root, e.rendered)
	if err != nil {
		return err
	}
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	objects, shown := 0, 0
	ours := func() error {
		objects = 0
		r := render.New(files)
		for i := range e.rendered {
			rendered, err := r.Kustomize(fmt.Sprintf("apps/app-%d/overlays/prod", i))
			if err != nil {
				return err
			}
			objects += len(rendered)
		}
		return nil
	}
	peer := func() error {
		shown = 0
		for i := range e.rendered {
			out, err := e.kustomizeBuild(ctx, dir, i)
			if err != nil {
				return err
			}
			shown += len(documentStart.FindAll(out, -1))
		}
		return nil
	}
	a, b, err := alternate(e.runs(3), ours, peer)
	if err != nil {
		return err
	}
	if err := same("objects", objects, shown, objects); err != nil {
		return err
	}
	e.compare(fmt.Sprintf("Rendering %d overlays (%d objects)", e.rendered, objects), "waybill", "a loop of `kustomize build`", a, b)
	return nil
}

// kustomizeBuild renders the nth overlay of a fleet by the command line.
func (e environment) kustomizeBuild(ctx context.Context, dir string, n int) ([]byte, error) {
	return process.Command{
		Path: e.tool("kustomize"), Dir: dir, Env: e.env, Args: []string{"build", fmt.Sprintf("apps/app-%d/overlays/prod", n)},
	}.Output(ctx)
}

// documentStart is the kind of an object that kustomize prints.
var documentStart = regexp.MustCompile(`(?m)^kind: `)

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
