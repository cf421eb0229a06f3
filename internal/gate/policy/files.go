package policy

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
)

// readOpened finds the files that the root and its modules open, those that
// terraform has fetched included.
func (t *tree) readOpened(r Request) error {
	if len(t.modules) == 0 {
		return nil // the root itself leaves the repository
	}
	fetched := make(map[string]configuration.FetchedModule)
	for _, m := range t.modules {
		if m.fetched != "" {
			fetched[m.key] = configuration.FetchedModule{Dir: m.Dir, Source: m.fetched}
		}
	}
	options := configuration.ReadsOptions{Top: t.top, Root: t.root, VarFiles: r.VarFiles, Fetched: fetched}
	if len(fetched) > 0 {
		var err error
		if options.FetchedDir, err = filepath.EvalSymlinks(filepath.Join(r.DataDir, "modules")); err != nil {
			return fmt.Errorf("read the fetched modules: %w", err)
		}
	}
	var err error
	t.opened, err = configuration.FindReads(options)
	return err
}

// files refuses what is opened outside of the repository, and what nobody can
// tell. What a function reads can end in a plan, and so in a comment.
func (j *judge) files() {
	for _, o := range j.tree.opened {
		switch {
		case o.Outside:
			if j.policy.Files.Refuses(o.Path) != "" {
				j.opened(o, fmt.Sprintf("%s opens %q, which is outside of the repository", o.By, o.Written),
					"keep the file in the repository, outside of .git; or add its path to terraform.policy.files.allow, on the "+
						"default branch")
			}
		case o.Extent == configuration.Unknown && o.Function:
			if j.policy.Files.Refuses(config.ComputedFile) != "" {
				j.opened(o, o.By+" opens a file whose path is known only when terraform runs",
					"begin the path with ${path.module} or ${path.root}, and compute nothing after it but variables; or add "+
						"(computed) to terraform.policy.files.allow, on the default branch")
			}
		}
	}
}

func (j *judge) opened(o configuration.Opened, message, fix string) {
	var in *module
	if o.Fetched != "" {
		i := slices.IndexFunc(j.tree.modules, func(m *module) bool { return m.fetched == o.Fetched && within(m.Dir, o.File) })
		if i >= 0 {
			in = j.tree.modules[i]
		}
	}
	j.find(in, RuleFile, o.Place, message, fix)
}
