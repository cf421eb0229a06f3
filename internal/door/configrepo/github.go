package configrepo

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
)

// GitHub is a config repository on GitHub, read and written through the API
// without a clone. GitHub signs the commits of bots and apps.
type GitHub struct {
	api  *github.Client
	repo github.Repository

	// Branch holds the deployments: GitHub is asked when it moved. Empty is the
	// default branch.
	Branch string
	// Now is the clock.
	Now func() time.Time

	only string // the directory that snapshots are of; empty is all

	mu        sync.Mutex
	moves     []github.Move                 // of Branch, newest first; nil until they are needed
	snapshots map[string]*Snapshot          // by commit
	trees     map[string]map[string]treeRef // by commit: its files
	roots     map[string]string             // by commit: its tree
	blobs     map[string][]byte             // by id: files that were read alone
	heads     map[string]bool               // commits that branches ended in
	branches  map[string]*branchLine        // by head
	ahead     map[string]*readAhead         // by head
	tips      map[string]github.Commit      // by id: commits that branches end in
	indexes   map[string]*treeIndex         // by commit
	newest    archive                       // that was downloaded
	newestOf  string                        // its commit
}

type treeRef struct {
	mode, sha string
	size      int
}

// NewGitHub makes the repository; it sends nothing.
func NewGitHub(api *github.Client, repo github.Repository) *GitHub {
	return &GitHub{
		api: api, repo: repo, Now: time.Now, snapshots: map[string]*Snapshot{}, trees: map[string]map[string]treeRef{},
		roots: map[string]string{}, blobs: map[string][]byte{}, heads: map[string]bool{},
		branches: map[string]*branchLine{}, ahead: map[string]*readAhead{},
		tips: map[string]github.Commit{}, indexes: map[string]*treeIndex{},
	}
}

func (g *GitHub) within(dir string) { g.only = dir }

// DefaultBranch is the repository's default branch.
func (g *GitHub) DefaultBranch(ctx context.Context) (string, error) {
	info, err := g.api.Repo(ctx, g.repo)
	if err != nil {
		return "", err
	}
	return info.DefaultBranch, nil
}

// Resolve gives the commit that rev names.
func (g *GitHub) Resolve(ctx context.Context, rev string) (string, error) {
	if isSHA(rev) && g.known(rev) {
		return rev, nil
	}
	sha, err := g.api.ResolveCommit(ctx, g.repo, rev)
	if err != nil {
		return "", notFound(err, http.StatusNotFound, http.StatusUnprocessableEntity)
	}
	return strings.TrimSpace(sha), nil
}

