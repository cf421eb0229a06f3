//go:build goexperiment.jsonv2

package trivy

import (
	"fmt"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// proven keeps what each layer, by the digest of its stored form, unpacks to. Trivy
// reads a layer by the digest that the configuration names for what it unpacks to, and
// each such digest once: a configuration that gives a layer the digest of another
// would hide it. Container runtimes refuse such an image.
type proven struct {
	mu     sync.Mutex
	layers map[v1.Hash]v1.Hash
}

func newProven() *proven { return &proven{layers: make(map[v1.Hash]v1.Hash)} }

func (p *proven) add(layer, diffID v1.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.layers[layer] = diffID
}

func (p *proven) of(layer v1.Hash) (diffID v1.Hash, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	diffID, known = p.layers[layer]
	return diffID, known
}

// prove reports an error where a layer is not what the configuration says. Layers that
// nobody has read to their end are read for it.
func (i *image) prove() error {
	config, err := i.Image.ConfigFile()
	if err != nil {
		return err
	}
	manifest, err := i.Manifest()
	if err != nil {
		return err
	}
	diffIDs := config.RootFS.DiffIDs
	if len(diffIDs) != len(manifest.Layers) {
		return fmt.Errorf("the manifest has %d layers, and the configuration names %d", len(manifest.Layers), len(diffIDs))
	}
	for k, described := range manifest.Layers {
		is, known := i.proven.of(described.Digest)
		if !known {
			if is, err = i.readWhole(described.Digest); err != nil {
				return fmt.Errorf("read the layer %s: %w", described.Digest, err)
			}
		}
		if is != diffIDs[k] {
			return fmt.Errorf("the layer %s unpacks to %s, and the configuration says %s: no container runtime starts such an image; "+
				"build it again", described.Digest, is, diffIDs[k])
		}
	}
	return nil
}

func (i *image) readWhole(digest v1.Hash) (diffID v1.Hash, err error) {
	inner, err := i.LayerByDigest(digest)
	if err != nil {
		return diffID, err
	}
	content, err := (&layer{Layer: inner, image: i}).Uncompressed()
	if err != nil {
		return diffID, err
	}
	defer content.Close()
	if _, err := io.Copy(io.Discard, content); err != nil {
		return diffID, err
	}
	diffID, _ = i.proven.of(digest)
	return diffID, nil
}
