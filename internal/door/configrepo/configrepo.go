// Package configrepo reads and writes the config repository, the record of
// every deployment, at one of two places that behave the same: a local git
// directory (Local), or GitHub without a clone (GitHub).
//
// A commit is compare-and-swap on the branch head: it lands exactly where its
// author looked, or it fails with ErrMoved and the author looks again. Nothing
// is ever forced over a head that was not seen. The package knows files and
// commits, and nothing of applications, environments or digests; of waybill.yaml it
// knows the name, which is read ahead with what it declares.
package configrepo

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Errors that callers branch on.
var (
	// ErrMoved says that a branch is not where the request expects it: somebody
	// else was faster. Read again and decide again.
	ErrMoved = errors.New("the branch has moved meanwhile")
	// ErrNotFound says that a branch, revision or file is not there.
	ErrNotFound = errors.New("not found")
	// ErrUnchanged says that the changes of a request change nothing, so that
	// there is no commit to make.
	ErrUnchanged = errors.New("the changes change nothing")
)

// Bounds of a snapshot: a config repository holds manifests, not data.
const (
	maxSnapshotBytes = 256 << 20
	maxSnapshotFiles = 100_000
	maxFileBytes     = 16 << 20
	// maxArchiveBytes bounds what is read of an archive, with the files that are
	// left out.
	maxArchiveBytes = 8 << 30
)

// Snapshot is the regular files of one commit, by slash path, and what symbolic
// links lead to inside the repository. Other links and submodules are named and
// not followed. Treat it as read-only: it may be shared.
type Snapshot struct {
	Commit string
	// Dir is the directory that paths are in; empty is the whole repository.
	Dir   string
	Files map[string][]byte
	// Large are the files that are too large to be read, with git's ids of their
	// content: a recording or a database stops nothing that has no need of it.
	Large map[string]string
	// Links are the symbolic links and submodules, with git's ids of what they
	// lead to.
	Links map[string]string
	// Followed tells which of Links lead to files of this repository, and Linked
	// which of Files are read through one of them. What deploys the repository may
	// follow the others too; nothing here does.
	Followed, Linked map[string]bool

	worktree string // the top of the working directory beside the commit; empty for none
	outside  string // stands for what is not in Dir
}

// Beside reports whether the working directory has a file of that name, whatever the
// commit has. It serves messages alone: nothing in a working directory counts.
func (s *Snapshot) Beside(name string) bool {
	if s.worktree == "" {
		return false
	}
	_, err := os.Lstat(filepath.Join(s.worktree, filepath.FromSlash(path.Join(s.Dir, name))))
	return err == nil
}

// SameFiles reports whether a commit holds these files, and all that is not read
// as the other one has it.
func (s *Snapshot) SameFiles(files map[string][]byte, other *Snapshot) bool {
	return maps.EqualFunc(s.Files, files, bytes.Equal) && maps.Equal(s.Large, other.Large) && maps.Equal(s.Links, other.Links) &&
		s.outside == other.outside
}

var errTooMany = fmt.Errorf("more than %d MiB or %d files: is this the config repository?", maxSnapshotBytes>>20, maxSnapshotFiles)

func tooLarge(path, rev string) error {
	return fmt.Errorf(
		"file %s at %s has more than %d MiB: it is not read, and nothing that is deployed may need it", path, rev, maxFileBytes>>20,
	)
}

// Change writes a file, which keeps its mode, or deletes it (Content nil; an
// empty file is []byte{}).
type Change struct {
	Path    string
	Content []byte
}

// Request is one commit to make.
//
// Expect is the head that the branch must have now, or "" when the branch must
// not exist. Parent is the parent of the new commit. Where both are the same
// the branch moves forward; else it is moved to the new commit, whatever it
// held (an own branch that is rebuilt on a newer base).
type Request struct {
	Branch  string
	Expect  string
	Parent  string
	Message string
	Changes []Change
}

// Entry is a step in the history of a path: a commit made on the branch itself,
// or the merge that brought others. Time is when its author says it was
// committed.
type Entry struct {
	SHA  string
	Time time.Time
	// Since is when the branch had it, as far as that can be known without
	// believing its author: see since.go.
	Since time.Time
	// Move is the head to which GitHub saw the branch move when the commit came; empty if
	// it does not list that.
	Move        string
	Message     string
	AuthorName  string
	AuthorEmail string
	Parents     []string
}

func (r Request) validate() error {
	if err := validBranch(r.Branch); err != nil {
		return err
	}
	if !isSHA(r.Parent) || (r.Expect != "" && !isSHA(r.Expect)) {
		return fmt.Errorf("commit to %s: parent %q and expected head %q must be full commit ids", r.Branch, r.Parent, r.Expect)
	}
	if len(r.Changes) == 0 {
		return fmt.Errorf("commit to %s: %w", r.Branch, ErrUnchanged)
	}
	seen := map[string]bool{}
	for _, c := range r.Changes {
		if c.Path == "" || c.Path != path.Clean(c.Path) || path.IsAbs(c.Path) || strings.HasPrefix(c.Path, "../") ||
			c.Path == ".." || c.Path == "." ||
			strings.ContainsAny(c.Path, "\x00\n\\") || hasGitDir(c.Path) {
			return fmt.Errorf("commit to %s: %q is not a path inside the repository", r.Branch, c.Path)
		}
		if seen[c.Path] {
			return fmt.Errorf("commit to %s: %s is changed twice", r.Branch, c.Path)
		}
		seen[c.Path] = true
	}
	return nil
}

func hasGitDir(p string) bool {
	for _, part := range strings.Split(p, "/") {
		if strings.EqualFold(part, ".git") {
			return true
		}
	}
	return false
}

// validBranch is the part of git check-ref-format that keeps a name from being
// read as something else.
func validBranch(b string) error {
	if b == "" || strings.HasPrefix(b, "-") || strings.HasPrefix(b, "/") || strings.HasSuffix(b, "/") || strings.HasSuffix(b, ".lock") ||
		strings.HasSuffix(b, ".") || strings.Contains(b, "..") || strings.Contains(b, "//") || strings.Contains(b, "@{") ||
		strings.ContainsAny(b, " ~^:?*[\\\x7f") ||
		strings.Contains(b, "/.") || strings.HasPrefix(b, ".") {
		return fmt.Errorf("%q is not the name of a branch", b)
	}
	for _, r := range b {
		if r < 0x20 {
			return fmt.Errorf("%q is not the name of a branch", b)
		}
	}
	return nil
}

func isSHA(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	for _, r := range s {
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f') {
			return false
		}
	}
	return true
}

func moved(branch, expect, now string) error {
	if now == "" {
		now = "nothing"
	}
	if expect == "" {
		return fmt.Errorf("branch %s exists already, at %s: %w", branch, now, ErrMoved)
	}
	return fmt.Errorf("branch %s is at %s, not at %s: %w", branch, now, expect, ErrMoved)
}
