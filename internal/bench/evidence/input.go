package evidence

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/imageref"
)

const (
	packages = 120
	files    = 300
	fileSize = 64 << 10
	commit   = "1111111111111111111111111111111111111111"
)

const advisories = `- bucket: vulnerability
  pairs:
    - key: CVE-1990-0010
      value: {Title: "an invented overflow", Severity: CRITICAL, VendorSeverity: {nvd: 4}}
- bucket: "debian 13"
  pairs:
    - bucket: package-7
      pairs:
        - key: CVE-1990-0010
          value: {FixedVersion: "9.9.9", Status: 3, Severity: 0}
`

func writeAdvisories(dir string) (string, error) {
	path := filepath.Join(dir, "advisories.yaml")
	return path, os.WriteFile(path, []byte(advisories), 0o600)
}

// image is one that was just pushed.
type image struct {
	ref       imageref.Ref
	platforms []string
	digests   map[string]string
	layers    []string
}

// push pushes an image of two platforms that share a base layer, as Debian
// images do, and have a Go program each. No layer was ever pushed before.
func (b *bench) push(ctx context.Context) (image, error) {
	b.made++
	im := image{platforms: []string{"linux/amd64", "linux/arm64"}, digests: make(map[string]string)}
	program, err := os.ReadFile(filepath.Join(b.tools, "crane"))
	if err != nil {
		return image{}, err
	}
	base, err := layer(b.base())
	if err != nil {
		return image{}, err
	}
	b.size = 0
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, name := range im.platforms {
		platform, err := v1.ParsePlatform(name)
		if err != nil {
			return image{}, err
		}
		content := map[string][]byte{"app/server": program, "app/build": fmt.Appendf(nil, "%s %d", name, b.made)}
		for i := range b.node {
			content[fmt.Sprintf("app/node_modules/package-%d/package.json", i)] = fmt.Appendf(nil,
				`{"name": "package-%d", "version": "1.%d.0", "license": "MIT"}`, i, i)
		}
		app, err := layer(content)
		if err != nil {
			return image{}, err
		}
		one, err := manifest(platform, base, app)
		if err != nil {
			return image{}, err
		}
		digest, err := one.Digest()
		if err != nil {
			return image{}, err
		}
		im.digests[name] = digest.String()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: one, Descriptor: v1.Descriptor{Platform: platform}})
		for _, l := range []v1.Layer{base, app} {
			digest, err := l.Digest()
			if err != nil {
				return image{}, err
			}
			size, err := l.Size()
			if err != nil {
				return image{}, err
			}
			if l != base || len(im.layers) == 0 {
				im.layers = append(im.layers, digest.String())
				b.size += size
			}
		}
	}
	repository, err := imageref.ParseRepository(b.proxy.host + "/acme/demo-api")
	if err != nil {
		return image{}, err
	}
	im.ref, err = b.client.PushIndex(ctx, repository, index)
	return im, err
}

// manifest is the image of one platform.
func manifest(platform *v1.Platform, layers ...v1.Layer) (v1.Image, error) {
	plain := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	one, err := mutate.AppendLayers(plain, layers...)
	if err != nil {
		return nil, err
	}
	config, err := one.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = platform.OS, platform.Architecture
	return mutate.ConfigFile(one, config)
}

// base is a distribution's layer: its package database, and files.
func (b *bench) base() map[string][]byte {
	random := rand.New(rand.NewPCG(uint64(b.made), 1)) //nolint:gosec // files to fill a layer
	content := map[string][]byte{
		"etc/os-release":     []byte("ID=debian\nVERSION_ID=\"13\"\n"),
		"etc/debian_version": []byte("13.1\n"),
	}
	var status strings.Builder
	for i := range packages {
		fmt.Fprintf(
			&status,
			"Package: package-%d\nStatus: install ok installed\nArchitecture: all\nMaintainer: Somebody "+
				"<somebody@example.com>\nVersion: 1.%d-1\n\n",
			i, i,
		)
		content[fmt.Sprintf("usr/share/doc/package-%d/copyright", i)] = []byte("License: MIT\n")
	}
	content["var/lib/dpkg/status"] = []byte(status.String())
	for i := range files {
		data := make([]byte, fileSize)
		for j := range data {
			data[j] = byte(random.Uint32())
		}
		content[fmt.Sprintf("usr/lib/%d", i)] = data
	}
	return content
}

func layer(content map[string][]byte) (v1.Layer, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for path, data := range content {
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer),
	)
}

// write writes what both need beside the image: how it was built, and the
// policy.
func (b *bench) write(im image) error {
	now := time.Now().UTC().Format(time.RFC3339)
	record, err := json.Marshal(map[string]any{
		"schema": "https://waybill.dev/build/v1", "image": im.ref.String(), "digest": im.ref.Digest(), "platforms": im.digests,
		"engine": "assemble", "version": "bench",
		"dockerfile": map[string]string{"path": "Dockerfile", "digest": "sha256:" + strings.Repeat("1", 64)}, "context": ".",
		"source":    map[string]string{"repository": "https://github.com/acme/demo-api", "commit": commit, "ref": "refs/heads/main"},
		"startedAt": now, "finishedAt": now,
	})
	if err != nil {
		return err
	}
	provenance, err := json.Marshal(map[string]any{
		"buildDefinition": map[string]any{
			"buildType": "https://example.com/build", "externalParameters": map[string]string{"commit": commit},
		},
		"runDetails": map[string]any{"builder": map[string]string{"id": "https://example.com/builder"}},
	})
	if err != nil {
		return err
	}
	policy := fmt.Sprintf(`apiVersion: waybill.dev/v1
environments: [{name: prod}]
apps:
  demo-api: {image: %s, source: acme/demo-api}
policy:
  require: [signature, provenance, sbom, scan]
  scan: {severity: none, maxAge: 1h}
`, im.ref.Repository())
	for name, data := range map[string][]byte{"build.json": record, "provenance.json": provenance, "waybill.yaml": []byte(policy)} {
		if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// counter stands before the registry and counts what is read.
type counter struct {
	host   string
	server *http.Server
	mu     sync.Mutex
	seen   map[string]int
}

func newCounter(ctx context.Context, host string) (*counter, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counter{host: listener.Addr().String(), seen: make(map[string]int)}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})
	c.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, blob, ok := strings.Cut(r.URL.Path, "/blobs/"); ok && r.Method == http.MethodGet {
			c.mu.Lock()
			c.seen[blob]++
			c.mu.Unlock()
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = c.server.Serve(listener) }() // until stop
	return c, nil
}

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.seen)
}

// reads is how often a layer was read on average.
func (c *counter) reads(layers []string) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := 0
	for _, l := range layers {
		sum += c.seen[l]
	}
	return float64(sum) / float64(len(layers))
}

func (c *counter) stop() { _ = c.server.Close() }
