package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Load reads and parses a file.
func Load(file string) (*Config, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, outcome.Usagef("there is no file %s: name it, run this in the config repository, or let waybill init config write one", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(filepath.ToSlash(file), data)
}

// Parse reads waybill.yaml. Problems are joined Errors, in the order of the
// file.
func Parse(file string, data []byte) (*Config, error) {
	p := &parser{file: file}
	root, err := p.document(data)
	if err != nil {
		return nil, err
	}
	value := p.validate(root)
	if len(p.problems) > 0 {
		return nil, p.err()
	}
	var doc document
	if err := root.Decode(&doc); err != nil {
		var at *Error
		if !errors.As(err, &at) {
			at = &Error{Line: 1, Column: 1, Message: err.Error()}
		}
		at.File = file
		return nil, at
	}
	p.reasons(root, "")
	c := p.config(root, doc)
	p.names(c, root, doc)
	p.notify(c, root, doc.Notify)
	c.acknowledge, c.root = doc.Acknowledge, root
	c.raw, _ = value.(map[string]any)
	return c, p.err()
}

type document struct {
	Environments []struct {
		Name      string   `yaml:"name"`
		Promotion string   `yaml:"promotion"`
		After     []string `yaml:"after"`
		Needs     string   `yaml:"needs"`
		Soak      duration `yaml:"soak"`
		Reviewers []string `yaml:"reviewers"`
		Freeze    []struct {
			From   instant `yaml:"from"`
			Until  endtime `yaml:"until"`
			Reason string  `yaml:"reason"`
		} `yaml:"freeze"`
		Windows []windowDocument `yaml:"windows"`
		Health  []healthDocument `yaml:"health"`
		Verify  []verifyDocument `yaml:"verify"`
		Policy  policy           `yaml:"policy"`
	} `yaml:"environments"`
	Apps map[string]struct {
		Image        string            `yaml:"image"`
		Images       map[string]string `yaml:"images"`
		Source       string            `yaml:"source"`
		Overlay      string            `yaml:"overlay"`
		Environments []string          `yaml:"environments"`
		Promote      struct {
			Paths []string `yaml:"paths"`
		} `yaml:"promote"`
		Helm struct {
			Chart     string     `yaml:"chart"`
			Values    []string   `yaml:"values"`
			Release   string     `yaml:"release"`
			Namespace string     `yaml:"namespace"`
			Image     imagePaths `yaml:"image"`
		} `yaml:"helm"`
	} `yaml:"apps"`
	Groups    map[string]groupDocument `yaml:"groups"`
	Policy    policy                   `yaml:"policy"`
	Terraform terraformDocument        `yaml:"terraform"`
	Manifests manifestsDocument        `yaml:"manifests"`

	Acknowledge []Acknowledgement `yaml:"acknowledge"`
	Notify      []notifyDocument  `yaml:"notify"`
}

type parser struct {
	file     string
	problems []*Error
}

func (p *parser) problem(n *yaml.Node, format string, args ...any) {
	if n == nil {
		n = new(yaml.Node)
	}
	p.problems = append(
		p.problems, &Error{File: p.file, Line: max(n.Line, 1), Column: max(n.Column, 1), Message: fmt.Sprintf(format, args...)},
	)
}

func (p *parser) err() error {
	slices.SortStableFunc(p.problems, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	var errs []error
	for _, e := range p.problems {
		errs = append(errs, e)
	}
	return outcome.Join(errs...)
}

var yamlLine = regexp.MustCompile(`(?s)^(?::(\d+): |: (?:line (\d+): )?)(.*)$`)

func (p *parser) document(data []byte) (*yaml.Node, error) {
	problem := func(line int, text string) error {
		return &Error{File: p.file, Line: max(line, 1), Column: 1, Message: text}
	}
	documents, err := limit.Documents(p.file, data)
	if err != nil {
		m := yamlLine.FindStringSubmatch(strings.TrimPrefix(err.Error(), p.file))
		if m == nil {
			return nil, problem(1, err.Error())
		}
		line, _ := strconv.Atoi(m[1] + m[2])
		return nil, problem(line, m[3])
	}
	switch {
	case len(documents) == 0 || len(documents[0].Content) == 0:
		return nil, problem(1, "the file is empty")
	case len(documents) > 1:
		return nil, problem(1, "several YAML documents in one file; want one")
	}
	return documents[0].Content[0], nil
}

// validate holds the document against the schema, and against duplicate keys,
// which JSON cannot express.
func (p *parser) validate(root *yaml.Node) any {
	value := p.plain(root)
	if len(p.problems) > 0 {
		return nil
	}
	schema, err := compileSchema()
	if err != nil {
		p.problem(root, "compile the schema: %v", err)
		return nil
	}
	var invalid *jsonschema.ValidationError
	if err := schema.Validate(value); errors.As(err, &invalid) {
		p.report(root, invalid)
	} else if err != nil {
		p.problem(root, "%v", err)
	}
	return value
}

// compileSchema compiles once: it takes longer than all the rest of Parse.
var compileSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("waybill.schema.json", doc); err != nil {
		return nil, err
	}
	return compiler.Compile("waybill.schema.json")
})

