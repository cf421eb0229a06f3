package terraform

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/scratch"
)

// FetchedDir is where the modules lie that terraform fetches, from the root. That is
// terraform's own place for them, and the same in every run: ${path.module} is in the
// values of plans, and what is opened by it is opened again when a plan is applied.
const FetchedDir = ".terraform/modules"

// Fetched is a module that terraform has fetched, or a directory of one.
type Fetched struct {
	Key, Source, Version string
	Dir                  string // absolute
}

// place moves the fetched modules from the data directory, which is another one for each
// run, to FetchedDir. Clones lose their .git: no two of them are the same.
func (r *Root) place() error {
	from := filepath.Join(r.o.DataDir, "modules")
	list, err := readModules(r.o.DataDir)
	if err != nil {
		return err
	}
	moved := false
	for i, m := range list {
		relative, err := filepath.Rel(from, m.Dir)
		if filepath.IsAbs(m.Dir) && err == nil && filepath.IsLocal(relative) {
			list[i].Dir, moved = FetchedDir+"/"+filepath.ToSlash(relative), true
		}
	}
	if !moved {
		return nil
	}
	if err := withoutClones(from); err != nil {
		return err
	}
	byKey(list)
	data, err := json.Marshal(struct{ Modules []plannedModule }{list})
	if err == nil {
		err = os.WriteFile(filepath.Join(from, modulesFile), data, 0o600)
	}
	if err == nil {
		err = r.publish(from)
	}
	if err != nil {
		return fmt.Errorf("place the fetched modules: %w", err)
	}
	return onlyList(from)
}

// modulesFile is terraform's list of modules, in a directory of modules.
const modulesFile = "modules.json"

// readModules reads terraform's list of modules; nil where there is none.
func readModules(dataDir string) ([]plannedModule, error) {
	var list struct{ Modules []plannedModule }
	data, err := os.ReadFile(filepath.Join(dataDir, "modules", modulesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("read terraform's list of modules: %w", err)
	}
	return list.Modules, nil
}

func withoutClones(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != ".git" {
			return err
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove what git keeps of a module: %w", err)
		}
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
}

// publish makes FetchedDir a copy of from. One that is the same already stays as it is:
// another root of this directory may be reading it.
func (r *Root) publish(from string) error {
	to := filepath.Join(r.o.Dir, filepath.FromSlash(FetchedDir))
	for _, path := range []string{filepath.Dir(to), to} {
		info, err := os.Lstat(path)
		if err == nil && !info.IsDir() {
			return outcome.Refusedf("%s is no directory, and terraform fetches modules there: remove it", path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	want, err := treeDigest(from)
	if err != nil {
		return err
	}
	if same(to, want) {
		return nil
	}
	_, err = os.Lstat(to)
	stale := err == nil
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	beside, err := scratch.New(filepath.Dir(to)) // of the same file system; a killed process leaves none
	if err != nil {
		return err
	}
	defer beside.Remove()
	fresh := filepath.Join(beside.Path, "modules")
	if err := copyTree(from, fresh); err != nil {
		return err
	}
	if stale {
		if err := os.Rename(to, filepath.Join(beside.Path, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Rename(fresh, to); err != nil && !same(to, want) { // another process was faster
		return err
	}
	return nil
}

// onlyList leaves terraform's list in a directory of modules whose trees were copied.
func onlyList(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if err == nil && e.Name() != modulesFile {
			err = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	return err
}

func same(dir, digest string) bool {
	is, err := treeDigest(dir)
	return err == nil && is == digest
}

// Fetched lists the modules that terraform has fetched for the root, which is initialised.
func (r *Root) Fetched() ([]Fetched, error) {
	list, err := readModules(r.o.DataDir)
	if err != nil {
		return nil, err
	}
	var fetched []Fetched
	for _, m := range list {
		if m.Dir == FetchedDir || strings.HasPrefix(m.Dir, FetchedDir+"/") {
			fetched = append(fetched, Fetched{m.Key, m.Source, m.Version, filepath.Join(r.o.Dir, filepath.FromSlash(m.Dir))})
		}
	}
	return fetched, nil
}

// FetchedDigests are the digests of the fetched modules, each with every file that came
// with it, by key. A plan holds their configuration; terraform opens everything else when
// it applies: templates, scripts, archives. nil where there are none.
func (r *Root) FetchedDigests() (map[string]string, error) {
	fetched, err := r.Fetched()
	if err != nil || len(fetched) == 0 {
		return nil, err
	}
	all := filepath.Join(r.o.Dir, filepath.FromSlash(FetchedDir))
	entries, err := os.ReadDir(all)
	if err != nil {
		return nil, fmt.Errorf("read the fetched modules: %w", err)
	}
	digests := make(map[string]string)
	for _, e := range entries {
		if e.Name() == modulesFile {
			continue // the plan's own list is compared
		}
		name := e.Name()
		if i := slices.IndexFunc(fetched, func(f Fetched) bool { return f.Key == e.Name() }); i >= 0 {
			name += " (" + strings.TrimSpace(fetched[i].Source+" "+fetched[i].Version) + ")"
		}
		if digests[name], err = treeDigest(filepath.Join(all, e.Name())); err != nil {
			return nil, fmt.Errorf("read the fetched modules: %w", err)
		}
	}
	return digests, nil
}

// treeDigest is the digest of a tree: names, contents, what links say, and which files
// can be started.
func treeDigest(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		kind, content := "other", ""
		switch {
		case info.IsDir():
			kind = "directory"
		case info.Mode()&fs.ModeSymlink != 0:
			kind = "link"
			content, err = os.Readlink(path)
		case info.Mode().IsRegular():
			kind = "file"
			if info.Mode()&0o100 != 0 {
				kind = "program"
			}
			content, err = FileDigest(path)
		}
		name := filepath.ToSlash(relative)
		fmt.Fprintf(sum, "%s %d:%s %d:%s\n", kind, len(name), name, len(content), content)
		return err
	})
	return imageref.DigestSum(sum), err
}

// FileDigest is the digest of what a file holds.
func FileDigest(path string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, in)
	return imageref.DigestSum(sum), err
}

// copyTree copies directories, files and links, and nothing else.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			return os.MkdirAll(target, 0o755)
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(target, data, info.Mode().Perm()|0o600)
		}
		return nil
	})
}
