package assemble

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"

	"github.com/moby/patternmatcher"

	"github.com/waybill-dev/waybill/internal/delivery/build"
)

// buildContext is the directory that COPY copies from. Reading goes through an
// os.Root: no symlink leads out of it.
type buildContext struct {
	dir     string
	root    *os.Root
	ignored ignoreFile
	ignore  *patternmatcher.PatternMatcher // of ignored; nil ignores nothing

	mu      sync.Mutex
	inodes  map[[2]uint64]*inode // of files with several names, by device and number
	tracked *build.Tracked
}

// openContext opens the context of a build.
func openContext(dir, dockerfile string) (*buildContext, error) {
	ignored, err := readIgnore(dir, dockerfile)
	if err != nil {
		return nil, err
	}
	ignore, err := ignored.matcher()
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the build context: %w", err)
	}
	return &buildContext{dir: dir, root: root, ignored: ignored, ignore: ignore, inodes: map[[2]uint64]*inode{}}, nil
}

// tree is the context as BuildKit would be sent it: without what .dockerignore
// excludes, everything owned by root. Directories are read when they are needed.
func (b *buildContext) tree() (*node, error) {
	info, err := b.root.Stat(".")
	if err != nil {
		return nil, fmt.Errorf("read the build context: %w", err)
	}
	root := newLazyDir(permissions(info), func() (map[string]*node, error) {
		return b.readDir(".", patternmatcher.MatchInfo{}, false)
	})
	root.mtime = info.ModTime()
	return root, nil
}

func (b *buildContext) readDir(dir string, parent patternmatcher.MatchInfo, excluded bool) (map[string]*node, error) {
	f, err := b.root.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("read the build context: %w", err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("read the build context: %w", err)
	}
	children := make(map[string]*node, len(entries))
	for _, entry := range entries {
		p := path.Join(dir, entry.Name())
		match, excluded := patternmatcher.MatchInfo{}, excluded
		if b.ignore != nil {
			if excluded, match, err = b.ignore.MatchesUsingParentResults(p, parent); err != nil {
				return nil, fmt.Errorf("apply .dockerignore to %s: %w", p, err)
			}
		}
		child, err := b.read(p, match, excluded)
		if err != nil {
			return nil, err
		}
		if child != nil {
			children[entry.Name()] = child
		}
	}
	return children, nil
}

// read gives the node of one file, nil where there is none to copy.
func (b *buildContext) read(p string, match patternmatcher.MatchInfo, excluded bool) (*node, error) {
	info, err := b.root.Lstat(p)
	if os.IsNotExist(err) {
		return nil, nil // gone since the directory was listed
	}
	if err != nil {
		return nil, fmt.Errorf("read the build context: %w", err)
	}
	mode, mtime := b.tracked.Metadata(p, info.Mode().Type()|permissions(info), info.ModTime())
	if mode.IsDir() {
		var dir *node
		switch {
		case !excluded:
			dir = newLazyDir(mode&^fs.ModeDir, func() (map[string]*node, error) { return b.readDir(p, match, false) })
		case !b.ignore.Exclusions():
			return nil, nil
		default:
			// An excluded directory is there for what a "!" pattern lets in below it.
			children, err := b.readDir(p, match, true)
			if err != nil || len(children) == 0 {
				return nil, err
			}
			dir = newDir(mode&^fs.ModeDir, children)
		}
		dir.mtime = mtime
		return dir, nil
	}
	if excluded {
		return nil, nil
	}
	if mode&fs.ModeSocket != 0 { // BuildKit makes an empty file of it
		return &node{mode: mode &^ fs.ModeSocket, mtime: mtime, origin: "socket"}, nil
	}
	return b.readFile(p, info, &node{mode: mode, mtime: mtime})
}

// readFile completes the node of what is no directory.
func (b *buildContext) readFile(p string, info fs.FileInfo, n *node) (*node, error) {
	switch {
	case n.mode.IsRegular():
		n.size, n.origin = info.Size(), "context "+p
		n.open = func() (io.ReadCloser, error) { return b.root.Open(p) }
		if id, linked := hardLink(info); linked {
			n.inode, n.origin = b.inode(id), fmt.Sprint("context ", id)
		}
	case n.isSymlink():
		n.mode = fs.ModeSymlink | fs.ModePerm
		var err error
		if n.target, err = b.root.Readlink(p); err != nil {
			return nil, fmt.Errorf("read the build context: %w", err)
		}
	default:
		n.major, n.minor = device(info)
	}
	return n, nil
}

func (b *buildContext) inode(id [2]uint64) *inode {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inodes[id] == nil {
		b.inodes[id] = new(inode)
	}
	return b.inodes[id]
}

func permissions(info fs.FileInfo) fs.FileMode {
	return info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
}
