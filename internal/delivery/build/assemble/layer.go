package assemble

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// layer is a compressed layer in a file.
type layer struct {
	file           func() (string, error)
	digest, diffID v1.Hash
	size           int64
	media          types.MediaType
	sent           bool // whether pushing it has begun
}

var _ v1.Layer = (*layer)(nil)

func (l *layer) Digest() (v1.Hash, error)            { return l.digest, nil }
func (l *layer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l *layer) Size() (int64, error)                { return l.size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return l.media, nil }

func (l *layer) Compressed() (io.ReadCloser, error) {
	name, err := l.file()
	if err != nil {
		return nil, err
	}
	return os.Open(name)
}

func (l *layer) Uncompressed() (io.ReadCloser, error) {
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
func (e *shared) compressor(w io.Writer) (io.WriteCloser, error) {
	if e.compression.Zstd {
		level := zstd.SpeedDefault
		if e.compression.Level > 0 {
			level = zstd.EncoderLevelFromZstd(e.compression.Level)
		}
		// One thread: with several the bytes would depend on the machine.
		return zstd.NewWriter(w, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1))
	}
	level := gzip.DefaultCompression
	if e.compression.Level > 0 {
		level = e.compression.Level
	}
	return gzip.NewWriterLevel(w, level)
}

func (e *shared) mediaType() types.MediaType {
	if e.compression.Zstd {
		return types.OCILayerZStd
	}
	return types.OCILayer
}

// writeLayer writes what is in after and not in before to a file. The same
// trees and time give the same bytes.
func (e *shared) writeLayer(before, after *node) (*layer, error) {
	e.slots <- struct{}{}
	defer func() { <-e.slots }()
	write := func(to io.Writer) error { return e.writeTar(to, before, after) }
	if e.cache == nil || compressors() == "" {
		return e.compressNew(write, v1.Hash{})
	}
	return e.cached(write)
}

// maxEarly bounds the layers that are pushed while others are compressed. Deliver
// pushes larger ones, and tells of their progress.
const maxEarly = 64 << 20

// compressNew compresses a layer that no registry is likely to have, and begins to push it.
func (e *shared) compressNew(write func(io.Writer) error, diffID v1.Hash) (*layer, error) {
	l, err := e.compress(write, diffID)
	if err == nil && e.early != nil && l.size <= maxEarly {
		l.sent = true
		e.early(l)
	}
	return l, err
}

