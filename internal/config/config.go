// Package config reads waybill.yaml, the file at the root of the config
// repository that names environments, applications and policy.
//
// The JSON Schema beside this file is the one description of its form: editors
// complete from it and Parse validates against it, so the two cannot disagree.
// Every problem is reported with line and column. Beyond the schema, Parse
// refuses names that do not refer to anything and paths that leave the
// repository.
package config

import (
	_ "embed"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// FileName is where the configuration lies in the config repository.
const FileName = "waybill.yaml"

// Schema is the JSON Schema of waybill.yaml.
//
//go:embed waybill.schema.json
var Schema []byte

// Ways in which an environment changes.
const (
	Auto        = "auto"         // bump commits
	PullRequest = "pull-request" // only a promotion pull request changes it
)

const (
	defaultOverlay = "apps/{app}/overlays/{env}"
	defaultChart   = "apps/{app}/chart"
	defaultImage   = "image"
)

// Config is waybill.yaml.
type Config struct {
	Environments []Environment
	apps         map[string]App
	groups       map[string]Group
	policy       policy
	terraform    Terraform

	manifestWaivers []ManifestWaiver
	manifestRules   map[string]string
	kubernetes      int
	acknowledge     []Acknowledgement

	Notify []Notify

	raw  map[string]any // the file, without meaning
	root *yaml.Node     // and where things stand in it
}

// Environment is a place where applications run.
type Environment struct {
	Name      string
	Promotion string        // Auto or PullRequest
	Soak      time.Duration // a digest must have run this long in the environment before
	Reviewers []string      // users, or ORG/TEAM
	Freeze    []Freeze
	Windows   []Window       // only in one of them does a digest enter; at any time if there is none
	Health    []Health       // what says that a digest is healthy there; it goes on only while it is
	Verify    []Verification // workflows that try what was deployed; it goes on only once they have succeeded
	// After are the environments that a digest must have run in before. If nil, it
	// is the one that stands before this one; if empty, there is none.
	After  []string
	Any    bool // one of After is enough
	policy policy
}

// Freeze is a time in which nothing is promoted, From inclusive, Until not.
type Freeze struct {
	From, Until time.Time
	Reason      string
}

// App is an application.
type App struct {
	Name string
	// Part names the image that this is about, where the application has several; see
	// Parts. Otherwise empty.
	Part         string
	Image        name.Repository // zero for an application of several, as a whole
	Source       string          // OWNER/NAME it must be built from; empty for any the signers allow
	Environments []string        // in the order of Config.Environments
	// Promote are paths, with {app} and {env}, whose content goes with the image from
	// one environment to the next; FILE#/KEY/KEY is one key of a YAML file.
	Promote []string
	overlay string
	helm    Helm
	parts   []part
}

// Helm says how an overlay of Helm values is rendered.
type Helm struct {
	Chart     string   // directory of the chart
	Values    []string // files before the overlay's own
	Release   string
	Namespace string
	Image     string // dotted path of the mapping with repository and digest
}

// Promoted are the paths of Promote in env.
func (a App) Promoted(env string) (paths []string) {
	for _, p := range a.Promote {
		file, key, is := strings.Cut(p, "#")
		if file = expand(file, a.Name, env); is {
			file += "#" + key
		}
		paths = append(paths, file)
	}
	return paths
}

// Overlay is the directory or file that names the application's image in env.
func (a App) Overlay(env string) string { return expand(a.overlay, a.Name, env) }

// Helm is how the application's values in env are rendered.
func (a App) Helm(env string) Helm {
	h := a.helm
	h.Chart = expand(h.Chart, a.Name, env)
	h.Values = slices.Clone(h.Values)
	for i, v := range h.Values {
		h.Values[i] = expand(v, a.Name, env)
	}
	return h
}

// RunsIn reports whether the application has an overlay for env.
func (a App) RunsIn(env string) bool { return slices.Contains(a.Environments, env) }

func expand(template, app, env string) string {
	return path.Clean(strings.NewReplacer("{app}", app, "{env}", env).Replace(template))
}

// AppNames lists the applications in alphabetical order.
func (c *Config) AppNames() []string { return slices.Sorted(maps.Keys(c.apps)) }

// EnvironmentNames lists the environments in order.
func (c *Config) EnvironmentNames() []string {
	names := make([]string, len(c.Environments))
	for i, e := range c.Environments {
		names[i] = e.Name
	}
	return names
}

// App finds an application. An unknown name is a usage error that lists the
// known ones.
func (c *Config) App(app string) (App, error) {
	a, ok := c.apps[app]
	if !ok {
		return App{}, outcome.Usagef("%s has no application %q; it has: %s", FileName, app, strings.Join(c.AppNames(), ", "))
	}
	return a, nil
}

// Environment finds an environment. An unknown name is a usage error that
// lists the known ones.
func (c *Config) Environment(env string) (Environment, error) {
	for _, e := range c.Environments {
		if e.Name == env {
			return e, nil
		}
	}
	return Environment{}, outcome.Usagef("%s has no environment %q; it has: %s", FileName, env, strings.Join(c.EnvironmentNames(), ", "))
}

// Place finds an application and one of its environments.
func (c *Config) Place(app, env string) (App, Environment, error) {
	a, err := c.App(app)
	if err != nil {
		return App{}, Environment{}, err
	}
	e, err := c.Environment(env)
	if err != nil {
		return App{}, Environment{}, err
	}
	if !a.RunsIn(env) {
		return App{}, Environment{}, outcome.Usagef(
			"%s: application %q does not run in %q; it runs in: %s", FileName, app, env, strings.Join(a.Environments, ", "),
		)
	}
	return a, e, nil
}

// AppForImage finds the application whose image lies in the repository.
func (c *Config) AppForImage(repository string) (App, error) {
	var found []string
	for _, app := range c.AppNames() {
		if _, has := c.apps[app].PartOf(repository); has {
			found = append(found, app)
		}
	}
	switch len(found) {
	case 1:
		return c.apps[found[0]], nil
	case 0:
		return App{}, outcome.Usagef(
			"%s has no application with the image %s; it has: %s", FileName, repository, strings.Join(c.images(), ", "),
		)
	default:
		return App{}, outcome.Usagef(
			"%s has several applications with the image %s: say which with --app: %s", FileName, repository,
			strings.Join(found, ", "),
		)
	}
}

func (c *Config) images() []string {
	var images []string
	for _, app := range c.AppNames() {
		for _, image := range c.apps[app].Images() {
			images = append(images, image.Name())
		}
	}
	return images
}

// Befores are the environments of the application that a digest must have run in
// before it enters env; none for a first one. Where the application does not run
// in one of them, those before that one take its place.
func (c *Config) Befores(app App, env string) []Environment {
	var list []Environment
	add := func(e Environment) {
		if !slices.ContainsFunc(list, func(o Environment) bool { return o.Name == e.Name }) {
			list = append(list, e)
		}
	}
	for _, name := range c.comesAfter(env) {
		e, err := c.Environment(name)
		switch {
		case err != nil:
		case app.RunsIn(name):
			add(e)
		default:
			for _, e := range c.Befores(app, name) {
				add(e)
			}
		}
	}
	return list
}

// comesAfter names the environments right before env, whatever runs there.
func (c *Config) comesAfter(env string) []string {
	i := slices.IndexFunc(c.Environments, func(e Environment) bool { return e.Name == env })
	switch {
	case i < 0:
		return nil
	case c.Environments[i].After != nil:
		return c.Environments[i].After
	case i == 0:
		return nil
	}
	return []string{c.Environments[i-1].Name}
}

// ancestors names every environment that comes before env on some way.
func (c *Config) ancestors(env string) map[string]bool {
	found := make(map[string]bool)
	for open := []string{env}; len(open) > 0; open = open[1:] {
		for _, name := range c.comesAfter(open[0]) {
			if !found[name] {
				found[name] = true
				open = append(open, name)
			}
		}
	}
	return found
}

// Policy is what an image of the application needs in env. An empty app or env
// leaves out what is particular to them.
func (c *Config) Policy(app, env string) (evidence.Policy, error) {
	var a App
	if app != "" {
		var err error
		if a, err = c.App(app); err != nil {
			return evidence.Policy{}, err
		}
	}
	if env != "" {
		if _, err := c.Environment(env); err != nil {
			return evidence.Policy{}, err
		}
	}
	return c.PolicyFor(a, env), nil
}

// PolicyFor is the policy for an application that this configuration need not
// know, such as one that a change adds. An unknown env is held to what is
// common to all.
func (c *Config) PolicyFor(app App, env string) evidence.Policy {
	merged := c.policy
	if e, err := c.Environment(env); err == nil {
		merged = merged.overriddenBy(e.policy)
	}
	return merged.evidence(app.Name, app.Source)
}

// SameRules reports whether both files have the same policy and environments.
func (c *Config) SameRules(o *Config) bool {
	return reflect.DeepEqual(c.raw["policy"], o.raw["policy"]) && reflect.DeepEqual(c.raw["environments"], o.raw["environments"])
}

// Frozen finds the freeze that is in force at now.
func (e Environment) Frozen(now time.Time) (Freeze, bool) {
	for _, f := range e.Freeze {
		if !now.Before(f.From) && now.Before(f.Until) {
			return f, true
		}
	}
	return Freeze{}, false
}

// Error is one problem of the file, at its place.
type Error struct {
	File         string
	Line, Column int // from 1
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}
