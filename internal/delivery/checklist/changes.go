package checklist

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// What a reviewer must know of a change: these rules hold two renderings of one place
// against each other.

// mostNamed is how many things one message names.
const mostNamed = 5

func named(things []string) string {
	if more := len(things) - mostNamed; more > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(things[:mostNamed], ", "), more)
	}
	return strings.Join(things, ", ")
}

// heavy are kinds whose end takes more with it than the object.
var heavy = map[string]string{
	"CustomResourceDefinition": "every object of its kind goes with it, in all namespaces",
	"PersistentVolumeClaim":    "its data goes with it, unless its volume is kept",
	"PersistentVolume":         "its data may go with it",
	"Namespace":                "everything in it goes with it",
	"StatefulSet":              "its pods go, and their volumes stay behind or go, as it says itself",
}

// hashed is the end of a name that Kustomize made of the content: 10 of these letters.
// https://github.com/kubernetes-sigs/kustomize/blob/master/api/hasher/hasher.go
var hashed = regexp.MustCompile(`-[245679bcdfghkmt8]{10}$`)

// key names an object; what Kustomize makes anew for each content is one object.
func key(o render.Object) string {
	if o.Kind == "ConfigMap" || o.Kind == "Secret" {
		o.Name = hashed.ReplaceAllString(o.Name, "")
	}
	return o.ID()
}

func keyed(s *Set) map[string]render.Object {
	objects := make(map[string]render.Object, len(s.objects))
	for _, o := range s.objects {
		objects[key(o)] = o
	}
	return objects
}

// Removed is the rule that finds objects of the rendering before.
const Removed = "removed"

// removed are the objects that go: those of heavy kinds one by one.
func removed(was, now *Set) (found []Problem) {
	stays := keyed(now)
	gone := make(map[string]render.Object)
	for _, o := range was.objects {
		if _, ok := stays[key(o)]; !ok {
			gone[key(o)] = o
		}
	}
	for _, id := range slices.Sorted(maps.Keys(gone)) {
		why := heavy[gone[id].Kind]
		if why != "" {
			why = ": " + why
		}
		found = append(found, Problem{gone[id], "it is deployed no longer" + why})
	}
	return found
}

// namespaceLabels are labels of a namespace that change.
func namespaceLabels(was, now *Set) []Problem {
	before := keyed(was)
	return now.namespaces(func(o render.Object) string {
		old, known := before[key(o)]
		if !known {
			return ""
		}
		a, b := mapping(old.Content, "metadata", "labels"), mapping(o.Content, "metadata", "labels")
		var changes []string
		for _, label := range slices.Sorted(maps.Keys(a)) {
			if value, stays := b[label]; !stays {
				changes = append(changes, fmt.Sprintf("%s=%v goes", label, a[label]))
			} else if value != a[label] {
				changes = append(changes, fmt.Sprintf("%s goes from %v to %v", label, a[label], value))
			}
		}
		for _, label := range slices.Sorted(maps.Keys(b)) {
			if _, had := a[label]; !had {
				changes = append(changes, fmt.Sprintf("%s=%v is new", label, b[label]))
			}
		}
		if len(changes) == 0 {
			return ""
		}
		return "its labels change: " + named(changes)
	})
}

// grant is one thing that a rule of a role allows. An empty name is any. The resource of
// one of URLs is a path.
type grant struct {
	verb, group, resource, name string
	url                         bool
}

func (g grant) String() string {
	what := g.resource
	if g.group != "" {
		what += "." + g.group
	}
	if g.name != "" {
		what += " " + g.name
	}
	return g.verb + " " + what
}

func (g grant) covers(other grant) bool {
	matches := func(a, b string) bool {
		sub, isSub := strings.CutPrefix(a, "*/")
		below, isBelow := strings.CutSuffix(a, "*")
		return a == b || a == "*" || isSub && strings.HasSuffix(b, "/"+sub) || isBelow && g.url && strings.HasPrefix(b, below)
	}
	return g.url == other.url && matches(g.verb, other.verb) && matches(g.group, other.group) && matches(g.resource, other.resource) &&
		(g.name == "" || g.name == other.name)
}

