package configrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Local is a config repository in a git directory, with a working tree or bare.
//
// Commits are made with plumbing on an index of their own: the working tree is
// not touched, unless it has the branch checked out; then it must be clean, and
// follows.
type Local struct {
	dir    string
	gitDir string
	bare   bool
	turn   atomic.Bool
	only   string // the directory that snapshots are of; empty is all
	o      LocalOptions

	identityLock sync.Mutex // around the name and email in o

	timesLock sync.Mutex
	times     map[string]map[string]time.Time // by head: when the branch had each commit

	life     context.Context // how long the directory is used
	lineLock sync.Mutex      // around what follows
	lines    map[string]*line
	asked    map[string]int // how often the history of a file was asked for, by head
	latest   *Snapshot
	objects  *git.Objects
}

// LocalOptions says as whom, and whether commits leave the directory.
type LocalOptions struct {
	Name, Email string // of author and committer; empty takes git's configuration, else Waybill's own
	// Push sends each commit to the remote "origin" before the local branch
	// moves; heads are then the remote's.
	Push bool
	// Env is what git needs of the caller's environment: HOME, PATH,
	// SSH_AUTH_SOCK for pushing.
	Env []string
	// Now is the time of the commits; nil is the clock.
	Now func() time.Time
}

const (
	fallbackName  = "waybill"
	fallbackEmail = "waybill@localhost"
)

// OpenLocal opens the repository that dir is in. It is used until ctx ends.
func OpenLocal(ctx context.Context, dir string, o LocalOptions) (*Local, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open config repository %s: %w", dir, err)
	}
	l := &Local{dir: abs, o: o, life: ctx, lines: map[string]*line{}, asked: map[string]int{}}
	out, err := l.line(ctx, "rev-parse", "--path-format=absolute", "--is-bare-repository", "--git-common-dir", "--git-dir")
	if err != nil {
		return nil, git.Misplaced(dir, err)
	}
	lines := strings.Split(out, "\n")
	if len(lines) != 3 {
		return nil, fmt.Errorf("open config repository %s: git rev-parse wrote %q", dir, out)
	}
	l.bare, l.gitDir = lines[0] == "true", lines[1]
	if !l.bare {
		if l.dir, err = l.line(ctx, "rev-parse", "--path-format=absolute", "--show-toplevel"); err != nil {
			return nil, fmt.Errorf("open config repository %s: %w", dir, err)
		}
	}
	return l, nil
}

// Dir is the top of the working tree, or the bare repository.
func (l *Local) Dir() string { return l.dir }

func (l *Local) within(dir string) { l.only = dir }

// Prefix is the directory that a path of the working tree is, from its top; empty for
// the top, and in a bare repository.
func (l *Local) Prefix(ctx context.Context, dir string) (string, error) {
	if l.bare {
		return "", nil
	}
	prefix, err := git.Command{Dir: dir, Env: l.o.Env, Args: []string{"rev-parse", "--show-prefix"}}.Line(ctx)
	if err != nil {
		return "", fmt.Errorf("find %s in %s: %w", dir, l.dir, err)
	}
	return strings.TrimSuffix(prefix, "/"), nil
}

// DefaultBranch is the remote's default branch where the clone knows it, else
// the branch that is checked out.
func (l *Local) DefaultBranch(ctx context.Context) (string, error) {
	if ref, err := l.line(ctx, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"); err == nil {
		return strings.TrimPrefix(ref, "refs/remotes/origin/"), nil
	}
	ref, err := l.line(ctx, "symbolic-ref", "--quiet", "HEAD")
	if err != nil {
		return "", outcome.Usagef("%s has no branch checked out: name the branch that holds the deployments, with --branch", l.dir)
	}
	return strings.TrimPrefix(ref, "refs/heads/"), nil
}

// Resolve gives the commit that rev names.
func (l *Local) Resolve(ctx context.Context, rev string) (string, error) {
	if l.isKnown(rev) {
		return rev, nil
	}
	sha, err := l.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if err != nil {
		if git.Exited(err, 1) || git.Exited(err, 128) {
			return "", l.missing(ctx, "revision "+rev)
		}
		return "", fmt.Errorf("resolve revision %s: %w", rev, err)
	}
	return sha, nil
}

// Head gives the commit at the head of a branch; with Push, that of the remote.
func (l *Local) Head(ctx context.Context, branch string) (string, error) {
	if err := validBranch(branch); err != nil {
		return "", err
	}
	if !l.o.Push {
		sha, err := l.localHead(ctx, branch)
		if err == nil && sha == "" {
			err = l.missing(ctx, "branch "+branch)
		}
		return sha, err
	}
	sha, err := l.remoteHead(ctx, branch)
	if err != nil {
		return "", err
	}
	if sha == "" {
		return "", fmt.Errorf("branch %s at origin of %s: %w", branch, l.dir, ErrNotFound)
	}
	return sha, nil
}

