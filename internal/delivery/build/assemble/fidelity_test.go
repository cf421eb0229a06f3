package assemble

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
)

// headers reads the entries of an image's last layer.
func headers(t *testing.T, i build.Image) map[string]*tar.Header {
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
	list := map[string]*tar.Header{}
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list[h.Name] = h
	}
}

func TestWhatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a/there": "", "a/nope-not": "", "x": ""}
	for line, says := range map[string]string{
		"COPY --parents a/nope x /o/":   "/a/nope: no such file",
		"COPY --parents ./a/./nope /o/": "/a/nope: no such file",
		"COPY [a /o/":                   "/[a: syntax error in pattern",
		"COPY a/[a- /o/":                "syntax error in pattern",
		"COPY --parents a/[ /o/":        "syntax error in pattern",
		"COPY --exclude=[ a /o/":        "syntax error in pattern",
	} {
		files["Dockerfile"] = "FROM scratch\n" + line + "\n"
		_, err := assemble(t, write(t, files), nil)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "Dockerfile:2: "+line) {
			t.Errorf("%s: %v, want %q", line, err, says)
		}
	}
	files["Dockerfile"] = "FROM scratch\nCOPY --parents a/there a/* a/./nope-not /o/\n"
	if _, err := assemble(t, write(t, files), nil); err != nil {
		t.Error(err)
	}
}

// A directory that --parents makes has the mode that --chmod asks for. One that is there
// gets the source's mode, keeps its owner, and is touched no further, as in BuildKit.
func TestDirectoriesAboveWhatIsCopied(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a/one": "1", "a/two": "2"}
	for line, want := range map[string]string{
		"COPY --parents --chmod=700 a/one /":                                        "700 of 0",
		"COPY --parents --chmod=700 a/one a/two /":                                  "755 of 0",
		"COPY --chmod=700 --chown=7 a /a/\nCOPY --parents --chown=8 a/two /":        "755 of 7",
		"COPY --chmod=700 --chown=7 a /a/\nCOPY --parents --chown=8 --link a/two /": "755 of 8",
	} {
		files["Dockerfile"] = "FROM scratch\n" + line + "\n"
		built, err := assemble(t, write(t, files), nil)
		if err != nil {
			t.Fatal(err)
		}
		h := headers(t, built.Images[0])["a/"]
		if h == nil {
			t.Errorf("%s: no directory", line)
		} else if got := fmt.Sprintf("%o of %d", h.Mode, h.Uid); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// A hundred names of one file are one file in the layer, within one COPY.
func TestHardLinksStayLinks(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"bin/busybox": strings.Repeat("incompressible?", 1000),
		"Dockerfile":  "FROM scratch\nCOPY bin /bin\nCOPY bin/app[12] /two/\n",
	})
	for i := range 100 {
		if err := os.Link(filepath.Join(dir, "bin/busybox"), filepath.Join(dir, fmt.Sprint("bin/app", i))); err != nil {
			t.Fatal(err)
		}
	}
	built, err := assemble(t, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := built.Images[0].Image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if size, _ := io.Copy(io.Discard, r); size > 100*1024 {
		t.Errorf("the layer has %d bytes, want one file of 15000 and 100 links", size)
	}
	for name, h := range headers(t, built.Images[0]) {
		if strings.HasPrefix(name, "two/app") && h.Typeflag != tar.TypeReg {
			t.Errorf("%s is a %c: what a pattern matches is copied one by one", name, h.Typeflag)
		}
	}
}

func TestTimesOfFiles(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"old": "", "new": "", "Dockerfile": "FROM scratch AS a\nCOPY old new /\nFROM scratch\nCOPY --from=a / /copied/\n",
	})
	before := epoch.Add(-time.Hour)
	for name, at := range map[string]time.Time{"old": before, "new": epoch.Add(time.Hour)} {
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	built, err := assemble(t, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	list := headers(t, built.Images[0])
	if !list["copied/old"].ModTime.Equal(before) || !list["copied/new"].ModTime.Equal(epoch) {
		t.Errorf("times are %v and %v, want %v and the epoch", list["copied/old"].ModTime, list["copied/new"].ModTime, before)
	}
}

func TestEpochAsBuildArgument(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"f": "", "Dockerfile": "FROM scratch\nCOPY f /\n"})
	built, err := assemble(t, dir, func(r *build.Request) { r.Args = map[string]string{"SOURCE_DATE_EPOCH": "5"} })
	if err != nil {
		t.Fatal(err)
	}
	config, err := built.Images[0].Image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if at := headers(t, built.Images[0])["f"].ModTime; at.Unix() != 5 || config.Created.Unix() != 5 {
		t.Errorf("the file is of %v, the image of %v", at, config.Created)
	}
	if _, err := assemble(t, dir, func(r *build.Request) { r.Args = map[string]string{"SOURCE_DATE_EPOCH": "now"} }); err == nil ||
		!strings.Contains(err.Error(), `"now" is not a number`) {
		t.Error(err)
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"Dockerfile": "FROM scratch as a\nENV K v\n"})
	var warnings []string
	if _, err := assemble(
		t, dir, func(r *build.Request) { r.Warn = func(w build.Warning) { warnings = append(warnings, w.String()) } },
	); err != nil {
		t.Fatal(err)
	}
	want := []string{
		dir + "/Dockerfile:1: FromAsCasing: 'as' and 'FROM' keywords' casing do not match",
		dir + `/Dockerfile:2: LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format`,
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("warnings, once for both platforms:\n%s", diff)
	}
	dir = write(t, map[string]string{"Dockerfile": "# check=error=true\nFROM scratch as a\n"})
	if _, err := assemble(t, dir, nil); err == nil || !strings.Contains(err.Error(), "lint violation found for rules: FromAsCasing") {
		t.Errorf("with error=true: %v", err)
	}
}