// compress makes a layer of the tar that write writes. Where the digest of that tar is
// known already, it is not computed again.
func (e *shared) compress(write func(io.Writer) error, diffID v1.Hash) (_ *layer, err error) {
	f, err := os.CreateTemp(e.dir, "layer-*")
	if err != nil {
		return nil, fmt.Errorf("write a layer: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	file := bufio.NewWriterSize(f, 1<<20)
	compressed := &counter{w: file, hash: sha256.New()}
	zip, err := e.compressor(compressed)
	if err != nil {
		return nil, err
	}
	plain := &counter{w: zip, wrote: e.wrote}
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
	return &layer{
		file:   func() (string, error) { return name, nil },
		digest: compressed.sum(), diffID: diffID, size: compressed.n, media: e.mediaType(),
	}, nil
}

// writeTar writes what is in after and not in before.
func (e *shared) writeTar(to io.Writer, before, after *node) error {
	buffered := bufio.NewWriterSize(to, 256<<10)
	w := &layerWriter{ctx: e.ctx, tar: tar.NewWriter(buffered), epoch: e.epoch, names: map[*inode]string{}}
	if err := w.diff("", before, after); err != nil {
		return err
	}
	if err := errors.Join(w.tar.Close(), buffered.Flush()); err != nil {
		return fmt.Errorf("write a layer: %w", err)
	}
	return nil
}

// wrote adds to what all layers hold.
func (e *shared) wrote(n int) {
	if total := e.total.Add(int64(n)); e.packed != nil {
		e.packed(total)
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

// layerWriter writes the difference of two trees as a tar, sorted by name, with
// the directories above each entry, as BuildKit's differ does.
type layerWriter struct {
	ctx     context.Context
	tar     *tar.Writer
	epoch   time.Time
	parents []pendingHeader
	names   map[*inode]string // first name of a file with several
}

type pendingHeader struct {
	name    string
	dir     *node
	written bool
}

func (w *layerWriter) diff(name string, before, after *node) error {
	if same, err := after.same(before); same || err != nil {
		return err
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if !after.isDir() {
		return w.write(name, after)
	}
	var old map[string]*node
	if before != nil && before.isDir() {
		var err error
		if old, err = before.list(); err != nil {
			return err
		}
	}
	changed := name != "" && (old == nil || !before.sameMetadata(after))
	if changed {
		if err := w.write(name+"/", after); err != nil {
			return err
		}
	}
	w.parents = append(w.parents, pendingHeader{name: name + "/", dir: after, written: changed || name == ""})
	defer func() { w.parents = w.parents[:len(w.parents)-1] }()
	names, err := after.names()
	if err != nil {
		return err
	}
	for _, child := range slices.Sorted(maps.Keys(old)) {
		if after.children[child] == nil {
			if err := w.write(path.Join(name, whiteout+child), removed); err != nil {
				return err
			}
		}
	}
	for _, child := range names {
		if err := w.diff(path.Join(name, child), old[child], after.children[child]); err != nil {
			return err
		}
	}
	return nil
}

// removed is the mark of a file that a layer takes away.
var removed = &node{mtime: time.Unix(0, 0)}

func (w *layerWriter) write(name string, n *node) error {
	for i, parent := range w.parents {
		if !parent.written {
			w.parents[i].written = true
			if err := w.entry(parent.name, parent.dir); err != nil {
				return err
			}
		}
	}
	return w.entry(name, n)
}

func (w *layerWriter) entry(name string, n *node) error {
	header := &tar.Header{Name: name, Mode: tarMode(n.mode), Uid: n.uid, Gid: n.gid, ModTime: w.clamp(n.mtime)}
	if n.capability != "" {
		header.PAXRecords = map[string]string{paxCapability: n.capability}
	}
	first, linked := w.names[n.inode]
	switch {
	case linked:
		header.Typeflag, header.Linkname = tar.TypeLink, first
	case n.isDir():
		header.Typeflag = tar.TypeDir
	case n.isSymlink():
		header.Typeflag, header.Linkname = tar.TypeSymlink, n.target
	case n.mode.IsRegular():
		header.Typeflag, header.Size = tar.TypeReg, n.size
	case n.mode&fs.ModeNamedPipe != 0:
		header.Typeflag = tar.TypeFifo
	case n.mode&fs.ModeCharDevice != 0:
		header.Typeflag, header.Devmajor, header.Devminor = tar.TypeChar, n.major, n.minor
	case n.mode&fs.ModeDevice != 0:
		header.Typeflag, header.Devmajor, header.Devminor = tar.TypeBlock, n.major, n.minor
	default:
		return fmt.Errorf("/%s: a file of type %v cannot be in an image", name, n.mode.Type())
	}
	if n.inode != nil && !linked {
		w.names[n.inode] = name
	}
	if err := w.tar.WriteHeader(header); err != nil {
		return fmt.Errorf("/%s: %w", name, err)
	}
	if header.Typeflag != tar.TypeReg || n.size == 0 {
		return nil
	}
	r, err := n.open()
	if err != nil {
		return fmt.Errorf("/%s: %w", name, err)
	}
	defer r.Close()
	copied, err := io.Copy(w.tar, r)
	if errors.Is(err, tar.ErrWriteTooLong) || (err == nil && copied != n.size) {
		return fmt.Errorf("/%s changed while it was read: build again when nothing writes to the context", name)
	}
	if err != nil {
		return fmt.Errorf("/%s: %w", name, err)
	}
	return nil
}

// paxCapability is the record of a file's capabilities.
const paxCapability = "SCHILY.xattr.security.capability"

// clamp gives what is newer than the epoch the epoch, as BuildKit's
// rewrite-timestamp does, and cuts fractions off.
func (w *layerWriter) clamp(t time.Time) time.Time {
	if t.After(w.epoch) {
		return w.epoch
	}
	return t.Truncate(time.Second)
}

func tarMode(m fs.FileMode) int64 {
	bits := int64(m.Perm())
	if m&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}
