package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/dfgitutil"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// standardInput in the place of a path.
const standardInput = "-"

// Place is where a build context and its Dockerfile are on this machine.
type Place struct {
	Context, Dockerfile string
	// Cloned is whether the context is a commit of another repository than the
	// job's, and Unpacked whether it is a tar, of which nobody knows the source.
	Cloned, Unpacked bool
	// Written is whether the Dockerfile came from standard input, so that the
	// commit of the context does not hold it.
	Written bool
	dir     string
}

// Find brings a context and a Dockerfile to this machine: a git repository, as
// docker build names it, or - for standard input, which is a tar as a context and
// a Dockerfile as a file. decompress reads a tar in any compression. Callers must
// call Close.
func Find(
	ctx context.Context, given, file string, stdin io.Reader, decompress func(io.Reader) (io.ReadCloser, error),
) (p Place, err error) {
	p = Place{Context: given, Dockerfile: file}
	ref, isGit, _ := dfgitutil.ParseGitRef(given)
	isGit = isGit && ref != nil && !ref.IndistinguishableFromLocal
	switch {
	case given == standardInput && file == standardInput:
		return p, outcome.Usagef("--context and --file cannot both be -: standard input holds one of them")
	case strings.HasPrefix(given, "file://"):
		return p, outcome.Usagef("--context: give a directory of this machine as its path, without file://")
	case !isGit && strings.Contains(given, "://"):
		return p, outcome.Usagef("--context: this address is no git repository (one ends in .git): download it, and give the tar as --context -")
	case !isGit && strings.HasPrefix(given, "github.com/"):
		return p, outcome.Usagef("--context: write a repository of GitHub as https://%s.git", strings.TrimSuffix(given, ".git"))
	case given != standardInput && file != standardInput && !isGit:
		return p, nil
	}
	if p.dir, err = os.MkdirTemp("", "waybill-context-"); err != nil {
		return p, fmt.Errorf("make a directory for the build context: %w", err)
	}
	defer func() {
		if err != nil {
			err = outcome.Join(err, p.Close())
		}
	}()
	if given == standardInput || isGit {
		p.Context = filepath.Join(p.dir, "context")
		if err := os.Mkdir(p.Context, 0o755); err != nil {
			return p, fmt.Errorf("make a directory for the build context: %w", err)
		}
	}
	switch {
	case isGit:
		p.Cloned = true
		err = p.clone(ctx, given, ref)
	case given == standardInput:
		p.Unpacked = true
		err = p.unpack(stdin, decompress)
	}
	if err != nil {
		return p, err
	}
	return p, p.findDockerfile(stdin)
}

// Close removes what was brought here.
func (p Place) Close() error {
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}

// Strip takes the history out of a clone, once its source has been read: it is no
// part of a build context.
func (p Place) Strip() error {
	if !p.Cloned {
		return nil
	}
	return os.RemoveAll(filepath.Join(p.dir, "context", ".git"))
}

// Source describes the source of the context. A clone has its own commit and not
// the job's. A tar has none, and a Dockerfile that was written beside a commit
// makes it dirty.
func (p Place) Source(ctx context.Context, job Job) (Source, error) {
	if p.Unpacked {
		return Source{Root: p.Context}, nil
	}
	if p.Cloned {
		job = Job{}
	}
	source, err := ReadSource(ctx, p.Context, job)
	source.Dirty = source.Dirty || p.Written && source.Commit != ""
	return source, err
}

// Within refuses what the function Within does, of the parts that are in the
// workspace of the job.
func (p Place) Within(workspace string, more map[string]string) error {
	context, file := p.Context, p.Dockerfile
	if p.Cloned || p.Unpacked {
		context, file = workspace, filepath.Join(workspace, "Dockerfile") // neither is in the workspace
	}
	if p.Written {
		file = filepath.Join(context, "Dockerfile")
	}
	return Within(workspace, context, file, more)
}

func (p *Place) clone(ctx context.Context, given string, ref *dfgitutil.GitRef) error {
	if u, err := url.Parse(ref.Remote); err == nil && u.User != nil {
		if _, secret := u.User.Password(); secret || u.Scheme == "https" || u.Scheme == "http" {
			return outcome.Usagef("--context: the address holds a credential, which processes and logs would show: " +
				"leave it out, and give it to git by a credential helper")
		}
	}
	if ref.KeepGitDir != nil || ref.MTime != "" || ref.Submodules != nil {
		return outcome.Usagef("--context: of the settings after ? only ref, subdir and checksum are taken")
	}
	if !filepath.IsLocal(path.Join(".", ref.SubDir)) {
		return outcome.Usagef("--context: the directory %s is outside of the repository", ref.SubDir)
	}
	wanted := ref.Ref
	if ref.FetchByCommit || wanted == "" {
		wanted = ref.Checksum
	}
	if err := git.Checkout(ctx, p.Context, ref.Remote, wanted); err != nil {
		return fmt.Errorf("--context: %w", err)
	}
	commit, err := git.Run(ctx, p.Context, "rev-parse", "HEAD")
	if err != nil {
		return fmt.Errorf("--context: %w", err)
	}
	if !strings.HasPrefix(commit, ref.Checksum) {
		return outcome.Refusedf("--context: %s is commit %s, and %s was asked for", given, commit, ref.Checksum)
	}
	root := p.Context
	p.Context = filepath.Join(root, ref.SubDir)
	real, err := filepath.EvalSymlinks(p.Context)
	if err != nil {
		return fmt.Errorf("--context: %s has no directory %s", ref.Remote, ref.SubDir)
	}
	if inside, err := within(root, real); err != nil || !inside {
		return outcome.Usagef("--context: the directory %s leads out of the repository", ref.SubDir)
	}
	return nil
}

