package history_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// The public command lines render what Waybill bumped to the new digest, and
// nothing to the old one.
func TestPeersRenderTheBumpedDigest(t *testing.T) {
	t.Parallel()
	const digest = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	for app, command := range map[string][]string{
		"backend":  {"kustomize", "build", "apps/backend/overlays/prod"},
		"frontend": {"helm", "template", "frontend", "apps/frontend/chart", "--values", "apps/frontend/overlays/prod/values.yaml"},
	} {
		t.Run(app, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files := exampleFiles(t, dir)
			cfg, err := history.Load(&configrepo.Snapshot{Files: files})
			if err != nil {
				t.Fatal(err)
			}
			a, err := cfg.App(app)
			if err != nil {
				t.Fatal(err)
			}
			ref, err := imageref.New(a.Image, digest)
			if err != nil {
				t.Fatal(err)
			}
			change, err := history.Prepare(t.Context(), render.New(files), a, "prod", history.Set{ref})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(change.Place.File)), change.After, 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := process.Command{
				Path: tooltest.Find(t, command[0]), Args: command[1:], Dir: dir, Env: []string{"HOME=" + t.TempDir()},
			}.Output(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(out), "image: "+ref.String()); n != 1 || strings.Contains(string(out), change.Place.Ref.Digest()) {
				t.Errorf("%s renders %d containers with the new digest:\n%s", command[0], n, out)
			}
		})
	}
}

// exampleFiles copies examples/config to dir and gives its files.
func exampleFiles(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	from := filepath.Join(tooltest.Root(t), "examples", "config")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(filepath.Join(dir, path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
