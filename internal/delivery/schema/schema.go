// Package schema tells whether the API server of a cluster would take an object as
// it is written: with a name, of a kind and version that there is, and with the
// fields and types of that kind alone.
//
// Built-in kinds are held strictly against the types of this release of
// Kubernetes, custom kinds against the definitions that the caller has, with their
// list types and rules in CEL. A custom kind without a definition is not judged. A
// definition that cannot be used is a problem, of itself and of each object of its
// kind. Rules that compare with an older object do not run: there is none. Values
// are not part of any message, because an object can hold secrets.
package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gvk "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	builtin "k8s.io/client-go/kubernetes/scheme"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// Made when they are first asked for: most commands judge no object, and each would
// start a millisecond later.
var (
	kinds   = sync.OnceValue(scheme)
	decoder = sync.OnceValue(func() runtime.Decoder {
		return serializer.NewCodecFactory(kinds(), serializer.EnableStrict).UniversalDeserializer()
	})
)

// scheme has the kinds of Kubernetes itself, and that of custom definitions.
func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	_ = builtin.AddToScheme(s) // of lists that are compiled in; the tests would see it
	_ = apiextensionsv1.AddToScheme(s)
	return s
}

// Schemas are the kinds that objects are held against.
type Schemas struct {
	custom map[gvk.GroupVersionKind]*definition // that are served
	kinds  map[gvk.GroupKind]bool               // that have a definition, in any version
	cost   *atomic.Int64                        // of all rules that were evaluated
}

// New takes the custom resource definitions among objects.
func New(objects []render.Object) *Schemas {
	s := &Schemas{
		custom: make(map[gvk.GroupVersionKind]*definition), kinds: make(map[gvk.GroupKind]bool), cost: new(atomic.Int64),
	}
	for _, o := range objects {
		var crd apiextensionsv1.CustomResourceDefinition
		if !defines(o) || into(o.Content, &crd) != nil {
			continue
		}
		for _, v := range crd.Spec.Versions {
			kind := gvk.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}
			s.kinds[kind.GroupKind()] = true
			if v.Served {
				s.custom[kind] = &definition{version: v, cluster: crd.Spec.Scope == apiextensionsv1.ClusterScoped, cost: s.cost}
			}
		}
	}
	return s
}

// defines reports whether an object is a definition that a cluster takes.
func defines(o render.Object) bool {
	return o.Kind == "CustomResourceDefinition" && o.APIVersion == apiextensionsv1.SchemeGroupVersion.String()
}

func into(content, v any) error {
	data, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// kindOf is the kind of an object.
func kindOf(o render.Object) gvk.GroupVersionKind {
	return gvk.FromAPIVersionAndKind(o.APIVersion, o.Kind)
}

// Knows reports whether an object is of a group that Kubernetes itself has, or of
// a kind that has a definition. Without apiVersion, the kind's name decides.
func (s *Schemas) Knows(o render.Object) bool {
	kind := kindOf(o)
	if o.APIVersion == "" {
		for known := range kinds().AllKnownTypes() {
			if known.Kind == o.Kind {
				return true
			}
		}
		return false
	}
	return kinds().IsGroupRegistered(kind.Group) || s.kinds[kind.GroupKind()]
}

// Problems says why a cluster would not take an object, or would pass over a part
// of it.
func (s *Schemas) Problems(o render.Object) []string {
	if o.APIVersion == "" {
		return []string{"it has no apiVersion"}
	}
	var problems []string
	kind := kindOf(o)
	metadata, _ := o.Content["metadata"].(map[string]any)
	if generate, _ := metadata["generateName"].(string); o.Name == "" && generate == "" {
		problems = append(problems, "it has no metadata.name")
	}
	switch d, served := s.custom[kind]; {
	case defines(o):
		if problems = append(problems, strict(o)...); len(problems) == 0 {
			problems = unusable(o)
		}
	case kinds().IsGroupRegistered(kind.Group):
		problems = append(problems, strict(o)...)
	case served:
		problems = append(problems, d.problems(o)...)
	case s.kinds[kind.GroupKind()]:
		problems = append(problems, fmt.Sprintf("its definition does not serve the version %s", o.APIVersion))
	}
	return problems
}

// strict decodes an object of a built-in kind as the API server does.
func strict(o render.Object) []string {
	if !kinds().Recognizes(kindOf(o)) {
		return []string{fmt.Sprintf("Kubernetes has no kind %s in %s", o.Kind, o.APIVersion)}
	}
	data, err := json.Marshal(o.Content)
	if err != nil {
		return []string{"it cannot be written as JSON"}
	}
	_, _, err = decoder().Decode(data, nil, nil)
	unknown, isStrict := runtime.AsStrictDecodingError(err)
	switch {
	case err == nil:
		return nil
	case isStrict:
		var problems []string
		for _, e := range unknown.Errors() {
			problems = append(problems, e.Error())
		}
		slices.Sort(problems)
		return problems
	case o.Kind == "Secret":
		return []string{"a value of it has another type than a Secret's (hidden)"}
	}
	return []string{reason(err.Error())}
}

// reason is what a decoder says, without what it says of itself.
func reason(text string) string {
	if _, after, ok := strings.Cut(text, "json: "); ok {
		return after
	}
	return text
}

// What the types of Kubernetes say of how long a version is served.
type (
	deprecated  interface{ APILifecycleDeprecated() (major, minor int) }
	removed     interface{ APILifecycleRemoved() (major, minor int) }
	replacement interface{ APILifecycleReplacement() gvk.GroupVersionKind }
)

// Deprecated says since when the version of a built-in kind is deprecated, or
// gone, in a cluster of that minor version of Kubernetes; empty where it is fine.
func Deprecated(o render.Object, minor int) string {
	object, err := kinds().New(kindOf(o))
	if err != nil {
		return ""
	}
	by := ""
	if r, ok := object.(replacement); ok {
		by = fmt.Sprintf(": write %s instead", r.APILifecycleReplacement().GroupVersion())
	}
	if r, ok := object.(removed); ok {
		if _, since := r.APILifecycleRemoved(); minor >= since {
			return fmt.Sprintf("%s is gone since Kubernetes 1.%d%s", o.APIVersion, since, by)
		}
	}
	if d, ok := object.(deprecated); ok {
		if _, since := d.APILifecycleDeprecated(); minor >= since {
			return fmt.Sprintf("%s is deprecated since Kubernetes 1.%d%s", o.APIVersion, since, by)
		}
	}
	return ""
}
