//go:build goexperiment.jsonv2

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal/vulndb"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// TestMain makes the test binary the program itself where it is started by the
// program's name, so that the tests run the real child in its real environment.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == contract.WaybillScan {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is waybill-scan as waybill starts it.
func child(t *testing.T) scan.Child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), contract.WaybillScan)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	words := new(bytes.Buffer)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("waybill-scan said: %s", words)
		}
	})
	return scan.Child{Path: path, Timeout: 5 * time.Minute, Words: words}
}

// world is a registry with a vulnerability database in it.
type world struct {
	host     string
	client   *registry.Client
	database scan.Database
	server   *registrytest.Server
}

func newWorld(t *testing.T) world {
	t.Helper()
	server := registrytest.New(t, nil)
	w := world{host: server.Host, client: registry.New(registry.Options{}), server: server}
	now := time.Now()
	if _, err := vulndb.Push(
		t.Context(), w.client, w.repository(t, "trivy-db"), vulndb.Database{Advisories: advisories(t), UpdatedAt: now},
	); err != nil {
		t.Fatal(err)
	}
	var err error
	w.database, err = scan.OpenDatabase(t.Context(), w.client, scan.DatabaseOptions{
		Repository: w.host + "/trivy-db:2", CacheDir: t.TempDir(), MaxAge: time.Hour, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w world) repository(t *testing.T, path string) name.Repository {
	t.Helper()
	repository, err := imageref.ParseRepository(w.host + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

func (w world) scan(t *testing.T, o scan.Options) scan.Result {
	t.Helper()
	o.Now = time.Now
	result, err := scan.Scan(t.Context(), w.client, w.database, child(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func advisories(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(tooltest.Root(t), "testdata", "advisories", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no advisories: %v", err)
	}
	return files
}

// platform is one manifest of an image made for a test: each layer a set of
// files.
type platform struct {
	name   string
	layers []map[string]string
}

// push pushes an index of the platforms.
func (w world) push(t *testing.T, path string, platforms ...platform) imageref.Ref {
	t.Helper()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		parsed, err := v1.ParsePlatform(p.name)
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image(t, p, parsed), Descriptor: v1.Descriptor{Platform: parsed}})
	}
	ref, err := w.client.PushIndex(context.WithoutCancel(t.Context()), w.repository(t, path), index)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func image(t *testing.T, p platform, parsed *v1.Platform) v1.Image {
	t.Helper()
	made := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, files := range p.layers {
		var err error
		if made, err = mutate.AppendLayers(made, layer(t, files)); err != nil {
			t.Fatal(err)
		}
	}
	config, err := made.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = parsed.OS, parsed.Architecture, parsed.Variant
	if made, err = mutate.ConfigFile(made, config); err != nil {
		t.Fatal(err)
	}
	return made
}

func layer(t *testing.T, files map[string]string) v1.Layer {
	t.Helper()
	data := archive(t, files)
	made, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		content := files[path]
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// alpine is the part of an Alpine image that a scanner reads.
func alpine(packages ...string) map[string]string {
	var installed strings.Builder
	for _, p := range packages {
		name, version, _ := strings.Cut(p, "=")
		installed.WriteString(
			"C:Q1Zm9vYmFy\nP:" + name + "\nV:" + version + "\nA:x86_64\nS:1\nI:1\nT:test\nU:https://example.com\nL:MIT\no:" + name + "\nm:Somebody <somebody@example.com>\nt:1\n\n",
		)
	}
	return map[string]string{
		"etc/alpine-release":   "3.22.1\n",
		"etc/os-release":       "ID=alpine\nVERSION_ID=3.22.1\n",
		"lib/apk/db/installed": installed.String(),
	}
}

// debian is the part of a Debian image that a scanner reads. A package is
// NAME=VERSION, with the source package in brackets where it has another name.
func debian(packages ...string) map[string]string {
	var status strings.Builder
	for _, p := range packages {
		p, source, _ := strings.Cut(strings.TrimSuffix(p, ")"), " (")
		name, version, _ := strings.Cut(p, "=")
		status.WriteString(
			"Package: " + name + "\nStatus: install ok installed\nArchitecture: all\nMaintainer: Somebody " +
				"<somebody@example.com>\nVersion: " + version + "\n",
		)
		if source != "" {
			status.WriteString("Source: " + source + "\n")
		}
		status.WriteString("\n")
	}
	return map[string]string{
		"etc/os-release":      "ID=debian\nVERSION_ID=\"13\"\n",
		"etc/debian_version":  "13.1\n",
		"var/lib/dpkg/status": status.String(),
	}
}
