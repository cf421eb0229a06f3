package config

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/text"
)

// reasons holds every reason in the file to have something that people can see,
// which the schema cannot say: of a waiver, a freeze, an acknowledgement, and of
// drift that is accepted.
func (p *parser) reasons(n *yaml.Node, where string) {
	switch n.Kind {
	case yaml.AliasNode:
		p.reasons(n.Alias, where)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i].Value, n.Content[i+1]
			given := value
			if given.Kind == yaml.AliasNode {
				given = given.Alias
			}
			if key == "reason" && given.Kind == yaml.ScalarNode && !text.Shows(given.Value) {
				p.problem(value, "%sreason: %q holds no visible character: say why in words", where, given.Value)
			}
			p.reasons(value, where+key+".")
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			p.reasons(c, where+strconv.Itoa(i)+".")
		}
	}
}

// names holds what waivers are for to applications and environments of the file:
// a waiver for a name that is none waives nothing, and nobody would see why.
func (p *parser) names(c *Config, root *yaml.Node, doc document) {
	app := func(name string, path ...string) {
		if _, ok := c.apps[name]; !ok && name != "" {
			p.problem(
				locate(root, path), "%s: no application %q; there are: %s", strings.Join(path, "."), name,
				strings.Join(c.AppNames(), ", "),
			)
		}
	}
	waivers := func(list []waiver, path ...string) {
		for i, w := range list {
			app(w.App, in(path, "waivers", strconv.Itoa(i), "app")...)
		}
	}
	waivers(doc.Policy.Waivers, "policy")
	for i, e := range doc.Environments {
		waivers(e.Policy.Waivers, "environments", strconv.Itoa(i), "policy")
	}
	for i, w := range doc.Manifests.Waivers {
		path := []string{"manifests", "waivers", strconv.Itoa(i)}
		app(w.App, in(path, "app")...)
		if w.Env != "" && !slices.Contains(c.EnvironmentNames(), w.Env) {
			path = in(path, "env")
			p.problem(
				locate(root, path), "%s: no environment %q; there are: %s", strings.Join(path, "."), w.Env,
				strings.Join(c.EnvironmentNames(), ", "),
			)
		}
	}
}
