package assemble

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/patternmatcher"
	mode "github.com/tonistiigi/dchapes-mode"
)

// copier does what BuildKit's file backend does for one COPY or ADD, rule by
// rule: github.com/moby/buildkit/solver/llbsolver/file/backend.go and
// github.com/tonistiigi/fsutil/copy. Where its choices look odd (the directory
// that a COPY creates is 0755, one that it finds keeps its mode, one inside it
// takes the source's), they are what users' images rely on.
type copier struct {
	from     *node // root of the source
	to       *editor
	action   *pb.FileActionCopy
	who      *owner
	modes    *mode.Set // --chmod in symbolic form
	include  *patternmatcher.PatternMatcher
	exclude  *patternmatcher.PatternMatcher
	pending  []pendingDir
	unpack   func(archive *node, dest string) (bool, error) // for ADD; false for a file that is no archive
	inodes   map[*inode]*inode                              // of files with several names, by those of the source
	required map[string]bool                                // paths that have to be there, and whether they were found
}

// pendingDir is a directory on the way to a file that an include pattern may
// match: it is made when one does.
type pendingDir struct {
	from *node
	to   string
	made bool
}

func (c *copier) run() error {
	src, dest := cleanPath(c.action.Src), cleanPath(c.action.Dest)
	if c.action.ModeStr != "" {
		set, err := mode.ParseWithUmask(c.action.ModeStr, 0)
		if err != nil {
			return err
		}
		c.modes = &set
	}
	var err error
	if c.include, err = matcher(c.action.IncludePatterns); err != nil {
		return err
	}
	if c.exclude, err = matcher(c.action.ExcludePatterns); err != nil {
		return err
	}
	sources := []string{src}
	if c.action.AllowWildcard {
		if sources, err = wildcard(c.from, src, c.action.FollowSymlink); err != nil {
			return err
		}
		if len(sources) == 0 && !c.action.AllowEmptyWildcard {
			return fmt.Errorf("%s: %w", src, errNotFound)
		}
	}
	c.required = map[string]bool{}
	for _, p := range c.action.RequiredPaths {
		c.required[path.Clean(p)] = false
	}
	for _, s := range sources {
		if err := c.one(s, dest); err != nil {
			return err
		}
	}
	for _, p := range slices.Sorted(maps.Keys(c.required)) {
		if !c.required[p] {
			return fmt.Errorf("%s: %w", p, errNotFound)
		}
	}
	return nil
}

// found marks the required paths that a copied file is, or is in.
func (c *copier) found(p string) {
	for required := range c.required {
		if p == required || strings.HasPrefix(p, strings.TrimSuffix(required, "/")+"/") {
			c.required[required] = true
		}
	}
}

func matcher(patterns []string) (*patternmatcher.PatternMatcher, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	return patternmatcher.New(patterns)
}

// one copies one source to dest.
func (c *copier) one(src, dest string) error {
	c.inodes = map[*inode]*inode{}
	if c.action.AttemptUnpackDockerCompatibility {
		if _, archive, err := resolve(c.from, src, true); err != nil {
			return err
		} else if unpacked, err := c.unpack(archive, dest); unpacked || err != nil {
			return err
		}
	}
	ensure := dest
	if d, f := path.Split(dest); f != "" && f != "." {
		ensure = d
	}
	if err := c.mkdir(ensure); err != nil {
		return err
	}
	dest, at, err := resolve(c.to.root, dest, true)
	if err != nil {
		return err
	}
	_, from, err := resolve(c.from, src, c.action.FollowSymlink)
	if err != nil {
		return err
	}
	if from == nil {
		return fmt.Errorf("%s: %w", src, errNotFound)
	}
	contents := c.action.DirCopyContents
	if (!contents && from.isDir() && at != nil) || (!from.isDir() && at != nil && at.isDir()) {
		dest = path.Join(dest, path.Base(src))
	}
	parent := path.Dir(dest)
	if contents && from.isDir() && at == nil {
		parent = dest
	}
	if err := c.mkdir(parent); err != nil {
		return err
	}
	return c.copy(from, place{src: src, to: dest}, patternmatcher.MatchInfo{}, patternmatcher.MatchInfo{})
}

func (c *copier) mkdir(p string) error {
	perm := fs.FileMode(0o755)
	if c.modes == nil && c.action.Mode != -1 {
		perm = fs.FileMode(c.action.Mode)
	}
	real, _, err := resolve(c.to.root, p, true)
	if err != nil {
		return err
	}
	return c.to.mkdirAll(real, perm, c.who)
}

// place is where a file is copied from and to.
type place struct{ src, rel, to string } // rel is the path in src; empty for what the instruction names

func (p place) in(name string) place {
	return place{src: p.src, rel: path.Join(p.rel, name), to: path.Join(p.to, name)}
}

func (c *copier) copy(from *node, at place, inParent, exParent patternmatcher.MatchInfo) error {
	wanted, excluded := true, false
	var in, ex patternmatcher.MatchInfo
	if at.rel != "" {
		var err error
		if c.include != nil {
			if wanted, in, err = c.include.MatchesUsingParentResults(at.rel, inParent); err != nil {
				return err
			}
		}
		if c.exclude != nil {
			if excluded, ex, err = c.exclude.MatchesUsingParentResults(at.rel, exParent); err != nil {
				return err
			}
			wanted = wanted && !excluded
		}
	}
	if wanted && at.rel != "" {
		c.found(path.Join(at.src, at.rel))
	}
	if !from.isDir() {
		if !wanted {
			return nil
		}
		return c.copyFile(from, at.to)
	}
	if wanted {
		if err := c.makePending(); err != nil {
			return err
		}
		if err := c.copyDir(from, at.to, at.rel != ""); err != nil {
			return err
		}
	}
	if excluded && !c.exclude.Exclusions() {
		return nil
	}
	c.pending = append(c.pending, pendingDir{from: from, to: at.to, made: wanted})
	defer func() { c.pending = c.pending[:len(c.pending)-1] }()
	names, err := from.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.copy(from.children[name], at.in(name), in, ex); err != nil {
			return err
		}
	}
	if !wanted {
		return nil
	}
	dir, err := c.to.own(at.to) // its entries changed its time, and BuildKit puts the source's back
	if err == nil {
		dir.mtime = from.mtime
	}
	return err
}

