package config

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"
)

// Terraform is the section of the terraform gate.
type Terraform struct {
	Roots []TerraformRoot
	Rules []TerraformRule
	// Digits is how much of a fingerprint an approval must name.
	Digits int
	// Policy is what a configuration may hold to be planned.
	Policy TerraformPolicy
	// Version of terraform, where a root names none.
	Version string
	// BeforeMerge lets a plan be applied while its pull request is open.
	BeforeMerge bool
	// Merge is how a pull request is merged that was applied before: merge, squash or
	// rebase. If empty, people merge it.
	Merge string
	// Drift is what waybill drift does not report.
	Drift []DriftIgnore
	// Unapplied is how long merged code may stay unapplied before it is an issue, as
	// drift is; 0 is for ever.
	Unapplied time.Duration
	// Adopt are globs of directories whose roots may, when they are new, take over
	// a state that already holds resources.
	Adopt []string
	// Environments say in which environment of GitHub a root is applied.
	Environments []TerraformEnvironment
	Hooks        []TerraformHook
	// EncryptedPlans lets OpenTofu encrypt plans, which nobody can then look into.
	EncryptedPlans bool
	// MayDiffer are variables that the job which applies may set otherwise than the one
	// which planned. terraform applies the value of the plan.
	MayDiffer []string
}

// TerraformHook is a command that judges each plan, in terraform's JSON form.
type TerraformHook struct {
	Name   string `yaml:"name"`
	Run    string `yaml:"run"`    // for the shell
	Dir    string `yaml:"dir"`    // glob of roots; empty is all
	Refuse bool   `yaml:"refuse"` // its failure refuses the plan
}

// TerraformEnvironment is an environment of GitHub, and the roots that are applied in
// it, by the cloud role that trusts it alone.
type TerraformEnvironment struct {
	Dir       string `yaml:"dir"`       // glob
	Workspace string `yaml:"workspace"` // glob; empty is any
	Name      string `yaml:"name"`
	Role      string `yaml:"role"` // that applies; empty is the one of the workflow
	// PlanRole plans; empty is the one of the workflow.
	PlanRole string `yaml:"planRole"`
	// Variables are values of variables of its roots.
	Variables map[string]string `yaml:"variables"`
}

// DefaultEnvironment is that of roots for which no other is named.
const DefaultEnvironment = "infra"

// DefaultWorkspace is the workspace that every root has.
const DefaultWorkspace = "default"

// Environment is where the root is applied: by the last entry that matches.
func (t Terraform) Environment(dir, workspace string) TerraformEnvironment {
	for _, e := range slices.Backward(t.Environments) {
		if matchAny([]string{e.Dir}, dir) && inWorkspace(e.Workspace, workspace) {
			return e
		}
	}
	return TerraformEnvironment{Name: DefaultEnvironment}
}

// inWorkspace reports whether a glob of workspaces is of this one; empty is of any.
func inWorkspace(glob, workspace string) bool {
	return glob == "" || matchAny([]string{glob}, cmp.Or(workspace, DefaultWorkspace))
}

// Given are the values of variables that the environment of the root gives.
func (t Terraform) Given(dir, workspace string) map[string]string {
	return t.Environment(dir, workspace).Variables
}

// EnvironmentNames are all in which a root may be applied.
func (t Terraform) EnvironmentNames() []string {
	names := []string{DefaultEnvironment}
	for _, e := range t.Environments {
		if e.Dir == "**" && e.Workspace == "" {
			names = nil // it takes every root that no later entry takes
		}
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// defaultDigits is what people can compare by eye.
const defaultDigits = 12

// TerraformRoot is a directory that terraform is run in.
type TerraformRoot struct {
	Dir       string   `yaml:"dir"`
	Workspace string   `yaml:"workspace"`
	VarFiles  []string `yaml:"varFiles"`
	After     []string `yaml:"after"`
	Version   string   `yaml:"version"` // of terraform; empty is the common one
	Files     []string `yaml:"files"`   // that it depends on too: files, and directories
	Destroy   bool     `yaml:"destroy"` // its plan destroys all that it holds
	// RefreshOnly makes its plan take into the state what changed outside, and nothing else.
	RefreshOnly bool `yaml:"refreshOnly"`
	// Pattern says that Workspace is a glob: each workspace that the backend lists and that
	// it matches is a root. {workspace} in VarFiles stands for its name.
	Pattern bool `yaml:"-"`
}

// TerraformRule says who approves the plans of the directories it matches.
type TerraformRule struct {
	Dir       string             `yaml:"dir"`       // glob
	Workspace string             `yaml:"workspace"` // glob; empty is any
	Plan      TerraformApproval  `yaml:",inline"`
	Destroy   *TerraformApproval `yaml:"destroy"` // for a plan that destroys or replaces; nil is as Plan
}

// TerraformApproval is how many of whom.
type TerraformApproval struct {
	Approvals int       `yaml:"approvals"`
	From      Approvers `yaml:"from"`
}

// Approvers are users, teams as ORG/TEAM, and CodeOwners.
type Approvers []string

// CodeOwners, among those who may approve, stands for the owners that the file
// CODEOWNERS names for the changed files.
const CodeOwners = "codeowners"

// UnmarshalYAML reads a list, or the one word codeowners.
func (a *Approvers) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*a = Approvers{n.Value}
		return nil
	}
	return n.Decode((*[]string)(a))
}

