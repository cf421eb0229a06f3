package layerfile

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Layer is a compressed layer in a file.
type Layer struct {
	file           func() (string, error)
	digest, diffID v1.Hash
	size           int64
	media          types.MediaType
	sent           bool
}

var _ v1.Layer = (*Layer)(nil)

func (l *Layer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *Layer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l *Layer) Size() (int64, error)                { return l.size, nil }
func (l *Layer) MediaType() (types.MediaType, error) { return l.media, nil }

// Sent reports whether pushing the layer has begun.
func (l *Layer) Sent() bool { return l.sent }

func (l *Layer) Compressed() (io.ReadCloser, error) {
	name, err := l.file()
	if err != nil {
		return nil, err
	}
	return os.Open(name)
}

func (l *Layer) Uncompressed() (io.ReadCloser, error) {
	f, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	r, err := Decompress(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{r, closers{r, f}}, nil
}

type closers [2]io.Closer

func (c closers) Close() error { return errors.Join(c[0].Close(), c[1].Close()) }

// compressor writes what a layer holds, compressed as the request says.
func (s *Store) compressor(w io.Writer) (io.WriteCloser, error) {
	if s.Compression.Zstd {
		level := zstd.SpeedDefault
		if s.Compression.Level > 0 {
			level = zstd.EncoderLevelFromZstd(s.Compression.Level)
		}
		// One thread: with several the bytes would depend on the machine.
		return zstd.NewWriter(w, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1))
	}
	level := gzip.DefaultCompression
	if s.Compression.Level > 0 {
		level = s.Compression.Level
	}
	return gzip.NewWriterLevel(w, level)
}

func (s *Store) mediaType() types.MediaType {
	if s.Compression.Zstd {
		return types.OCILayerZStd
	}
	return types.OCILayer
}

// Write makes a layer of the tar that write writes, which it may ask for more than
// once. The same bytes give the same layer.
func (s *Store) Write(write func(io.Writer) error) (*Layer, error) {
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	if s.Cache == nil || compressors() == "" {
		return s.compressNew(write, v1.Hash{})
	}
	return s.cached(write)
}

// maxEarly bounds the layers that are pushed while others are compressed. Deliver
// pushes larger ones, and tells of their progress.
const maxEarly = 64 << 20

// compressNew compresses a layer that no registry is likely to have, and begins to push it.
func (s *Store) compressNew(write func(io.Writer) error, diffID v1.Hash) (*Layer, error) {
	l, err := s.compress(write, diffID)
	if err == nil && s.Early != nil && l.size <= maxEarly {
		l.sent = true
		s.Early(l)
	}
	return l, err
}

// compress makes a layer of the tar that write writes. Where the digest of that tar is
// known already, it is not computed again.
func (s *Store) compress(write func(io.Writer) error, diffID v1.Hash) (_ *Layer, err error) {
	f, err := os.CreateTemp(s.Dir, "layer-*")
	if err != nil {
		return nil, fmt.Errorf("write a layer: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	file := bufio.NewWriterSize(f, 1<<20)
	compressed := &counter{w: file, hash: sha256.New()}
	zip, err := s.compressor(compressed)
	if err != nil {
		return nil, err
	}
	plain := &counter{w: zip, wrote: s.wrote}
	if diffID == (v1.Hash{}) {
		plain.hash = sha256.New()
	}
	if err := write(plain); err != nil {
		return nil, err
	}
	if err := errors.Join(zip.Close(), file.Flush()); err != nil {
		return nil, fmt.Errorf("write a layer: %w", err)
	}
	if plain.hash != nil {
		diffID = plain.sum()
	}
	name := f.Name()
	return &Layer{
		file:   func() (string, error) { return name, nil },
		digest: compressed.sum(), diffID: diffID, size: compressed.n, media: s.mediaType(),
	}, nil
}

// wrote adds to what all layers hold.
func (s *Store) wrote(n int) {
	if total := s.total.Add(int64(n)); s.Packed != nil {
		s.Packed(total)
	}
}

type counter struct {
	w     io.Writer
	hash  hash.Hash // nil for none
	n     int64
	wrote func(n int) // told of each write, if not nil
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if c.hash != nil {
		c.hash.Write(p[:n])
	}
	c.n += int64(n)
	if c.wrote != nil {
		c.wrote(n)
	}
	return n, err
}

func (c *counter) sum() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(c.hash.Sum(nil))}
}
