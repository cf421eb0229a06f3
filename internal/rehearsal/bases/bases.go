// Package bases pushes stand-ins for public base images into a rehearsal's
// registry, under the names that they have in their own registries.
//
// The stand-in for Node is one static program, which is its shell and its npm;
// those for nginx and distroless hold a file. They are enough to build a site, or
// the image of a release, as on GitHub. None of them runs anything afterwards.
package bases

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry"
)

// Options says where things are.
type Options struct {
	Root     string   // this checkout
	Dir      string   // for the program
	Env      []string // of the Go toolchain, which compiles it
	Registry string   // host
}

// Push compiles the program and pushes the images.
func Push(ctx context.Context, o Options) error {
	program := filepath.Join(o.Dir, "program")
	if err := (process.Command{Path: "go", Dir: o.Root, Args: []string{"build", "-o", program, "./internal/rehearsal/bases/program"},
		Env: append(append([]string{}, o.Env...), "CGO_ENABLED=0", "HOME="+o.Dir)}).Run(ctx); err != nil {
		return fmt.Errorf("compile the program of the base images: %w", err)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	node := map[string][]byte{"bin/sh": data, "usr/local/bin/npm": data}
	nginx := map[string][]byte{"usr/share/nginx/html/50x.html": []byte("<p>stand-in</p>\n")}
	distroless := map[string][]byte{"etc/passwd": []byte("nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")}
	for _, image := range []struct {
		name, tag string
		files     map[string][]byte
		platforms []string // architectures
	}{
		{"library/node", "24-alpine", node, []string{runtime.GOARCH}},
		{"nginxinc/nginx-unprivileged", "1.29-alpine", nginx, []string{"amd64", "arm64"}},
		{"distroless/static-debian13", "nonroot", distroless, []string{"amd64", "arm64"}},
	} {
		index, err := indexOf(image.files, image.platforms)
		if err != nil {
			return err
		}
		repository, err := name.NewRepository(o.Registry + "/" + image.name)
		if err != nil {
			return err
		}
		client := registry.New(registry.Options{})
		ref, err := client.PushIndex(ctx, repository, index)
		if err != nil {
			return err
		}
		if err := client.Tag(ctx, ref, image.tag); err != nil {
			return err
		}
	}
	return nil
}

func indexOf(files map[string][]byte, architectures []string) (v1.ImageIndex, error) {
	layer, err := layerOf(files)
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, architecture := range architectures {
		image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return nil, err
		}
		file, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		file = file.DeepCopy()
		file.OS, file.Architecture, file.Config.Env = "linux", architecture, []string{"PATH=/usr/local/bin:/bin"}
		if image, err = mutate.ConfigFile(image, file); err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: "linux", Architecture: architecture},
		}})
	}
	return index, nil
}

func layerOf(files map[string][]byte) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for path, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: path, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return static.NewLayer(b.Bytes(), types.OCIUncompressedLayer), err
}
