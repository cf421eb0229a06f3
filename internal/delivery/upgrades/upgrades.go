// Package upgrades says which charts and tagged sources an environment's deployers name,
// and where a later environment is ahead of an earlier one: what runs in production ran
// in an earlier environment before.
//
// It compares what stands in git, in order of the environments. What a deployer made of
// it, and when, it does not know.
package upgrades

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// Version is a version that a deployer names.
type Version struct {
	Of     string // chart, or address and path of a source
	Text   string // as it stands
	Object render.Object
}

// Environment is what the deployers of one environment name.
type Environment struct {
	Name string
	Runs []Version
}

// Problem is a version that is ahead, or may be.
type Problem struct {
	Env string
	Version
	Message string
}

// Read lists the versions in objects: of Argo CD's Applications and ApplicationSets, and
// of Flux's HelmReleases and sources. What names a branch or a commit has no version.
func Read(objects []render.Object) (found []Version) {
	for _, o := range objects {
		group, _, _ := strings.Cut(o.APIVersion, "/")
		spec := at(o.Content, "spec")
		switch {
		case group == "argoproj.io" && o.Kind == "Application":
			found = append(found, sources(o, spec)...)
		case group == "argoproj.io" && o.Kind == "ApplicationSet":
			found = append(found, sources(o, at(spec, "template", "spec"))...)
		case group == "helm.toolkit.fluxcd.io" && o.Kind == "HelmRelease":
			if chart := text(spec, "chart", "spec", "chart"); chart != "" {
				found = append(found, Version{path.Base(chart), text(spec, "chart", "spec", "version"), o})
			}
		case group == "source.toolkit.fluxcd.io":
			if version := cmp.Or(text(spec, "ref", "semver"), text(spec, "ref", "tag")); version != "" {
				found = append(found, Version{address(text(spec, "url")), version, o})
			}
		}
	}
	return found
}

// sources reads an Application's one source or several.
func sources(o render.Object, spec any) (found []Version) {
	several, _ := at(spec, "sources").([]any)
	for _, source := range append(several, at(spec, "source")) {
		version := text(source, "targetRevision")
		switch chart := text(source, "chart"); {
		case chart != "":
			found = append(found, Version{path.Base(chart), version, o})
		case exact(version) != "":
			found = append(found, Version{address(text(source, "repoURL")) + "//" + text(source, "path"), version, o})
		}
	}
	return found
}

// address is a source without what two spellings of one differ in.
func address(url string) string {
	_, rest, found := strings.Cut(url, "://")
	if !found {
		rest = url
	}
	return strings.TrimSuffix(strings.ToLower(strings.TrimSuffix(rest, "/")), ".git")
}

// exact is a version as package semver compares it; empty for a range, a pattern, nothing.
func exact(version string) string {
	if v := "v" + strings.TrimPrefix(version, "v"); semver.IsValid(v) {
		return v
	}
	return ""
}

// Ahead lists what runs in an environment at a version that is newer than that of an
// environment before it, in which it runs too; or that may become so, because it is none.
// environments are in the order in which changes pass through them. An environment that
// names it several times has the newest.
func Ahead(environments []Environment) (problems []Problem) {
	for i, e := range environments {
		for _, v := range e.Runs {
			for _, before := range slices.Backward(environments[:i]) {
				runs, newest := newest(before, v.Of)
				if !runs {
					continue
				}
				if message := compare(e.Name, v, before.Name, newest); message != "" {
					problems = append(problems, Problem{e.Name, v, message})
					break
				}
			}
		}
	}
	return problems
}

func compare(env string, v Version, before, newest string) string {
	own := exact(v.Text)
	switch {
	case own == "":
		return fmt.Sprintf("%s names no exact version of %s (%q), so that %s can get a newer one than %s", env, v.Of, v.Text, env, before)
	case newest != "" && semver.Compare(own, newest) > 0:
		return fmt.Sprintf("%s has %s %s, and %s, which comes before, has %s", env, v.Of, v.Text, before, strings.TrimPrefix(newest, "v"))
	}
	return ""
}

// newest reports whether something runs in an environment, and its newest exact version.
func newest(e Environment, of string) (runs bool, version string) {
	for _, v := range e.Runs {
		if v.Of != of {
			continue
		}
		runs = true
		if own := exact(v.Text); own != "" && (version == "" || semver.Compare(own, version) > 0) {
			version = own
		}
	}
	return runs, version
}

func at(v any, keys ...string) any {
	for _, key := range keys {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func text(v any, keys ...string) string {
	s, _ := at(v, keys...).(string)
	return s
}
