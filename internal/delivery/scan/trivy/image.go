//go:build goexperiment.jsonv2

package trivy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// image is a manifest of the registry in the form that Trivy scans, its layers
// bounded.
type image struct {
	v1.Image
	ref  imageref.Ref
	left *atomic.Int64 // bytes that may still be unpacked

	limits   exchange.Limits
	unpacked *atomic.Int64
	proven   *proven
	failed   atomic.Pointer[error] // the first that reading a layer ended with
}

func newImage(ref imageref.Ref, inner v1.Image, limits exchange.Limits, unpacked *atomic.Int64, proven *proven) *image {
	i := &image{Image: inner, ref: ref, left: new(atomic.Int64), limits: limits, unpacked: unpacked, proven: proven}
	i.left.Store(limits.ImageBytes)
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

// fail keeps why a layer could not be read. Trivy says the same after the names of some
// ten of its own functions.
func (i *image) fail(layer v1.Hash, err error) error {
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("the layer %s: %w", layer, err)
		i.failed.CompareAndSwap(nil, &err)
	}
	return err
}

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

// Uncompressed ends with an error where the image unpacks to more than allowed. What
// was read to its end is proven to have its digest.
func (l *layer) Uncompressed() (io.ReadCloser, error) {
	digest, err := l.Digest()
	if err != nil {
		return nil, err
	}
	sent := &counted{Layer: l.Layer, n: new(atomic.Int64)}
	packed, err := sent.Compressed()
	if err != nil {
		return nil, l.image.fail(digest, err)
	}
	r, err := unpack(packed)
	if err != nil {
		return nil, l.image.fail(digest, errors.Join(err, packed.Close()))
	}
	return &boundedReader{Reader: r, Closer: packed, image: l.image, sent: sent.n, layer: digest, sum: sha256.New()}, nil
}

// atOnce is how many bytes are asked for at a time.
const atOnce = 64 << 10

// unpack goes by the first bytes, whatever the media type says, as container
// runtimes do. Its library takes two thirds of the time of Go's own: most of a
// scan is unpacking.
func unpack(packed io.Reader) (io.Reader, error) {
	r := bufio.NewReaderSize(packed, atOnce)
	start, err := r.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}): // RFC 1952, section 2.3.1
		return gzip.NewReader(r)
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878, section 3.1.1
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	}
	return r, nil
}

// counted counts the bytes that came, whatever the manifest says of their number.
type counted struct {
	v1.Layer
	n *atomic.Int64
}

func (c *counted) Compressed() (io.ReadCloser, error) {
	r, err := c.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	return &countedReader{r, c.n}, nil
}

type countedReader struct {
	io.ReadCloser
	n *atomic.Int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.n.Add(int64(n))
	return n, err
}

type boundedReader struct {
	io.Reader
	io.Closer
	image *image
	read  int64
	sent  *atomic.Int64 // bytes of the layer as it is stored

	layer v1.Hash   // as it is stored
	sum   hash.Hash // of what it unpacks to
}

func (r *boundedReader) Read(p []byte) (int, error) {
	n, err := r.bounded(p)
	return n, r.image.fail(r.layer, err)
}

func (r *boundedReader) bounded(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		r.image.proven.add(r.layer, v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(r.sum.Sum(nil))})
	}
	if r.image.left.Add(-int64(n)) < 0 {
		return 0, fmt.Errorf("%w: %d MiB for all layers of an image", errTooLarge, r.image.limits.ImageBytes>>20)
	}
	limits := r.image.limits
	r.image.unpacked.Add(int64(n))
	if r.read += int64(n); limits.Ratio > 0 && r.read > limits.RatioFree && r.read/limits.Ratio > r.sent.Load() {
		return 0, fmt.Errorf("%w: %d times its size, or %d MiB where that is more", errTooLarge, limits.Ratio, limits.RatioFree>>20)
	}
	return n, err
}
