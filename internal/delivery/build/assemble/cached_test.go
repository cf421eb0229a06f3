//go:build unix

package assemble

import (
	"archive/tar"
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gcrname "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/layercache"
	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
)

// cachedBuild builds with a cache. It returns whether anything was compressed and what
// the cache warned of.
func cachedBuild(
	t *testing.T, dir string, o layercache.Options, change func(*build.Request),
) (b build.Built, packed bool, warned []string) {
	t.Helper()
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	r := build.Request{Context: dir, Platforms: both, Epoch: epoch}
	if change != nil {
		change(&r)
	}
	var bytes atomic.Int64
	o.Warn = func(text string) { warned = append(warned, text) }
	client := registry.New(registry.Options{})
	b, err = Engine{Images: client, Dir: t.TempDir(), Cache: o, Packed: func(n int64) { bytes.Store(n) }}.Build(t.Context(), r, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range b.Images {
		readLayers(t, i)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	return b, bytes.Load() > 0, warned
}

// readLayers reads every layer as a push does, and holds it against its digests.
func readLayers(t *testing.T, i build.Image) {
	t.Helper()
	layers, err := i.Image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		for what, read := range map[string]struct {
			open func() (io.ReadCloser, error)
			want func() (v1.Hash, error)
		}{"compressed": {l.Compressed, l.Digest}, "uncompressed": {l.Uncompressed, l.DiffID}} {
			r, err := read.open()
			if err != nil {
				t.Errorf("%s, %s: %v", i.Platform, what, err)
				continue
			}
			got, _, err := v1.SHA256(r)
			if want, _ := read.want(); err != nil || got != want {
				t.Errorf("%s, %s: %v, %v, want %v", i.Platform, what, got, err, want)
			}
			_ = r.Close()
		}
	}
}

func newCache(t *testing.T) layercache.Options {
	return layercache.Options{Dir: filepath.Join(t.TempDir(), "layers"), Key: filepath.Join(t.TempDir(), "key")}
}

// cacheContext has layers that platforms share, layers of their own, and links.
func cacheContext(t *testing.T) string {
	t.Helper()
	dir := write(t, map[string]string{
		"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY shared /shared/\n" +
			"COPY --chmod=0555 bin-$TARGETARCH /bin\nCOPY many /\n",
		"shared/a": strings.Repeat("a", 10_000), "shared/b": "b", "bin-amd64": "amd", "bin-arm64": "arm",
		"many": strings.Repeat("many", 200_000),
	})
	if err := os.Link(filepath.Join(dir, "shared", "b"), filepath.Join(dir, "shared", "c")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The digests are those of a build without a cache: with an empty one, and with a
// full one, which compresses nothing. Another compression has entries of its own.
func TestTheCacheChangesNoDigest(t *testing.T) {
	t.Parallel()
	dir, cache := cacheContext(t), newCache(t)
	// One layer is too large to stay in memory until the cache was asked.
	if err := os.WriteFile(filepath.Join(dir, "many"), bytes.Repeat([]byte("many"), layerfile.MaxKept/4+1), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, compression := range []build.Compression{{}, {Level: 1}, {Zstd: true}} {
		how := func(r *build.Request) { r.Compression = compression }
		plain, err := assemble(t, dir, how)
		if err != nil {
			t.Fatal(err)
		}
		for _, wantPacked := range []bool{true, false} {
			built, packed, warned := cachedBuild(t, dir, cache, how)
			if packed != wantPacked || len(warned) > 0 {
				t.Errorf("%+v: compressed %v, want %v; warned %q", compression, packed, wantPacked, warned)
			}
			if diff := cmp.Diff(digests(t, plain), digests(t, built)); diff != "" {
				t.Errorf("%+v: the cache changes digests:\n%s", compression, diff)
			}
		}
	}
}

// A file with the same name, size and times as before, and another content, is seen.
func TestTheCacheBelievesNoTimes(t *testing.T) {
	t.Parallel()
	cache := newCache(t)
	dir := write(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY file /\n", "file": "one"})
	file := filepath.Join(dir, "file")
	is, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := cachedBuild(t, dir, cache, nil)
	if err := os.WriteFile(file, []byte("two"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, is.ModTime(), is.ModTime()); err != nil {
		t.Fatal(err)
	}
	after, packed, _ := cachedBuild(t, dir, cache, nil)
	if !packed || digests(t, before)[0] == digests(t, after)[0] {
		t.Error("the old content was taken from the cache")
	}
}

// Somebody who may write to the cache changes no image, whichever file they damage or
// exchange, and the user hears of it once.
func TestAPoisonedCacheChangesNoImage(t *testing.T) {
	t.Parallel()
	dir, cache := cacheContext(t), newCache(t)
	clean, _, _ := cachedBuild(t, dir, cache, nil)
	files, err := filepath.Glob(filepath.Join(cache.Dir, "*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("the cache has %d files, %v, want 4", len(files), err)
	}
	other := write(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY evil /bin\n", "evil": "evil"})
	poison := map[string]func(file string, data []byte) []byte{
		"cut":        func(_ string, data []byte) []byte { return data[:len(data)/2] },
		"one byte":   func(_ string, data []byte) []byte { data[len(data)-9] ^= 1; return data },
		"the header": func(_ string, data []byte) []byte { data[70] ^= 1; return data },
		"the next entry": func(file string, _ []byte) []byte {
			for i := range files {
				if files[i] == file {
					file = files[(i+1)%len(files)]
					break
				}
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
			}
			return data
		},
		"a layer of another cache": func(string, []byte) []byte {
			foreign := newCache(t)
			cachedBuild(t, other, foreign, nil)
			evil, err := filepath.Glob(filepath.Join(foreign.Dir, "*"))
			if err != nil || len(evil) == 0 {
				t.Fatal("the other cache is empty")
			}
			data, err := os.ReadFile(evil[0])
			if err != nil {
				t.Error(err)
			}
			return data
		},
	}
	for what, change := range poison {
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, change(file, bytes.Clone(data)), 0o600); err != nil {
				t.Fatal(err)
			}
			built, packed, warned := cachedBuild(t, dir, cache, nil)
			if !packed || len(warned) != 1 || !strings.Contains(warned[0], " is damaged: ") {
				t.Errorf("%s: made again %v, warned %q, want one warning", what, packed, warned)
			}
			if diff := cmp.Diff(digests(t, clean), digests(t, built)); diff != "" {
				t.Errorf("%s: the image is another:\n%s", what, diff)
			}
		}
	}
	if _, packed, warned := cachedBuild(t, dir, cache, nil); packed || len(warned) > 0 {
		t.Errorf("at the end the cache is not whole again: %q", warned)
	}
}

// A cache that cannot be used or written is a warning, and the image is built.
func TestABrokenCacheIsAWarning(t *testing.T) {
	t.Parallel()
	dir, cache := cacheContext(t), newCache(t)
	if err := os.WriteFile(cache.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, packed, warned := cachedBuild(t, dir, cache, nil); !packed || len(warned) != 1 ||
		!strings.HasPrefix(warned[0], "no layer is kept for the next build: ") {
		t.Errorf("warned %q", warned)
	}
}

// baseImage pushes a base image with accounts and links, and counts how often its
// layers are read.
func baseImage(t *testing.T) (name string, read *atomic.Int64) {
	t.Helper()
	read = new(atomic.Int64)
	server := registrytest.New(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			read.Add(1)
		}
		return false
	})
	var layer bytes.Buffer
	files := tar.NewWriter(&layer)
	for _, h := range []struct {
		header  tar.Header
		content string
	}{
		{tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755}, ""},
		{tar.Header{Name: "etc/passwd", Mode: 0o644}, "app:x:7:8::/:/bin/sh\n"},
		{tar.Header{Name: "etc/group", Mode: 0o644}, ""},
		{tar.Header{Name: "bin/tool", Mode: 0o755}, "tool"},
		{tar.Header{Typeflag: tar.TypeLink, Name: "bin/same", Linkname: "bin/tool", Mode: 0o755}, ""},
		{tar.Header{Typeflag: tar.TypeSymlink, Name: "srv", Linkname: "data/\xff", Mode: 0o777}, ""},
		{tar.Header{Typeflag: tar.TypeDir, Name: "data/\xff/", Mode: 0o700, Uid: 7}, ""},
	} {
		h.header.Size, h.header.ModTime = int64(len(h.content)), epoch.Add(-time.Hour)
		if err := files.WriteHeader(&h.header); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write([]byte(h.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer(layer.Bytes(), types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	repository, err := gcrname.NewRepository(server.Host + "/base")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := registry.New(registry.Options{}).PushImage(t.Context(), repository, image)
	if err != nil {
		t.Fatal(err)
	}
	return ref.String(), read
}

// The layers of a base image are downloaded once, whether their names are needed or
// their files, and an image on top has the same digest with the cache, without it, and
// with one that somebody damaged.
func TestBaseImagesAreReadOnce(t *testing.T) {
	t.Parallel()
	base, read := baseImage(t)
	for what, lines := range map[string]string{
		"names": "FROM " + base + "\nCOPY --chown=app:app file /srv/\nCOPY file /bin/same\n",
		"files": "FROM scratch\nCOPY --from=" + base + " /bin /etc /srv /\n",
	} {
		dir, cache := write(t, map[string]string{"Dockerfile": lines, "file": "file"}), newCache(t)
		reads := func(o layercache.Options) (digest string, n int64, warned []string) {
			before := read.Load()
			file, err := build.ReadDockerfile(dir, "")
			if err != nil {
				t.Fatal(err)
			}
			o.Warn = func(text string) { warned = append(warned, text) }
			r := build.Request{Context: dir, Epoch: epoch, Platforms: both[:1]}
			b, err := Engine{Images: registry.New(registry.Options{}), Dir: t.TempDir(), Cache: o}.Build(t.Context(), r, file)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			return digests(t, b)[0], read.Load() - before, warned
		}
		plain, all, _ := reads(layercache.Options{})
		full, first, _ := reads(cache)
		again, second, warned := reads(cache)
		if full != plain || again != plain || first != all || second >= all || len(warned) > 0 {
			t.Errorf("%s: digests %s, %s, %s; blobs read %d, %d, %d; warned %q", what, plain, full, again, all, first, second, warned)
		}
		kept, err := filepath.Glob(filepath.Join(cache.Dir, "*"))
		if err != nil || len(kept) == 0 {
			t.Fatalf("%v, %v", kept, err)
		}
		for _, file := range kept {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)-1] ^= 1
			if listed := bytes.Replace(data, []byte("app:x:7:"), []byte("app:x:0:"), 1); !bytes.Equal(listed, data) {
				data = listed // which can be read, and says something else
				data[len(data)-1] ^= 1
			}
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if poisoned, third, warned := reads(cache); poisoned != plain || third != all || len(warned) != 1 {
			t.Errorf("%s: poisoned, the digest is %s, want %s", what, poisoned, plain)
			t.Errorf("%s: blobs read %d, want %d; warned %q", what, third, all, warned)
		}
	}
}