// CodeOwners reports whether the owners of the changed files are among them.
func (a Approvers) CodeOwners() bool { return slices.Contains(a, CodeOwners) }

// Named are the users and teams that stand there by name.
func (a Approvers) Named() []string {
	return slices.DeleteFunc(slices.Clone([]string(a)), func(who string) bool { return who == CodeOwners })
}

// beforeMerge is the value of terraform.apply that is not the default.
const beforeMerge = "before-merge"

// rootDocument is an entry of terraform.roots: one root, or one in each workspace.
type rootDocument struct {
	TerraformRoot `yaml:",inline"`
	Workspaces    []string `yaml:"workspaces"`
}

type terraformDocument struct {
	Roots  []rootDocument  `yaml:"roots"`
	Rules  []TerraformRule `yaml:"rules"`
	Digits int             `yaml:"digits"`
	Drift  driftDocument   `yaml:"drift"`
	Adopt  []string        `yaml:"adopt"`

	Environments []TerraformEnvironment `yaml:"environments"`
	Hooks        []TerraformHook        `yaml:"hooks"`

	EncryptedPlans bool     `yaml:"encryptedPlans"`
	MayDiffer      []string `yaml:"mayDiffer"`

	Policy  *TerraformPolicy `yaml:"policy"`
	Version string           `yaml:"version"`
	Apply   string           `yaml:"apply"`
	Merge   string           `yaml:"merge"`
}

// NeedsCodeOwners reports whether any rule asks for the owners of files.
func (t Terraform) NeedsCodeOwners() bool {
	return slices.ContainsFunc(t.Rules, func(r TerraformRule) bool {
		return r.Plan.From.CodeOwners() || r.Destroy != nil && r.Destroy.From.CodeOwners()
	})
}

// MayAdopt reports whether the new root in dir may take over a state.
func (t Terraform) MayAdopt(dir string) bool { return matchAny(t.Adopt, dir) }

// Terraform is the section of the terraform gate; empty where there is none.
func (c *Config) Terraform() Terraform { return c.terraform }

// Approval is what a plan of the root needs: by the last rule that matches it, as in
// CODEOWNERS. Without one it is false, and the plan may not be applied.
func (t Terraform) Approval(dir, workspace string, destroys bool) (TerraformApproval, bool) {
	for _, rule := range slices.Backward(t.Rules) {
		if matches, err := doublestar.Match(rule.Dir, dir); err == nil && matches && inWorkspace(rule.Workspace, workspace) {
			if destroys && rule.Destroy != nil {
				return *rule.Destroy, true
			}
			return rule.Plan, true
		}
	}
	return TerraformApproval{}, false
}

// globs says which patterns of directories are none.
func (p *parser) globs(at *yaml.Node, t Terraform) {
	for i, e := range t.Environments {
		if !doublestar.ValidatePattern(e.Dir) {
			p.problem(place(child(at, "environments"), i), "terraform.environments.%d.dir: %q is not a glob", i, e.Dir)
		}
		if !doublestar.ValidatePattern(e.Workspace) {
			p.problem(place(child(at, "environments"), i), "terraform.environments.%d.workspace: %q is not a glob", i, e.Workspace)
		}
	}
	for i, h := range t.Hooks {
		if !doublestar.ValidatePattern(h.Dir) {
			p.problem(place(child(at, "hooks"), i), "terraform.hooks.%d.dir: %q is not a glob", i, h.Dir)
		}
	}
	for i, glob := range t.Adopt {
		if !doublestar.ValidatePattern(glob) {
			p.problem(child(at, "adopt"), "terraform.adopt.%d: %q is not a glob", i, glob)
		}
	}
}

