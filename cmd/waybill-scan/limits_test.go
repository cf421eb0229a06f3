//go:build goexperiment.jsonv2

package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// An image that has more of something than any honest one is an error that names the
// limit, and comes before the analyzers have worked on it.
func TestImageWithTooMuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	java, err := w.javaDatabase(t)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	numbered := func(n int, path, content string) map[string]string {
		files := make(map[string]string)
		for i := range n {
			files[fmt.Sprintf(path, i)] = content
		}
		return files
	}
	inner := zipped(t, "META-INF/MANIFEST.MF", "Implementation-Title: a\n")
	deep := inner
	for range 4 {
		deep = zipped(t, "lib/a.jar", deep)
	}
	const npm = `{"name": "a", "version": "1"}`
	for what, test := range map[string]struct {
		files  map[string]string
		limits exchange.Limits // that refuse it
		enough exchange.Limits // that do not
		words  string
	}{
		"files": {
			numbered(9, "a/%d", ""), exchange.Limits{Files: 9}, exchange.Limits{Files: 10},
			"the image has 9 files or more, and only images with fewer are scanned",
		},
		"package files": {
			numbered(9, "node_modules/%d/package.json", npm), exchange.Limits{PackageFiles: 9}, exchange.Limits{PackageFiles: 10},
			"the image has 9 package files or more",
		},
		"packages": {
			alpine("a=1", "b=1", "c=1", "d=1", "e=1", "f=1", "g=1", "h=1", "i=1"), exchange.Limits{Packages: 9},
			exchange.Limits{Packages: 10}, "the image has 9 packages or more",
		},
		"packages of a language": {
			numbered(9, "node_modules/%d/package.json", npm), exchange.Limits{Packages: 9}, exchange.Limits{Packages: 10},
			"the image has 9 packages or more",
		},
		"what an archive in an archive unpacks to": {
			map[string]string{"app.war": zipped(t, "lib/a.jar", several(t, map[string]string{"a": strings.Repeat(" ", 5<<20)}))},
			exchange.Limits{Ratio: 5, RatioFree: 1 << 20}, exchange.Limits{Ratio: 5000, RatioFree: 1 << 20},
			`the archives in "app.war" of the image unpack to more than 5 times its size, and to more than 1 MiB`,
		},
		"packages of the distribution": {
			alpine("a=1", "b=1", "c=1", "d=1", "e=1", "f=1", "g=1", "h=1", "i=1"), exchange.Limits{System: 9},
			exchange.Limits{System: 10}, "the image has 9 packages of its distribution or more",
		},
		"bytes of a package file": {
			map[string]string{"lib/apk/db/installed": strings.Repeat("\n", 9<<20)}, exchange.Limits{PackageFiles: 100}, exchange.Limits{},
			`"lib/apk/db/installed" in the image has 9 MiB, and at most 8 MiB are read of such a file`,
		},
		"archives": {
			numbered(9, "lib/%d.jar", inner), exchange.Limits{Archives: 9}, exchange.Limits{Archives: 10},
			"the image has 9 archives or more",
		},
		"archives in one archive": {
			map[string]string{"app.war": several(t, numbered(8, "lib/%d.jar", inner))}, exchange.Limits{Archives: 9},
			exchange.Limits{Archives: 10}, "the image has 9 archives or more",
		},
		"archives within archives": {
			map[string]string{"a.jar": deep}, exchange.Limits{ArchiveDepth: 3}, exchange.Limits{ArchiveDepth: 4},
			`the archive "a.jar" in the image holds archives within archives, more than 3 deep`,
		},
		"what is read of an archive": {
			map[string]string{"a.jar": zipped(t, "META-INF/MANIFEST.MF", strings.Repeat("a: b\n", 4<<20))}, exchange.Limits{},
			exchange.Limits{}, `the archive "a.jar" in the image has "META-INF/MANIFEST.MF" of 20 MiB, and at most 16 MiB are read`,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ask := func(limits exchange.Limits) error {
				request := w.request(t, w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{test.files}}))
				request.JavaDatabaseDir = java
				limits.ImageBytes = request.Limits.ImageBytes
				request.Limits = limits
				_, err := child(t).Run(t.Context(), request)
				return err
			}
			if err := ask(test.limits); err == nil || !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want %q", err, test.words)
			}
			if test.enough == test.limits { // that limit is always there
				return
			}
			if err := ask(test.enough); err != nil {
				t.Errorf("below the limit: %v", err)
			}
		})
	}
}

