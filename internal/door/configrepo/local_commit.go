package configrepo

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/waybill-dev/waybill/internal/door/git"
)

const zeroOID = "0000000000000000000000000000000000000000"

// finishTime is how long the step from moving a branch to its working tree may
// take once it has begun: an interrupt does not tear it apart.
const finishTime = 30 * time.Second

// Commit makes the commit and moves the branch to it.
func (l *Local) Commit(ctx context.Context, r Request) (string, error) {
	if err := r.validate(); err != nil {
		return "", err
	}
	if !l.o.Push {
		// Writers of one directory take turns, so that one that is too late
		// learns it before the work.
		unlock, err := l.lock(ctx)
		if err != nil {
			return "", err
		}
		defer unlock()
	}
	head, err := l.Head(ctx, r.Branch)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	if head != r.Expect {
		return "", moved(r.Branch, r.Expect, head)
	}
	sha, err := l.write(ctx, r)
	if err != nil {
		return "", fmt.Errorf("commit to %s: %w", r.Branch, err)
	}
	if l.o.Push {
		err = l.push(ctx, r.Branch, r.Expect, sha)
	} else {
		err = l.move(ctx, r.Branch, r.Expect, sha)
	}
	if err != nil {
		return "", err
	}
	return sha, nil
}

// DeleteBranch deletes a branch that is still at expect; one that is gone
// already is no error.
func (l *Local) DeleteBranch(ctx context.Context, branch, expect string) error {
	if err := validBranch(branch); err != nil {
		return err
	}
	if l.o.Push {
		return l.push(ctx, branch, expect, "")
	}
	_, err := l.line(ctx, "update-ref", "-d", "refs/heads/"+branch, expect)
	if err != nil {
		if head, headErr := l.localHead(ctx, branch); headErr == nil && head == "" {
			return nil
		}
	}
	return l.explain(ctx, branch, expect, "delete branch "+branch, err)
}

