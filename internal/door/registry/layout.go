package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"regexp"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// layoutRepository is the repository of a served layout.
const layoutRepository = "layout"

var servedPath = regexp.MustCompile(`^/v2/` + layoutRepository + `/(manifests|blobs)/sha256:([0-9a-f]{64})$`)

// ServeLayout serves the one image of an OCI layout on loopback until stop is
// called, so that whatever reads registries reads the layout. Nothing can be
// written to it. Readers verify digests, as they do for any registry.
func ServeLayout(ctx context.Context, dir string) (ref imageref.Ref, stop func(), err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return ref, nil, fmt.Errorf("open the OCI layout %s: %w", dir, err)
	}
	defer func() {
		if err != nil {
			root.Close()
		}
	}()
	data, err := root.ReadFile("index.json")
	if err != nil {
		return ref, nil, fmt.Errorf("read the OCI layout %s: %w: waybill build --oci-layout writes one", dir, err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(data, &index); err != nil {
		return ref, nil, fmt.Errorf("read %s/index.json: %w", dir, err)
	}
	if len(index.Manifests) != 1 {
		return ref, nil, fmt.Errorf("the OCI layout %s holds %d images, and one is needed: write the image to an empty directory",
			dir, len(index.Manifests))
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return ref, nil, fmt.Errorf("serve the OCI layout %s: %w", dir, err)
	}
	server := &http.Server{Handler: served{root, index.Manifests[0]}, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with stop
	stop = func() { _ = outcome.Join(server.Close(), root.Close()) }
	ref, err = imageref.Parse(fmt.Sprintf("%s/%s@%s", listener.Addr(), layoutRepository, index.Manifests[0].Digest))
	if err != nil {
		stop()
	}
	return ref, stop, err
}

// served answers as the part of a registry that reads.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull
type served struct {
	root *os.Root
	top  v1.Descriptor
}

func (s served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v2/" {
		return
	}
	m := servedPath.FindStringSubmatch(r.URL.Path)
	if m == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	file, err := s.root.Open(path.Join("blobs", "sha256", m[2]))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	if m[1] == "manifests" {
		w.Header().Set("Content-Type", s.mediaType(m[2]))
	}
	http.ServeContent(w, r, "", time.Time{}, file)
}

// mediaType is that of a manifest, by what it says of itself.
func (s served) mediaType(hex string) string {
	if s.top.Digest.Hex == hex {
		return string(s.top.MediaType)
	}
	data, _ := s.root.ReadFile(path.Join("blobs", "sha256", hex))
	var manifest struct{ MediaType string }
	_ = json.Unmarshal(data, &manifest) // what is none has no type
	return manifest.MediaType
}