// A name that the stage does not have is root's, as in BuildKit, and not silently.
func TestUnknownOwner(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"passwd": "app:x:7:8::/:\n", "a": "",
		"Dockerfile": "FROM scratch AS accounts\nCOPY passwd /etc/passwd\nFROM accounts\nCOPY --chown=nobody:staff a /\n",
	}
	var warnings []string
	built, err := assemble(
		t, write(t, files), func(r *build.Request) { r.Warn = func(w build.Warning) { warnings = append(warnings, w.Message) } },
	)
	if err != nil {
		t.Fatal(err)
	}
	if h := headers(t, built.Images[0])["a"]; h.Uid != 0 || h.Gid != 0 {
		t.Errorf("the file belongs to %d:%d", h.Uid, h.Gid)
	}
	want := []string{
		`no user "nobody" in /etc/passwd of the stage: the files are root's, as with BuildKit`,
		`no group "staff" in /etc/group of the stage: the files are root's, as with BuildKit`,
	}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Error(diff)
	}
	files["Dockerfile"] = "FROM scratch\nCOPY --chown=nobody a /\n"
	if _, err := assemble(t, write(t, files), nil); err == nil ||
		!strings.Contains(err.Error(), `no user "nobody" in /etc/passwd of this stage: give a number`) {
		t.Errorf("in an empty stage: %v", err)
	}
}