func (p *parser) report(root *yaml.Node, e *jsonschema.ValidationError) {
	if _, either := e.ErrorKind.(*kind.OneOf); either && len(e.InstanceLocation) == 2 && e.InstanceLocation[0] == "apps" {
		where := strings.Join(e.InstanceLocation, ".")
		p.problem(locate(root, e.InstanceLocation), "%s: wants either image, or images with a name for each", where)
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			p.report(root, cause)
		}
		return
	}
	at := locate(root, e.InstanceLocation)
	where := strings.Join(e.InstanceLocation, ".")
	if where != "" {
		where += ": "
	}
	text := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	switch k := e.ErrorKind.(type) {
	case *kind.Pattern:
		if meaning := describePattern(k.Want); meaning != "" {
			text = fmt.Sprintf("%q is not what is meant here: %s", k.Got, meaning)
		}
	case *kind.Not: // the schema has one
		text = "promote copies nothing that is outside of the repository or below .waybill or .github: write another path, without . and .."
	}
	p.problem(at, "%s%s", where, text)
}

// describePattern finds what the schema says of a pattern in words.
func describePattern(pattern string) string {
	var schema struct {
		Defs map[string]struct{ Pattern, Description string } `json:"$defs"`
	}
	if json.Unmarshal(Schema, &schema) != nil {
		return ""
	}
	for _, def := range schema.Defs {
		if def.Pattern == pattern {
			return def.Description
		}
	}
	return ""
}

func locate(n *yaml.Node, location []string) *yaml.Node {
	for _, step := range location {
		next := child(n, step)
		if next == nil {
			break
		}
		n = next
	}
	return n
}

func child(n *yaml.Node, step string) *yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
	}
	return nil
}

// place is an item of a list, which can stand behind an alias.
func place(list *yaml.Node, i int) *yaml.Node { return locate(list, []string{strconv.Itoa(i)}) }

// plain turns a node into the values of JSON. Dates stay text.
func (p *parser) plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.AliasNode:
		return p.plain(n.Alias)
	case yaml.MappingNode:
		m := make(map[string]any)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if _, twice := m[key]; twice {
				p.problem(n.Content[i], "%q stands here a second time", key)
			}
			m[key] = p.plain(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		s := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			s = append(s, p.plain(c))
		}
		return s
	}
	if n.Tag == "!!timestamp" {
		return n.Value
	}
	var v any
	if err := n.Decode(&v); err != nil {
		p.problem(n, "%v", err)
	}
	return v
}

