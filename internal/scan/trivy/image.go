//go:build goexperiment.jsonv2

package trivy

import (
	"fmt"
	"io"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// image is a manifest of the registry in the form that Trivy scans, its layers
// bounded.
type image struct {
	v1.Image
	ref  imageref.Ref
	left *atomic.Int64 // bytes that may still be unpacked
}

func newImage(ref imageref.Ref, inner v1.Image, limit int64) *image {
	i := &image{Image: inner, ref: ref, left: new(atomic.Int64)}
	i.left.Store(limit)
	return i
}

// Name is what Trivy calls the target.
func (i *image) Name() string { return i.ref.String() }

// ID is the digest of the configuration.
func (i *image) ID() (string, error) {
	hash, err := i.ConfigName()
	if err != nil {
		return "", fmt.Errorf("read the configuration of %s: %w", i.ref, err)
	}
	return hash.String(), nil
}

// RepoTags is empty: nothing is scanned by tag.
func (i *image) RepoTags() []string { return nil }

// RepoDigests names the manifest.
func (i *image) RepoDigests() []string { return []string{i.ref.String()} }

// LayerByDiffID bounds what the layer unpacks to.
func (i *image) LayerByDiffID(hash v1.Hash) (v1.Layer, error) {
	inner, err := i.Image.LayerByDiffID(hash)
	if err != nil {
		return nil, err
	}
	return &layer{Layer: inner, image: i}, nil
}

type layer struct {
	v1.Layer
	image *image
}

// Uncompressed ends with an error where the image unpacks to more than allowed.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	r, err := l.Layer.Uncompressed()
	if err != nil {
		return nil, err
	}
	return &boundedReader{ReadCloser: r, left: l.image.left, ref: l.image.ref}, nil
}

type boundedReader struct {
	io.ReadCloser
	left *atomic.Int64
	ref  imageref.Ref
}

func (r *boundedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if r.left.Add(-int64(n)) < 0 {
		return 0, fmt.Errorf("%w: %s", errTooLarge, r.ref)
	}
	return n, err
}
