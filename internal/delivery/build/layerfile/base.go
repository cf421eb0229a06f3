package layerfile

import (
	"io"
	"os"
	"sync"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"

	"github.com/waybill-dev/waybill/internal/door/registry"
)

// Base gives the layers of a base image. One whose files have to be known
// is downloaded once, and pushed from there.
func (s *Store) Base(image v1.Image) ([]v1.Layer, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	kept := make([]v1.Layer, len(layers))
	for i, l := range layers {
		kept[i] = registry.WithOrigin(l, &keptLayer{Layer: l, download: s.download})
	}
	return kept, nil
}

type keptLayer struct {
	v1.Layer
	download func(v1.Layer) (string, error)
	once     sync.Once
	path     atomic.Pointer[string]
	err      error
}

// Compressed reads the file where the layer has been downloaded.
func (k *keptLayer) Compressed() (io.ReadCloser, error) {
	if path := k.path.Load(); path != nil {
		return os.Open(*path)
	}
	return k.Layer.Compressed()
}

// Uncompressed downloads the layer first.
func (k *keptLayer) Uncompressed() (io.ReadCloser, error) {
	k.once.Do(func() {
		var path string
		if path, k.err = k.download(k.Layer); k.err == nil {
			k.path.Store(&path)
		}
	})
	if k.err != nil {
		return nil, k.err
	}
	plain, err := partial.CompressedToLayer(compressed{k})
	if err != nil {
		return nil, err
	}
	return plain.Uncompressed()
}

// compressed hides Uncompressed, so that partial makes one from Compressed.
type compressed struct{ partial.CompressedLayer }
