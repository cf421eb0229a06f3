package configuration

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Extent says how exactly it is known what is read.
type Extent int

// The extents.
const (
	One     Extent = iota // one path; of a directory, everything below
	Below                 // something below a directory, by a name that the caller of terraform gives
	Unknown               // anything
)

// Opened is something that a configuration makes terraform, or a provider, open.
type Opened struct {
	By      string // the function, or the block and attribute
	Extent  Extent
	Path    string // absolute, as terraform resolves it; empty where nothing is known
	Written string // as it stands in the configuration, as far as it is known
	Given   bool   // a variable that nothing in the tree sets is part of the path
	Outside bool   // the path leaves the repository, or reaches into .git
	// Function says that terraform itself opens the file. Otherwise a provider
	// may: then Path is something that is there, or could be.
	Function bool
	Fetched  string // source of the module that reads, where it is not in the tree
	Place
}

// ReadsOptions says of which root.
type ReadsOptions struct {
	Top, Root string // absolute
	VarFiles  []string
	// Fetched are the modules that terraform has fetched: directories by key.
	Fetched map[string]FetchedModule
	// FetchedDir is where they all lie; empty before terraform initialises.
	FetchedDir string
	// Observed, if not nil, is given what the tree said by which paths are told: digests
	// of contents and lists of files.
	Observed map[string]string
}

// FetchedModule is a module that is not in the tree.
type FetchedModule struct{ Dir, Source string }

// FindReads finds what a root and its modules read, through locals, variables
// and their files, calls of modules, templates and loops, without running
// anything. What it cannot tell it reports as Unknown.
func FindReads(o ReadsOptions) ([]Opened, error) {
	f, root, err := find(o)
	if err != nil {
		return nil, err
	}
	err = f.module(root, 0)
	return f.reads, err
}

// find readies a finder, and the root as it sees itself.
func find(o ReadsOptions) (*finder, *scope, error) {
	f := &finder{
		observed: o.Observed, fetched: o.Fetched, fetchedDir: o.FetchedDir, defined: make(map[string]*definitions),
		seen: make(map[string]bool),
	}
	if f.observed == nil {
		f.observed = make(map[string]string)
	}
	var err error
	if f.top, err = filepath.EvalSymlinks(o.Top); err != nil {
		return nil, nil, fmt.Errorf("find the top of the repository: %w", err)
	}
	if f.root, err = filepath.EvalSymlinks(o.Root); err != nil {
		return nil, nil, fmt.Errorf("find the root: %w", err)
	}
	f.functions = f.withFiles()
	root, err := f.open(f.root, "")
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	assigned := assignments(f.root, o.VarFiles)
	for name := range root.def.declared {
		switch {
		case assigned[name] != nil:
			root.variables[name] = root.converted(name, root.eval(assigned[name], nil))
		case len(root.def.defaults[name]) > 0:
			root.variables[name] = root.converted(name, root.agreed(root.def.defaults[name]))
		default:
			root.given[name], root.variables[name] = true, cty.UnknownVal(cty.String)
		}
	}
	return f, root, nil
}

type finder struct {
	top, root  string // real paths
	fetched    map[string]FetchedModule
	fetchedDir string
	observed   map[string]string
	functions  map[string]function.Function
	defined    map[string]*definitions
	instances  int
	named      bool // workspace and count.index stand for a name
	templates  int
	seen       map[string]bool // reads that are reported
	reads      []Opened
}

// Limits of modules: beyond, what they read counts as not known.
const (
	maxScopes    = 2000
	maxDepth     = 30
	maxTemplates = 5000
)

func (f *finder) open(dir, key string) (*scope, error) {
	def := f.defined[dir]
	if def == nil {
		var err error
		if def, err = define(dir); err != nil {
			return nil, err
		}
		f.defined[dir] = def
	}
	f.instances++
	return &scope{find: f, key: key, dir: dir, def: def, variables: make(map[string]cty.Value), given: make(map[string]bool),
		arguments: make(map[string]argument),
		locals:    make(map[string]cty.Value), pending: make(map[string]bool), plains: make(map[string]bool)}, nil
}

// module finds the reads of a module as one call of it sees it, and of those
// that it calls.
func (f *finder) module(s *scope, depth int) error {
	if f.instances > maxScopes || depth > maxDepth {
		f.add(s, Opened{By: "modules", Extent: Unknown, Function: true, Place: Place{File: s.dir, Line: 1}})
		return nil
	}
	for _, body := range s.def.native {
		for _, b := range body.Blocks {
			s.block(b)
		}
	}
	for _, d := range s.def.documents {
		s.document(d)
	}
	for name, all := range s.def.calls {
		if err := f.call(s, name, all, depth); err != nil {
			return err
		}
	}
	return nil
}

