package roots

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Sources are the files that a root's plan depends on.
type Sources struct {
	Dirs     []string // the root and the local modules it uses, relative to the top, with slashes
	VarFiles []string // relative to the top
	// Files are what the configuration opens beside them, files and directories,
	// and what links in them lead to.
	Files []string
	// Whole says that what the configuration opens cannot be told, such as what a program
	// opens that it starts. The plan then depends on every file of the commit.
	Whole bool
	// Choosers are the files that choose a terraform. They ask for a new plan, and
	// no plan is bound to them: it names the version.
	Choosers  []string
	Variables []string // of the root
	Sensitive []string // those of them that are marked so
	Digest    string   // of all their files
	LockFile  string   // digest; empty where there is none
	// Fetched is what fetched modules read of the repository.
	Fetched Fetched

	files map[string]string // digests, by name
}

// Beside is the digest of all files but the states that roots in dirs keep in their own
// directories: an apply of those writes them.
func (s *Sources) Beside(dirs []string) string {
	return sum(s.files, func(name string) bool {
		return slices.ContainsFunc(dirs, func(dir string) bool {
			return name == slashJoin(dir, "terraform.tfstate") || strings.HasPrefix(name, slashJoin(dir, "terraform.tfstate.d")+"/")
		})
	})
}

// ReadSources finds what the plan of a root depends on: its directory, the
// local modules it calls, however deep, files of variables, what all of them
// open, and what waybill.yaml names. It takes the digest of every file in them. State and terraform's own
// files do not count, unless they are committed. Names are relative to top;
// nothing outside it is read. With an error, it gives what was found until then, and what
// is not where it should be.
func ReadSources(ctx context.Context, top, dir string, varFiles []string) (*Sources, error) {
	s := &Sources{}
	if err := s.follow(top, filepath.Join(top, filepath.FromSlash(dir)), true); err != nil {
		return s, err
	}
	slices.Sort(s.Dirs)
	realTop, err := filepath.EvalSymlinks(top)
	if err != nil {
		return nil, fmt.Errorf("find the top of the repository: %w", err)
	}
	for _, f := range varFiles {
		relative, err := inside(top, filepath.Join(top, filepath.FromSlash(f)))
		if err != nil {
			s.lacks(top, filepath.Join(top, filepath.FromSlash(f)))
			return s, err
		}
		s.VarFiles = append(s.VarFiles, relative)
		s.written(top, filepath.Join(top, filepath.FromSlash(f)), relative)
	}
	if err := s.opened(top, dir, varFiles); err != nil {
		return nil, err
	}
	if err := s.named(top, dir); err != nil {
		return nil, err
	}
	d := newDigester(ctx, realTop)
	if err := s.digest(ctx, d, dir); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Sources) digest(ctx context.Context, d *digester, dir string) error {
	d.links = func(target string) {
		if !s.Uses(target) {
			s.Files = append(s.Files, target)
		}
	}
	for _, name := range slices.Concat(s.Dirs, s.VarFiles, s.Files) {
		if err := d.path(name); err != nil {
			return err
		}
	}
	if s.Whole {
		if err := d.whole(ctx); err != nil {
			return err
		}
	}
	slices.Sort(s.Files)
	if real, err := inside(d.top, filepath.Join(d.top, filepath.FromSlash(dir))); err == nil {
		dir = real
	}
	s.LockFile = strings.TrimPrefix(d.files[slashJoin(dir, configuration.LockFile)], "program:")
	s.Digest, s.files = sum(d.files, nil), d.files
	for at := dir; ; at = path.Dir(at) {
		for _, name := range []string{".terraform-version", ".opentofu-version"} {
			s.Choosers = append(s.Choosers, slashJoin(at, name))
		}
		if at == "." || at == "/" {
			return nil
		}
	}
}

// named adds the files that waybill.yaml names for the directory.
func (s *Sources) named(top, dir string) error {
	cfg, err := Config(top)
	if err != nil {
		return err
	}
	for _, r := range cfg.Roots {
		if r.Dir != path.Clean(dir) {
			continue
		}
		for _, f := range r.Files {
			full := filepath.Join(top, filepath.FromSlash(f))
			real, err := inside(top, full)
			if outcome.Code(err) == outcome.Usage {
				real = path.Clean(f) // it could come
			} else if err != nil {
				return err
			}
			if real == "." {
				s.Whole = true // what is in the commit, and nothing that lies beside it
				continue
			}
			s.written(top, full, real)
			if !s.Uses(real) || s.Whole {
				s.Files = append(s.Files, real)
			}
		}
	}
	return nil
}

