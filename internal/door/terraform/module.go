package terraform

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
)

// Module is what a directory of configuration says, as far as a plan's sources
// ask.
type Module struct {
	Dir   string
	Local []string // directories of the modules it calls by a path, sorted
	// Fetched are the other modules that it calls, by name: source and version.
	Fetched   map[string]string
	Variables []string // names, sorted
	Sensitive []string // those marked sensitive
	// Runs says that it starts programs on this machine, which can read any file.
	Runs bool
}

// Provisioners that run on this machine nothing but themselves, and what starts a program
// by its type. The files that the former copy are settings like any other.
var (
	copying  = []string{"file", "remote-exec"}
	starting = []string{"external", "local_command"}
)

// Inspect reads a directory without running terraform. What it cannot read it
// leaves to terraform to complain of.
//
// It does not use terraform-config-inspect, which passes over .tofu and refuses
// an override of a provider's source.
func Inspect(dir string) (*Module, error) {
	read, err := configuration.Read(dir, false)
	if err != nil {
		return nil, err
	}
	m := &Module{Dir: dir, Fetched: make(map[string]string)}
	m.Runs = slices.ContainsFunc(read.Provisioners, func(p configuration.Named) bool { return !slices.Contains(copying, p.Name) }) ||
		slices.ContainsFunc(read.Uses, func(u configuration.Use) bool {
			return u.Kind != configuration.Resource && slices.Contains(starting, u.Type)
		}) || slices.ContainsFunc(read.Programs, func(p configuration.Program) bool { return p.Setting == configuration.Postrender })
	for _, call := range read.Calls {
		if IsLocal(call.Source) {
			m.Local = append(m.Local, filepath.Join(dir, filepath.FromSlash(call.Source)))
		} else {
			m.Fetched[call.Name] = strings.TrimSpace(call.Source + " " + call.Version)
		}
	}
	for _, v := range read.Variables {
		m.Variables = append(m.Variables, v.Name)
		if v.Sensitive {
			m.Sensitive = append(m.Sensitive, v.Name)
		}
	}
	for _, list := range []*[]string{&m.Local, &m.Variables, &m.Sensitive} {
		slices.Sort(*list)
		*list = slices.Compact(*list) // overrides say it again
	}
	return m, nil
}

// IsLocal reports whether a module's source is a path.
func IsLocal(source string) bool {
	return source == "." || source == ".." || strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../")
}

// IsRoot reports whether the directory configures a backend or a provider, which
// modules that others call do not. A file that nobody can read is an error: it
// might be a root's.
func IsRoot(dir string) (bool, error) {
	read, err := configuration.Read(dir, false)
	if err != nil {
		return false, fmt.Errorf("look for roots: %w", err)
	}
	if len(read.Backends) > 0 || len(read.Configured) > 0 {
		return true, nil
	}
	for _, p := range read.Problems {
		if p.Syntax {
			return false, fmt.Errorf("look for roots: %s:%d: %s", p.File, p.Line, p.Message)
		}
	}
	return false, nil
}

// Opens lists the files and directories, from the top and with slashes, that
// the configuration of a root opens or lets a provider open, with that of the fetched
// modules as far as there are any. It is false where that cannot be told. What leaves the
// repository is left out: policy refuses it.
func Opens(top, root string, varFiles []string, fetched []Fetched) (files []string, known bool, err error) {
	options, err := readsOptions(top, root, varFiles, fetched)
	if err != nil {
		return nil, false, err
	}
	found, err := configuration.FindReads(options)
	if err != nil {
		return nil, false, err
	}
	realTop, err := filepath.EvalSymlinks(top)
	if err != nil {
		return nil, false, fmt.Errorf("find the top of the repository: %w", err)
	}
	known = true
	for _, o := range found {
		known = known && o.Extent != configuration.Unknown && !o.Given // what is given could lead anywhere
		relative, err := filepath.Rel(realTop, o.Path)
		if o.Outside || o.Path == "" || err != nil || strings.HasPrefix(relative, "..") {
			continue
		}
		files = append(files, filepath.ToSlash(relative))
	}
	slices.Sort(files)
	return slices.Compact(files), known, nil
}

func readsOptions(top, root string, varFiles []string, fetched []Fetched) (configuration.ReadsOptions, error) {
	options := configuration.ReadsOptions{Top: top, Root: root, VarFiles: varFiles, Fetched: make(map[string]configuration.FetchedModule)}
	for _, m := range fetched {
		real, err := filepath.EvalSymlinks(m.Dir)
		if err != nil {
			return options, fmt.Errorf("read a fetched module: %w", err)
		}
		options.Fetched[m.Key] = configuration.FetchedModule{Dir: real, Source: m.Source}
	}
	return options, nil
}

// Observed is what the tree says, by which it is told what a root opens: digests, by what
// was asked. While terraform runs it must stay as it is.
func Observed(top, root string, varFiles []string, fetched []Fetched) (map[string]string, error) {
	options, err := readsOptions(top, root, varFiles, fetched)
	if err != nil {
		return nil, err
	}
	options.Observed = make(map[string]string)
	_, err = configuration.FindReads(options)
	return options.Observed, err
}
