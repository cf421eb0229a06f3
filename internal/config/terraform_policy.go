package config

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"
)

// TerraformPolicy is what a configuration may hold to be planned at all: it is
// judged before terraform runs any code of the configuration.
type TerraformPolicy struct {
	Providers    NameList `yaml:"providers"`    // by source: HOST/NAMESPACE/TYPE
	Provisioners NameList `yaml:"provisioners"` // by type
	DataSources  NameList `yaml:"dataSources"`  // by type; ephemeral resources too
	Resources    NameList `yaml:"resources"`    // by type
	Actions      NameList `yaml:"actions"`      // by type
	Programs     NameList `yaml:"programs"`     // that backends and providers start
	Backends     NameList `yaml:"backends"`     // by type
	RemoteState  NameList `yaml:"remoteState"`  // backends whose state another root may read; its own kind always
	Files        NameList `yaml:"files"`        // that the configuration may open outside of the repository; ComputedFile
	Modules      Modules  `yaml:"modules"`
}

// ComputedFile is how TerraformPolicy.Files names a file whose path is known only
// when terraform runs.
const ComputedFile = "(computed)"

// Modules says which modules may be called, and how exactly they are named.
type Modules struct {
	NameList `yaml:",inline"` // by source, without version and ref
	Pin      string           `yaml:"pin"`
}

// How exactly a module from elsewhere is named.
const (
	PinCommit = "commit" // git: a commit; archives: a checksum; registries: one version
	PinTag    = "tag"    // also a tag that reads as a version, which can be moved
	PinNone   = "none"
)

// NameList says what is allowed by name. nil means not said; where neither is,
// the default holds.
type NameList struct {
	Allow []string `yaml:"allow"` // globs; nothing else is allowed. nil allows what is not denied
	Deny  []string `yaml:"deny"`  // globs; wins over Allow
}

// Why a name is refused.
const (
	NotAllowed = "not allowed" // there is a list of what is, and this is not on it
	Denied     = "denied"
)

// Refuses says why a name is refused; empty where it is not.
func (l NameList) Refuses(name string) string {
	if matchAny(l.Deny, name) {
		return Denied
	}
	if l.Allow != nil && !matchAny(l.Allow, name) {
		return NotAllowed
	}
	return ""
}

func matchAny(globs []string, name string) bool {
	for _, g := range globs {
		if matches, err := doublestar.Match(g, name); err == nil && matches {
			return true
		}
	}
	return false
}

// DefaultTerraformPolicy holds where waybill.yaml is silent: nothing in a
// configuration starts a program of its own or fetches what it likes while it
// is planned.
func DefaultTerraformPolicy() TerraformPolicy {
	var p TerraformPolicy
	p.fill()
	return p
}

func (p *TerraformPolicy) fill() {
	for _, d := range []struct {
		list  *NameList
		value NameList
	}{
		{&p.Provisioners, NameList{Deny: []string{"*"}}},
		{&p.DataSources, NameList{Deny: []string{"external", "http", "local_command"}}},
		{&p.Actions, NameList{Deny: []string{"local_command"}}},
		{&p.Programs, NameList{Allow: []string{}}},
		{&p.RemoteState, NameList{Allow: []string{}}},
		{&p.Files, NameList{Allow: []string{}}},
	} {
		if d.list.Allow == nil && d.list.Deny == nil {
			*d.list = d.value
		}
	}
	if p.Modules.Pin == "" {
		p.Modules.Pin = PinCommit
	}
	for _, list := range []*[]string{&p.Providers.Allow, &p.Providers.Deny} {
		for i, g := range *list {
			(*list)[i] = providerGlob(g)
		}
	}
}

// providerGlob makes NAMESPACE/TYPE mean that of the public registries, of
// terraform and of OpenTofu, and nobody else's.
func providerGlob(g string) string {
	if strings.Count(g, "/") == 1 {
		return "{registry.terraform.io,registry.opentofu.org}/" + g
	}
	return g
}

// terraformPolicy holds the globs against what a glob can be, and fills in what
// is not said.
func (p *parser) terraformPolicy(at *yaml.Node, declared *TerraformPolicy) TerraformPolicy {
	if declared == nil {
		return DefaultTerraformPolicy()
	}
	for name, list := range map[string]NameList{
		"providers": declared.Providers, "provisioners": declared.Provisioners, "dataSources": declared.DataSources,
		"resources": declared.Resources,
		"actions":   declared.Actions, "programs": declared.Programs, "backends": declared.Backends,
		"remoteState": declared.RemoteState, "files": declared.Files, "modules": declared.Modules.NameList,
	} {
		for key, globs := range map[string][]string{"allow": list.Allow, "deny": list.Deny} {
			for i, g := range globs {
				node := child(child(at, name), key)
				if !doublestar.ValidatePattern(g) {
					p.problem(place(node, i), "terraform.policy.%s.%s.%d: %q is not a glob", name, key, i, g)
				}
				if name == "providers" && g != "**" && strings.Count(g, "/") != 1 && strings.Count(g, "/") != 2 {
					p.problem(
						place(node, i),
						"terraform.policy.providers.%s.%d: %q is not a source: want NAMESPACE/TYPE of the public registry, or "+
							"HOST/NAMESPACE/TYPE",
						key, i, g,
					)
				}
			}
		}
	}
	filled := *declared
	filled.fill()
	return filled
}
