package main

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal/vulndb"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// withScanCommands adds the commands of scripts about scanning.
func withScanCommands(
	t *testing.T, commands map[string]func(ts *testscript.TestScript, neg bool, args []string),
) map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	root := tooltest.Root(t)
	commands["needscanner"] = func(ts *testscript.TestScript, neg bool, args []string) { findScanner(ts, root, neg, args) }
	commands["pushvulndb"] = func(ts *testscript.TestScript, neg bool, args []string) { pushVulnerabilities(ts, root, neg, args) }
	commands["pushfiles"], commands["tagimage"] = pushFiles, tagPushed
	commands["stdout2env"] = func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: stdout2env VAR")
		}
		ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
	}
	return commands
}

// findScanner puts bin, where make build puts the real waybill-scan, at the end
// of PATH; the script skips itself where it is not: needscanner
func findScanner(ts *testscript.TestScript, root string, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: needscanner")
	}
	ts.Setenv("PATH", ts.Getenv("PATH")+string(os.PathListSeparator)+filepath.Join(root, "bin"))
}

// pushVulnerabilities pushes the database of testdata/advisories, as built AGE
// ago, and sets VULNDB: pushvulndb [AGE]
func pushVulnerabilities(ts *testscript.TestScript, root string, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: pushvulndb [AGE]")
	}
	age, err := time.ParseDuration(append(args, "0s")[0])
	ts.Check(err)
	advisories, err := filepath.Glob(filepath.Join(root, "testdata", "advisories", "*.yaml"))
	ts.Check(err)
	repository, err := name.NewRepository(ts.Getenv("REGISTRY") + "/trivy-db")
	ts.Check(err)
	_, err = vulndb.Push(context.Background(), registry.New(registry.Options{}), repository,
		vulndb.Database{Advisories: advisories, UpdatedAt: time.Now().Add(-age)})
	ts.Check(err)
	ts.Setenv("VULNDB", repository.Name()+":2")
}

// pushFiles pushes an image whose platforms hold the files of directories, and
// sets IMAGE: pushfiles NAME PLATFORM=DIR…
func pushFiles(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: pushfiles NAME PLATFORM=DIR…")
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arg := range args[1:] {
		platform, dir, _ := strings.Cut(arg, "=")
		parsed, err := v1.ParsePlatform(platform)
		ts.Check(err)
		data := archiveDirectory(ts, ts.MkAbs(dir))
		layer, err := tarball.LayerFromOpener(
			func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil },
			tarball.WithMediaType(types.OCILayer),
		)
		ts.Check(err)
		image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
		ts.Check(err)
		config, err := image.ConfigFile()
		ts.Check(err)
		config = config.DeepCopy()
		config.OS, config.Architecture = parsed.OS, parsed.Architecture
		image, err = mutate.ConfigFile(image, config)
		ts.Check(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: parsed}})
	}
	repository, err := name.NewRepository(ts.Getenv("REGISTRY") + "/" + args[0])
	ts.Check(err)
	ref, err := registry.New(registry.Options{}).PushIndex(context.Background(), repository, index)
	ts.Check(err)
	ts.Setenv("IMAGE", ref.String())
	ts.Setenv("DIGEST", ref.Digest())
}

// tagPushed gives IMAGE a tag, as anybody with push rights can: tagimage TAG
func tagPushed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tagimage TAG")
	}
	ref, err := imageref.Parse(ts.Getenv("IMAGE"))
	ts.Check(err)
	ts.Check(registry.New(registry.Options{}).Tag(context.Background(), ref, args[0]))
}

func archiveDirectory(ts *testscript.TestScript, dir string) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	ts.Check(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{
			Name: filepath.ToSlash(inside), Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg,
		}); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}))
	ts.Check(w.Close())
	return out.Bytes()
}
