package assemble

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
)

// Bounds of one archive. They are far beyond what an image holds, and keep a
// small hostile file from filling the disk or the memory.
const (
	maxUnpacked = 32 << 30 // bytes
	maxEntries  = 2_000_000
)

// unpack does what ADD does with an archive: its files are put below dest, as if
// that were the root. It returns false for a file that is no archive. The rules
// are those of github.com/moby/go-archive, which BuildKit calls in a chroot.
func (g *graph) unpack(e *editor, archive *node, dest string, who *owner) (_ bool, err error) {
	if !isArchive(archive) {
		return false, nil
	}
	dest, _, err = resolve(e.root, dest, true)
	if err != nil {
		return false, err
	}
	if err := e.mkdirAll(dest, 0o755, who); err != nil {
		return false, err
	}
	dir, err := e.own(dest)
	if err != nil {
		return false, err
	}
	contents, err := g.store.Spool()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, contents.Close()) }()
	file, err := archive.open()
	if err != nil {
		return false, err
	}
	defer file.Close()
	plain, err := layerfile.Decompress(file)
	if err != nil {
		return false, err
	}
	defer plain.Close()
	// What is below dest is a tree of its own: no link in it leads out.
	x := &extraction{
		to: newEditor(dir, e.now), contents: contents, origin: archive.origin, who: who, bytes: maxUnpacked, entries: maxEntries,
	}
	if err := x.all(g.ctx, plain); err != nil {
		return false, fmt.Errorf("unpack the archive: %w", err)
	}
	*dir = *x.to.root
	return true, nil
}

// isArchive reports whether ADD unpacks the file: a tar, compressed or not, of
// which the first entry can be read.
func isArchive(n *node) bool {
	if n == nil || !n.mode.IsRegular() || n.open == nil {
		return false
	}
	r, err := n.open()
	if err != nil {
		return false
	}
	defer r.Close()
	plain, err := layerfile.Decompress(r)
	if err != nil {
		return false
	}
	defer plain.Close()
	_, err = tar.NewReader(plain).Next()
	return err == nil
}

// extraction puts the files of one archive into a tree.
type extraction struct {
	to       *editor
	contents *layerfile.Spool
	origin   string
	who      *owner // of all files; nil leaves them to the archive
	bytes    int64  // that may still be unpacked
	entries  int    // that may still be read
	times    []dirTime
}

// dirTime is a directory's time, which its entries change until all are there.
type dirTime struct {
	path string
	time time.Time
}

func (x *extraction) all(ctx context.Context, r io.Reader) error {
	files := tar.NewReader(layerfile.Cancellable(ctx, r))
	for i := 0; ; i++ {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if x.entries--; x.entries < 0 {
			return errors.New("it has too many entries")
		}
		if err := x.one(h, files, i); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	for _, d := range x.times {
		if _, there, err := resolve(x.to.root, d.path, false); err != nil || there == nil || !there.isDir() {
			continue // replaced by a later entry
		}
		dir, err := x.to.own(d.path)
		if err != nil {
			return err
		}
		dir.mtime = d.time
	}
	return nil
}

func (x *extraction) one(h *tar.Header, content io.Reader, i int) error {
	name := path.Join("/", h.Name)
	if name == "/" && path.Clean(h.Name) == "." {
		return nil // the directory itself keeps what it is
	}
	at, parent, err := resolve(x.to.root, path.Dir(name), true)
	if err != nil {
		return err
	}
	if parent == nil {
		if err := x.to.mkdirAll(at, 0o755, &owner{}); err != nil {
			return err
		}
	}
	at = path.Join(at, path.Base(name))
	if h.Typeflag == tar.TypeLink {
		return x.link(at, h)
	}
	n := nodeOf(h)
	if n == nil {
		return fmt.Errorf("an entry of type %q cannot be unpacked", h.Typeflag)
	}
	x.own(n)
	switch h.Typeflag {
	case tar.TypeDir:
		x.times = append(x.times, dirTime{at, n.mtime})
		return x.dir(at, n)
	case tar.TypeReg:
		if n.size = h.Size; n.size > x.bytes {
			return errors.New("the archive holds too many bytes")
		}
		x.bytes -= n.size
		n.origin = fmt.Sprintf("%s %d", x.origin, i)
		if n.open, err = x.contents.Add(content); err != nil {
			return err
		}
	}
	return x.to.put(at, n)
}

// own gives a file the owner that the instruction asks for, and a time that a
// file can have.
func (x *extraction) own(n *node) {
	if x.who != nil {
		n.uid, n.gid = x.who.uid, x.who.gid
	}
	if n.mtime.Before(time.Unix(0, 0)) {
		n.mtime = time.Unix(0, 0)
	}
}

// dir makes a directory, or gives the one that is there the entry's metadata.
func (x *extraction) dir(at string, n *node) error {
	if at != "/" {
		_, there, err := resolve(x.to.root, at, false)
		if err != nil {
			return err
		}
		if there == nil || !there.isDir() {
			return x.to.put(at, n)
		}
	}
	dir, err := x.to.own(at)
	if err != nil {
		return err
	}
	dir.mode, dir.uid, dir.gid, dir.capability = n.mode, n.uid, n.gid, n.capability
	return nil
}

// link makes another name of a file, which also gets the entry's metadata.
func (x *extraction) link(at string, h *tar.Header) error {
	name := path.Join("/", h.Linkname)
	to, _, err := resolve(x.to.root, path.Dir(name), true)
	if err != nil {
		return err
	}
	to = path.Join(to, path.Base(name))
	_, there, err := resolve(x.to.root, to, false)
	if err != nil {
		return err
	}
	if there == nil || there.isDir() || to == at {
		return fmt.Errorf("hard link to %s: %w", h.Linkname, errNotFound)
	}
	target, err := x.to.own(to)
	if err != nil {
		return err
	}
	if target.inode == nil {
		target.inode = new(inode)
	}
	meta := nodeOf(h)
	x.own(meta)
	target.uid, target.gid = meta.uid, meta.gid
	if target.mode&fs.ModeSymlink == 0 {
		target.mode, target.mtime = target.mode.Type()|meta.mode, meta.mtime
	}
	return x.to.put(at, target)
}