// maxGrants bounds what is compared of one role.
const maxGrants = 5000

// grants are what a role allows. The second result is false if they are too many.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#role-and-clusterrole
func grants(o render.Object) (all []grant, ok bool) {
	for _, rule := range list(o.Content, "rules") {
		texts := func(field string) []string {
			var values []string
			for _, v := range list(rule, field) {
				values = append(values, fmt.Sprint(v))
			}
			return values
		}
		names := texts("resourceNames")
		if len(names) == 0 {
			names = []string{""}
		}
		for _, verb := range texts("verbs") {
			for _, url := range texts("nonResourceURLs") {
				all = append(all, grant{verb: verb, resource: url, url: true})
			}
			for _, group := range texts("apiGroups") {
				for _, resource := range texts("resources") {
					for _, name := range names {
						if all = append(all, grant{verb: verb, group: group, resource: resource, name: name}); len(all) > maxGrants {
							return nil, false
						}
					}
				}
			}
		}
	}
	return all, true
}

// rbac are roles that newly allow something, bindings that newly give a role, and
// accounts that newly have one of a cloud.
func rbac(was, now *Set) (found []Problem) {
	before := keyed(was)
	for _, o := range now.objects {
		old := before[key(o)]
		grown := ""
		switch ofRoles := strings.HasPrefix(o.APIVersion, "rbac.authorization.k8s.io/"); {
		case o.APIVersion == "v1" && o.Kind == "ServiceAccount":
			grown = newIdentity(old, o)
		case ofRoles && (o.Kind == "Role" || o.Kind == "ClusterRole"):
			grown = newGrants(old, o)
		case ofRoles && (o.Kind == "RoleBinding" || o.Kind == "ClusterRoleBinding"):
			grown = newSubjects(old, o)
		}
		if grown != "" {
			found = append(found, Problem{o, grown})
		}
	}
	return found
}

func newGrants(old, o render.Object) string {
	if fmt.Sprint(old.Content["aggregationRule"]) != fmt.Sprint(o.Content["aggregationRule"]) {
		return "its aggregationRule changes: what it allows comes from other roles"
	}
	had, ok := grants(old)
	has, also := grants(o)
	if !ok || !also {
		return fmt.Sprintf("its rules allow more than %d things, which are not compared", maxGrants)
	}
	var grown []string
	for _, g := range has {
		if !slices.ContainsFunc(had, func(h grant) bool { return h.covers(g) }) && !slices.Contains(grown, g.String()) {
			grown = append(grown, g.String())
		}
	}
	if len(grown) == 0 {
		return ""
	}
	return "it newly allows: " + named(grown)
}

func newSubjects(old, o render.Object) string {
	role := func(o render.Object) string {
		return text(o.Content, "roleRef", "kind") + " " + text(o.Content, "roleRef", "name")
	}
	had := make(map[string]bool)
	for _, s := range list(old.Content, "subjects") {
		had[subject(s)] = role(old) == role(o)
	}
	var grown []string
	for _, s := range list(o.Content, "subjects") {
		if who := subject(s); !had[who] {
			grown = append(grown, who)
		}
	}
	if len(grown) == 0 {
		return ""
	}
	return "it newly gives " + role(o) + " to: " + named(grown)
}

// identities are annotations that give an account an identity of a cloud.
// https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
// https://docs.cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
// https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html
var identities = []string{"eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account", "azure.workload.identity/client-id"}

func newIdentity(old, o render.Object) string {
	var grown []string
	for _, name := range identities {
		if id := text(o.Content, "metadata", "annotations", name); id != "" && id != text(old.Content, "metadata", "annotations", name) {
			grown = append(grown, id)
		}
	}
	if len(grown) == 0 {
		return ""
	}
	return "it newly acts in the cloud as: " + named(grown)
}

func subject(s any) string {
	name := text(s, "name")
	if namespace := text(s, "namespace"); namespace != "" {
		name = namespace + "/" + name
	}
	return text(s, "kind") + " " + name
}
