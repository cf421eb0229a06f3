package configuration

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func block(name string, labels ...string) hcl.BlockHeaderSchema {
	return hcl.BlockHeaderSchema{Type: name, LabelNames: labels}
}

func attributes(names ...string) []hcl.AttributeSchema {
	var list []hcl.AttributeSchema
	for _, n := range names {
		list = append(list, hcl.AttributeSchema{Name: n})
	}
	return list
}

var uses = map[string]string{"resource": Resource, "data": Data, "ephemeral": Ephemeral, "action": Action, "list": List}

// harmless are the blocks of a file that start and fetch nothing.
var harmless = []string{
	"output", "locals", "moved", "import", "language",
	"test", "variables", "mock_provider", "override_resource", "override_data", "override_module",
}

var fileSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	block("terraform"), block("provider", "name"), block("module", "name"), block("check", "name"), block("removed"),
	block("run", "name"), block("variable", "name"),
	block("resource", "type", "name"), block("data", "type", "name"), block("ephemeral", "type", "name"),
	block("action", "type", "name"), block("list", "type", "name"),
}}

func (r *reader) file(name string, body hcl.Body) {
	content, rest := r.content(body, fileSchema)
	for _, b := range content.Blocks {
		switch b.Type {
		case "terraform":
			r.terraform(b)
		case "provider":
			r.m.Configured = append(r.m.Configured, Named{b.Labels[0], place(b.DefRange)})
			r.programs(b.Body, "provider "+b.Labels[0])
		case "module":
			r.call(b.Labels[0], b.Body, place(b.DefRange))
		case "run":
			inner, _ := r.content(b.Body, &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{block("module")}})
			for _, m := range inner.Blocks {
				r.call(b.Labels[0], m.Body, place(m.DefRange))
			}
		case "check":
			inner, _ := r.content(b.Body, &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{block("data", "type", "name")}})
			for _, d := range inner.Blocks {
				r.use(d)
			}
		case "variable":
			r.variable(b)
		case "removed":
			r.provisioners(b.Body, "removed")
		default:
			r.use(b)
		}
	}
	r.unknown(rest, "block", func(block string) bool {
		return slices.Contains(harmless, block) || slices.ContainsFunc(
			fileSchema.Blocks, func(b hcl.BlockHeaderSchema) bool { return b.Type == block },
		)
	})
}

func (r *reader) variable(b *hcl.Block) {
	content, _ := r.content(b.Body, &hcl.BodySchema{Attributes: attributes("sensitive")})
	v := Variable{Name: b.Labels[0]}
	if a := content.Attributes["sensitive"]; a != nil {
		value, diagnostics := a.Expr.Value(nil)
		v.Sensitive = diagnostics.HasErrors() || !value.IsKnown() || value.IsNull() || value.Type().FriendlyName() != "bool" || value.True()
	}
	r.m.Variables = append(r.m.Variables, v)
}

var terraformSchema = &hcl.BodySchema{
	Attributes: attributes("required_version", "experiments", "language"),
	Blocks: []hcl.BlockHeaderSchema{block("backend", "type"), block("cloud"), block("required_providers"),
		block("provider_meta", "provider"),
		block("encryption")},
}

func (r *reader) terraform(b *hcl.Block) {
	content, rest := r.content(b.Body, terraformSchema)
	if a, there := content.Attributes["required_version"]; there {
		if text, ok := literal(a.Expr); ok {
			r.m.Versions = append(r.m.Versions, Named{text, place(a.Range)})
		}
	}
	for _, inner := range content.Blocks {
		switch inner.Type {
		case "backend":
			r.m.Backends = append(r.m.Backends, r.backend(inner.Labels[0], inner))
			r.programs(inner.Body, "backend "+inner.Labels[0])
		case "cloud":
			r.m.Backends = append(r.m.Backends, r.backend("cloud", inner))
			r.programs(inner.Body, "cloud")
		case "required_providers":
			r.required(inner.Body)
		case "encryption":
			r.encryption(inner.Body)
		}
	}
	// Among them state_store, which runs a provider while terraform initialises.
	r.unknown(rest, "terraform block with", func(name string) bool {
		return slices.ContainsFunc(terraformSchema.Blocks, func(b hcl.BlockHeaderSchema) bool { return b.Type == name })
	})
}

