package policy

import (
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform/configuration"
)

const defaultRegistry = "registry.terraform.io"

// builtin providers are part of terraform.
const builtin = "terraform.io/builtin/"

// requirement is a provider that a module asks for, and where.
type requirement struct {
	name   string // in the module
	source string // HOST/NAMESPACE/TYPE
	configuration.Place
}

// requirements are the providers that terraform would start for a module: those
// it requires, configures, and uses without a word.
func requirements(m *configuration.Module) []requirement {
	var list []requirement
	declared := make(map[string]bool)
	for _, p := range m.Required {
		declared[p.Name] = true
		list = append(list, requirement{p.Name, providerSource(p.Source, p.Name), p.Place})
	}
	implied := func(name string, at configuration.Place) {
		if name != "" && !declared[name] {
			declared[name] = true
			list = append(list, requirement{name, providerSource("", name), at})
		}
	}
	for _, p := range m.Configured {
		implied(p.Name, p.Place)
	}
	for _, u := range m.Uses {
		implied(u.Provider, u.Place)
	}
	return list
}

// providerSource is the full form of a source as terraform reads it.
func providerSource(source, name string) string {
	source = strings.ToLower(strings.TrimSpace(source))
	switch {
	case source == "" && strings.EqualFold(name, "terraform"):
		return builtin + "terraform"
	case source == "":
		return defaultRegistry + "/hashicorp/" + strings.ToLower(name)
	}
	switch strings.Count(source, "/") {
	case 0:
		return defaultRegistry + "/hashicorp/" + source
	case 1:
		return defaultRegistry + "/" + source
	}
	return source
}

// sameProvider reports whether two sources name one provider: OpenTofu has the
// public registry under a name of its own.
func sameProvider(a, b string) bool {
	const tofu = "registry.opentofu.org/"
	return strings.Replace(a, tofu, defaultRegistry+"/", 1) == strings.Replace(b, tofu, defaultRegistry+"/", 1)
}