func (c *copier) copyFile(from *node, to string) error {
	if err := c.makePending(); err != nil {
		return err
	}
	_, there, err := resolve(c.to.root, to, false)
	if err != nil {
		return err
	}
	if there != nil && there.isDir() && !c.action.AlwaysReplaceExistingDestPaths {
		return fmt.Errorf("cannot replace the directory %s with a file", to)
	}
	file := *from
	if from.inode != nil {
		if c.inodes[from.inode] == nil {
			c.inodes[from.inode] = new(inode)
		}
		file.inode = c.inodes[from.inode]
	}
	c.apply(&file)
	return c.to.put(to, &file)
}

// copyDir makes the directory at to, or takes over the one there: a directory
// that is new, or inside the one that is copied, gets the source's metadata.
func (c *copier) copyDir(from *node, to string, overwrite bool) error {
	_, there, err := resolve(c.to.root, to, false)
	if err != nil {
		return err
	}
	if there != nil && !there.isDir() && c.action.AlwaysReplaceExistingDestPaths {
		there = nil
	}
	if there == nil {
		dir := newDir(0, nil)
		dir.mode, dir.uid, dir.gid, dir.capability, dir.mtime = from.mode, from.uid, from.gid, from.capability, from.mtime
		c.apply(dir)
		return c.to.put(to, dir)
	}
	if !there.isDir() {
		return fmt.Errorf("cannot copy to non-directory: %s", to)
	}
	if !overwrite {
		return nil
	}
	dir, err := c.to.own(to)
	if err != nil {
		return err
	}
	dir.mode, dir.uid, dir.gid, dir.capability, dir.mtime = from.mode, from.uid, from.gid, from.capability, from.mtime
	c.apply(dir)
	return nil
}

func (c *copier) makePending() error {
	for i, dir := range c.pending {
		if dir.made {
			continue
		}
		_, there, err := resolve(c.to.root, dir.to, false)
		switch {
		case err != nil:
		case there == nil:
			err = c.copyDir(dir.from, dir.to, false)
		case there.isDir(): // it gets the source's mode, whatever --chmod says, and keeps its owner
			if there, err = c.to.own(dir.to); err == nil {
				there.mode = dir.from.mode
			}
		}
		if err != nil {
			return err
		}
		c.pending[i].made = true
	}
	return nil
}

// apply gives a copied file the owner and mode that the instruction asks for.
func (c *copier) apply(n *node) {
	if c.who != nil {
		n.uid, n.gid = c.who.uid, c.who.gid
	}
	switch {
	case n.isSymlink():
	case c.modes != nil:
		n.mode = c.modes.Apply(n.mode)
	case c.action.Mode != -1:
		n.mode = n.mode.Type() | unixMode(uint32(c.action.Mode))
	}
}

// unixMode turns the low twelve bits of a Unix mode into Go's.
func unixMode(bits uint32) fs.FileMode {
	m := fs.FileMode(bits) & fs.ModePerm
	if bits&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if bits&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if bits&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}

// wildcard lists what a pattern matches below root, sorted. A matched directory
// is not looked into.
func wildcard(root *node, pattern string, follow bool) ([]string, error) {
	fixed, glob := splitWildcard(pattern)
	if glob == "" {
		return []string{fixed}, nil
	}
	base, dir, err := resolve(root, fixed, follow)
	if err != nil {
		return nil, err
	}
	if dir == nil {
		return nil, fmt.Errorf("%s: %w", fixed, errNotFound)
	}
	if _, err := path.Match(glob, ""); err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	var found []string
	var walk func(n *node, rel string) error
	walk = func(n *node, rel string) error {
		names, err := n.names()
		if err != nil {
			return err
		}
		for _, name := range names {
			child, p := n.children[name], path.Join(rel, name)
			if ok, _ := path.Match(glob, p); ok {
				found = append(found, path.Join(base, p))
				continue
			}
			if child.isDir() && strings.Count(p, "/") < strings.Count(glob, "/") {
				if err := walk(child, p); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if !dir.isDir() {
		return nil, nil
	}
	return found, walk(dir, "")
}

func splitWildcard(p string) (fixed, glob string) {
	parts := strings.Split(path.Clean(p), "/")
	for i, part := range parts {
		if hasWildcard(part) {
			return path.Join("/", path.Join(parts[:i]...)), path.Join(parts[i:]...)
		}
	}
	return path.Clean(p), ""
}

func hasWildcard(name string) bool {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\':
			i++
		case '*', '?', '[':
			return true
		}
	}
	return false
}

// cleanPath makes p absolute and keeps a slash or "/." at its end, which tells
// a directory from a file.
func cleanPath(p string) string {
	clean := path.Join("/", p)
	switch {
	case clean == "/":
	case strings.HasSuffix(p, "/."):
		clean += "/."
	case strings.HasSuffix(p, "/"):
		clean += "/"
	}
	return clean
}
