package policy

import (
	"encoding/json"
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

// module is a directory of configuration that the root uses.
type module struct {
	*configuration.Module
	key     string              // as terraform names it, a.b; of the first call that led here
	calls   map[string]string   // local calls: name → directory
	fetched string              // its source, where it is not in the tree
	shown   configuration.Place // where the tree calls it, where it is fetched
}

// tree is the root and everything that it uses, as far as it is there.
type tree struct {
	top, root string // real paths
	modules   []*module
	outside   []configuration.Problem // links and calls that leave the tree
	installed []installed             // providers that terraform has fetched
	opened    []configuration.Opened  // files that the configuration makes terraform open
}

type installed struct{ source, version string }

func readTree(r Request) (*tree, error) {
	top, err := filepath.EvalSymlinks(r.Top)
	if err != nil {
		return nil, fmt.Errorf("find the top of the repository: %w", err)
	}
	t := &tree{top: top, root: filepath.Join(top, filepath.FromSlash(r.Dir))}
	if real, err := filepath.EvalSymlinks(t.root); errors.Is(err, fs.ErrNotExist) {
		return nil, outcome.Usagef("%s does not exist", r.Dir)
	} else if err != nil {
		return nil, fmt.Errorf("read the root: %w", err)
	} else if !within(top, real) {
		at := configuration.Place{File: t.root, Line: 1}
		t.outside = append(t.outside, configuration.Problem{Message: "the root is a link that leaves the repository", Place: at})
		return t, nil
	} else {
		t.root = real
	}
	if err := t.follow(t.root, ""); err != nil {
		return nil, err
	}
	if r.DataDir == "" {
		return t, nil
	}
	if err := t.readFetched(r.DataDir); err != nil {
		return nil, err
	}
	return t, t.readInstalled(r.DataDir)
}

func within(top, name string) bool {
	relative, err := filepath.Rel(top, name)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// follow reads a directory of the tree and the local modules it calls.
func (t *tree) follow(dir, key string) error {
	if slices.ContainsFunc(t.modules, func(m *module) bool { return m.Dir == dir }) {
		return nil
	}
	read, err := configuration.Read(dir, key == "")
	if err != nil {
		return err
	}
	m := &module{Module: read, key: key, calls: make(map[string]string)}
	t.modules = append(t.modules, m)
	if err := t.links(dir, t.top); err != nil {
		return err
	}
	for _, c := range read.Calls {
		if !isLocal(c.Source) {
			continue
		}
		real, err := filepath.EvalSymlinks(filepath.Join(dir, filepath.FromSlash(c.Source)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			t.outside = append(t.outside, configuration.Problem{
				Message: fmt.Sprintf("module %q: %s does not exist", c.Name, c.Source), Place: c.Place,
			})
		case err != nil:
			return fmt.Errorf("follow module %q: %w", c.Name, err)
		case !within(t.top, real):
			t.outside = append(t.outside, configuration.Problem{
				Message: fmt.Sprintf("module %q: %s leaves the repository", c.Name, c.Source), Place: c.Place,
			})
		default:
			m.calls[c.Name] = real
			if err := t.follow(real, strings.TrimPrefix(key+"."+c.Name, ".")); err != nil {
				return err
			}
		}
	}
	return nil
}

// links finds the links below a directory that leave what they lie in.
func (t *tree) links(dir, bound string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("look for links: %w", err)
		}
		if entry.IsDir() && name != dir && (entry.Name() == ".git" || entry.Name() == ".terraform") {
			return filepath.SkipDir
		}
		if entry.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		target, _ := os.Readlink(name)
		real, err := filepath.EvalSymlinks(name)
		if err == nil && within(bound, real) {
			return nil
		}
		if problem := fmt.Sprintf(
			"the link %s → %q leaves what it lies in", entry.Name(), target,
		); !slices.ContainsFunc(t.outside, func(p configuration.Problem) bool { return p.File == name }) {
			t.outside = append(t.outside, configuration.Problem{Message: problem, Place: configuration.Place{File: name, Line: 1}})
		}
		return nil
	})
}

// readFetched reads the modules that terraform has fetched, by its own list of
// them.
func (t *tree) readFetched(dataDir string) error {
	data, err := os.ReadFile(filepath.Join(dataDir, "modules", "modules.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it calls none
	}
	if err != nil {
		return fmt.Errorf("read terraform's list of modules: %w", err)
	}
	var list struct {
		Modules []struct{ Key, Source, Dir string }
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("read terraform's list of modules: %w", err)
	}
	fetchedDir, err := filepath.EvalSymlinks(filepath.Join(dataDir, "modules"))
	if err != nil {
		return fmt.Errorf("read the fetched modules: %w", err)
	}
	slices.SortStableFunc(list.Modules, func(a, b struct{ Key, Source, Dir string }) int { return strings.Compare(a.Key, b.Key) })
	for _, entry := range list.Modules {
		if entry.Key == "" {
			continue
		}
		dir := filepath.FromSlash(entry.Dir)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(t.root, dir)
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return fmt.Errorf("read the fetched module %s: %w", entry.Key, err)
		}
		if slices.ContainsFunc(t.modules, func(m *module) bool { return m.Dir == real && (m.fetched == "" || m.key == entry.Key) }) {
			continue
		}
		read, err := configuration.Read(real, false)
		if err != nil {
			return err
		}
		m := &module{Module: read, key: entry.Key, fetched: entry.Source, shown: t.calledAt(entry.Key)}
		t.modules = append(t.modules, m)
		bound := fetchedDir
		switch placed := filepath.Join(t.root, filepath.FromSlash(terraform.FetchedDir)); {
		case within(placed, real):
			bound = placed
		case within(t.top, real):
			bound = t.top // terraform followed a path that we did not: it is in the tree all the same
			m.fetched = ""
		}
		if err := t.links(real, bound); err != nil {
			return err
		}
	}
	return nil
}

// calledAt is the place in the tree from which the module with that key is
// called, at whatever depth.
func (t *tree) calledAt(key string) configuration.Place {
	at, dir := configuration.Place{File: t.root, Line: 1}, t.root
	for step := range strings.SplitSeq(key, ".") {
		i := slices.IndexFunc(t.modules, func(m *module) bool { return m.Dir == dir && m.fetched == "" })
		if i < 0 {
			break
		}
		for _, c := range t.modules[i].Calls {
			if c.Name == step {
				at = c.Place
			}
		}
		if dir = t.modules[i].calls[step]; dir == "" {
			break
		}
	}
	return at
}

// readInstalled lists the providers that terraform has put where it will start
// them from.
func (t *tree) readInstalled(dataDir string) error {
	found, err := filepath.Glob(filepath.Join(dataDir, "providers", "*", "*", "*", "*"))
	if err != nil {
		return err
	}
	for _, dir := range found {
		relative, err := filepath.Rel(filepath.Join(dataDir, "providers"), dir)
		if err != nil {
			return err
		}
		source, version := path.Split(filepath.ToSlash(relative))
		t.installed = append(t.installed, installed{strings.TrimSuffix(source, "/"), version})
	}
	return nil
}