func within(root, real string) (bool, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return false, err
	}
	relative, err := filepath.Rel(root, real)
	return err == nil && filepath.IsLocal(relative), err
}

// findDockerfile completes the Dockerfile: from standard input, or a path below
// a context that was brought here, as docker build reads it.
func (p *Place) findDockerfile(stdin io.Reader) error {
	if p.Dockerfile != standardInput {
		given := p.Dockerfile
		if p.Dockerfile = filepath.Join(p.Context, given); given == "" {
			p.Dockerfile = DefaultDockerfile(p.Context)
		}
		real, err := filepath.EvalSymlinks(p.Dockerfile)
		if err != nil {
			return nil // said where it is read
		}
		if inside, err := within(filepath.Join(p.dir, "context"), real); err != nil || !inside {
			return outcome.Usagef("--file: the Dockerfile %s is outside of the build context", filepath.Base(p.Dockerfile))
		}
		return nil
	}
	p.Written = true
	data, err := io.ReadAll(io.LimitReader(stdin, maxDockerfile+1))
	if err != nil {
		return fmt.Errorf("read the Dockerfile from standard input: %w", err)
	}
	p.Dockerfile = filepath.Join(p.dir, "Dockerfile")
	if err := os.WriteFile(p.Dockerfile, data, 0o600); err != nil {
		return fmt.Errorf("keep the Dockerfile: %w", err)
	}
	return nil
}

// unpack writes a tar into the context. No entry gets out of it.
func (p *Place) unpack(stdin io.Reader, decompress func(io.Reader) (io.ReadCloser, error)) (err error) {
	plain, err := decompress(stdin)
	if err != nil {
		return noTar(err)
	}
	defer func() { err = outcome.Join(err, plain.Close()) }()
	root, err := os.OpenRoot(p.Context)
	if err != nil {
		return fmt.Errorf("open the build context: %w", err)
	}
	defer func() { err = outcome.Join(err, root.Close()) }()
	return unpackEntries(root, plain, tarLimits{entries: maxContextEntries, bytes: maxContextBytes})
}

// Limits of a tar as a build context: more than any source tree has, and less than
// fills a runner.
const (
	maxContextEntries = 1_000_000
	maxContextBytes   = 16 << 30
)

type tarLimits struct {
	entries int
	bytes   int64 // of files, unpacked
}

func unpackEntries(root *os.Root, plain io.Reader, limits tarLimits) error {
	files, limit := tar.NewReader(plain), limits.bytes
	for count := 0; ; count++ {
		header, err := files.Next()
		if err == io.EOF && count > 0 {
			return nil
		}
		if err == io.EOF {
			err = errors.New("it is empty")
		}
		if err != nil {
			return noTar(err)
		}
		if count == limits.entries {
			return outcome.Usagef("--context -: the tar holds more than %d entries, which is the limit of a build context: "+
				"leave out what the Dockerfile does not copy", limits.entries)
		}
		if limits.bytes -= header.Size; limits.bytes < 0 {
			return outcome.Usagef("--context -: %s: the tar's files are larger than the limit of a build context (%d bytes): "+
				"leave out what the Dockerfile does not copy", header.Name, limit)
		}
		if err := unpackEntry(root, header, files); err != nil {
			return fmt.Errorf("--context -: %s: %w", header.Name, err)
		}
	}
}

func noTar(err error) error {
	return fmt.Errorf("--context -: standard input holds no whole tar: %w: a Dockerfile on standard input is --file -", err)
}

func unpackEntry(root *os.Root, h *tar.Header, content io.Reader) error {
	name, mode := path.Clean(h.Name), h.FileInfo().Mode().Perm()
	if name == "." {
		return nil
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(name, 0o755); err != nil {
			return err
		}
		return root.Chmod(name, mode|0o700)
	case tar.TypeSymlink:
		return root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		return root.Link(path.Clean(h.Linkname), name)
	case tar.TypeReg:
	default:
		return nil // a device, which no context has, or a header of the format
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err = outcome.Join(err, f.Close()); err != nil {
		return err
	}
	return outcome.Join(root.Chmod(name, mode), root.Chtimes(name, h.ModTime, h.ModTime))
}