// File reads one file of a revision.
func (l *Local) File(ctx context.Context, rev, path string) ([]byte, error) {
	if data, found, known, err := l.quickFile(rev, path); known || err != nil {
		if err == nil && !found {
			err = fmt.Errorf("file %s at %s: %w", path, rev, ErrNotFound)
		}
		return data, err
	}
	sha, err := l.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	entries, err := l.tree(ctx, sha, path)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.path == path && e.regular() {
			if e.size > maxFileBytes {
				return nil, tooLarge(path, rev)
			}
			data, err := l.output(ctx, nil, "cat-file", "blob", e.sha)
			if err != nil {
				return nil, fmt.Errorf("read %s at %s: %w", path, rev, err)
			}
			return data, nil
		}
	}
	return nil, fmt.Errorf("file %s at %s: %w", path, rev, ErrNotFound)
}

// Changed lists the paths in which two commits differ.
func (l *Local) Changed(ctx context.Context, from, to string) ([]string, error) {
	out, err := l.output(ctx, nil, "diff-tree", "-r", "-z", "--name-only", "--no-renames", from, to)
	if err != nil {
		return nil, fmt.Errorf("compare %s and %s: %w", from, to, err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

// Snapshot reads every regular file of a revision.
func (l *Local) Snapshot(ctx context.Context, rev string) (*Snapshot, error) {
	sha, err := l.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	entries, err := l.tree(ctx, sha)
	if err != nil {
		return nil, err
	}
	outside := make(map[string]string)
	entries = slices.DeleteFunc(entries, func(e treeEntry) bool {
		if !kept(l.only, e.path) {
			outside[e.path] = e.mode + e.sha
		}
		return outside[e.path] != ""
	})
	if len(entries) > maxSnapshotFiles {
		return nil, fmt.Errorf("list the files of %s: %w", sha, errTooMany)
	}
	large, links := map[string]string{}, map[string]string{}
	for _, e := range entries {
		switch {
		case !e.regular():
			links[e.path] = e.sha
		case e.size > maxFileBytes:
			large[e.path] = e.sha
		}
	}
	files, err := l.blobs(ctx, slices.DeleteFunc(entries, func(e treeEntry) bool { return large[e.path] != "" }))
	if err != nil {
		return nil, fmt.Errorf("read the files of %s: %w", rev, err)
	}
	s := &Snapshot{Commit: sha, Files: files, Large: large, Links: links, outside: fingerprint(l.only, outside)}
	if !l.bare {
		s.worktree = l.dir
	}
	targets := make(map[string]string)
	for _, e := range entries {
		if e.mode == modeLink {
			targets[e.path] = string(files[e.path])
			delete(files, e.path)
		}
	}
	if err := s.follow(targets); err != nil {
		return nil, fmt.Errorf("read the files of %s: %w", rev, err)
	}
	l.lineLock.Lock()
	defer l.lineLock.Unlock()
	l.latest = s
	return s, nil
}

// Log lists the commits of the branch that touch path, newest first, at most
// limit (0 is all): of what was merged, the merge alone, so that each entry has
// the time at which the branch got it. A shallow clone ends in a commit that
// seems to touch everything: where the answer would hold that one, there is an
// error instead.
func (l *Local) Log(ctx context.Context, rev, path string, limit int) ([]Entry, error) {
	sha, err := l.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	boundary, err := l.shallow()
	if err != nil {
		return nil, err
	}
	entries, err := l.log(ctx, sha, path, limit)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", path, err)
	}
	for i, e := range entries {
		if boundary[e.SHA] && (path != "" || limit == 0 || i+1 < limit) {
			return nil, fmt.Errorf(
				"read the history of %s: it is not all in the shallow clone %s: run git fetch --unshallow, or check out with "+
					"fetch-depth: 0",
				path, l.dir,
			)
		}
	}
	return entries, nil
}

// log asks the history in memory, or git.
func (l *Local) log(ctx context.Context, sha, path string, limit int) ([]Entry, error) {
	known, err := l.known(ctx, sha, path)
	if err != nil {
		return nil, err
	}
	if known != nil {
		if entries, ok := known.log(path, limit); ok {
			return entries, nil
		}
	}
	args := []string{"log", "-z", "--first-parent", "--no-show-signature", entryFormat}
	if limit > 0 {
		args = append(args, "-n", strconv.Itoa(limit))
	}
	args = append(args, sha, "--")
	if path != "" {
		args = append(args, ":(literal,top)"+path)
	}
	out, err := l.output(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	since, err := l.since(ctx, sha)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for record := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		entry, ok, err := parseEntry(record)
		if err != nil {
			return nil, err
		}
		if ok {
			entry.Since = since[entry.SHA]
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// parseEntry reads what entryFormat prints; false for anything else.
func parseEntry(record string) (Entry, bool, error) {
	f := strings.SplitN(record, "\x1f", 6)
	if len(f) != 6 {
		return Entry{}, false, nil
	}
	seconds, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return Entry{}, false, fmt.Errorf("commit %s has time %q", f[0], f[1])
	}
	return Entry{
		SHA: f[0], Time: time.Unix(seconds, 0).UTC(), AuthorName: f[2], AuthorEmail: f[3], Message: strings.TrimRight(f[5], "\n"),
		Parents: strings.Fields(f[4]),
	}, true, nil
}

// shallow gives the commits at which a shallow clone ends.
func (l *Local) shallow() (map[string]bool, error) {
	data, err := os.ReadFile(filepath.Join(l.gitDir, "shallow"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("see where the clone ends: %w", err)
	}
	commits := map[string]bool{}
	for _, sha := range strings.Fields(string(data)) {
		commits[sha] = true
	}
	return commits, nil
}

// missing says why the repository does not have what a name should mean.
func (l *Local) missing(ctx context.Context, what string) error {
	if err := git.Empty(ctx, l.dir); err != nil {
		return err
	}
	if boundary, err := l.shallow(); err != nil || len(boundary) > 0 {
		return outcome.Join(fmt.Errorf(
			"%s in the shallow clone %s: %w: run git fetch --unshallow, or check out with fetch-depth: 0", what, l.dir, ErrNotFound,
		), err)
	}
	return fmt.Errorf("%s in %s: %w", what, l.dir, ErrNotFound)
}

// localHead is the head of a local branch, or empty.
func (l *Local) localHead(ctx context.Context, branch string) (string, error) {
	sha, err := l.line(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", "refs/heads/"+branch+"^{commit}")
	if git.Exited(err, 1) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read branch %s: %w", branch, err)
	}
	return sha, nil
}

type treeEntry struct {
	mode, sha, path string
	size            int64
}

func (e treeEntry) regular() bool { return e.mode == "100644" || e.mode == "100755" }

// read reports whether a snapshot reads the entry.
func (e treeEntry) read() bool { return e.regular() || e.mode == modeLink }

func (l *Local) tree(ctx context.Context, sha string, paths ...string) ([]treeEntry, error) {
	args := []string{"ls-tree", "-r", "-l", "-z", "--full-tree", sha, "--"}
	out, err := git.Command{Dir: l.dir, Env: l.o.Env, Args: append(args, paths...), Config: nil}.Output(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the files of %s: %w", sha, err)
	}
	var entries []treeEntry
	for _, record := range strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		meta, path, ok := strings.Cut(record, "\t")
		fields := strings.Fields(meta)
		if !ok || len(fields) != 4 {
			continue
		}
		size, _ := strconv.ParseInt(fields[3], 10, 64) // "-" of a submodule
		entries = append(entries, treeEntry{mode: fields[0], sha: fields[2], path: path, size: size})
	}
	return entries, nil
}

// blobs reads the regular entries and links with one git.
func (l *Local) blobs(ctx context.Context, entries []treeEntry) (map[string][]byte, error) {
	var in strings.Builder
	for _, e := range entries {
		if e.read() {
			in.WriteString(e.sha + "\n")
		}
	}
	files := map[string][]byte{}
	if in.Len() == 0 {
		return files, nil
	}
	out := &limitedBuffer{limit: maxSnapshotBytes}
	if err := (git.Command{
		Dir: l.dir, Env: l.o.Env, Args: []string{"cat-file", "--batch"}, Stdin: strings.NewReader(in.String()), Stdout: out,
	}).Run(ctx); err != nil {
		if out.full {
			return nil, fmt.Errorf("more than %d MiB: is this the config repository?", maxSnapshotBytes>>20)
		}
		return nil, err
	}
	rest := out.Bytes()
	for _, e := range entries {
		if !e.read() {
			continue
		}
		header, after, ok := bytes.Cut(rest, []byte("\n"))
		fields := strings.Fields(string(header))
		if !ok || len(fields) != 3 || fields[0] != e.sha {
			return nil, fmt.Errorf("%s: git cat-file wrote %q", e.path, header)
		}
		size, err := strconv.Atoi(fields[2])
		if err != nil || size+1 > len(after) {
			return nil, fmt.Errorf("%s: git cat-file wrote %q", e.path, header)
		}
		files[e.path] = after[:size:size]
		rest = after[size+1:]
	}
	return files, nil
}

func (l *Local) line(ctx context.Context, args ...string) (string, error) {
	return git.Command{Dir: l.dir, Env: l.o.Env, Args: args}.Line(ctx)
}

func (l *Local) output(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	return git.Command{Dir: l.dir, Env: l.o.Env, Args: args, Stdin: bytes.NewReader(stdin)}.Output(ctx)
}

var errTooMuch = errors.New("too much output")

// limitedBuffer refuses to grow beyond its limit.
type limitedBuffer struct {
	bytes.Buffer
	limit int
	full  bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		b.full = true
		return 0, errTooMuch
	}
	return b.Buffer.Write(p)
}

// temporaryIndex gives the environment of an index of its own, and removes it.
func (l *Local) temporaryIndex() (env []string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "waybill-index-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a temporary index: %w", err)
	}
	return append([]string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}, l.o.Env...), func() { os.RemoveAll(dir) }, nil
}
