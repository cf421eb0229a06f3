package policy

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Guard judges configurations before terraform runs anything of them, and keeps
// what it found in any root. Its Check is the Guard of a plan.Tool.
type Guard struct {
	top       string
	terraform config.Terraform
	mu        sync.Mutex
	findings  []Finding
	passed    map[string]bool       // roots whose tree has passed
	varFiles  map[string][][]string // of the roots, by directory: of each workspace
	asked     map[string]bool       // files, and whether they are as the commit has them
}

// NewGuard judges the checkout at top. What is allowed must come from the default
// branch, never from the change that is judged.
func NewGuard(top string, allowed config.Terraform) *Guard {
	return &Guard{top: top, terraform: allowed, passed: make(map[string]bool),
		varFiles: make(map[string][][]string), asked: make(map[string]bool)}
}

// MayAdopt reports whether the new root in dir may take over a state.
func (g *Guard) MayAdopt(dir string) bool { return g.terraform.MayAdopt(dir) }

// Check refuses a root with all that was found in it. dataDir is what terraform
// has fetched into; it is empty before terraform initialises.
func (g *Guard) Check(ctx context.Context, dir, dataDir string) error {
	g.mu.Lock()
	passed := g.passed[dir] && dataDir == ""
	g.mu.Unlock()
	if passed {
		return nil
	}
	var findings []Finding
	for _, files := range append(g.varFiles[dir], nil) {
		found, err := Check(ctx, Request{
			Top: g.top, Dir: dir, DataDir: dataDir, VarFiles: files, Policies: []config.TerraformPolicy{g.terraform.Policy},
			Committed: g.committed,
		})
		if err != nil {
			return err
		}
		findings = append(findings, found...)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.findings = Merge(append(g.findings, findings...))
	g.passed[dir] = len(findings) == 0
	return Refuse(findings)
}

// Reads names the files of variables that a root is planned with: they can say
// which files a configuration opens.
func (g *Guard) Reads(dir string, varFiles []string) {
	if len(varFiles) == 0 {
		return
	}
	absolute := make([]string, 0, len(varFiles))
	for _, f := range varFiles {
		absolute = append(absolute, filepath.Join(g.top, filepath.FromSlash(f)))
	}
	g.varFiles[dir] = append(g.varFiles[dir], absolute)
}

// Trees judges what stands in the tree, before terraform itself is chosen. The
// refusal says all that was found.
func (g *Guard) Trees(ctx context.Context, list []roots.Root) error {
	for _, r := range list {
		g.Reads(r.Dir, r.VarFiles)
		if err := g.Check(ctx, r.Dir, ""); err != nil && outcome.Code(err) != outcome.Refused {
			return err
		}
	}
	return g.Refusal(nil)
}

// Refusal is the refusal with every finding of every root and, where something
// else failed too, that beside it. Without findings it is failed.
func (g *Guard) Refusal(failed error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	refused := Refuse(g.findings)
	switch {
	case refused == nil:
		return failed
	case failed != nil && outcome.Code(failed) != outcome.Refused:
		return outcome.Join(refused, fmt.Errorf("also failed: %w", failed))
	}
	return refused
}

// committed asks git once for each file: terraform does not change a lock file
// that it may only read.
func (g *Guard) committed(ctx context.Context, file string) (bool, error) {
	g.mu.Lock()
	known, asked := g.asked[file]
	g.mu.Unlock()
	if asked {
		return known, nil
	}
	differs, err := git.Run(ctx, g.top, "status", "--porcelain=v1", "--ignored", "--untracked-files=all", "--", ":(literal,top)"+file)
	if err == nil {
		g.mu.Lock()
		g.asked[file] = differs == ""
		g.mu.Unlock()
	}
	return differs == "", err
}
