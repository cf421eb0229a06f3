package assemble

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/moby/patternmatcher"
	"golang.org/x/sys/unix"
)

// buildContext is the directory that COPY copies from. Reading goes through an
// os.Root: no symlink leads out of it.
type buildContext struct {
	dir     string
	root    *os.Root
	ignored ignoreFile
	ignore  *patternmatcher.PatternMatcher // of ignored; nil ignores nothing
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
	return &buildContext{dir: dir, root: root, ignored: ignored, ignore: ignore}, nil
}

// tree is the context as BuildKit would be sent it: without what .dockerignore
// excludes, everything owned by root. Directories are read when they are needed.
func (b *buildContext) tree() (*node, error) {
	info, err := b.root.Stat(".")
	if err != nil {
		return nil, fmt.Errorf("read the build context: %w", err)
	}
	return newLazyDir(permissions(info), func() (map[string]*node, error) {
		return b.readDir(".", patternmatcher.MatchInfo{}, false)
	}), nil
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
	mode := info.Mode()
	if mode.IsDir() {
		if !excluded {
			return b.withXattrs(newLazyDir(permissions(info), func() (map[string]*node, error) { return b.readDir(p, match, false) }), p), nil
		}
		if !b.ignore.Exclusions() {
			return nil, nil
		}
		// An excluded directory is there for what a "!" pattern lets in below it.
		children, err := b.readDir(p, match, true)
		if err != nil || len(children) == 0 {
			return nil, err
		}
		return b.withXattrs(newDir(permissions(info), children), p), nil
	}
	if excluded || mode&fs.ModeSocket != 0 {
		return nil, nil
	}
	n := &node{mode: mode.Type() | permissions(info), size: info.Size()}
	switch {
	case mode.IsRegular():
		n.open, n.origin = func() (io.ReadCloser, error) { return b.root.Open(p) }, "context "+p
		b.withXattrs(n, p)
	case n.isSymlink():
		n.size = 0
		n.mode = fs.ModeSymlink | fs.ModePerm
		if n.target, err = b.root.Readlink(p); err != nil {
			return nil, fmt.Errorf("read the build context: %w", err)
		}
	default:
		n.size = 0
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			n.major, n.minor = int64(unix.Major(uint64(st.Rdev))), int64(unix.Minor(uint64(st.Rdev))) //nolint:unconvert // narrower on other platforms
		}
	}
	return n, nil
}

// capability is the one extended attribute that images keep.
const capability = "security.capability"

func (b *buildContext) withXattrs(n *node, p string) *node {
	var value [64]byte
	if size, err := unix.Lgetxattr(path.Join(b.dir, p), capability, value[:]); err == nil && size > 0 {
		n.xattrs = map[string]string{capability: string(value[:size])}
	}
	return n
}

func permissions(info fs.FileInfo) fs.FileMode {
	return info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
}
