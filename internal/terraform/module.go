package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/terraform-config-inspect/tfconfig"
)

// Module is what a directory of configuration says, as far as Waybill asks.
type Module struct {
	Dir       string
	Local     []string // directories of the modules it calls by a path, sorted
	Variables []string // names, sorted
	Sensitive []string // those marked sensitive
}

// Inspect reads a directory without running terraform.
func Inspect(dir string) (*Module, error) {
	read, diagnostics := tfconfig.LoadModule(dir)
	if diagnostics.HasErrors() {
		return nil, fmt.Errorf("read the configuration in %s: %w", dir, diagnostics.Err())
	}
	m := &Module{Dir: dir}
	for _, call := range read.ModuleCalls {
		if IsLocal(call.Source) {
			m.Local = append(m.Local, filepath.Join(dir, filepath.FromSlash(call.Source)))
		}
	}
	for name, v := range read.Variables {
		m.Variables = append(m.Variables, name)
		if v.Sensitive {
			m.Sensitive = append(m.Sensitive, name)
		}
	}
	slices.Sort(m.Local)
	m.Local = slices.Compact(m.Local)
	slices.Sort(m.Variables)
	slices.Sort(m.Sensitive)
	return m, nil
}

// IsLocal says whether a module's source is a path.
func IsLocal(source string) bool {
	return source == "." || source == ".." || strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../")
}

// IsRoot says whether the directory configures a backend or a provider, which
// modules that others call do not.
func IsRoot(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("look for roots: %w", err)
	}
	parser := hclparse.NewParser()
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".tf") && !strings.HasSuffix(e.Name(), ".tofu") {
			continue
		}
		file, diagnostics := parser.ParseHCLFile(filepath.Join(dir, e.Name()))
		if diagnostics.HasErrors() {
			return false, fmt.Errorf("look for roots: %w", errors.Join(diagnostics.Errs()...))
		}
		content, _, _ := file.Body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "terraform"}, {Type: "provider", LabelNames: []string{"name"}}}})
		for _, block := range content.Blocks {
			if block.Type == "provider" {
				return true, nil
			}
			inner, _, _ := block.Body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "backend", LabelNames: []string{"type"}}, {Type: "cloud"}}})
			if len(inner.Blocks) > 0 {
				return true, nil
			}
		}
	}
	return false, nil
}
