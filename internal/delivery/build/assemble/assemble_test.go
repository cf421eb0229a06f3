package assemble

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
)

var (
	epoch = time.Unix(1_700_000_000, 0).UTC()
	both  = []build.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
)

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(files[name]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func assemble(t *testing.T, dir string, change func(*build.Request)) (build.Built, error) {
	t.Helper()
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	r := build.Request{Context: dir, Platforms: both, Epoch: epoch}
	if change != nil {
		change(&r)
	}
	built, err := Engine{Dir: t.TempDir()}.Build(t.Context(), r, file)
	if err == nil {
		t.Cleanup(func() { built.Close() })
	}
	return built, err
}

func digests(t *testing.T, b build.Built) []string {
	t.Helper()
	var list []string
	for _, i := range b.Images {
		digest, err := i.Image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, digest.String())
	}
	return list
}

// names lists the entries of an image's last layer.
func names(t *testing.T, i build.Image) []string {
	t.Helper()
	layers, err := i.Image.Layers()
	if err != nil || len(layers) == 0 {
		t.Fatalf("layers: %v, %v", layers, err)
	}
	r, err := layers[len(layers)-1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []string
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(epoch) {
			t.Errorf("%s has the time %v, want the epoch", h.Name, h.ModTime)
		}
		list = append(list, h.Name)
	}
}

func TestSameInputSameDigest(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY shared /shared/\nCOPY bin-$TARGETARCH /bin\nLABEL b=2 a=1 c=3\nEXPOSE 2 1 3\n",
	}
	for _, name := range []string{"z", "a", "m/1", "m/0"} {
		files["shared/"+name] = strings.Repeat(name, 10_000)
	}
	files["bin-amd64"], files["bin-arm64"] = "amd", "arm"
	first, second := write(t, files), write(t, files)
	later := time.Now().Add(48 * time.Hour)
	if err := os.Chtimes(filepath.Join(second, "shared", "a"), later, later); err != nil {
		t.Fatal(err)
	}
	one, err := assemble(t, first, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		other, err := assemble(t, second, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(digests(t, one), digests(t, other)); diff != "" {
			t.Fatalf("the same files give other digests:\n%s", diff)
		}
	}
	for _, i := range one.Images {
		if err := validate.Image(i.Image); err != nil {
			t.Errorf("%s: %v", i.Platform, err)
		}
	}
	later0, err := assemble(t, first, func(r *build.Request) { r.Epoch = epoch.Add(time.Second) })
	if err != nil {
		t.Fatal(err)
	}
	if digests(t, later0)[0] == digests(t, one)[0] {
		t.Error("another epoch gives the same digest")
	}
}

func TestSharedLayerIsBuiltOnce(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY shared /shared\nCOPY bin-$TARGETARCH /bin\n",
		"shared":     "s", "bin-amd64": "amd", "bin-arm64": "arm",
	})
	work := t.TempDir()
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	built, err := Engine{Dir: work}.Build(t.Context(), build.Request{Context: dir, Platforms: both, Epoch: epoch}, file)
	if err != nil {
		t.Fatal(err)
	}
	written, err := filepath.Glob(filepath.Join(work, "*", "layer-*"))
	if err != nil || len(written) != 3 {
		t.Errorf("%d layers were written, want 3: one shared and one for each platform (%v)", len(written), err)
	}
	if err := built.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(work); len(left) != 0 {
		t.Errorf("Close has left %v", left)
	}
}

func TestNothingIsLeftAfterAnError(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /\nCOPY missing /\n", "a": "a"})
	work := t.TempDir()
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Engine{Dir: work}).Build(t.Context(), build.Request{Context: dir, Platforms: both, Epoch: epoch}, file); err == nil {
		t.Error("a missing file was copied")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	file, err = build.ParseDockerfile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY a /\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Engine{Dir: work}).Build(
		cancelled, build.Request{Context: dir, Platforms: both, Epoch: epoch}, file,
	); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled build ended with %v", err)
	}
	if left, _ := os.ReadDir(work); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestContextCannotBeLeft(t *testing.T) {
	t.Parallel()
	outside := write(t, map[string]string{"secret": "s"})
	for _, target := range []string{filepath.Join(outside, "secret"), "../secret", "../../../../../../../../etc/passwd"} {
		dir := write(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY link /\n"})
		if err := os.Symlink(target, filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		if _, err := assemble(t, dir, nil); err == nil || !strings.Contains(err.Error(), "no such file or directory in the build context") {
			t.Errorf("a symlink to %s was followed: %v", target, err)
		}
	}
	dir := write(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY dir/secret /\n"})
	if err := os.Symlink(outside, filepath.Join(dir, "dir")); err != nil {
		t.Fatal(err)
	}
	if _, err := assemble(t, dir, nil); err == nil {
		t.Error("a file was copied through a symlink out of the context")
	}
}

func TestFileThatChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{3, 5} {
		root := newDir(0o755, map[string]*node{"f": {size: size, open: func() (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("four")), nil
		}}})
		s := &shared{ctx: t.Context(), epoch: epoch, store: layerfile.New(layerfile.Options{Dir: t.TempDir()})}
		if _, err := s.writeLayer(newDir(0o755, nil), root); err == nil ||
			!strings.Contains(err.Error(), "/f changed while it was read") {
			t.Errorf("size %d with four bytes of content: %v", size, err)
		}
	}
}

func TestDockerfileHasItsOwnIgnoreFile(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"Dockerfile": "FROM scratch\nCOPY . /\n", "Dockerfile.dockerignore": "a\nDockerfile*\n.dockerignore\n",
		".dockerignore": "b\n", "a": "", "b": "",
	})
	built, err := assemble(t, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b"}, names(t, built.Images[0])); diff != "" {
		t.Error(diff)
	}
}

func TestResolveStaysBelowTheRoot(t *testing.T) {
	t.Parallel()
	link := func(target string) *node { return &node{mode: os.ModeSymlink | 0o777, target: target} }
	file := &node{}
	root := newDir(0o755, map[string]*node{
		"a":    newDir(0o755, map[string]*node{"f": file, "up": link("../../../a/f"), "loop": link("loop")}),
		"abs":  link("/a"),
		"deep": link("abs/../a/./f"),
	})
	for p, want := range map[string]string{
		"/a/f": "/a/f", "/../../a/f": "/a/f", "/abs/f": "/a/f", "/a/up": "/a/f", "/deep": "/a/f", "/none/x": "/none/x",
		"/abs/new": "/a/new",
	} {
		got, n, err := resolve(root, p, true)
		if err != nil || got != want || (strings.HasSuffix(want, "/f") != (n == file)) {
			t.Errorf("resolve(%s) = %s, %v, %v, want %s", p, got, n, err, want)
		}
	}
	if _, _, err := resolve(root, "/a/loop", true); err == nil || !strings.Contains(err.Error(), "too many levels") {
		t.Errorf("a symlink to itself: %v", err)
	}
}

// While layers are compressed the engine says how much is in, and at the end all.
func TestPackingTellsItsProgress(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY large /\n", "large": strings.Repeat("x", 3<<20)})
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var told []int64
	e := Engine{Dir: t.TempDir(), Packed: func(n int64) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, n)
	}}
	built, err := e.Build(t.Context(), build.Request{Context: dir, Platforms: both, Epoch: epoch}, file)
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close()
	if len(told) < 3 || slices.Max(told) < 3<<20 || slices.Max(told) > 4<<20 { // the platforms share the layer
		t.Errorf("told %v", told)
	}
}
