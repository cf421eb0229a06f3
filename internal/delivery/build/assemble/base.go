package assemble

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"

	"github.com/waybill-dev/waybill/internal/door/registry"
)

// baseLayers gives the layers of a base image. One whose files have to be known
// is downloaded to dir once, and pushed from there.
func baseLayers(image v1.Image, dir string) ([]v1.Layer, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	kept := make([]v1.Layer, len(layers))
	for i, l := range layers {
		kept[i] = registry.WithOrigin(l, &keptLayer{Layer: l, dir: dir})
	}
	return kept, nil
}

type keptLayer struct {
	v1.Layer
	dir  string
	once sync.Once
	path atomic.Pointer[string]
	err  error
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
	k.once.Do(func() { k.err = k.download() })
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

func (k *keptLayer) download() (err error) {
	r, err := k.Layer.Compressed() // which checks the digest
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	f, err := os.CreateTemp(k.dir, "base-*")
	if err != nil {
		return fmt.Errorf("keep a base layer: %w", err)
	}
	if _, err := io.Copy(f, r); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("keep a base layer: %w", err)
	}
	name := f.Name()
	k.path.Store(&name)
	return nil
}
