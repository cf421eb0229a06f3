package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// guard judges configurations before terraform runs anything of them, and keeps
// what it found in any root.
type guard struct {
	top      string
	policies []config.TerraformPolicy
	adopts   func(dir string) bool // of the default branch's waybill.yaml; nil allows none
	mu       sync.Mutex
	findings []policy.Finding
	passed   map[string]bool       // roots whose tree has passed
	varFiles map[string][][]string // of the roots, by directory: of each workspace
	asked    map[string]bool       // files, and whether they are as the commit has them
}

// policyGuard judges by the policy of the default branch, never by that of the
// change itself. Its check is the Guard of a plan.Tool.
func policyGuard(ctx context.Context, call *cli.Call, where infra, top string) (*guard, error) {
	g := &guard{top: top, passed: make(map[string]bool), asked: make(map[string]bool), varFiles: make(map[string][][]string)}
	if !where.onGitHub() {
		cfg, err := committedConfig(ctx, top)
		g.policies, g.adopts = []config.TerraformPolicy{cfg.Policy}, cfg.MayAdopt
		return g, err
	}
	info, err := where.api.Repo(ctx, where.repo)
	if err != nil {
		return nil, err
	}
	tip, err := where.api.BranchHead(ctx, where.repo, info.DefaultBranch)
	if err != nil {
		return nil, err
	}
	data, err := configrepo.NewGitHub(where.api, where.repo).File(ctx, tip, config.FileName)
	if errors.Is(err, configrepo.ErrNotFound) {
		g.policies = []config.TerraformPolicy{config.DefaultTerraformPolicy()}
		return g, nil
	}
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse(config.FileName, data)
	if err != nil {
		return nil, fmt.Errorf("at %.7s: %w", tip, err)
	}
	g.policies, g.adopts = []config.TerraformPolicy{cfg.Terraform().Policy}, cfg.Terraform().MayAdopt
	return g, nil
}

// mayAdopt reports whether the new root in dir may take over a state.
func (g *guard) mayAdopt(dir string) bool { return g.adopts != nil && g.adopts(dir) }

// committedConfig is that of the checkout's HEAD, for where GitHub has no part.
func committedConfig(ctx context.Context, top string) (config.Terraform, error) {
	none := config.Terraform{Policy: config.DefaultTerraformPolicy()}
	names, err := git.Run(ctx, top, "ls-tree", "--name-only", "HEAD", "--", config.FileName)
	if err != nil || names == "" {
		return none, err
	}
	data, err := git.Run(ctx, top, "show", "HEAD:"+config.FileName)
	if err != nil {
		return none, fmt.Errorf("read the policy: %w", err)
	}
	cfg, err := config.Parse(config.FileName, []byte(data))
	if err != nil {
		return none, err
	}
	return cfg.Terraform(), nil
}

// check refuses a root with all that was found in it.
func (g *guard) check(ctx context.Context, dir, dataDir string) error {
	g.mu.Lock()
	passed := g.passed[dir] && dataDir == ""
	g.mu.Unlock()
	if passed {
		return nil
	}
	var findings []policy.Finding
	for _, files := range append(g.varFiles[dir], nil) {
		found, err := policy.Check(ctx, policy.Request{Top: g.top, Dir: dir, DataDir: dataDir, VarFiles: files, Policies: g.policies, Committed: g.committed})
		if err != nil {
			return err
		}
		findings = append(findings, found...)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.findings = policy.Merge(append(g.findings, findings...))
	if g.passed[dir] = len(findings) == 0; len(findings) > 0 {
		return policy.Refuse(findings)
	}
	return nil
}

// reads names the files of variables that roots are planned with: which files a
// configuration opens can stand in them.
func (g *guard) reads(dir string, varFiles []string) {
	if len(varFiles) == 0 {
		return
	}
	absolute := make([]string, 0, len(varFiles))
	for _, f := range varFiles {
		absolute = append(absolute, filepath.Join(g.top, filepath.FromSlash(f)))
	}
	g.varFiles[dir] = append(g.varFiles[dir], absolute)
}

// trees judges what stands in the tree, before terraform itself is chosen, and
// says all of it.
func (g *guard) trees(ctx context.Context, call *cli.Call, list []roots.Root) error {
	for _, r := range list {
		g.reads(r.Dir, r.VarFiles)
		if err := g.check(ctx, r.Dir, ""); err != nil && outcome.Code(err) != outcome.Refused {
			return err
		}
	}
	return g.report(call, nil)
}

// committed asks git once for each file: terraform does not change a lock file
// that it may only read.
func (g *guard) committed(ctx context.Context, file string) (bool, error) {
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

// report says every finding of every root, whatever else went wrong.
func (g *guard) report(call *cli.Call, failed error) error {
	if len(g.findings) == 0 {
		return failed
	}
	var errs []error
	rows := []string{"**Refused by policy** before anything of the configuration was run.", "", markdown.Row("place", "rule", "what", "what would make it pass"), markdown.Row("---", "---", "---", "---")}
	for _, f := range g.findings {
		errs = append(errs, call.Runner.Annotate(runner.Annotation{Level: runner.Failure, File: f.File, Line: f.Line, Column: f.Column, Title: "waybill policy: " + f.Rule, Message: f.Message + "\n" + f.Fix}))
		rows = append(rows, markdown.Row(markdown.Code(fmt.Sprintf("%s:%d", f.File, f.Line)), f.Rule, markdown.Cell(markdown.Text(f.Message)), markdown.Cell(markdown.Text(f.Fix))))
	}
	document, err := json.MarshalIndent(struct {
		Findings []policy.Finding `json:"findings"`
	}{g.findings}, "", "  ")
	if err != nil {
		return err
	}
	if call.Command.HasOutput("findings") && len(document) <= maxOutput {
		errs = append(errs, call.Output("findings", string(document)))
	}
	if call.In.String("format") == "json" {
		_, err = fmt.Fprintln(call.Stdout, string(document))
	}
	errs = append(errs, err, call.Runner.Summary(strings.Join(rows, "\n")+"\n"))
	if err := outcome.Join(errs...); err != nil {
		return err
	}
	refused := policy.Refuse(g.findings)
	if failed != nil && outcome.Code(failed) != outcome.Refused {
		return outcome.Join(refused, fmt.Errorf("also failed: %w", failed))
	}
	return refused
}