func (p *parser) config(root *yaml.Node, doc document) *Config {
	c := &Config{apps: make(map[string]App), policy: doc.Policy, manifestWaivers: doc.Manifests.waivers(),
		manifestRules: doc.Manifests.Rules, kubernetes: minor(doc.Manifests.Kubernetes)}
	environments := child(root, "environments")
	for i, e := range doc.Environments {
		at := place(environments, i)
		if slices.Contains(c.EnvironmentNames(), e.Name) {
			p.problem(child(at, "name"), "environment %q stands here a second time", e.Name)
		}
		if e.Promotion == "" {
			e.Promotion = PullRequest
		}
		env := Environment{Name: e.Name, Promotion: e.Promotion, Soak: time.Duration(e.Soak), Reviewers: e.Reviewers, policy: e.Policy}
		env.After, env.Any = e.After, e.Needs == "any"
		for j, name := range e.After {
			if !slices.Contains(c.EnvironmentNames(), name) {
				p.problem(place(child(at, "after"), j), "%s comes after %q, which does not stand before it", e.Name, name)
			}
		}
		for j, f := range e.Freeze {
			freeze := Freeze{From: time.Time(f.From), Until: time.Time(f.Until), Reason: f.Reason}
			if !freeze.From.Before(freeze.Until) {
				p.problem(place(child(at, "freeze"), j), "freeze ends before it begins")
			}
			env.Freeze = append(env.Freeze, freeze)
		}
		env.Health = p.healths(child(at, "health"), e.Health)
		env.Verify = p.verifications(child(at, "verify"), e.Verify)
		env.Windows = p.windows(child(at, "windows"), e.Windows)
		p.signing(child(at, "policy"), e.Policy)
		c.Environments = append(c.Environments, env)
	}
	p.signing(child(root, "policy"), doc.Policy)
	c.terraform = p.terraform(child(root, "terraform"), doc.Terraform)
	apps := child(root, "apps")
	for name := range doc.Apps {
		p.app(c, child(apps, name), name, doc)
	}
	p.moves(c, child(root, "groups"), doc.Groups)
	return c
}

// signing holds who may sign.
func (p *parser) signing(at *yaml.Node, declared policy) {
	for i, key := range declared.Keys {
		if _, err := fingerprint(key); err != nil {
			p.problem(place(child(at, "keys"), i), "not a public key: %v", err)
		}
	}
	for i, s := range declared.Signers {
		if s.Identity != "" && s.Issuer == evidence.ActionsIssuer {
			p.problem(place(child(at, "signers"), i), "identity is for other issuers: name a workflow of GitHub by workflow")
		}
	}
}

func (p *parser) app(c *Config, at *yaml.Node, name string, doc document) {
	d := doc.Apps[name]
	app := App{Name: name, Source: d.Source, Promote: d.Promote.Paths, overlay: cmp.Or(d.Overlay, defaultOverlay), helm: Helm{
		Chart: cmp.Or(d.Helm.Chart, defaultChart), Values: d.Helm.Values,
		Release: cmp.Or(d.Helm.Release, name), Namespace: cmp.Or(d.Helm.Namespace, name), Image: cmp.Or(d.Helm.Image.one, defaultImage),
	}}
	p.images(at, &app, d.Image, d.Images, d.Helm.Image)
	for i, env := range d.Environments {
		if !slices.Contains(c.EnvironmentNames(), env) {
			p.problem(
				place(child(at, "environments"), i), "apps.%s.environments: no environment %q; there are: %s", name, env,
				strings.Join(c.EnvironmentNames(), ", "),
			)
		}
	}
	for _, env := range c.EnvironmentNames() {
		if d.Environments == nil || slices.Contains(d.Environments, env) {
			app.Environments = append(app.Environments, env)
		}
	}
	if len(c.Environments) > 1 && !strings.Contains(app.overlay, "{env}") && len(app.Environments) > 1 {
		p.problem(child(at, "overlay"), "apps.%s.overlay: %q is the same for every environment; put {env} in it", name, app.overlay)
	}
	for _, template := range append([]string{app.overlay, app.helm.Chart}, app.helm.Values...) {
		if clean := path.Clean(template); clean == ".." || strings.HasPrefix(clean, "../") || path.IsAbs(clean) {
			p.problem(at, "apps.%s: path %q leaves the repository", name, template)
		}
	}
	c.apps[name] = app
}