// Head gives the commit at the head of a branch.
func (g *GitHub) Head(ctx context.Context, branch string) (string, error) {
	if err := validBranch(branch); err != nil {
		return "", err
	}
	sha, err := g.api.BranchHead(ctx, g.repo, branch)
	if err != nil {
		return "", notFound(err, http.StatusNotFound)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heads[sha] = true
	return sha, nil
}

// File reads one file of a revision.
func (g *GitHub) File(ctx context.Context, rev, path string) ([]byte, error) {
	sha := rev
	if !isSHA(rev) {
		var err error
		if sha, err = g.Resolve(ctx, rev); err != nil {
			return nil, err
		}
	}
	if s := g.cached(sha); s != nil && kept(g.only, path) {
		if data, ok := s.Files[path]; ok && !s.Linked[path] {
			return data, nil
		}
		if s.Large[path] != "" {
			return nil, tooLarge(path, rev)
		}
		return nil, fmt.Errorf("file %s at %s: %w", path, rev, ErrNotFound)
	}
	if data, ok := g.readAhead(sha, path); ok {
		return data, nil
	}
	files, err := g.tree(ctx, sha)
	if err != nil {
		return nil, err
	}
	entry, ok := files[path]
	if !ok || !(treeEntry{mode: entry.mode}).regular() {
		return nil, fmt.Errorf("file %s at %s: %w", path, rev, ErrNotFound)
	}
	if entry.size > maxFileBytes {
		return nil, tooLarge(path, rev)
	}
	return g.blob(ctx, entry.sha)
}

// blob reads a file's content; a history holds the same one often.
func (g *GitHub) blob(ctx context.Context, sha string) ([]byte, error) {
	return once(g, g.blobs, sha, func() ([]byte, error) { return g.api.Blob(ctx, g.repo, sha) })
}

// once gives what is known of a key, or reads and keeps it.
func once[T any](g *GitHub, known map[string]T, key string, read func() (T, error)) (T, error) {
	g.mu.Lock()
	value, ok := known[key]
	g.mu.Unlock()
	if ok {
		return value, nil
	}
	value, err := read()
	if err != nil {
		return value, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	known[key] = value
	return value, nil
}

// Changed lists the paths in which two commits differ.
func (g *GitHub) Changed(ctx context.Context, from, to string) ([]string, error) {
	before, err := g.tree(ctx, from)
	if err != nil {
		return nil, err
	}
	after, err := g.tree(ctx, to)
	if err != nil {
		return nil, err
	}
	var changed []string
	for path, entry := range after {
		if before[path] != entry {
			changed = append(changed, path)
		}
	}
	for path := range before {
		if _, kept := after[path]; !kept {
			changed = append(changed, path)
		}
	}
	return changed, nil
}

// Turn lets nobody wait: other writers are not known here.
func (g *GitHub) Turn(context.Context) (end func(), err error) { return func() {}, nil }

// Snapshot reads every regular file of a revision: the list of files and one
// archive. The archive is no authority: attributes in the repository can leave
// files out of it or rewrite them (export-ignore, export-subst), so each file
// is held against its id in the list, and read by itself where it differs.
func (g *GitHub) Snapshot(ctx context.Context, rev string) (*Snapshot, error) {
	sha, err := g.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	if s := g.cached(sha); s != nil {
		return s, nil
	}
	files, err := g.tree(ctx, sha)
	if err != nil {
		return nil, err
	}
	archive, err := g.contents(ctx, sha, files)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Commit: sha, Files: map[string][]byte{}, Large: map[string]string{}, Links: map[string]string{}}
	links, outside := make(map[string]string), make(map[string]string)
	total := 0
	for path, entry := range files {
		if !kept(g.only, path) {
			outside[path] = entry.mode + entry.sha
			continue
		}
		if !(treeEntry{mode: entry.mode}).regular() {
			s.Links[path] = entry.sha
		}
		if !(treeEntry{mode: entry.mode}).read() {
			continue
		}
		if entry.size > maxFileBytes {
			s.Large[path] = entry.sha
			continue
		}
		if total += entry.size; total > maxSnapshotBytes || len(s.Files) >= maxSnapshotFiles {
			return nil, fmt.Errorf("read the files of %s@%s: %w", g.repo, sha, errTooMany)
		}
		data, ok := archive[path]
		if !ok || git.BlobID(data) != entry.sha {
			if data, err = g.blob(ctx, entry.sha); err != nil {
				return nil, err
			}
		}
		if entry.mode == modeLink {
			links[path] = string(data)
		} else {
			s.Files[path] = data
		}
	}
	if err := s.follow(links); err != nil {
		return nil, fmt.Errorf("read the files of %s@%s: %w", g.repo, sha, err)
	}
	s.outside = fingerprint(g.only, outside)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.snapshots[sha] = s
	return s, nil
}

// fewBlobs is how many files are read one by one rather than with an archive.
const fewBlobs = 4

// contents reads the files of a commit: those that snapshots before it have too are
// taken from there, a few others are read by Snapshot, many with an archive.
func (g *GitHub) contents(ctx context.Context, sha string, files map[string]treeRef) (map[string][]byte, error) {
	known := make(map[string][]byte, len(files))
	g.mu.Lock()
	for path, entry := range files {
		for at, s := range g.snapshots {
			if data, ok := s.Files[path]; ok && g.trees[at][path] == entry {
				known[path] = data
				break
			}
		}
	}
	g.mu.Unlock()
	missing := 0
	for path, entry := range files {
		if known[path] == nil && kept(g.only, path) && (treeEntry{mode: entry.mode}).read() && entry.size <= maxFileBytes {
			missing++
		}
	}
	if missing <= fewBlobs {
		return known, nil
	}
	archived, err := g.archived(ctx, sha)
	return archived.files, err
}

// archive is what an archive of a commit holds. It is no authority.
type archive struct {
	files map[string][]byte  // that are read
	refs  map[string]treeRef // all
}

// archived gives the archive of the commit that was asked for last.
func (g *GitHub) archived(ctx context.Context, sha string) (archive, error) {
	g.mu.Lock()
	known, is := g.newest, g.newestOf == sha
	g.mu.Unlock()
	if is {
		return known, nil
	}
	got, err := g.archive(ctx, sha)
	if err != nil && ctx.Err() == nil {
		got, err = g.archive(ctx, sha) // cut off on the way, say
	}
	if err == nil {
		g.mu.Lock()
		g.newest, g.newestOf = got, sha
		g.mu.Unlock()
	}
	return got, err
}

// archive downloads the files of a commit.
func (g *GitHub) archive(ctx context.Context, sha string) (archive, error) {
	body, err := g.api.Tarball(ctx, g.repo, sha)
	if err != nil {
		return archive{}, err
	}
	defer body.Close()
	fail := func(err error) (archive, error) {
		return archive{}, fmt.Errorf("read the archive of %s@%s: %w", g.repo, sha, err)
	}
	unpacked, err := gzip.NewReader(body)
	if err != nil {
		return fail(err)
	}
	a, total := archive{map[string][]byte{}, map[string]treeRef{}}, int64(0)
	for r := tar.NewReader(io.LimitReader(unpacked, maxArchiveBytes)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return fail(err)
		}
		_, path, ok := strings.Cut(header.Name, "/") // below the directory at the top
		if header.Typeflag == tar.TypeSymlink && ok {
			a.refs[path] = treeRef{modeLink, git.BlobID([]byte(header.Linkname)), len(header.Linkname)}
			if kept(g.only, path) {
				a.files[path] = []byte(header.Linkname)
			}
		}
		if header.Typeflag != tar.TypeReg || !ok || path == "" {
			continue
		}
		if !kept(g.only, path) || header.Size > maxFileBytes {
			continue // it is not read
		}
		if total += header.Size; total > maxSnapshotBytes || len(a.files) >= maxSnapshotFiles {
			return fail(errTooMany)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return fail(err)
		}
		mode := modeFile
		if header.Mode&0o100 != 0 {
			mode = modeExecutable
		}
		a.files[path], a.refs[path] = data, treeRef{mode, git.BlobID(data), len(data)}
	}
}