// write makes tree and commit objects; no ref moves.
func (l *Local) write(ctx context.Context, r Request) (string, error) {
	env, remove, err := l.temporaryIndex()
	if err != nil {
		return "", err
	}
	defer remove()
	run := func(stdin string, args ...string) (string, error) {
		return git.Command{Dir: l.dir, Env: env, Args: args, Stdin: strings.NewReader(stdin)}.Line(ctx)
	}
	if _, err := run("", "read-tree", r.Parent); err != nil {
		return "", err
	}
	info, err := l.index(ctx, r, run)
	if err != nil {
		return "", err
	}
	if _, err := run(info, "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	tree, err := run("", "write-tree")
	if err != nil {
		return "", err
	}
	if before, err := run("", "rev-parse", "--verify", r.Parent+"^{tree}"); err != nil {
		return "", err
	} else if before == tree {
		return "", ErrUnchanged
	}
	name, email := l.identity(ctx)
	when := l.now().UTC().Format(time.RFC3339)
	env = append(env, "GIT_AUTHOR_NAME="+name, "GIT_AUTHOR_EMAIL="+email, "GIT_COMMITTER_NAME="+name, "GIT_COMMITTER_EMAIL="+email,
		"GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when)
	return run(strings.TrimRight(r.Message, "\n")+"\n", "commit-tree", tree, "-p", r.Parent, "-F", "-")
}

// index is what git's index is told of the changes.
func (l *Local) index(ctx context.Context, r Request, run func(stdin string, args ...string) (string, error)) (string, error) {
	paths := make([]string, 0, len(r.Changes))
	for _, c := range r.Changes {
		paths = append(paths, c.Path)
	}
	old, err := l.tree(ctx, r.Parent, paths...)
	if err != nil {
		return "", err
	}
	modes := map[string]string{}
	for _, e := range old {
		modes[e.path] = e.mode
	}
	above, err := l.above(ctx, r.Parent, paths)
	if err != nil {
		return "", err
	}
	if err := throughNothing(paths, above); err != nil {
		return "", err
	}
	var info strings.Builder
	for _, c := range r.Changes {
		mode, exists := modes[c.Path]
		if c.Content == nil {
			if !exists {
				return "", fmt.Errorf("delete %s: %w", c.Path, ErrNotFound)
			}
			fmt.Fprintf(&info, "0 %s\t%s\x00", zeroOID, c.Path)
			continue
		}
		mode, err := keptMode(c.Path, mode, exists)
		if err != nil {
			return "", err
		}
		blob, err := run(string(c.Content), "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&info, "%s %s\t%s\x00", mode, blob, c.Path)
	}
	return info.String(), nil
}

// above gives the modes of the directories that paths are in, as far as they are no
// directories.
func (l *Local) above(ctx context.Context, sha string, paths []string) (map[string]string, error) {
	var parents []string
	for _, p := range paths {
		for dir := path.Dir(p); dir != "." && !slices.Contains(parents, dir); dir = path.Dir(dir) {
			parents = append(parents, dir)
		}
	}
	modes := make(map[string]string)
	if len(parents) == 0 {
		return modes, nil
	}
	args := append([]string{"ls-tree", "-z", "--full-tree", sha, "--"}, parents...)
	out, err := git.Command{Dir: l.dir, Env: l.o.Env, Args: args}.Output(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the directories of %s: %w", sha, err)
	}
	for record := range strings.SplitSeq(string(out), "\x00") {
		meta, name, _ := strings.Cut(record, "\t")
		if mode, rest, _ := strings.Cut(meta, " "); rest != "" && !strings.HasPrefix(rest, "tree ") {
			modes[name] = mode
		}
	}
	return modes, nil
}

func keptMode(path, mode string, exists bool) (string, error) {
	switch {
	case !exists:
		return "100644", nil
	case mode == "100644" || mode == "100755":
		return mode, nil
	}
	return "", fmt.Errorf("write %s: it is a symbolic link or submodule (mode %s), which is not followed", path, mode)
}

// identity is the caller's, else git's configuration, else Waybill's own.
func (l *Local) identity(ctx context.Context) (name, email string) {
	l.identityLock.Lock()
	defer l.identityLock.Unlock()
	name, email = l.o.Name, l.o.Email
	defer func() { l.o.Name, l.o.Email = name, email }()
	get := func(key, fallback string) string {
		value, err := git.Command{Dir: l.dir, Env: l.o.Env, UserConfig: true, Args: []string{"config", "--get", key}}.Line(ctx)
		if err != nil || value == "" {
			return fallback
		}
		return value
	}
	if name == "" {
		name = get("user.name", fallbackName)
	}
	if email == "" {
		email = get("user.email", fallbackEmail)
	}
	return name, email
}

func (l *Local) now() time.Time {
	if l.o.Now != nil {
		return l.o.Now()
	}
	return time.Now()
}

// move moves a local branch from exactly expect to sha, with the working tree
// that has it checked out. The caller holds the lock.
func (l *Local) move(ctx context.Context, branch, expect, sha string) error {
	follow := false
	if checkedOut, err := l.line(ctx, "symbolic-ref", "--quiet", "HEAD"); err == nil && !l.bare &&
		checkedOut == "refs/heads/"+branch && expect != "" {
		dirty, err := l.line(ctx, "status", "--porcelain", "--untracked-files=no")
		if err != nil {
			return fmt.Errorf("look for uncommitted changes in %s: %w", l.dir, err)
		}
		if dirty != "" {
			if head, err := l.localHead(ctx, branch); err == nil && head != expect {
				return moved(branch, expect, head)
			}
			return fmt.Errorf(
				"branch %s is checked out in %s with uncommitted changes (%s): commit or stash them first", branch, l.dir,
				firstLine(dirty),
			)
		}
		follow = true
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTime)
	defer cancel()
	old := expect
	if old == "" {
		old = zeroOID
	}
	_, err := l.line(ctx, "update-ref", "-m", "waybill: commit", "refs/heads/"+branch, sha, old)
	if err != nil {
		return l.explain(ctx, branch, expect, "move branch "+branch, err)
	}
	if follow {
		if _, err := l.line(ctx, "read-tree", "-m", "-u", expect, sha); err != nil {
			// Untracked files are in the way, say: the branch goes back.
			_, _ = l.line(ctx, "update-ref", "-m", "waybill: undo", "refs/heads/"+branch, expect, sha)
			return fmt.Errorf("update the working tree %s to %s: %w", l.dir, sha, err)
		}
	}
	return nil
}

// explain turns a failed ref update into ErrMoved where the branch is not at
// expect.
func (l *Local) explain(ctx context.Context, branch, expect, doing string, err error) error {
	if err == nil {
		return nil
	}
	if head, headErr := l.localHead(ctx, branch); headErr == nil && head != expect {
		return moved(branch, expect, head)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// lock keeps the writers of one directory from each other's working tree. The
// kernel drops it when a process dies.
func (l *Local) lock(ctx context.Context) (func(), error) {
	if l.turn.Load() {
		return func() {}, nil
	}
	path := filepath.Join(l.gitDir, "waybill.lock")
	lock := flock.New(path)
	if _, err := lock.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("wait for another writer (%s): %w", path, err)
		}
		return nil, fmt.Errorf("lock the config repository with %s: %w", path, err)
	}
	return func() { _ = lock.Close() }, nil
}

// Turn keeps other writers of the directory waiting until end is called, so that no
// commit in between fails for them. Where commits are pushed, others are not known here,
// and nobody waits. One goroutine may use l until then.
func (l *Local) Turn(ctx context.Context) (end func(), err error) {
	if l.o.Push {
		return func() {}, nil
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	l.turn.Store(true)
	return func() { l.turn.Store(false); unlock() }, nil
}

func firstLine(s string) string {
	line, _, more := strings.Cut(s, "\n")
	if more {
		line += ", …"
	}
	return strings.TrimSpace(line)
}
