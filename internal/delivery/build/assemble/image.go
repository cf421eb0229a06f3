package assemble

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
)

// imageTree is the file tree that the layers of an image make. Where content is
// asked for, files are kept in a spool, so that COPY --from can
// read from them; else only names and modes are kept.
func (e *shared) imageTree(layers []v1.Layer, content bool) (*node, error) {
	root := e.emptyDir()
	for _, l := range layers {
		digest, err := l.Digest()
		if err != nil {
			return nil, err
		}
		if err := e.applyLayer(root, l, digest, content); err != nil {
			return nil, fmt.Errorf("read layer %s: %w", digest, err)
		}
	}
	return root, nil
}

func (e *shared) applyLayer(root *node, l v1.Layer, digest v1.Hash, content bool) error {
	// Nothing outside this function sees the tree yet, so it may be changed.
	w := unpacker{root: root, ours: map[*node]bool{}, now: e.now()}
	return e.store.Entries(e.ctx, l, content, w.one(digest))
}

// unpacker applies the entries of one layer to a tree that only it holds.
type unpacker struct {
	root *node
	ours map[*node]bool // files of this layer, which its own whiteouts leave alone
	now  time.Time      // of directories that the layer does not list
}

const whiteout, opaque = ".wh.", ".wh..wh..opq"

// one applies the entries of the layer with the digest, one after the other.
func (w unpacker) one(digest v1.Hash) func(layerfile.Entry) error {
	i := -1
	return func(entry layerfile.Entry) error {
		if entry.Kept {
			entry.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(entry.Data)), nil }
		}
		i++
		return w.apply(&entry.Header, entry.Open, fmt.Sprintf("%s %d", digest, i))
	}
}

func (w unpacker) apply(h *tar.Header, open func() (io.ReadCloser, error), origin string) error {
	name := path.Join("/", h.Name)
	if name == "/" {
		return nil
	}
	dir, err := w.dir(path.Dir(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	switch {
	case base == opaque:
		maps.DeleteFunc(dir.children, func(_ string, n *node) bool { return !w.ours[n] })
		return nil
	case strings.HasPrefix(base, whiteout):
		delete(dir.children, strings.TrimPrefix(base, whiteout))
		return nil
	}
	n := nodeOf(h)
	if n == nil {
		return nil // a global header
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if old := dir.children[base]; old != nil && old.isDir() {
			n.children = old.children
		}
	case tar.TypeReg:
		n.size, n.open, n.origin = h.Size, open, origin
	case tar.TypeLink:
		target := w.find(path.Join("/", h.Linkname))
		if target == nil {
			return fmt.Errorf("%s: the file it is a link to, %s, is missing", h.Name, h.Linkname)
		}
		if n = target; n.inode == nil {
			n.inode = new(inode)
		}
	}
	dir.children[base] = n
	w.ours[n] = true
	return nil
}

// nodeOf gives the node that an entry of a tar describes, without content and
// target of a hard link; nil for what is no file.
func nodeOf(h *tar.Header) *node {
	n := &node{
		mode: unixMode(uint32(h.Mode)), uid: h.Uid, gid: h.Gid, mtime: h.ModTime,
		major: h.Devmajor, minor: h.Devminor, capability: h.PAXRecords[paxCapability],
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeLink:
	case tar.TypeDir:
		n.mode |= fs.ModeDir
		n.children = map[string]*node{}
	case tar.TypeSymlink:
		n.mode, n.target = fs.ModeSymlink|fs.ModePerm, h.Linkname
	case tar.TypeChar:
		n.mode |= fs.ModeDevice | fs.ModeCharDevice
	case tar.TypeBlock:
		n.mode |= fs.ModeDevice
	case tar.TypeFifo:
		n.mode |= fs.ModeNamedPipe
	default:
		return nil
	}
	return n
}

// dir gives the directory that p leads to, and makes it where no layer has.
func (w unpacker) dir(p string) (*node, error) {
	real, n, err := resolve(w.root, p, true)
	if err != nil {
		return nil, err
	}
	if n != nil && n.isDir() {
		return n, nil
	}
	n = w.root
	for _, name := range split(real) {
		child := n.children[name]
		if child == nil || !child.isDir() {
			child = newDir(0o755, nil)
			child.mtime = w.now
			n.children[name] = child
			w.ours[child] = true
		}
		n = child
	}
	return n, nil
}

func (w unpacker) find(p string) *node {
	dir, base, err := "", path.Base(p), error(nil)
	if dir, _, err = resolve(w.root, path.Dir(p), true); err != nil {
		return nil
	}
	_, n, err := resolve(w.root, path.Join(dir, base), false)
	if err != nil {
		return nil
	}
	return n
}
