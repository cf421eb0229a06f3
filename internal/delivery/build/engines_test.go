package build_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/assemble"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/delivery/build/layercache"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/rehearsal/buildkitd"
	"github.com/waybill-dev/waybill/internal/rehearsal/dockerregistry"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var (
	epoch = time.Unix(1_700_000_000, 0).UTC()
	amd64 = build.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = build.Platform{OS: "linux", Architecture: "arm64"}
	both  = []build.Platform{amd64, arm64}
)

// lab is a real BuildKit and a real registry with base images in it.
type lab struct {
	host     string // of the registry
	client   *registry.Client
	buildkit buildkit.Engine
	assemble assemble.Engine
}

func newLab(t *testing.T) *lab {
	t.Helper()
	buildkitdPath, registryPath := tooltest.Buildkitd(t), tooltest.Find(t, "docker-registry")
	qemu := tooltest.Find(t, "qemu-aarch64-static")
	server, err := dockerregistry.Start(t.Context(), registryPath, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	dir, err := os.MkdirTemp(memory(), "wb") // short: a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	daemon, err := buildkitd.Start(t.Context(), buildkitd.Options{
		Program: buildkitdPath, Dir: dir, Registries: []string{server.Host}, Log: filepath.Join(dir, "log"),
		Emulators: map[string]string{"aarch64": qemu},
	})
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() {
		if err := daemon.Err(); err != nil {
			t.Error(err)
		}
		daemon.Stop()
		if log, err := os.ReadFile(filepath.Join(dir, "log")); t.Failed() && err == nil {
			t.Logf("the daemon's log ends:\n%s", log[max(0, len(log)-4000):])
		}
	})
	l := &lab{host: server.Host, client: registry.New(registry.Options{})}
	l.assemble = assemble.Engine{Images: l.client, Dir: t.TempDir(), Cache: layercache.Options{
		Dir: filepath.Join(t.TempDir(), "layers"), Key: filepath.Join(t.TempDir(), "key"), Warn: func(text string) { t.Error(text) },
	}}
	l.buildkit = buildkit.Engine{Builders: buildkit.Builders{Default: daemon.Address}, Progress: io.Discard, Dir: t.TempDir()}
	return l
}

// memory is a directory that no disk stands behind, where there is one with
// room: the daemon waits for the disk more than it works. Else it is empty.
func memory() string {
	const dir, room = "/dev/shm", 4 << 30
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return ""
	}
	return dir
}

// push puts a base image for both platforms into the registry, by tag, and
// returns its name and digest.
func (l *lab) push(t *testing.T, repository string, config v1.Config, files func(p build.Platform) []entry) (string, string) {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range both {
		image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
		image, err := mutate.AppendLayers(image, static.NewLayer(tarOf(t, files(p)), types.OCIUncompressedLayer))
		if err != nil {
			t.Fatal(err)
		}
		file, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		file = file.DeepCopy()
		file.OS, file.Architecture, file.Config = p.OS, p.Architecture, config
		file.History = []v1.History{{CreatedBy: "base", Created: v1.Time{Time: epoch}}}
		if image, err = mutate.ConfigFile(image, file); err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.OS, Architecture: p.Architecture}},
		})
	}
	repo, err := name.NewRepository(l.host + "/" + repository)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := l.client.PushIndex(t.Context(), repo, index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.client.Tag(t.Context(), ref, "1"); err != nil {
		t.Fatal(err)
	}
	return l.host + "/" + repository + ":1", ref.Digest()
}