// opened finds what the configuration opens.
func (s *Sources) opened(top, dir string, varFiles []string) error {
	absolute := make([]string, 0, len(varFiles))
	for _, f := range varFiles {
		absolute = append(absolute, filepath.Join(top, filepath.FromSlash(f)))
	}
	files, known, err := terraform.Opens(top, filepath.Join(top, filepath.FromSlash(dir)), absolute, nil)
	if err != nil {
		return err
	}
	s.Whole = s.Whole || !known
	for _, f := range files {
		if !s.Uses(f) || s.Whole {
			s.Files = append(s.Files, f)
		}
	}
	slices.Sort(s.Files)
	s.Files = slices.Compact(s.Files)
	return nil
}

// Uses reports whether a change of the file, relative to the top, asks for a new
// plan.
func (s *Sources) Uses(file string) bool {
	// A submodule, or a directory that became a link, changes as one name.
	under := func(d string) bool {
		return d == "." || d == file || strings.HasPrefix(file, d+"/") || strings.HasPrefix(d, file+"/")
	}
	if s.Whole || slices.ContainsFunc(s.VarFiles, under) || slices.Contains(s.Choosers, file) {
		return true
	}
	return slices.ContainsFunc(s.Dirs, under) || slices.ContainsFunc(s.Files, under)
}

// Paths are all that the digest is of, for git.
func (s *Sources) Paths() []string {
	if s.Whole {
		return []string{"."}
	}
	return slices.Concat(s.Dirs, s.VarFiles, s.Files)
}

func (s *Sources) follow(top, dir string, root bool) error {
	relative, err := inside(top, dir)
	if err != nil {
		s.lacks(top, dir)
		return err
	}
	if slices.Contains(s.Dirs, relative) {
		s.written(top, dir, relative)
		return nil
	}
	s.Dirs = append(s.Dirs, relative)
	s.written(top, dir, relative)
	module, err := terraform.Inspect(dir)
	if err != nil {
		return err
	}
	s.Whole = s.Whole || module.Runs
	if root {
		s.Variables, s.Sensitive = module.Variables, module.Sensitive
	}
	for _, d := range module.Local {
		if err := s.follow(top, d, false); err != nil {
			return err
		}
	}
	return nil
}

// written adds a path as it is written, where links lead from it to another: who
// changes such a link changes what is read.
func (s *Sources) written(top, path, real string) {
	relative, err := filepath.Rel(top, path)
	if name := filepath.ToSlash(relative); err == nil && name != real && name != ".." && !strings.HasPrefix(name, "../") &&
		!slices.Contains(s.Files, name) {
		s.Files = append(s.Files, name)
	}
}

// maxLinks is how many links the kernel follows.
const maxLinks = 40

// lacks adds a path that leads nowhere: as it is written, each link on the way, and what is
// missing where they lead.
func (s *Sources) lacks(top, path string) {
	s.written(top, path, "")
	for range maxLinks {
		link := firstLink(top, path)
		if link == "" {
			break
		}
		target, err := os.Readlink(link)
		if err != nil {
			break
		}
		s.written(top, link, "")
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(link), target)
		}
		path = filepath.Join(target, strings.TrimPrefix(path, link))
	}
	s.written(top, path, "")
}

// firstLink is the first link on the way from top to a path; empty where there is none.
func firstLink(top, path string) string {
	relative, err := filepath.Rel(top, path)
	if err != nil {
		return ""
	}
	at := top
	for part := range strings.SplitSeq(filepath.ToSlash(relative), "/") {
		at = filepath.Join(at, part)
		if info, err := os.Lstat(at); err != nil {
			return ""
		} else if info.Mode()&fs.ModeSymlink != 0 {
			return at
		}
	}
	return ""
}

// inside gives a path relative to top, links resolved.
func inside(top, path string) (string, error) {
	realTop, err := filepath.EvalSymlinks(top)
	if err != nil {
		return "", fmt.Errorf("find the top of the repository: %w", err)
	}
	realPath, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", outcome.Usagef("%s does not exist", filepath.ToSlash(path))
	}
	if err != nil {
		return "", err
	}
	relative, err := filepath.Rel(realTop, realPath)
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return "", outcome.Refusedf("%s lies outside the repository", path)
	}
	return filepath.ToSlash(relative), nil
}

func slashJoin(dir, name string) string {
	if dir == "." || dir == "" {
		return name
	}
	return strings.TrimSuffix(dir, "/") + "/" + name
}
