package roots

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Fetched is what the modules that terraform fetches read of the repository, beside what
// the tree itself says. It is known when a root is initialised; before, and where nothing
// is fetched, it is the word of a plan, which can only bind to more.
type Fetched struct {
	Reads []string `json:"reads,omitempty"` // files and directories
	Whole bool     `json:"whole,omitempty"` // that cannot be told
}

func (f *Fetched) String() string {
	switch {
	case f == nil:
		return ""
	case f.Whole:
		return "every file of the commit"
	}
	return text.Printable(text.List(f.Reads, maxNamed))
}

const maxNamed = 20

// OrNil is nil where there is nothing.
func (f Fetched) OrNil() *Fetched {
	if len(f.Reads) == 0 && !f.Whole {
		return nil
	}
	return &f
}

// FindFetched finds what the fetched modules of a root that is initialised read.
func FindFetched(top string, root Root, s *Sources, modules []terraform.Fetched) (f Fetched, err error) {
	if len(modules) == 0 {
		return f, nil
	}
	dir, varFiles := root.within(top)
	files, known, err := terraform.Opens(top, dir, varFiles, modules)
	if err != nil {
		return f, err
	}
	for _, m := range modules {
		inspected, err := terraform.Inspect(m.Dir)
		if err != nil {
			return f, fmt.Errorf("read the fetched module %s: %w", m.Key, err)
		}
		known = known && !inspected.Runs
	}
	f.Whole = !known && !s.Whole
	own, err := inside(top, dir)
	if err != nil {
		return f, err
	}
	placed := slashJoin(own, terraform.FetchedDir)
	for _, name := range files {
		if name != placed && !strings.HasPrefix(name, placed+"/") && !slices.Contains(s.Files, name) && (s.Whole || !s.Uses(name)) {
			f.Reads = append(f.Reads, name)
		}
	}
	return f, nil
}

// Observed is what the tree says, by which it is told what a root opens.
func Observed(top string, root Root, modules []terraform.Fetched) (map[string]string, error) {
	dir, varFiles := root.within(top)
	return terraform.Observed(top, dir, varFiles, modules)
}

// within gives the root's directory and files of variables as absolute paths.
func (r Root) within(top string) (dir string, varFiles []string) {
	for _, name := range r.VarFiles {
		varFiles = append(varFiles, filepath.Join(top, filepath.FromSlash(name)))
	}
	return filepath.Join(top, filepath.FromSlash(r.Dir)), varFiles
}

// With gives the sources with what fetched modules read beside them.
func (s *Sources) With(ctx context.Context, top, dir string, f *Fetched) (*Sources, error) {
	if f == nil {
		return s, nil
	}
	realTop, err := filepath.EvalSymlinks(top)
	if err != nil {
		return nil, fmt.Errorf("find the top of the repository: %w", err)
	}
	more := *s
	more.Fetched, more.Whole, more.Choosers = *f, s.Whole || f.Whole, nil
	more.Files = slices.Clone(s.Files)
	for _, name := range f.Reads {
		full := filepath.Join(top, filepath.FromSlash(name))
		if _, err := inside(top, full); outcome.Code(err) == outcome.Refused || !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, outcome.Refusedf("the plan says that a fetched module reads %s, which lies outside of the repository: plan again",
				text.Printable(name))
		}
		if !slices.Contains(more.Files, name) {
			more.Files = append(more.Files, name)
		}
	}
	return &more, more.digest(ctx, newDigester(ctx, realTop), dir)
}
