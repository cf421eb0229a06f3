package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/terraform"
)

// LockFile is where terraform names its providers.
const LockFile = ".terraform.lock.hcl"

// Sources are the files that a root's plan depends on.
type Sources struct {
	Dirs      []string // the root and the local modules it uses, relative to the top, with slashes
	VarFiles  []string // relative to the top
	Variables []string // of the root
	Sensitive []string // those of them that are marked so
	Digest    string   // of all their files
	LockFile  string   // digest; empty where there is none
}

// ReadSources finds the local modules of a root, however deep, and takes the
// digest of every file in them. State and terraform's own files do not count.
// Names are relative to top; nothing outside it is read.
func ReadSources(top, dir string, varFiles []string) (*Sources, error) {
	s := &Sources{}
	if err := s.follow(top, filepath.Join(top, filepath.FromSlash(dir)), true); err != nil {
		return nil, err
	}
	slices.Sort(s.Dirs)
	files := make(map[string]string)
	for _, d := range s.Dirs {
		if err := digestTree(top, d, files); err != nil {
			return nil, err
		}
	}
	s.LockFile = files[slashJoin(dir, LockFile)]
	for _, f := range varFiles {
		relative, err := inside(top, filepath.Join(top, filepath.FromSlash(f)))
		if err != nil {
			return nil, err
		}
		if files[relative], err = digestFile(filepath.Join(top, filepath.FromSlash(f))); err != nil {
			return nil, fmt.Errorf("read the variables %s: %w", f, err)
		}
		s.VarFiles = append(s.VarFiles, relative)
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		fmt.Fprintf(h, "%d:%s %s\n", len(name), name, files[name])
	}
	s.Digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return s, nil
}

// Uses says whether the file, relative to the top, is one of the sources.
func (s *Sources) Uses(file string) bool {
	if slices.Contains(s.VarFiles, file) {
		return true
	}
	return slices.ContainsFunc(s.Dirs, func(d string) bool { return d == "." || strings.HasPrefix(file, d+"/") })
}

func (s *Sources) follow(top, dir string, root bool) error {
	relative, err := inside(top, dir)
	if err != nil {
		return err
	}
	if slices.Contains(s.Dirs, relative) {
		return nil
	}
	s.Dirs = append(s.Dirs, relative)
	module, err := terraform.Inspect(dir)
	if err != nil {
		return err
	}
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

// digestTree takes the digest of every file below dir. A link counts as what it
// says, not as what it points to.
func digestTree(top, dir string, files map[string]string) error {
	root := filepath.Join(top, filepath.FromSlash(dir))
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read the configuration: %w", err)
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (name == ".terraform" || name == ".git" || name == "terraform.tfstate.d") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".tfstate") || strings.Contains(name, ".tfstate.") {
			return nil
		}
		relative, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		var digest string
		switch {
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return fmt.Errorf("read the configuration: %w", err)
			}
			digest = "link:" + target
		case entry.Type().IsRegular():
			if digest, err = digestFile(path); err != nil {
				return fmt.Errorf("read the configuration: %w", err)
			}
		default:
			return nil
		}
		files[filepath.ToSlash(relative)] = digest
		return nil
	})
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

func slashJoin(dir, name string) string {
	if dir == "." || dir == "" {
		return name
	}
	return strings.TrimSuffix(dir, "/") + "/" + name
}
