package assemble

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// node is a file of a tree. A node that a tree was published with is never
// changed again. Callers that need another one make a copy, so that trees share
// what is the same in them and a layer is what two trees do not share.
type node struct {
	mode         fs.FileMode // type, permissions, setuid, setgid, sticky
	uid, gid     int
	target       string // of a symlink
	size         int64
	open         func() (io.ReadCloser, error) // content of a regular file
	origin       string                        // where that comes from: the same for the same content
	major, minor int64                         // of a device
	capability   string                        // security.capability, the one extended attribute that layers keep
	mtime        time.Time
	inode        *inode // the same for all names of a file with several; nil for one name

	once     *sync.Once
	load     func() (map[string]*node, error)
	children map[string]*node
	failed   error
}

// inode is the identity of a file that has several names.
type inode struct{ _ byte }

func newDir(mode fs.FileMode, children map[string]*node) *node {
	if children == nil {
		children = map[string]*node{}
	}
	return &node{mode: fs.ModeDir | mode, children: children}
}

// newLazyDir is a directory that is read when it is first looked into.
func newLazyDir(mode fs.FileMode, load func() (map[string]*node, error)) *node {
	return &node{mode: fs.ModeDir | mode, once: new(sync.Once), load: load}
}

func (n *node) isDir() bool     { return n.mode.IsDir() }
func (n *node) isSymlink() bool { return n.mode&fs.ModeSymlink != 0 }

func (n *node) list() (map[string]*node, error) {
	if n.once != nil {
		n.once.Do(func() { n.children, n.failed = n.load() })
	}
	return n.children, n.failed
}

func (n *node) names() ([]string, error) {
	children, err := n.list()
	return slices.Sorted(maps.Keys(children)), err
}

// clone is a copy that may be changed; its children are still shared.
func (n *node) clone() (*node, error) {
	children, err := n.list()
	if err != nil {
		return nil, err
	}
	c := *n
	c.once, c.load = nil, nil
	if n.isDir() {
		c.children = maps.Clone(children)
	}
	return &c, nil
}

// same reports whether n is what o is, by the rules of BuildKit's differ: a copied
// file that is there already changes nothing. A time without a fraction may have
// lost it, so there the contents decide.
func (n *node) same(o *node) (bool, error) {
	switch {
	case n == o:
		return true, nil
	case n == nil || o == nil || n.isDir() || !n.sameMetadata(o) || n.target != o.target || n.size != o.size || !n.mtime.Equal(o.mtime):
		return false, nil
	case !n.mode.IsRegular() || (n.origin == o.origin && n.origin != ""):
		return true, nil
	case n.mtime.Nanosecond() != 0 || n.open == nil || o.open == nil:
		return false, nil
	}
	return sameContent(n, o)
}

func (n *node) sameMetadata(o *node) bool {
	return n.mode == o.mode && n.uid == o.uid && n.gid == o.gid && n.capability == o.capability && n.major == o.major && n.minor == o.minor
}

// sameContent compares two files of the same size.
func sameContent(n, o *node) (bool, error) {
	a, err := n.open()
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := o.open()
	if err != nil {
		return false, err
	}
	defer b.Close()
	var left, right [32 << 10]byte
	for {
		i, err := io.ReadFull(a, left[:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false, err
		}
		j, err2 := io.ReadFull(b, right[:])
		if err2 != nil && err2 != io.EOF && err2 != io.ErrUnexpectedEOF {
			return false, err2
		}
		if i != j || !bytes.Equal(left[:i], right[:j]) {
			return false, nil
		}
		if err != nil {
			return true, nil
		}
	}
}

// maxLinks bounds a chain of symlinks, as the kernel does.
const maxLinks = 255

var errNotFound = errors.New("no such file or directory")

// resolve follows every symlink in p, the last one too if followLast, without
// ever leaving root. What does not exist is kept as it is. The node is nil when
// nothing is there.
func resolve(root *node, p string, followLast bool) (string, *node, error) {
	links := 0
	rest := split(p)
	var done []string
	var chain []*node // nodes of done
	at := func() *node {
		if len(done) == 0 {
			return root
		}
		return chain[len(chain)-1]
	}
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			if len(done) > 0 {
				done, chain = done[:len(done)-1], chain[:len(chain)-1]
			}
			continue
		}
		var child *node
		if here := at(); here != nil && here.isDir() {
			children, err := here.list()
			if err != nil {
				return "", nil, err
			}
			child = children[name]
		}
		if child != nil && child.isSymlink() && (followLast || len(rest) > 0) {
			if links++; links > maxLinks {
				return "", nil, fmt.Errorf("%s: too many levels of symbolic links", p)
			}
			if path.IsAbs(child.target) {
				done, chain = nil, nil
			}
			rest = append(split(child.target), rest...)
			continue
		}
		done, chain = append(done, name), append(chain, child)
	}
	return "/" + strings.Join(done, "/"), at(), nil
}

