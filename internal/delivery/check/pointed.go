package check

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

// comparison is what one place of the repository deploys on both sides: a file of
// manifests, a kustomization or an overlay.
type comparison struct {
	file, where   string
	env           string // that it deploys into; empty where nothing says so
	before, after []render.Object
}

// compare keeps what is compared once everything is read.
func (s *session) compare(c comparison) {
	if s.base == nil {
		return
	}
	s.updated(c)
	if !slices.ContainsFunc(slices.Concat(c.before, c.after), s.decides) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.compared = append(s.compared, c)
}

// deployerChanges refuses deployers that the change makes, takes away or points
// elsewhere, unless they deploy places of waybill.yaml, which are judged
// themselves, into their own environment.
func (s *session) deployerChanges() {
	if len(s.compared) == 0 {
		return
	}
	slices.SortFunc(s.compared, func(a, b comparison) int { return strings.Compare(a.file+"\x00"+a.where, b.file+"\x00"+b.where) })
	base, head := s.learn()
	for _, c := range s.compared {
		old := make(map[string]render.Object)
		for _, o := range c.before {
			if s.decides(o) {
				old[o.ID()] = o
			}
		}
		for _, o := range c.after {
			if !s.decides(o) {
				continue
			}
			was, had := old[o.ID()]
			delete(old, o.ID())
			if !base[c.key(o)] {
				s.deployer(c, o, was, had)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(old)) {
			if !head[c.key(old[id])] {
				s.weaker(c.file, 0, render.Visible(fmt.Sprintf("%s of %s goes, and what it deploys", old[id], c.where)))
			}
		}
	}
}

func (s *session) deployer(c comparison, o, was render.Object, had bool) {
	now, before, verb := chosen(o), map[string]any{}, "is new"
	if had {
		before, verb = chosen(was), "deploys otherwise"
	}
	if had && reflect.DeepEqual(before, now) || s.deploysPlaces(c, o, before, now) {
		return
	}
	how := strings.Join(differences(o.Kind == "Secret", before, now), "; ")
	s.weaker(c.file, 0, render.Visible(fmt.Sprintf("%s of %s %s: %s", o, c.where, verb, how)))
}

// decides reports whether an object decides what a cluster runs: a deployer, or a
// ConfigMap or Secret from which one of the base takes values.
func (s *session) decides(o render.Object) bool {
	if deploys(o) {
		return true
	}
	if o.Kind != "ConfigMap" && o.Kind != "Secret" {
		return false
	}
	s.plainDeployers()
	return s.read[o.Kind+" "+o.Name]
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

// updated reports workloads whose images something else than a commit newly chooses.
func (s *session) updated(c comparison) {
	before := make(map[string]map[string]string)
	for _, o := range c.before {
		before[o.ID()] = updates(o)
	}
	for _, o := range c.after {
		now, was := updates(o), before[o.ID()]
		for _, key := range slices.Sorted(maps.Keys(now)) {
			if now[key] != was[key] {
				s.weaker(c.file, 0, render.Visible(fmt.Sprintf(
					"%s of %s lets something else choose its images: %s is %s", o, c.where, key, inWords(now[key]))))
			}
		}
	}
}

// key is a deployer with all that it says, for one cluster and environment: in
// another file of that it deploys the same.
func (c comparison) key(o render.Object) string {
	return fmt.Sprint(admission.ClusterOf(c.file), " ", c.env, " ", o.ID(), " ", chosen(o))
}

// learn finds the deployers of both sides, and in which repositories the base
// finds places of waybill.yaml: those are this one.
func (s *session) learn() (base, head map[string]bool) {
	base, head, s.home = make(map[string]bool), make(map[string]bool), make(map[string]bool)
	take := func(known map[string]bool, c comparison, objects []render.Object) {
		for _, o := range objects {
			if s.decides(o) {
				known[c.key(o)] = true
			}
		}
	}
	plain := func(files map[string][]byte, known map[string]bool) (all []render.Object) {
		for file, data := range files {
			if isManifest(file) && mentionsDeployer(string(data)) {
				objects := manifestsOf(file, data)
				take(known, comparison{file: file, env: s.environmentOf(file)}, objects)
				all = append(all, objects...)
			}
		}
		return all
	}
	s.learnHome(plain(s.base.Files, base))
	plain(s.head.Files, head)
	for _, c := range s.compared {
		take(base, c, c.before)
		take(head, c, c.after)
		s.learnHome(c.before)
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
