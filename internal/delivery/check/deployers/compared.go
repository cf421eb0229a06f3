package deployers

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/admission"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/text"
)

// Comparison is what one place of the repository deploys on both sides: a file of
// manifests, a kustomization or an overlay.
type Comparison struct {
	File, Where   string
	Env           string // that it deploys into; empty where nothing says so
	Before, After []render.Object
}

// Weakening is protection that a change takes away, in words, and by which file.
type Weakening struct{ File, Change string }

// Compare finds deployers that the change makes, takes away or points elsewhere,
// unless they deploy places of waybill.yaml, which are judged themselves, into
// their own environment. It wants a base.
func (c *Change) Compare(all []Comparison) (found []Weakening) {
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b Comparison) int { return strings.Compare(a.File+"\x00"+a.Where, b.File+"\x00"+b.Where) })
	base, head := c.learn(all)
	say := func(p Comparison, what string) { found = append(found, Weakening{p.File, render.Visible(what)}) }
	for _, p := range all {
		old := make(map[string]render.Object)
		for _, o := range p.Before {
			if c.Decides(o) {
				old[o.ID()] = o
			}
		}
		for _, o := range p.After {
			if !c.Decides(o) {
				continue
			}
			was, had := old[o.ID()]
			delete(old, o.ID())
			if base[p.key(o)] {
				continue
			}
			if what := c.otherwise(p, o, was, had); what != "" {
				say(p, what)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(old)) {
			if !head[p.key(old[id])] {
				say(p, fmt.Sprintf("%s of %s goes, and what it deploys", old[id], p.Where))
			}
		}
	}
	return found
}

// otherwise tells how a deployer is new or deploys otherwise; empty where it does not, or
// deploys places of waybill.yaml.
func (c *Change) otherwise(p Comparison, o, was render.Object, had bool) string {
	now, before, verb := chosen(o), map[string]any{}, "is new"
	if had {
		before, verb = chosen(was), "deploys otherwise"
	}
	if had && reflect.DeepEqual(before, now) || c.deploysPlaces(p.Env, o, before, now) {
		return ""
	}
	how := strings.Join(differences(o.Kind == "Secret", before, now), "; ")
	return fmt.Sprintf("%s of %s %s: %s", o, p.Where, verb, how)
}

// Decides reports whether an object decides what a cluster runs: a deployer, or a
// ConfigMap or Secret from which one of the base takes values.
func (c *Change) Decides(o render.Object) bool {
	if deploys(o) {
		return true
	}
	if o.Kind != "ConfigMap" && o.Kind != "Secret" {
		return false
	}
	c.Deployers()
	return c.read[o.Kind+" "+o.Name]
}

// valuesOf collects the ConfigMaps and Secrets from which a deployer takes values.
// https://fluxcd.io/flux/components/helm/helmreleases/#values-references
// https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution
// https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/Generators-Plugin/
func valuesOf(found map[string]bool, v any, within string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			valuesOf(found, e, within)
		}
	case map[string]any:
		kind, _ := v["kind"].(string)
		switch within {
		case "configMapRef", "configMapKeyRef":
			kind = "ConfigMap"
		case "secretKeyRef":
			kind = "Secret"
		case "valuesFrom", "substituteFrom", "resources": // the last of Cluster API
		default:
			kind = ""
		}
		if name, _ := v["name"].(string); name != "" && kind != "" {
			found[kind+" "+name] = true
		}
		for k, e := range v {
			valuesOf(found, e, k)
		}
	}
}

// Updated finds workloads whose images something else than a commit newly chooses.
func Updated(p Comparison) (found []Weakening) {
	before := make(map[string]map[string]string)
	for _, o := range p.Before {
		before[o.ID()] = updates(o)
	}
	for _, o := range p.After {
		now, was := updates(o), before[o.ID()]
		for _, key := range slices.Sorted(maps.Keys(now)) {
			if now[key] != was[key] {
				found = append(found, Weakening{p.File, render.Visible(fmt.Sprintf(
					"%s of %s lets something else choose its images: %s is %s", o, p.Where, key, inWords(now[key])))})
			}
		}
	}
	return found
}

// key is a deployer with all that it says, for one cluster and environment: in
// another file of that it deploys the same.
func (p Comparison) key(o render.Object) string {
	return fmt.Sprint(admission.ClusterOf(p.File), " ", p.Env, " ", o.ID(), " ", chosen(o))
}

// learn finds the deployers of both sides, and in which repositories the base
// finds places of waybill.yaml: those are this one.
func (c *Change) learn(all []Comparison) (base, head map[string]bool) {
	base, head, c.home = make(map[string]bool), make(map[string]bool), make(map[string]bool)
	take := func(known map[string]bool, p Comparison, objects []render.Object) {
		for _, o := range objects {
			if c.Decides(o) {
				known[p.key(o)] = true
			}
		}
	}
	plain := func(files map[string][]byte, known map[string]bool) (all []render.Object) {
		for file, data := range files {
			if IsManifest(file) && mentionsDeployer(string(data)) {
				objects := Manifests(file, data)
				take(known, Comparison{File: file, Env: c.EnvironmentOf(file)}, objects)
				all = append(all, objects...)
			}
		}
		return all
	}
	c.learnHome(plain(c.Base, base))
	plain(c.Head, head)
	for _, p := range all {
		take(base, p, p.Before)
		take(head, p, p.After)
		c.learnHome(p.Before)
	}
	return base, head
}

// mentionsDeployer tells quickly which files cannot hold a deployer.
func mentionsDeployer(text string) bool {
	return slices.ContainsFunc(namesOfDeployers, func(name string) bool { return strings.Contains(text, name) })
}

// maxDifferences is as many as a finding shows; it counts the rest.
const maxDifferences = 10

// differences tells in words how b differs from a; without values if they are
// secret.
func differences(secret bool, a, b any) []string {
	var list []string
	var walk func(at string, a, b any)
	walk = func(at string, a, b any) {
		x, isMap := a.(map[string]any)
		y, areMaps := b.(map[string]any)
		p, isList := a.([]any)
		q, areLists := b.([]any)
		switch {
		case reflect.DeepEqual(a, b):
		case isMap && areMaps || a == nil && len(y) > 0 || b == nil && len(x) > 0:
			for _, key := range slices.Sorted(maps.Keys(both(x, y))) {
				walk(strings.TrimPrefix(at+"."+key, "."), x[key], y[key])
			}
		case isList && areLists && len(p) == len(q):
			for i := range p {
				walk(fmt.Sprintf("%s[%d]", at, i), p[i], q[i])
			}
		case secret:
			list = append(list, at+" changes")
		case a == nil:
			list = append(list, strings.TrimPrefix(at+" is ", " ")+inWords(b))
		default:
			list = append(list, fmt.Sprintf("%s goes from %s to %s", at, inWords(a), inWords(b)))
		}
	}
	walk("", a, b)
	if more := len(list) - maxDifferences; more > 0 {
		list = append(list[:maxDifferences], fmt.Sprintf("and %d more", more))
	}
	return list
}

// inWords is a value on one line.
func inWords(v any) string {
	if v == nil {
		return "nothing"
	}
	shown, ok := v.(string)
	if !ok {
		data, _ := json.Marshal(v) // of YAML, which JSON can hold
		shown = string(data)
	}
	return text.Cut(shown, 151, "…")
}
