package config

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Group is a number of applications that move together: into each of its environments
// by one pull request, all of them or none.
type Group struct {
	Name string
	Apps []string // in alphabetical order
	// Environments are those that the applications enter together. If nil, all.
	Environments []string
}

type groupDocument struct {
	Apps         []string `yaml:"apps"`
	Environments []string `yaml:"environments"`
}

// everyApp stands for all applications of the file.
const everyApp = "*"

// Groups are the groups of the file, by name.
func (c *Config) Groups() []Group {
	var list []Group
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		list = append(list, c.groups[name])
	}
	return list
}

// GroupOf is the group in which an application enters an environment.
func (c *Config) GroupOf(app, env string) (Group, bool) {
	for _, g := range c.Groups() {
		if g.enters(app, env) {
			return g, true
		}
	}
	return Group{}, false
}

func (g Group) enters(app, env string) bool {
	return slices.Contains(g.Apps, app) && (g.Environments == nil || slices.Contains(g.Environments, env))
}

// moves reads the groups. An application is in one group for an environment, or nobody
// could say with whom it moves.
func (p *parser) moves(c *Config, at *yaml.Node, groups map[string]groupDocument) {
	c.groups = make(map[string]Group)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		group := Group{Name: name, Apps: groups[name].Apps, Environments: groups[name].Environments}
		where := child(at, name)
		if slices.Contains(group.Apps, everyApp) {
			if group.Apps = c.AppNames(); len(groups[name].Apps) > 1 {
				p.problem(child(where, "apps"), `groups.%s.apps: "*" is all applications; name no other beside it`, name)
			}
		}
		for i, app := range group.Apps {
			if _, err := c.App(app); err != nil {
				p.problem(place(child(where, "apps"), i), "groups.%s.apps: no application %q; there are: %s", name, app,
					strings.Join(c.AppNames(), ", "))
			}
		}
		for i, env := range group.Environments {
			if _, err := c.Environment(env); err != nil {
				p.problem(place(child(where, "environments"), i), "groups.%s.environments: no environment %q; there are: %s", name, env,
					strings.Join(c.EnvironmentNames(), ", "))
			}
		}
		slices.Sort(group.Apps)
		p.apart(c, where, group)
		c.groups[name] = group
	}
}

// apart wants each application of a group in no other one, and the images of a group to be
// told apart by their repositories.
func (p *parser) apart(c *Config, at *yaml.Node, group Group) {
	images := make(map[string]string)
	for _, app := range group.Apps {
		for _, env := range c.EnvironmentNames() {
			if other, twice := c.GroupOf(app, env); twice && group.enters(app, env) {
				p.problem(child(at, "apps"), "groups.%s.apps: %s is in the group %s too, for %s; let the one end where the other begins, "+
					"by environments", group.Name, app, other.Name, env)
				break
			}
		}
		for _, image := range repositories(c.apps[app]) {
			if other, twice := images[image]; twice && other != app {
				p.problem(child(at, "apps"), "groups.%s.apps: %s and %s have one image, so that nobody could tell which of them moves",
					group.Name, other, app)
			}
			images[image] = app
		}
	}
}

// groupsWeaker reports applications that no longer move with others.
func (w *weaker) groupsWeaker() {
	for _, b := range w.base.Groups() {
		for _, app := range b.Apps {
			if _, err := w.head.App(app); err != nil {
				continue // said already
			}
			for _, env := range w.base.EnvironmentNames() {
				if _, err := w.head.Environment(env); err != nil || !b.enters(app, env) {
					continue
				}
				h, _ := w.head.GroupOf(app, env)
				for _, other := range b.Apps {
					if _, err := w.head.App(other); err == nil && other > app && !slices.Contains(h.Apps, other) {
						w.add([]string{"groups", b.Name}, "no longer moves %s and %s into %s together", app, other, env)
					}
				}
			}
		}
	}
}