func (r *reader) required(body hcl.Body) {
	entries, diagnostics := body.JustAttributes()
	r.diagnostics(diagnostics, body.MissingItemRange().Filename)
	for _, a := range entries {
		if a.Name == "//" {
			continue
		}
		p := Required{Name: a.Name, Place: place(a.NameRange)}
		if version, ok := literal(a.Expr); ok { // as terraform 0.12 had it
			p.Version = version
			r.m.Required = append(r.m.Required, p)
			continue
		}
		pairs, diagnostics := hcl.ExprMap(a.Expr)
		if diagnostics.HasErrors() {
			r.problem(p.Place, "required_providers: %s is not written as { source = …, version = … }", a.Name)
			continue
		}
		sources, ok := []string{}, true
		for _, pair := range pairs {
			key := keyOf(pair.Key)
			if key != "source" && key != "version" {
				ok = ok && key != ""
				continue
			}
			value, read := literal(pair.Value)
			ok = ok && read
			if key == "source" {
				sources = append(sources, value)
			} else {
				p.Version = value
			}
		}
		if !ok {
			r.problem(p.Place, "required_providers: %s is computed, and must be written out", a.Name)
		}
		if len(sources) == 0 {
			sources = []string{""}
		}
		for _, p.Source = range sources { // JSON can name several: each is judged
			r.m.Required = append(r.m.Required, p)
		}
	}
	slices.SortStableFunc(r.m.Required, func(a, b Required) int { return strings.Compare(a.Name, b.Name) })
}

// keyOf is the name of an object's key; empty where it is computed.
func keyOf(e hcl.Expression) string {
	if keyword := hcl.ExprAsKeyword(e); keyword != "" {
		return keyword
	}
	text, _ := literal(e)
	return text
}

func (r *reader) call(name string, body hcl.Body, at Place) {
	content, _ := r.content(body, &hcl.BodySchema{Attributes: attributes("source", "version")})
	c := Call{Name: name, Place: at}
	source, there, read := attribute(content, "source")
	if a := content.Attributes["source"]; a != nil {
		c.Place = place(a.Range)
	}
	if c.Source = source; !there || !read {
		c.Source = ""
	}
	version, _, read := attribute(content, "version")
	if c.Version = version; !read {
		r.problem(place(content.Attributes["version"].Range), "module %q: its version is computed, and must be written out", name)
	}
	r.m.Calls = append(r.m.Calls, c)
}

func (r *reader) use(b *hcl.Block) {
	u := Use{Kind: uses[b.Type], Type: b.Labels[0], Name: b.Labels[1], Place: place(b.DefRange)}
	content, _ := r.content(b.Body, &hcl.BodySchema{Attributes: attributes("provider")})
	u.Provider, _, _ = strings.Cut(u.Type, "_")
	if a := content.Attributes["provider"]; a != nil {
		if u.Provider = providerName(a.Expr); u.Provider == "" {
			r.problem(place(a.Range), "%s: its provider is computed, and must be written out", u.Address())
		}
	}
	if u.Kind == Data && u.Type == RemoteState {
		inner, _ := r.content(b.Body, &hcl.BodySchema{Attributes: attributes("backend")})
		u.Backend, _, _ = attribute(inner, "backend")
		r.programs(b.Body, u.Address())
	}
	if strings.HasPrefix(u.Type, "helm_") {
		r.postrenderer(b.Body, u.Address())
	}
	r.m.Uses = append(r.m.Uses, u)
	r.provisioners(b.Body, u.Address())
}

// RemoteState is the data source that reads the state of another root.
const RemoteState = "terraform_remote_state"

func (r *reader) provisioners(body hcl.Body, in string) {
	content, _ := r.content(body, &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{block("provisioner", "type"), block("dynamic", "type")}})
	for _, b := range content.Blocks {
		if b.Type == "provisioner" {
			r.m.Provisioners = append(r.m.Provisioners, Named{b.Labels[0], place(b.DefRange)})
		} else if b.Labels[0] == "provisioner" {
			r.problem(place(b.DefRange), "%s: a dynamic provisioner cannot be judged", in)
		}
	}
}

// providerName is the local name in a reference to a provider, such as
// aws.west, "aws.west" or aws.by_region[each.key].
func providerName(e hcl.Expression) string {
	if index, ok := e.(*hclsyntax.IndexExpr); ok {
		e = index.Collection
	}
	if traversal, diagnostics := hcl.AbsTraversalForExpr(e); !diagnostics.HasErrors() {
		return traversal.RootName()
	}
	text, ok := literal(e)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(text, ".")
	name, _, _ = strings.Cut(name, "[")
	return name
}