// tree lists the files of a commit.
func (g *GitHub) tree(ctx context.Context, sha string) (map[string]treeRef, error) {
	g.mu.Lock()
	files, ok := g.trees[sha]
	g.mu.Unlock()
	if ok {
		return files, nil
	}
	files = map[string]treeRef{}
	entries, cut, err := g.api.Tree(ctx, g.repo, sha, true)
	switch {
	case err != nil:
		return nil, notFound(err, http.StatusNotFound)
	case cut:
		if files, err = g.largeTree(ctx, sha); err != nil {
			return nil, err
		}
	default:
		addFiles(files, "", entries)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trees[sha] = files
	return files, nil
}

// root is the id of a commit's tree.
func (g *GitHub) root(ctx context.Context, sha string) (string, error) {
	return once(g, g.roots, sha, func() (string, error) {
		root, err := g.api.CommitTree(ctx, g.repo, sha)
		if err != nil {
			return "", notFound(err, http.StatusNotFound)
		}
		return root, nil
	})
}

func (g *GitHub) cached(sha string) *Snapshot {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.snapshots[sha]
}

// known reports whether GitHub has named the commit before.
func (g *GitHub) known(sha string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.trees[sha]
	return ok || g.heads[sha]
}

// notFound adds ErrNotFound to GitHub's answer where it means that.
func notFound(err error, statuses ...int) error {
	for _, status := range statuses {
		if github.IsStatus(err, status) {
			return fmt.Errorf("%w: %w", ErrNotFound, err)
		}
	}
	return err
}