// eachWorkspace gives each of an entry's workspaces a root of its own, with the files of
// variables that {workspace} names.
func (p *parser) eachWorkspace(at *yaml.Node, listed []rootDocument) (roots []TerraformRoot, nodes []*yaml.Node) {
	for i, r := range listed {
		node := child(place(at, i), "dir")
		if r.Destroy && r.RefreshOnly {
			p.problem(node, "terraform.roots.%d: names both destroy and refreshOnly: take one of them", i)
		}
		names := r.Workspaces
		if len(names) == 0 {
			names = []string{r.Workspace}
		} else if r.Workspace != "" {
			p.problem(node, "terraform.roots.%d: names both workspace and workspaces: take one of them", i)
		}
		for _, name := range names {
			one := r.TerraformRoot
			if strings.ContainsAny(name, "*?[{") {
				one.Workspace, one.Pattern = name, true
				if !doublestar.ValidatePattern(name) {
					p.problem(node, "terraform.roots.%d.workspaces: %q is not a glob", i, name)
				}
				roots, nodes = append(roots, one), append(nodes, node)
				continue
			}
			one.Workspace, one.VarFiles = name, nil
			for _, f := range r.VarFiles {
				one.VarFiles = append(one.VarFiles, strings.ReplaceAll(f, "{workspace}", name))
			}
			roots, nodes = append(roots, one), append(nodes, node)
		}
	}
	return roots, nodes
}

func (p *parser) terraform(at *yaml.Node, doc terraformDocument) Terraform {
	listed, nodes := p.eachWorkspace(child(at, "roots"), doc.Roots)
	t := Terraform{
		Roots: listed, Rules: doc.Rules, Digits: max(doc.Digits, defaultDigits), BeforeMerge: doc.Apply == beforeMerge, Merge: doc.Merge,
		Drift: p.drift(child(at, "drift"), doc.Drift), Adopt: doc.Adopt, Environments: doc.Environments, Hooks: doc.Hooks,
		EncryptedPlans: doc.EncryptedPlans, MayDiffer: doc.MayDiffer,
		Unapplied: time.Duration(doc.Drift.Unapplied),
	}
	if t.Merge != "" && !t.BeforeMerge {
		p.problem(child(at, "merge"), "terraform.merge: is for what was applied before the merge: write apply: before-merge too")
	}
	p.globs(at, t)
	t.Policy, t.Version = p.terraformPolicy(child(at, "policy"), doc.Policy), doc.Version
	for i, rule := range t.Rules {
		node := child(place(child(at, "rules"), i), "dir")
		if !doublestar.ValidatePattern(rule.Dir) {
			p.problem(node, "terraform.rules.%d.dir: %q is not a glob", i, rule.Dir)
		}
		if !doublestar.ValidatePattern(rule.Workspace) {
			p.problem(node, "terraform.rules.%d.workspace: %q is not a glob", i, rule.Workspace)
		}
		if d := rule.Destroy; d != nil {
			if d.From == nil {
				d.From = rule.Plan.From
			}
			if d.From == nil {
				p.problem(node, "terraform.rules.%d.destroy: says how many must approve, and not who: add from", i)
			}
			if d.Approvals < rule.Plan.Approvals {
				p.problem(node, "terraform.rules.%d.destroy: asks for fewer approvals than the rule itself", i)
			}
		}
	}
	seen := make(map[string]bool)
	for i := range t.Roots {
		root := &t.Roots[i]
		node := nodes[i]
		for _, path := range append([]string{root.Dir}, slices.Concat(root.VarFiles, root.After, root.Files)...) {
			p.inside(node, "terraform.roots", path)
		}
		root.Dir = path.Clean(root.Dir)
		if key := root.Dir + " " + root.Workspace; seen[key] {
			p.problem(node, "terraform.roots: %q stands here a second time", root.Dir)
		} else {
			seen[key] = true
		}
	}
	for i, root := range t.Roots {
		for _, dir := range root.After {
			if !slices.ContainsFunc(t.Roots, func(other TerraformRoot) bool { return other.Dir == path.Clean(dir) }) {
				p.problem(nodes[i], "terraform.roots: %q is not one of the roots", dir)
			}
		}
	}
	return t
}

func (p *parser) inside(at *yaml.Node, what, name string) {
	if clean := path.Clean(name); clean == ".." || strings.HasPrefix(clean, "../") || path.IsAbs(clean) {
		p.problem(at, "%s: path %q leaves the repository", what, name)
	}
}