// pushLayers pushes an image of several layers in Docker's own media types.
func (l *lab) pushLayers(t *testing.T, repository string, layers [][]entry) string {
	t.Helper()
	image := empty.Image
	var err error
	for _, entries := range layers {
		opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(tarOf(t, entries))), nil }
		layer, err2 := tarball.LayerFromOpener(opener)
		if err2 != nil {
			t.Fatal(err2)
		}
		if image, err = mutate.Append(image, mutate.Addendum{
			Layer: layer, History: v1.History{CreatedBy: "layer", Created: v1.Time{Time: epoch}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", "amd64"
	if image, err = mutate.ConfigFile(image, file); err != nil {
		t.Fatal(err)
	}
	repo, err := name.NewRepository(l.host + "/" + repository)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := l.client.PushImage(t.Context(), repo, image)
	if err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

// entry is a file of an image, as a container would see it.
type entry struct {
	Type    byte
	Mode    int64
	UID     int
	GID     int
	Link    string
	Size    int64
	Content string // sha256
	Name    string
	Time    int64 // seconds; 0 in what is written is the epoch
	Caps    string
	data    string
}

func tarOf(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{
			Name: e.Name, Typeflag: e.Type, Mode: e.Mode, Uid: e.UID, Gid: e.GID, Linkname: e.Link, Size: int64(len(e.data)),
			ModTime: epoch,
		}
		if e.Time != 0 {
			h.ModTime = time.Unix(e.Time, 0)
		}
		if e.Caps != "" {
			h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": e.Caps, "SCHILY.xattr.user.note": "x"}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// filesOf lists what the layers of an image make, and layersOf each layer.
func layersOf(t *testing.T, image v1.Image) [][]entry {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]entry
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		var entries []entry
		files := tar.NewReader(r)
		for {
			h, err := files.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			e := entry{
				Name: h.Name, Type: h.Typeflag, Mode: h.Mode, UID: h.Uid, GID: h.Gid, Link: h.Linkname, Size: h.Size,
				Time: h.ModTime.Unix(), Caps: fmt.Sprintf("%x", h.PAXRecords["SCHILY.xattr.security.capability"]),
			}
			if note := h.PAXRecords["SCHILY.xattr.user.note"]; note != "" {
				e.Caps += " and a note"
			}
			if h.Typeflag == tar.TypeReg {
				hash := sha256.New()
				if _, err := io.Copy(hash, files); err != nil {
					t.Fatal(err)
				}
				e.Content = fmt.Sprintf("%x", hash.Sum(nil))
			}
			entries = append(entries, e)
		}
		r.Close()
		slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
		all = append(all, entries)
	}
	return all
}

func filesOf(t *testing.T, image v1.Image) map[string]entry {
	files := map[string]entry{}
	for _, layer := range layersOf(t, image) {
		for _, e := range layer {
			if base := path.Base(e.Name); strings.HasPrefix(base, ".wh.") {
				delete(files, path.Join(path.Dir(e.Name), strings.TrimPrefix(base, ".wh.")))
				continue
			}
			files[path.Clean(e.Name)] = e
		}
	}
	return files
}

func (l *lab) build(t *testing.T, engine build.Engine, r build.Request) build.Built {
	t.Helper()
	built, err := tryBuild(t.Context(), engine, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { built.Close() })
	return built
}

func tryBuild(ctx context.Context, engine build.Engine, r build.Request) (build.Built, error) {
	file, err := build.ReadDockerfile(r.Context, r.Dockerfile)
	if err != nil {
		return build.Built{}, err
	}
	if r.Epoch.IsZero() {
		r.Epoch = epoch
	}
	if len(r.Platforms) == 0 {
		r.Platforms = both
	}
	return engine.Build(ctx, r, file)
}

// tree writes files below a new directory. A name that ends in a slash is a
// directory; content that begins with "->" is a symlink's target.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		content := files[name]
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		target, isLink := strings.CutPrefix(content, "->")
		var err error
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(full, 0o755)
		case isLink:
			err = os.Symlink(target, full)
		default:
			err = os.WriteFile(full, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestEngines runs both engines for real and holds them against each other.
func TestEngines(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	t.Run("both refuse", func(t *testing.T) { t.Parallel(); testBothRefuse(t, l) })
	t.Run("same", func(t *testing.T) { t.Parallel(); testSame(t, l) })
	t.Run("run", func(t *testing.T) { t.Parallel(); testRun(t, l) })
	t.Run("builder by platform", func(t *testing.T) { t.Parallel(); testBuilders(t, l) })
	t.Run("extras", func(t *testing.T) { t.Parallel(); testExtras(t, l) })
	t.Run("cache", func(t *testing.T) { t.Parallel(); testCache(t, l) })
	t.Run("failing step", func(t *testing.T) { t.Parallel(); testFailingStep(t, l) })
	t.Run("private base image", func(t *testing.T) { t.Parallel(); testPrivateBase(t, l) })
	t.Run("base for another platform", func(t *testing.T) { t.Parallel(); testWrongPlatform(t, l) })
	t.Run("base without the platform", func(t *testing.T) { t.Parallel(); testMissingPlatform(t, l) })
	t.Run("same commit", func(t *testing.T) { t.Parallel(); testSameCommit(t, l) })
	t.Run("compression", func(t *testing.T) { t.Parallel(); testCompression(t, l) })
	t.Run("remote", func(t *testing.T) { t.Parallel(); testRemote(t, l) })
	t.Run("remote cannot push", func(t *testing.T) { t.Parallel(); testRemoteCannotPush(t, l) })
	t.Run("remote that fails", func(t *testing.T) { t.Parallel(); testRemoteThatFails(t, l) })
	t.Run("builder dies", func(t *testing.T) { t.Parallel(); testBuilderDies(t, l) })
	t.Run("cancel", func(t *testing.T) { t.Parallel(); testCancel(t, l) })
}

func baseFiles(p build.Platform) []entry {
	return []entry{
		{Name: "bin/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "etc/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "etc/passwd", Type: tar.TypeReg, Mode: 0o644, data: "root:x:0:0::/:\napp:x:1234:2345::/:\n"},
		{Name: "etc/group", Type: tar.TypeReg, Mode: 0o644, data: "root:x:0:\nstaff:x:4321:\n"},
		{Name: "etc/arch", Type: tar.TypeReg, Mode: 0o600, UID: 7, GID: 8, data: p.Architecture},
		{Name: "usr/", Type: tar.TypeDir, Mode: 0o755},
		{Name: "usr/lib/", Type: tar.TypeDir, Mode: 0o711, UID: 5, GID: 6},
		{Name: "lib", Type: tar.TypeSymlink, Mode: 0o777, Link: "usr/lib"},
		{Name: "data/", Type: tar.TypeDir, Mode: 0o1777},
		{Name: "linkdir", Type: tar.TypeSymlink, Mode: 0o777, Link: "/data"},
		{Name: "linkfile", Type: tar.TypeSymlink, Mode: 0o777, Link: "etc/passwd"},
		{Name: "etc/tofile", Type: tar.TypeReg, Mode: 0o600, UID: 3, data: "to"},
		{Name: "data/old", Type: tar.TypeReg, Mode: 0o4755, data: "old"},
	}
}

var configFields = cmp.Options{
	cmpopts.IgnoreFields(v1.ConfigFile{}, "RootFS", "Created"),
	// How BuildKit words a health check in the history differs by its version.
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".CreatedBy" }, cmp.Comparer(func(a, b string) bool {
		return a == b || (strings.HasPrefix(a, "HEALTHCHECK ") && strings.HasPrefix(b, "HEALTHCHECK "))
	})),
}

func testSame(t *testing.T, l *lab) {
	base, baseDigest := l.push(t, "base", v1.Config{
		Env: []string{"PATH=/bin", "BASE=1"}, User: "app", WorkingDir: "/data", Labels: map[string]string{"base": "yes"},
		Entrypoint: []string{"/bin/base"}, Cmd: []string{"serve"},
	}, baseFiles)
	onbuild, _ := l.push(t, "onbuild", v1.Config{OnBuild: []string{"COPY app /onbuild"}}, baseFiles)

	layered := l.pushLayers(t, "layered", [][]entry{
		{
			{Name: "gone/", Type: tar.TypeDir, Mode: 0o700}, {Name: "gone/a", Type: tar.TypeReg, Mode: 0o644, data: "a"},
			{Name: "opaque/", Type: tar.TypeDir, Mode: 0o755}, {Name: "opaque/a", Type: tar.TypeReg, Mode: 0o644, data: "a"},
			{Name: "kept/", Type: tar.TypeDir, Mode: 0o755}, {Name: "kept/file", Type: tar.TypeReg, Mode: 0o640, UID: 1, data: "first"},
			{Name: "kept/drop", Type: tar.TypeReg, Mode: 0o644, data: "drop"},
			{Name: "kept/hard", Type: tar.TypeLink, Mode: 0o640, UID: 1, Link: "kept/file"},
			{Name: "dirlink", Type: tar.TypeSymlink, Link: "kept"},
		},
		{
			{Name: ".wh.gone", Type: tar.TypeReg}, {Name: "opaque/.wh..wh..opq", Type: tar.TypeReg},
			{Name: "opaque/b", Type: tar.TypeReg, Mode: 0o644, data: "b"}, {Name: "kept/.wh.drop", Type: tar.TypeReg},
			{Name: "kept/file", Type: tar.TypeReg, Mode: 0o600, data: "second"},
		},
	})

	cases := []struct {
		name, dockerfile string
		files            map[string]string
		request          build.Request
		bases            bool // the base image is in the record
		prepare          func(dir string) error
	}{
		{name: "configuration", dockerfile: `FROM scratch
ARG VERSION=1
ARG OTHER
ENV A=1 B="x y" C=$A-$VERSION
ENV A=2 D=${UNSET:-fallback} E=${A:+set}
LABEL one=1 "two words"=2 three="$A"
EXPOSE 80 443/udp 9000-9002
WORKDIR /srv
WORKDIR sub
USER 65532:65532
VOLUME /data /more
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=1s --start-period=2s --start-interval=1s --retries=3 CMD ["/app", "health"]
SHELL ["/bin/zsh", "-c"]
MAINTAINER somebody <a@example.com>
COPY app /
ENTRYPOINT ["/app", "$A"]
CMD value --flag
`, files: map[string]string{"app": "x"}, request: build.Request{
			Args: map[string]string{"VERSION": "7", "OTHER": "o"}, Labels: map[string]string{"mine": "1", "one": "over"},
		}},
		{name: "copy", dockerfile: `FROM scratch
ARG TARGETARCH TARGETOS TARGETPLATFORM
COPY bin/$TARGETOS-$TARGETARCH /app
COPY dir /dir
COPY dir/ /dir2/
COPY dir/a dir/b /into/
COPY *.txt /globs/
COPY *.nothing /nothing/
COPY dir/*/deep /deep/
COPY link /links/
COPY li* /linkglob/
COPY linkdir /linkdir
COPY --chown=10:20 --chmod=750 dir /owned
COPY --chown=10 dir/a /owned-file
COPY --chmod=u=rwx,go=r dir/a /symbolic
COPY --chmod=4755 dir/a /setuid
COPY --exclude=**/deep dir /without
COPY --link dir /linked/
COPY . /all/
ADD dir/a /added
WORKDIR /srv/er
COPY dir/a rel
COPY ["dir/a", "/json form/"]
COPY <<EOF <<"RAW" /here/
arch $TARGETARCH
EOF
raw $TARGETARCH
RAW
`, files: map[string]string{
			"bin/linux-amd64": "amd", "bin/linux-arm64": "arm", "dir/a": "a", "dir/b": "b", "dir/sub/deep": "deep", "dir/other/": "",
			"one.txt": "1", "two.txt": "2", "link": "->dir/a", "dir/broken": "->nowhere", "linkdir": "->dir", "up": "->../../etc",
		}},
		{name: "ignore", dockerfile: "FROM scratch\nCOPY . /all/\n", files: map[string]string{
			".dockerignore": "# comment\n*.log\nnode_modules\n**/tmp\nsecret/*\n!secret/public\ndeep/**\n!deep/a/keep\nDockerfile\n",
			"a.log":         "", "keep.txt": "k", "node_modules/x": "x", "sub/a.log": "stays", "sub/tmp/x": "x", "secret/private": "p",
			"secret/public": "q", "deep/a/keep": "1", "deep/a/drop": "2", "deep/b": "3",
		}},
		{name: "stages", dockerfile: `ARG BASE
ARG STAGE=one
FROM scratch AS one
COPY app /out/app
COPY --chown=3:4 --chmod=640 app /out/owned
FROM scratch AS two
COPY other /out/other
FROM ${STAGE} AS chosen
COPY --from=one /out /data
COPY --from=two /out/* /data/glob/
FROM $BASE AS unneeded
RUN this is never run
`, files: map[string]string{"app": "app", "other": "other"}, request: build.Request{Target: "chosen"}},
		{name: "base", bases: true, dockerfile: `ARG BASE
FROM --platform=$TARGETPLATFORM $BASE AS lower
COPY app /lib/app
COPY app /data/
COPY dir /data
COPY --link app /usr/lib/linked
COPY --chown=app:staff app /bin/app
COPY --chown=app app /bin/app2
WORKDIR /var/made
WORKDIR relative
CMD ["other"]
FROM lower
COPY --from=lower /etc/arch /data/old /copied/
COPY --from=lower /data /copied/data
COPY --from=0 /lib/ /copied/lib
COPY --from=lower /lib /copied/
ENTRYPOINT ["/bin/app"]
`, files: map[string]string{"app": "app", "dir/x": "x", "dir/sub/y": "y"}},
		{name: "metadata only", bases: true, dockerfile: "ARG BASE\nFROM $BASE\nENV X=$BASE\nUSER 1\n", files: map[string]string{"x": ""}},
		{
			name: "copy from an image", bases: true,
			dockerfile: "ARG BASE\nFROM $BASE AS b\nFROM scratch\nCOPY --from=b /etc /etc\nCOPY --from=b /lib /lib\nCOPY --from=b " +
				"/data/old /old\n",
			files: map[string]string{"x": ""},
		},
		{name: "build platform", bases: true, dockerfile: `ARG BASE
ARG BUILDARCH
FROM --platform=$BUILDPLATFORM $BASE AS tools
ARG BUILDPLATFORM TARGETPLATFORM BUILDARCH TARGETVARIANT
LABEL from="$BUILDPLATFORM to=$TARGETPLATFORM variant=$TARGETVARIANT"
FROM scratch
COPY --from=tools /etc/arch /arch
ARG BUILDPLATFORM
ARG SOURCE_DATE_EPOCH
LABEL built.on=$BUILDPLATFORM epoch=$SOURCE_DATE_EPOCH
`, files: map[string]string{"x": ""}},
		{name: "onbuild", dockerfile: "FROM " + onbuild + "\nCOPY app /second\n", files: map[string]string{"app": "app"}},
		{
			name: "stage by platform",
			dockerfile: "ARG TARGETARCH\nFROM scratch AS for-amd64\nCOPY a /a\nFROM scratch AS for-arm64\nCOPY b /b\nFROM " +
				"for-$TARGETARCH\n",
			files: map[string]string{"a": "a", "b": "b"},
		},
		{name: "destinations", bases: true, dockerfile: `ARG BASE
FROM $BASE
ARG DIR=usr WHERE=/etc
COPY app /data
COPY app /etc/tofile
COPY dir /linkdir
COPY dir/ /linkdir/more
COPY app /linkdir/
COPY app other /data/
COPY app /linkfile
COPY dir /new/deep/er
COPY app /$DIR/${WHERE#/}/x
COPY . /usr/
COPY --from=BASE_IMAGE /etc/arch /from-image
ADD --chown=9:9 --chmod=0700 dir /added
ADD app other /added/
USER app
WORKDIR /home/made
USER nobody-knows
WORKDIR /home/made/again
COPY app ./
COPY app .
COPY app ../up
`, files: map[string]string{"app": "app", "other": "o", "dir/x": "x", "dir/sub/y": "y", "dir/empty/": ""}},
		{
			name:       "layers below",
			dockerfile: "FROM --platform=linux/amd64 " + layered + " AS layered\nFROM --platform=linux/amd64 " + layered + "\nCOPY --from=layered / /copied/\nCOPY app /gone/app\nCOPY app /opaque/app\n",
			files:      map[string]string{"app": "app"},
		},
		{name: "odd files", dockerfile: `FROM scratch
COPY . /
COPY --parents dir/sub/y other/./z dir/*/y /parents/
COPY dir/sub/../sub/y /dots/
COPY [ "sp ace", "/quoted/" ]
`, files: map[string]string{
			"dir/sub/y": "y", "other/z": "z", "sp ace": "s", "sl[ash": "b", "\u00fcml\u00e4ut": "u", "mode/": "", "empty": "",
			strings.Repeat("long/", 30) + strings.Repeat("n", 120): "long", "dev": "->/dev/null",
			"Dockerfile.dockerignore": "Dockerfile*\n",
		}, prepare: func(dir string) error {
			return errors.Join(
				os.Chmod(filepath.Join(dir, "mode"), 0o2750|os.ModeSetgid), os.Chmod(filepath.Join(dir, "empty"), 0o600),
				os.Chmod(filepath.Join(dir, "sp ace"), 0o755|os.ModeSetuid), os.Chmod(filepath.Join(dir, "other"), 0o1777|os.ModeSticky),
				os.Chown(filepath.Join(dir, "empty"), 55, 66))
		}},
		{name: "nothing", dockerfile: "FROM scratch\nLABEL empty=yes\n", files: map[string]string{"x": ""}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			value := base
			if c.name == "stages" { // a stage that is not needed need not be there
				value = "nowhere.invalid/x"
			}
			c.dockerfile = strings.ReplaceAll(c.dockerfile, "BASE_IMAGE", base)
			c.files["Dockerfile"] = strings.Replace(c.dockerfile, "ARG BASE\n", "ARG BASE="+value+"\n", 1)
			r := c.request
			r.Context = tree(t, c.files)
			if c.prepare != nil {
				if err := c.prepare(r.Context); err != nil {
					t.Fatal(err)
				}
			}
			want := l.build(t, l.buildkit, r)
			got := l.build(t, l.assemble, r)
			for i, p := range both {
				if diff := cmp.Diff(
					filesOf(t, want.Images[i].Image), filesOf(t, got.Images[i].Image), cmpopts.IgnoreUnexported(entry{}),
				); diff != "" {
					t.Errorf("%s: files differ (-buildkit +assemble):\n%s", p, diff)
				}
				if diff := cmp.Diff(
					layersOf(t, want.Images[i].Image), layersOf(t, got.Images[i].Image), cmpopts.IgnoreUnexported(entry{}),
				); diff != "" {
					t.Errorf("%s: layers differ (-buildkit +assemble):\n%s", p, diff)
				}
				wantConfig, err := want.Images[i].Image.ConfigFile()
				if err != nil {
					t.Fatal(err)
				}
				gotConfig, err := got.Images[i].Image.ConfigFile()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(wantConfig, gotConfig, configFields); diff != "" {
					t.Errorf("%s: configuration differs (-buildkit +assemble):\n%s", p, diff)
				}
			}
			if diff := cmp.Diff(want.BaseImages, got.BaseImages); diff != "" {
				t.Errorf("base images differ (-buildkit +assemble):\n%s", diff)
			}
			if c.bases && (len(got.BaseImages) != 1 || got.BaseImages[0].Name != base || got.BaseImages[0].Digest != baseDigest) {
				t.Errorf("base images are %v, want %s at %s", got.BaseImages, base, baseDigest)
			}
		})
	}
}

// shell is what the test's images have in place of one: a static program.
func shell(t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(tooltest.Root(t), "internal", "delivery", "build", "testdata", "sh")
	goTool := tooltest.Find(t, "go")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	err = process.Command{
		Path: goTool, Dir: source, Args: []string{"build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "sh"), "main.go"},
		Env: []string{
			"GOOS=linux", "GOARCH=" + arch, "CGO_ENABLED=0", "GO111MODULE=off", "GOFLAGS=", "HOME=" + dir,
			"PATH=" + os.Getenv("PATH"), "GOCACHE=" + filepath.Join(cache, "go-build"),
		},
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "sh"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// shellImage pushes a base image with a shell.
func (l *lab) shellImage(t *testing.T, repository string) (name, digest string) {
	t.Helper()
	return l.push(t, repository, v1.Config{}, func(p build.Platform) []entry {
		return []entry{
			{Name: "bin/", Type: tar.TypeDir, Mode: 0o755},
			{Name: "bin/sh", Type: tar.TypeReg, Mode: 0o755, data: shell(t, p.Architecture)},
		}
	})
}

func testRun(t *testing.T, l *lab) {
	base, baseDigest := l.shellImage(t, "shell")
	dir := tree(
		t,
		map[string]string{
			"Dockerfile": "FROM " + base + "\nARG WHO\nRUN arch > /arch\nRUN --mount=type=secret,id=word length /run/secrets/word > " +
				"/length\nRUN echo $WHO > /who\n",
		},
	)
	r := build.Request{
		Context: dir, Args: map[string]string{"WHO": "me"}, Secrets: []build.Secret{{ID: "word", Value: []byte("hush-hush")}},
	}
	built := l.build(t, l.buildkit, r)
	for i, p := range both {
		files := filesOf(t, built.Images[i].Image)
		for name, want := range map[string]string{"arch": p.Architecture, "length": "9", "who": "me"} {
			if got := files[name].Content; got != fmt.Sprintf("%x", sha256.Sum256([]byte(want+"\n"))) {
				t.Errorf("%s: /%s is not %q: %+v", p, name, want, files[name])
			}
		}
	}
	if len(built.BaseImages) != 1 || built.BaseImages[0].Name != base || built.BaseImages[0].Digest != baseDigest {
		t.Errorf("base images are %v, want %s at %s", built.BaseImages, base, baseDigest)
	}
	index, platforms, err := build.Index(built.Images, nil)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 2 || len(platforms) != 2 {
		t.Errorf("the index has %d manifests, want the 2 platforms and no attestation", len(manifest.Manifests))
	}
}

// testBuilders gives each platform a daemon address of its own.
func testBuilders(t *testing.T, l *lab) {
	dir := tree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "a"})
	engine := l.buildkit
	engine.Builders.For = map[build.Platform]string{arm64: "unix:///nowhere/arm64"}
	if _, err := tryBuild(t.Context(), engine, build.Request{Context: dir}); err == nil ||
		!strings.Contains(err.Error(), "no daemon answers at unix:///nowhere/arm64") {
		t.Errorf("the address of arm64 was not asked: %v", err)
	}
	engine.Builders = buildkit.Builders{
		Default: "unix:///nowhere",
		For:     map[build.Platform]string{amd64: l.buildkit.Builders.Default, arm64: l.buildkit.Builders.Default},
	}
	if built := l.build(t, engine, build.Request{Context: dir}); len(built.Images) != 2 || built.Images[0].Platform != amd64 ||
		built.Images[1].Platform != arm64 {
		t.Errorf("images are %v", built.Images)
	}
}

// testExtras builds with another context, a host's name, an SSH key and a limit.
func testExtras(t *testing.T, l *lab) {
	base, _ := l.shellImage(t, "extrashell")
	dir := tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY --from=more a /a\n" +
		"RUN --mount=type=ssh echo $SSH_AUTH_SOCK > /agent\nRUN length /etc/hosts > /hosts\n"})
	more := tree(t, map[string]string{"a": "from elsewhere"})
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	r := build.Request{Context: dir, Platforms: []build.Platform{amd64}, Extras: build.Extras{
		Contexts: map[string]string{"more": more}, AddHosts: []string{"db=10.0.0.7"}, SSH: []string{"default=" + socket},
		Ulimits: []string{"nofile=77:77"}, NoCache: true,
	}}
	with := filesOf(t, l.build(t, l.buildkit, r).Images[0].Image)
	r.AddHosts = nil
	without := filesOf(t, l.build(t, l.buildkit, r).Images[0].Image)
	if want := fmt.Sprintf("%x", sha256.Sum256([]byte("/run/buildkit/ssh_agent.0\n"))); with["agent"].Content != want {
		t.Errorf("RUN has no SSH agent: %+v", with["agent"])
	}
	if with["a"].Content != fmt.Sprintf("%x", sha256.Sum256([]byte("from elsewhere"))) {
		t.Errorf("the other context was not read: %+v", with["a"])
	}
	if with["hosts"].Content == without["hosts"].Content {
		t.Error("RUN does not know the host")
	}
	r.SSH = []string{"default"}
	if _, err := tryBuild(t.Context(), l.buildkit, r); outcome.Code(err) != outcome.Usage ||
		!strings.Contains(err.Error(), "no SSH agent runs here") {
		t.Errorf("no agent: %v", err)
	}
	file, err := build.ReadDockerfile(r.Context, r.Dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.Choose(build.Assemble, r, file); outcome.Code(err) != outcome.Usage ||
		!strings.Contains(err.Error(), "--build-context needs BuildKit") {
		t.Errorf("assemble: %v", err)
	}
}

// testCache exports a cache and imports it: the import must be found.
func testCache(t *testing.T, l *lab) {
	base, _ := l.shellImage(t, "cacheshell")
	dir := tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nRUN echo cached > /x\n"})
	cache := "type=registry,ref=" + l.host + "/cache:1"
	l.build(t, l.buildkit, build.Request{Context: dir, CacheTo: []string{cache + ",mode=max"}, Platforms: []build.Platform{amd64}})
	if _, err := l.client.Resolve(t.Context(), l.host+"/cache:1"); err != nil {
		t.Errorf("no cache was written: %v", err)
	}
	var log bytes.Buffer
	engine := l.buildkit
	engine.Progress = &log
	l.build(t, engine, build.Request{Context: dir, CacheFrom: []string{cache}, Platforms: []build.Platform{amd64}})
	if !strings.Contains(log.String(), "importing cache manifest from "+l.host+"/cache:1") {
		t.Errorf("the cache was not read:\n%s", &log)
	}
	// What each step took is known.
	fresh := l.build(t, engine, build.Request{
		Context: dir, Platforms: []build.Platform{amd64}, Extras: build.Extras{NoCache: true},
	})
	if !slices.ContainsFunc(fresh.Steps, func(s build.Step) bool {
		return s.Name == "[2/2] RUN echo cached > /x" && !s.Cached && s.Seconds > 0
	}) {
		t.Errorf("the steps are %+v", fresh.Steps)
	}
	// Kept beside the image; one that cannot be read or written is a warning.
	var says strings.Builder
	engine.Container.Say = func(format string, args ...any) { fmt.Fprintf(&says, format+"\n", args...) }
	beside := build.Request{Context: dir, Cache: l.host + "/app:cache-main", Platforms: []build.Platform{amd64}}
	for _, r := range []build.Request{beside, {
		Context: dir, CacheFrom: []string{"127.0.0.1:1/none:1"}, CacheTo: []string{"type=registry,ref=127.0.0.1:1/none:1"},
		Platforms: []build.Platform{amd64},
	}} {
		if built := l.build(t, engine, r); len(built.Images) != 1 {
			t.Errorf("images are %v", built.Images)
		}
	}
	if _, err := l.client.Resolve(t.Context(), l.host+"/app:cache-main-linux-amd64"); err != nil {
		t.Errorf("no cache is beside the image: %v", err)
	}
	for _, want := range []string{"importing cache manifest from 127.0.0.1:1/none:1 failed", "exporting cache to registry failed"} {
		if !strings.Contains(says.String(), "warning: "+want+", and the image is built without: ") {
			t.Errorf("lacks a warning %q:\n%s", want, says.String())
		}
	}
}

func testFailingStep(t *testing.T, l *lab) {
	base, _ := l.shellImage(t, "failshell")
	dir := tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nENV A=1\nRUN nonsense\n"})
	_, err := tryBuild(t.Context(), l.buildkit, build.Request{Context: dir})
	if err == nil || !strings.Contains(err.Error(), "Dockerfile:3: RUN nonsense: ") || !strings.Contains(err.Error(), "exit code: 127") {
		t.Errorf("a step that fails: %v", err)
	}
}

func testCancel(t *testing.T, l *lab) {
	base, _ := l.shellImage(t, "slowshell")
	dir := tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nRUN wait\n"})
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	engine := l.buildkit
	engine.Dir = t.TempDir()
	engine.Progress = writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("waiting")) { // printed by the step
			cancel(interrupted)
		}
	})
	_, err := tryBuild(ctx, engine, build.Request{Context: dir, Platforms: []build.Platform{amd64}})
	if !errors.Is(err, interrupted) {
		t.Errorf("a cancelled build ended with %v", err)
	}
	if left, _ := os.ReadDir(engine.Dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	l.build(t, l.buildkit, build.Request{
		Context: tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nRUN arch > /x\n"}), Platforms: []build.Platform{amd64},
	})
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// testBothRefuse holds what cannot be built against BuildKit.
func testBothRefuse(t *testing.T, l *lab) {
	files := map[string]string{"app": "app", "dir/x": "x", "over/x/y": "y", "loop": "->loop"}
	for _, c := range []struct{ lines, says string }{
		{"COPY missing /", "missing"},
		{"COPY dir/*/none/z missing /", "missing"},
		{"COPY dir /d\nCOPY over /d", "/d/x"},
		{"COPY over /d\nCOPY dir /d", "/d/x"},
		{"COPY app /file\nCOPY dir /file", "/file"},
		{"COPY app /file\nCOPY app /file/", "/file"},
		{"COPY app /file\nWORKDIR /file/x", "/file"},
		{"COPY loop /", "loop"},
		{"COPY --from=nowhere.invalid/x a /", "nowhere.invalid"},
		{"COPY --chmod=9 app /", "chmod"},
		{"COPY --chown=nobody app /", "give"}, // its number
		{"STOPSIGNAL NONSENSE", "NONSENSE"},
		{"EXPOSE nonsense", "nonsense"},
		{"ENV =x", ""},
		{"COPY --from=later app /\nFROM scratch AS later", "later"},
	} {
		files["Dockerfile"] = "FROM scratch AS first\n" + c.lines + "\n"
		r := build.Request{Context: tree(t, files), Platforms: []build.Platform{amd64}}
		if strings.Contains(c.lines, "later") {
			r.Target = "first"
		}
		for name, engine := range map[string]build.Engine{"buildkit": l.buildkit, "assemble": l.assemble} {
			built, err := tryBuild(t.Context(), engine, r)
			if err == nil {
				built.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "Dockerfile:") {
				t.Errorf("%s builds %q: %v, want an error with the line that says %q", name, c.lines, err, c.says)
			}
		}
	}
}

// testPrivateBase starts from an image that only a login can read.
func testPrivateBase(t *testing.T, l *lab) {
	server, err := dockerregistry.Start(
		t.Context(), tooltest.Find(t, "docker-registry"), t.TempDir(), dockerregistry.Login{Username: "me", Password: "hunter2"},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	private := &lab{host: server.Host, client: registry.New(registry.Options{Registry: server.Host, Username: "me", Password: "hunter2"})}
	base, digest := private.push(t, "base", v1.Config{}, baseFiles)
	r := build.Request{
		Context:   tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY a /\n", "a": "a"}),
		Platforms: []build.Platform{amd64},
	}
	withLogin := l.buildkit
	withLogin.Credentials = private.client.Credentials
	for name, engine := range map[string]build.Engine{
		"buildkit": withLogin, "assemble": assemble.Engine{Images: private.client, Dir: t.TempDir()},
	} {
		built := l.build(t, engine, r)
		if len(built.BaseImages) != 1 || built.BaseImages[0].Digest != digest {
			t.Errorf("%s: base images are %v", name, built.BaseImages)
		}
	}
	strangers := build.Request{
		Context:   tree(t, map[string]string{"Dockerfile": "FROM " + server.Host + "/base@" + digest + "\nCOPY a /b\n", "a": "a"}),
		Platforms: []build.Platform{arm64},
	}
	for name, engine := range map[string]build.Engine{"buildkit": l.buildkit, "assemble": l.assemble} {
		if _, err := tryBuild(t.Context(), engine, strangers); err == nil || !strings.Contains(err.Error(), server.Host) ||
			!strings.Contains(strings.ToLower(err.Error()), "auth") {
			t.Errorf("%s without a login: %v", name, err)
		}
	}
}

// testWrongPlatform starts from an image that is no index and is for amd64: an
// arm64 image of it would hold programs that do not run.
func testWrongPlatform(t *testing.T, l *lab) {
	base := l.pushLayers(t, "amd64only", [][]entry{{{Name: "x", Type: tar.TypeReg, Mode: 0o644, data: "x"}}})
	other := "FROM " + base + " AS unused\nFROM scratch AS last\nCOPY a /\n"
	for lines, refused := range map[string]bool{
		"FROM " + base + "\nCOPY a /\n": true, "FROM --platform=linux/amd64 " + base + "\nCOPY a /\n": false, other: false,
		"FROM --platform=linux/amd64 " + base + " AS b\nFROM scratch\nCOPY --from=b x /\n": false,
	} {
		dir := tree(t, map[string]string{"Dockerfile": lines, "a": "a"})
		for _, platforms := range [][]build.Platform{both, {arm64}} {
			for name, engine := range map[string]build.Engine{"buildkit": l.buildkit, "assemble": l.assemble} {
				built, err := tryBuild(t.Context(), engine, build.Request{Context: dir, Platforms: platforms})
				if err == nil {
					built.Close()
				}
				if refused != (err != nil) {
					t.Errorf("%s, %v: %q: %v", name, platforms, lines, err)
				}
				if refused && err != nil && (!strings.Contains(err.Error(), base) ||
					!strings.Contains(err.Error(), "linux/arm64") || !strings.Contains(err.Error(), "FROM --platform=")) {
					t.Errorf("%s does not say which base image is for what: %v", name, err)
				}
			}
		}
	}
}

// testMissingPlatform starts from an index that lacks the platform.
func testMissingPlatform(t *testing.T, l *lab) {
	base, _ := l.push(t, "twoplatforms", v1.Config{}, baseFiles)
	dir := tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY a /a\n", "a": "a"})
	for name, engine := range map[string]build.Engine{"buildkit": l.buildkit, "assemble": l.assemble} {
		_, err := tryBuild(t.Context(), engine, build.Request{
			Context: dir, Platforms: []build.Platform{{OS: "linux", Architecture: "s390x"}},
		})
		if err == nil || !strings.Contains(err.Error(), "is not there for") ||
			!strings.Contains(err.Error(), "leave the platform out of --platform") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// testSameCommit builds three checkouts of a commit: the one it was made in,
// where files are older than it, and two clones with other umasks.
func testSameCommit(t *testing.T, l *lab) {
	first := tree(t, map[string]string{
		"Dockerfile": "FROM scratch\nCOPY . /app/\nCOPY dir /dir\n", "run": "x", "dir/sub/f": "f", "link": "->run",
		".dockerignore": ".git\n",
	})
	if err := os.Chmod(filepath.Join(first, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := func(script string) {
		t.Helper()
		err := process.Command{Path: "/bin/sh", Args: []string{"-ec", script}, Dir: first, Env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + first, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a",
			"GIT_COMMITTER_EMAIL=a@b", "GIT_CONFIG_NOSYSTEM=1",
		}}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
	shell("git init -q . && git add -A && git commit -qm one && touch -d @1600000000 run dir/sub/f dir")
	digests := map[string]map[string]bool{}
	for i, umask := range []string{"", "077", "002"} {
		dir := first
		if umask != "" {
			dir = filepath.Join(t.TempDir(), fmt.Sprint("clone", i))
			shell("umask " + umask + " && git clone -q . " + dir)
		}
		tracked, err := build.ReadTracked(t.Context(), dir, epoch)
		if err != nil {
			t.Fatal(err)
		}
		for name, engine := range map[string]build.Engine{"buildkit": l.buildkit, "assemble": l.assemble} {
			built := l.build(t, engine, build.Request{Context: dir, Tracked: tracked, Platforms: []build.Platform{amd64}})
			digest, err := built.Images[0].Image.Digest()
			if err != nil {
				t.Fatal(err)
			}
			if digests[name] == nil {
				digests[name] = map[string]bool{}
			}
			digests[name][digest.String()] = true
		}
	}
	for name, seen := range digests {
		if len(seen) != 1 {
			t.Errorf("%s: three checkouts of one commit gave %d digests", name, len(seen))
		}
	}
}

// The layers have the compression that is asked for, also where the daemon has
// them in another one, and hold the same files. Assembling leaves those of the
// base image alone.
func testCompression(t *testing.T, l *lab) {
	base, _ := l.push(t, "compressed", v1.Config{}, baseFiles)
	dir := tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY app /app\n", "app": strings.Repeat("an application\n", 5000)})
	for name, engine := range map[string]build.Engine{"assemble": l.assemble, "buildkit": l.buildkit} {
		var files map[string]entry
		sizes := map[string]int64{}
		for _, asked := range []string{"gzip", "zstd", "zstd,19", "gzip,1", "gzip,9"} {
			c, err := build.ParseCompression(asked)
			if err != nil {
				t.Fatal(err)
			}
			request := build.Request{Context: dir, Platforms: []build.Platform{amd64}, Epoch: epoch, Compression: c}
			image := l.build(t, engine, request).Images[0].Image
			manifest, err := image.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]types.MediaType{false: types.OCILayer, true: types.OCILayerZStd}[c.Zstd]
			for i, layer := range manifest.Layers {
				if layer.MediaType != want && (i > 0 || name == "buildkit") {
					t.Errorf("%s, %s: layer %d is %s", name, asked, i, layer.MediaType)
				}
			}
			sizes[asked] = manifest.Layers[len(manifest.Layers)-1].Size
			now := filesOf(t, image)
			if files != nil {
				if diff := cmp.Diff(files, now, cmp.AllowUnexported(entry{})); diff != "" {
					t.Errorf("%s, %s: %s", name, asked, diff)
				}
			}
			files = now
		}
		if sizes["gzip,9"] >= sizes["gzip,1"] {
			t.Errorf("%s: the level changes nothing: %v", name, sizes)
		}
	}
}
