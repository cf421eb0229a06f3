package policy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
	"github.com/waybill-dev/waybill/internal/text"
)

// judge holds one root against one policy.
type judge struct {
	request  Request
	policy   config.TerraformPolicy
	tree     *tree
	findings []Finding
}

func (j *judge) all(ctx context.Context) error {
	for _, p := range j.tree.outside {
		j.find(nil, RuleOutside, p.Place, p.Message, "keep everything that terraform reads inside the repository")
	}
	for _, m := range j.tree.modules {
		j.module(m)
	}
	j.localPlugins()
	j.files()
	if len(j.tree.modules) == 0 {
		return nil
	}
	return j.lockFile(ctx)
}

// find adds a finding. What stands in a fetched module is shown where the tree
// calls it.
func (j *judge) find(m *module, rule string, at configuration.Place, message, fix string) {
	if m != nil && m.fetched != "" {
		file := at.File
		if relative, err := filepath.Rel(m.Dir, at.File); err == nil {
			file = filepath.ToSlash(relative)
		}
		message = fmt.Sprintf("module.%s (%s) %s:%d: %s", strings.ReplaceAll(m.key, ".", ".module."), m.fetched, file, at.Line, message)
		at = m.shown
	}
	file := at.File
	if relative, err := filepath.Rel(j.tree.top, at.File); err == nil {
		file = filepath.ToSlash(relative)
	}
	j.findings = append(j.findings, Finding{
		Rule: rule, Roots: []string{j.request.Dir}, File: text.OneLine(file), Line: max(at.Line, 1), Column: at.Column,
		Message: text.OneLine(message), Fix: fix,
	})
}

// allowedBy says how a list would let a name pass.
func allowedBy(list, refused string) string {
	if refused == config.Denied {
		return fmt.Sprintf("take it out; or write terraform.policy.%s without it in deny, on the default branch", list)
	}
	return fmt.Sprintf("take it out; or add it to terraform.policy.%s.allow, on the default branch", list)
}

func (j *judge) module(m *module) {
	for _, p := range m.Problems {
		j.find(m, RuleUnreadable, p.Place, p.Message, "write it so that it can be read without running anything")
	}
	for _, p := range m.Provisioners {
		if why := j.policy.Provisioners.Refuses(p.Name); why != "" {
			j.find(m, RuleProvisioner, p.Place, fmt.Sprintf("provisioner %q is %s", p.Name, why), allowedBy("provisioners", why))
		}
	}
	for _, u := range m.Uses {
		j.use(m, u)
	}
	for _, p := range m.Programs {
		j.program(m, p)
	}
	for _, b := range m.Backends {
		if why := j.policy.Backends.Refuses(b.Name); why != "" {
			j.find(m, RuleBackend, b.Place, fmt.Sprintf("backend %q is %s", b.Name, why), allowedBy("backends", why))
		}
	}
	for _, c := range m.Calls {
		j.call(m, c)
	}
	for _, p := range requirements(m.Module) {
		if strings.HasPrefix(p.source, builtin) {
			continue
		}
		if why := j.policy.Providers.Refuses(p.source); why != "" {
			j.find(m, RuleProvider, p.Place, fmt.Sprintf("provider %s is %s", p.source, why), allowedBy("providers", why))
		}
	}
}

func (j *judge) use(m *module, u configuration.Use) {
	rule, name, list := RuleResource, "resources", j.policy.Resources
	switch u.Kind {
	case configuration.Data, configuration.Ephemeral, configuration.List:
		rule, name, list = RuleData, "dataSources", j.policy.DataSources
	case configuration.Action:
		rule, name, list = RuleAction, "actions", j.policy.Actions
	}
	if why := list.Refuses(u.Type); why != "" {
		j.find(m, rule, u.Place, fmt.Sprintf("%s %q is %s", u.Kind, u.Type, why), allowedBy(name, why))
	}
	if u.Kind == configuration.Data && u.Type == configuration.RemoteState {
		j.remoteState(m, u)
	}
}

// remoteState lets a root read states of its own kind of backend. Others could be
// anybody's addresses, and http is one whatever the root uses: what is asked for
// stands in the address.
func (j *judge) remoteState(m *module, u configuration.Use) {
	if u.Backend == "" {
		j.find(m, RuleRemoteState, u.Place, u.Address()+": its backend is computed", "write the backend's type out")
		return
	}
	for _, b := range j.tree.modules[0].Backends {
		if b.Name == u.Backend && u.Backend != "http" || b.Name == "cloud" && u.Backend == "remote" {
			return
		}
	}
	if why := j.policy.RemoteState.Refuses(u.Backend); why != "" {
		j.find(
			m, RuleRemoteState, u.Place,
			fmt.Sprintf("%s reads from backend %q, which is not the root's own kind", u.Address(), u.Backend),
			allowedBy("remoteState", why),
		)
	}
}

func (j *judge) program(m *module, p configuration.Program) {
	if p.Command == "" {
		if j.policy.Programs.Refuses("(computed)") != "" {
			j.find(
				m, RuleProgram, p.Place,
				fmt.Sprintf("%s: %s is computed, so nobody can tell which program it starts", p.In, p.Setting),
				"write the setting and its command out",
			)
		}
		return
	}
	if why := j.policy.Programs.Refuses(p.Command); why != "" {
		message := fmt.Sprintf("%s: %s starts the program %q, which is %s", p.In, p.Setting, p.Command, why)
		if p.Command == p.Setting {
			message = fmt.Sprintf("%s: the files in %s can name a program to start", p.In, p.Setting)
		}
		j.find(m, RuleProgram, p.Place, message, allowedBy("programs", why))
	}
}