// split gives the components of a path; "." is dropped, ".." is kept because
// what it means depends on symlinks before it.
func split(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"), func(s string) bool { return s == "" || s == "." })
}

// editor makes a new tree from one that is not changed by it.
type editor struct {
	root *node
	ours map[*node]bool // copies made here, which may be changed
	now  time.Time      // what a directory's time becomes when its entries change
}

func newEditor(root *node, now time.Time) *editor {
	return &editor{root: root, ours: map[*node]bool{}, now: now}
}

// own makes the node at p, which must exist and hold no symlink, changeable.
func (e *editor) own(p string) (*node, error) {
	mine := func(n *node) (*node, error) {
		if e.ours[n] {
			return n, nil
		}
		c, err := n.clone()
		if err == nil {
			e.ours[c] = true
		}
		return c, err
	}
	n, err := mine(e.root)
	if err != nil {
		return nil, err
	}
	e.root = n
	for _, name := range split(p) {
		child := n.children[name]
		if child == nil {
			return nil, fmt.Errorf("%s: %w", p, errNotFound)
		}
		if child, err = mine(child); err != nil {
			return nil, err
		}
		n.children[name] = child
		n = child
	}
	return n, nil
}

// put places a node at p, whose directory must exist.
func (e *editor) put(p string, n *node) error {
	dir, err := e.own(path.Dir(p))
	if err != nil {
		return err
	}
	if !dir.isDir() {
		return fmt.Errorf("%s: not a directory", path.Dir(p))
	}
	dir.children[path.Base(p)] = n
	dir.mtime = e.now
	e.ours[n] = true
	return nil
}

// owner is who new files belong to; nil keeps the owner they have.
type owner struct{ uid, gid int }

// mkdirAll makes the directory p and those above it that are missing. p holds
// no symlink that leads somewhere; see resolve.
func (e *editor) mkdirAll(p string, mode fs.FileMode, who *owner) error {
	at := "/"
	for _, name := range split(p) {
		at = path.Join(at, name)
		_, n, err := resolve(e.root, at, true)
		if err != nil {
			return err
		}
		if n != nil {
			if !n.isDir() {
				return fmt.Errorf("mkdir %s: not a directory", at)
			}
			continue
		}
		dir := newDir(mode&fs.ModePerm, nil)
		dir.mtime = e.now
		if who != nil {
			dir.uid, dir.gid = who.uid, who.gid
		}
		real, _, err := resolve(e.root, path.Dir(at), true)
		if err != nil {
			return err
		}
		if err := e.put(path.Join(real, name), dir); err != nil {
			return err
		}
	}
	return nil
}

// overlay puts the files of upper over those of lower: directories are merged
// and take upper's metadata, everything else is replaced.
func overlay(lower, upper *node) (*node, error) {
	if lower == nil || !lower.isDir() || !upper.isDir() {
		return upper, nil
	}
	below, err := lower.list()
	if err != nil {
		return nil, err
	}
	above, err := upper.list()
	if err != nil {
		return nil, err
	}
	merged, err := upper.clone()
	if err != nil {
		return nil, err
	}
	maps.Copy(merged.children, below)
	for name, child := range above {
		if merged.children[name], err = overlay(below[name], child); err != nil {
			return nil, err
		}
	}
	return merged, nil
}