// call follows a call of a module, once for each of its instances. Overrides can
// say the same argument again.
func (f *finder) call(s *scope, name string, all []hcl.Attributes, depth int) error {
	arguments := make(map[string][]hcl.Expression)
	for _, attributes := range all {
		for n, a := range attributes {
			arguments[n] = append(arguments[n], a.Expr)
		}
	}
	key := strings.TrimPrefix(s.key+"."+name, ".")
	dirs := []string{}
	for _, e := range arguments["source"] {
		if source, _ := literal(e); isLocalSource(source) {
			dirs = append(dirs, filepath.Join(s.dir, filepath.FromSlash(source)))
		} else if fetched := f.fetched[key].Dir; fetched != "" {
			dirs = append(dirs, fetched)
		}
	}
	for _, dir := range dirs {
		real, err := filepath.EvalSymlinks(dir)
		if errors.Is(err, os.ErrNotExist) || err == nil && !f.allowed(real) {
			continue // reported where modules are followed
		}
		if err != nil {
			return err
		}
		for _, names := range s.rounds(arguments["for_each"], nil) {
			if err := f.instance(s, called{key, real, arguments, names}, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func isLocalSource(source string) bool {
	return source == "." || source == ".." || strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../")
}

// called is a module as one call of it gives it its variables.
type called struct {
	key, dir  string
	arguments map[string][]hcl.Expression
	names     env
}

func (f *finder) instance(s *scope, c called, depth int) error {
	inner, err := f.open(c.dir, c.key)
	if err != nil {
		return err
	}
	inner.parent = s
	for variable := range inner.def.declared {
		given := c.arguments[variable]
		if len(given) == 0 {
			inner.variables[variable] = inner.converted(variable, inner.agreed(inner.def.defaults[variable]))
			continue
		}
		value := s.eval(given[0], c.names)
		if len(given) == 1 {
			inner.arguments[variable] = argument{given[0], c.names}
		}
		for _, other := range given[1:] {
			if !value.RawEquals(s.eval(other, c.names)) {
				value = cty.DynamicVal
			}
		}
		inner.variables[variable] = inner.converted(variable, value)
	}
	return f.module(inner, depth+1)
}

// rounds are the names of each instance of something: each.key and each.value
// of for_each, where that can be told.
func (s *scope) rounds(forEach []hcl.Expression, names env) []env {
	if len(forEach) == 0 {
		return []env{names}
	}
	unknown := []env{with(names, "each", cty.DynamicVal)}
	v := s.eval(forEach[0], names)
	if len(forEach) > 1 {
		v = s.agreed(forEach)
	}
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() || v.LengthInt() > maxInstances {
		return unknown
	}
	var rounds []env
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if v.Type().IsSetType() {
			key = value
		}
		rounds = append(rounds, with(names, "each", cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})))
	}
	return rounds // none where it is empty: nothing is read either
}

func with(names env, name string, v cty.Value) env {
	more := env{name: v}
	for n, other := range names {
		if _, ok := more[n]; !ok {
			more[n] = other
		}
	}
	return more
}

// relative is a module's directory as terraform names it: from the root.
func (f *finder) relative(dir string) string {
	relative, err := filepath.Rel(f.root, dir)
	if err != nil {
		return dir
	}
	return filepath.ToSlash(relative)
}

// absolute resolves a path as terraform's functions do.
func (f *finder) absolute(path string) string {
	if strings.HasPrefix(path, "~") {
		return filepath.Join("/~", path)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(f.root, filepath.FromSlash(path))
	}
	return filepath.Clean(path)
}

// allowed reports whether a real path lies in the repository or in what
// terraform has fetched, and not in .git, which may hold credentials.
func (f *finder) allowed(real string) bool {
	for _, bound := range []string{f.top, f.fetchedDir} {
		if bound != "" && below(real, bound) {
			relative, err := filepath.Rel(bound, real)
			return err == nil && !slices.Contains(strings.Split(filepath.ToSlash(relative), "/"), ".git")
		}
	}
	return false
}

func below(path, dir string) bool {
	relative, err := filepath.Rel(dir, path)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// add reports a read once.
func (f *finder) add(s *scope, r Opened) {
	if m, ok := f.fetched[s.key]; ok && s.dir == m.Dir {
		r.Fetched = m.Source
	}
	key := fmt.Sprint(r)
	if !f.seen[key] {
		f.seen[key] = true
		f.reads = append(f.reads, r)
	}
}

// leaves reports whether an absolute path, links followed, lies outside.
func (f *finder) leaves(path string) bool {
	if !f.allowed(path) {
		return true
	}
	for dir := path; below(dir, f.top) || f.allowed(dir); dir = filepath.Dir(dir) {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return !f.allowed(real)
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return false
}

func readBounded(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is no file of at most %d MB", file, maxFile>>20)
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, maxFile))
}