func (j *judge) call(m *module, c configuration.Call) {
	if c.Source == "" {
		j.find(m, RulePin, c.Place, fmt.Sprintf("module %q has no source that could be read", c.Name), "write the source out as text")
		return
	}
	s := parseSource(c.Source)
	switch s.from {
	case fromTree:
		return
	case fromDisk:
		j.find(
			m, RuleOutside, c.Place, fmt.Sprintf("module %q is fetched from the machine's own files: %s", c.Name, c.Source),
			"name a module in the repository by ./ or ../",
		)
		return
	}
	if s.from == fromStrange {
		j.find(
			m, RulePin, c.Place,
			fmt.Sprintf("module %q: git would fetch it by no protocol or name that is known here: %s", c.Name, c.Source),
			"write git::https:// or git::ssh://, and a name that does not begin with a dash",
		)
		return
	}
	if why := j.policy.Modules.Refuses(s.name); why != "" {
		j.find(m, RuleModule, c.Place, fmt.Sprintf("module %q: source %s is %s", c.Name, s.name, why), allowedBy("modules", why))
	}
	if problem, fix := s.unpinned(c.Version, j.policy.Modules.Pin); problem != "" {
		j.find(m, RulePin, c.Place, fmt.Sprintf("module %q %s: %s", c.Name, problem, c.Source), fix)
	}
}

// localPlugins refuses providers that lie in the tree: terraform takes them from
// terraform.d/plugins before it asks any registry.
func (j *judge) localPlugins() {
	name := filepath.Join(j.tree.root, "terraform.d")
	if _, err := os.Lstat(name); err == nil {
		j.find(
			nil, RuleProvider, configuration.Place{File: name, Line: 1},
			"terraform.d in the root: terraform would start providers that lie in it", "take the directory out of the repository",
		)
	}
}

// lockFile holds the lock file against the providers of every module that is
// there, and what was installed against both.
func (j *judge) lockFile(ctx context.Context) error {
	file := configuration.Place{File: filepath.Join(j.tree.root, configuration.LockFile), Line: 1}
	relative, err := filepath.Rel(j.tree.top, file.File)
	if err != nil {
		return err
	}
	locked, err := configuration.ReadLockFile(j.tree.root)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		j.find(
			nil, RuleLockFile, file, "the lock file cannot be read: "+err.Error(),
			"run terraform init, and commit "+configuration.LockFile,
		)
		return nil
	}
	if !missing {
		committed, err := j.request.Committed(ctx, filepath.ToSlash(relative))
		if err != nil {
			return fmt.Errorf("ask whether the lock file is committed: %w", err)
		}
		if !committed {
			j.find(nil, RuleLockFile, file, "the lock file is not as the commit has it, or in no commit", "commit "+configuration.LockFile)
		}
	}
	j.required(file, locked, missing)
	j.fetched(file, locked, missing)
	return nil
}

// required finds the providers that a module asks for and the lock file does
// not name; without a lock file, that it is missing, once.
func (j *judge) required(file configuration.Place, locked []configuration.Locked, missing bool) {
	reported := false
	isLocked := func(p requirement) bool {
		return strings.HasPrefix(p.source, builtin) || slices.ContainsFunc(locked, func(l configuration.Locked) bool {
			return sameProvider(l.Source, p.source) && l.Version != "" && len(l.Hashes) > 0
		})
	}
	for _, m := range j.tree.modules {
		required := requirements(m.Module)
		for _, p := range required {
			switch {
			case strings.HasPrefix(p.source, builtin):
			case !missing:
				// Where an override names another source, terraform asks for that alone.
				if !slices.ContainsFunc(required, func(other requirement) bool { return other.name == p.name && isLocked(other) }) {
					j.find(
						m, RuleLockFile, p.Place,
						fmt.Sprintf("the lock file of %s does not name provider %s with a version and hashes", j.request.Dir, p.source),
						"run terraform init, and commit "+configuration.LockFile,
					)
				}
			case !reported:
				reported = true
				j.find(
					nil, RuleLockFile, file, "there is no lock file, and it is what says which "+p.source+" runs",
					"run terraform init, and commit "+configuration.LockFile,
				)
			}
		}
	}
}

// fetched finds the providers that terraform init brought and that the policy
// or the lock file does not allow.
func (j *judge) fetched(file configuration.Place, locked []configuration.Locked, missing bool) {
	for _, p := range j.tree.installed {
		if why := j.policy.Providers.Refuses(p.source); why != "" {
			j.find(
				nil, RuleProvider, configuration.Place{File: j.tree.root, Line: 1},
				fmt.Sprintf("terraform fetched provider %s, which is %s", p.source, why), allowedBy("providers", why),
			)
		}
		if !missing && !slices.ContainsFunc(
			locked, func(l configuration.Locked) bool { return sameProvider(l.Source, p.source) && l.Version == p.version },
		) {
			j.find(
				nil, RuleLockFile, file,
				fmt.Sprintf("terraform fetched provider %s %s, which the lock file does not name", p.source, p.version),
				"run terraform init, and commit "+configuration.LockFile,
			)
		}
	}
}