// archive makes a tar of entries, with text as the content of files.
func archive(t *testing.T, entries ...tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		if h.Typeflag == tar.TypeReg {
			h.Size = 4
		}
		h.Mode, h.ModTime = 0o755, epoch
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, "text")
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestArchiveStaysBelowItsDirectory(t *testing.T) {
	t.Parallel()
	data := archive(t,
		tar.Header{Name: "../../up", Typeflag: tar.TypeReg}, tar.Header{Name: "/abs", Typeflag: tar.TypeReg},
		tar.Header{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "/"}, tar.Header{Name: "out/through", Typeflag: tar.TypeReg},
		tar.Header{Name: "back", Typeflag: tar.TypeSymlink, Linkname: "../.."}, tar.Header{Name: "back/again", Typeflag: tar.TypeReg},
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "../../../abs"},
	)
	built, err := assemble(t, write(t, map[string]string{"a.tar": data, "Dockerfile": "FROM scratch\nADD a.tar /in/side\n"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(
		[]string{
			"in/", "in/side/", "in/side/abs", "in/side/again", "in/side/back", "in/side/hard", "in/side/out", "in/side/through",
			"in/side/up",
		},
		names(t, built.Images[0]),
	); diff != "" {
		t.Error(diff)
	}
	for name, says := range map[string]struct{ data, says string }{
		"a link to nothing": {
			archive(t, tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}),
			"hard link to /etc/passwd: no such file",
		},
		"cut off":         {data[:514], "unexpected EOF"},
		"an unknown type": {archive(t, tar.Header{Name: "x", Typeflag: 'V'}), "cannot be unpacked"},
		"a file as a parent": {
			archive(t, tar.Header{Name: "f", Typeflag: tar.TypeReg}, tar.Header{Name: "f/x", Typeflag: tar.TypeReg}),
			"not a directory",
		},
	} {
		_, err := assemble(t, write(t, map[string]string{"a.tar": says.data, "Dockerfile": "FROM scratch\n\nADD a.tar /\n"}), nil)
		if err == nil || !strings.Contains(err.Error(), says.says) || !strings.Contains(err.Error(), "Dockerfile:3: ADD a.tar /: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A small archive that unpacks to much is stopped.
func TestArchiveBounds(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, archive(t, tar.Header{Name: "a", Typeflag: tar.TypeReg}, tar.Header{Name: "b", Typeflag: tar.TypeReg}))
	z.Close()
	for says, x := range map[string]extraction{"too many bytes": {bytes: 7, entries: 9}, "too many entries": {bytes: 100, entries: 1}} {
		contents, err := layerfile.New(layerfile.Options{Dir: t.TempDir()}).Spool()
		if err != nil {
			t.Fatal(err)
		}
		x.to, x.contents = newEditor(newDir(0o755, nil), epoch), contents
		plain, err := layerfile.Decompress(&zipped)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.all(t.Context(), plain); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s", err, says)
		}
		z.Reset(&zipped)
		io.WriteString(z, archive(t, tar.Header{Name: "a", Typeflag: tar.TypeReg}, tar.Header{Name: "b", Typeflag: tar.TypeReg}))
		z.Close()
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	x := extraction{to: newEditor(newDir(0o755, nil), epoch), bytes: 1 << 20, entries: 9}
	if err := x.all(
		cancelled, strings.NewReader(archive(t, tar.Header{Name: "a", Typeflag: tar.TypeReg})),
	); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// An index may leave out the platforms: the configurations have them.
func TestIndexWithoutPlatforms(t *testing.T) {
	t.Parallel()
	server := registrytest.New(t, nil)
	client := registry.New(registry.Options{})
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range both {
		image, err := mutate.ConfigFile(
			empty.Image, &v1.ConfigFile{OS: p.OS, Architecture: p.Architecture, Config: v1.Config{User: p.Architecture}},
		)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image})
	}
	if manifest, err := index.IndexManifest(); err != nil || manifest.Manifests[0].Platform != nil {
		t.Fatalf("the index names platforms: %v, %v", manifest, err)
	}
	repository, err := name.NewRepository(server.Host + "/noplat")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := client.PushIndex(t.Context(), repository, index)
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{"a": "", "Dockerfile": "FROM " + ref.String() + "\nCOPY a /\n"})
	built := assembled(t, client, dir)
	for i, p := range both {
		if config, err := built.Images[i].Image.ConfigFile(); err != nil || config.Config.User != p.Architecture {
			t.Errorf("%s starts from %v, %v", p, config, err)
		}
	}
}
