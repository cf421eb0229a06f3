package assemble

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
)

// writeLayer writes what is in after and not in before to a file. The same
// trees and time give the same bytes.
func (e *shared) writeLayer(before, after *node) (*layerfile.Layer, error) {
	return e.store.Write(func(to io.Writer) error { return e.writeTar(to, before, after) })
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