// What a limit allows, it allows each platform.
func TestLimitsAreOfEachPlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := func(more string) map[string]string { // 4 packages of the distribution, and 2 of a language in 2 package files
		files := alpine("a=1", "b=1", "c=1", "d=1")
		for i := range 2 {
			files[fmt.Sprintf("node_modules/%d/package.json", i)] = fmt.Sprintf(`{"name": "%d%s", "version": "1"}`, i, more)
		}
		return files
	}
	const all = 6 // files, packages and package files of a platform are fewer
	ref := w.push(t, "acme/app",
		platform{"linux/amd64", []map[string]string{files("a")}}, platform{"linux/arm64", []map[string]string{files("b")}})
	ask := func(limits exchange.Limits) error {
		request := w.request(t, ref)
		limits.ImageBytes = request.Limits.ImageBytes
		request.Limits = limits
		_, err := child(t).Run(t.Context(), request)
		return err
	}
	for what, limits := range map[string]exchange.Limits{
		"files": {Files: all + 1}, "package files": {PackageFiles: all + 1}, "packages": {Packages: all + 1},
		"the distribution's": {System: all},
	} {
		if err := ask(limits); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := ask(exchange.Limits{Packages: all}); err == nil || !strings.Contains(err.Error(), "the image has 12 packages or more") {
		t.Errorf("got %v", err)
	}
}

// several is an archive with these files.
func several(t *testing.T, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for path, content := range files {
		f, err := w.CreateHeader(&zip.FileHeader{Name: path, Method: zip.Store})
		if err == nil {
			_, err = f.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The configuration names what each layer unpacks to. Where it lies, Trivy would read
// one layer in place of another.
func TestLayersAreWhatTheConfigurationSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clean, vulnerable := layer(t, map[string]string{"a": "1"}), layer(t, alpine("openssl=3.5.1-r0"))
	packedAgain, err := tarball.LayerFromOpener(clean.Uncompressed, tarball.WithCompressionLevel(gzip.NoCompression))
	if err != nil {
		t.Fatal(err)
	}
	push := func(layers []v1.Layer, diffIDs ...v1.Hash) imageref.Ref {
		made := image(t, platform{}, &v1.Platform{OS: "linux", Architecture: "amd64"})
		made, err := mutate.AppendLayers(made, layers...)
		if err != nil {
			t.Fatal(err)
		}
		config, err := made.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.RootFS.DiffIDs = diffIDs
		if made, err = mutate.ConfigFile(made, config); err != nil {
			t.Fatal(err)
		}
		ref, err := w.client.PushImage(t.Context(), w.repository(t, "acme/app"), made)
		if err != nil {
			t.Fatal(err)
		}
		return ref
	}
	of := func(l v1.Layer) v1.Hash {
		diffID, err := l.DiffID()
		if err != nil {
			t.Fatal(err)
		}
		return diffID
	}
	for what, test := range map[string]struct {
		ref   imageref.Ref
		words string
	}{
		"the truth":                     {push([]v1.Layer{clean, vulnerable}, of(clean), of(vulnerable)), ""},
		"one layer twice":               {push([]v1.Layer{clean, clean}, of(clean), of(clean)), ""},
		"one layer, packed in two ways": {push([]v1.Layer{clean, packedAgain}, of(clean), of(clean)), ""},
		"a layer that is not named":     {push([]v1.Layer{clean, vulnerable}, of(clean)), "mismatched fs layers (2) and diff ids (1)"},
		"a layer that is not there":     {push([]v1.Layer{clean}, of(clean), of(vulnerable)), "mismatched fs layers (1) and diff ids (2)"},
		"a layer hides behind another": {
			push([]v1.Layer{clean, vulnerable}, of(clean), of(clean)), "and the configuration says " + of(clean).String(),
		},
		"a layer is called by no digest": {
			push([]v1.Layer{clean}, v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("1", 64)}),
			"no container runtime starts such an image",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			_, err := child(t).Run(t.Context(), w.request(t, test.ref))
			if (err != nil) != (test.words != "") || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Errorf("got %v, want %q", err, test.words)
			}
		})
	}
}
