// Package schema tells whether the API server of a cluster would take an object as
// it is written: with a name, of a kind and version that there is, and with the
// fields and types of that kind alone.
//
// Built-in kinds are held strictly against the types of this release of
// Kubernetes, custom kinds against the definitions that the caller has. A custom
// kind without a definition is not judged. Values are not part of any message,
// because an object can hold secrets. Rules in CEL of a definition are not
// evaluated.
package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	gvk "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	builtin "k8s.io/client-go/kubernetes/scheme"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

var (
	kinds   = scheme()
	decoder = serializer.NewCodecFactory(kinds, serializer.EnableStrict).UniversalDeserializer()
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
	custom map[gvk.GroupVersionKind]*definition // nil where the definition cannot be used
	kinds  map[gvk.GroupKind]bool               // that have a definition, in any version
}

// definition is one version of a custom kind.
type definition struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	cluster    bool // belongs to no namespace
}

// New takes the custom resource definitions among objects.
func New(objects []render.Object) *Schemas {
	s := &Schemas{custom: make(map[gvk.GroupVersionKind]*definition), kinds: make(map[gvk.GroupKind]bool)}
	for _, o := range objects {
		var crd apiextensionsv1.CustomResourceDefinition
		if o.Kind != "CustomResourceDefinition" || into(o.Content, &crd) != nil {
			continue
		}
		for _, v := range crd.Spec.Versions {
			kind := gvk.GroupVersionKind{Group: crd.Spec.Group, Version: v.Name, Kind: crd.Spec.Names.Kind}
			s.kinds[kind.GroupKind()] = true
			if v.Served {
				s.custom[kind] = compile(v, crd.Spec.Scope == apiextensionsv1.ClusterScoped)
			}
		}
	}
	return s
}

func into(content, v any) error {
	data, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

func compile(v apiextensionsv1.CustomResourceDefinitionVersion, cluster bool) *definition {
	var internal apiextensions.CustomResourceValidation
	convert := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation
	if v.Schema == nil || convert(v.Schema, &internal, nil) != nil {
		return nil
	}
	structural, err := schema.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		return nil
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		return nil
	}
	return &definition{structural: structural, validator: validator, cluster: cluster}
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
		for known := range kinds.AllKnownTypes() {
			if known.Kind == o.Kind {
				return true
			}
		}
		return false
	}
	return kinds.IsGroupRegistered(kind.Group) || s.kinds[kind.GroupKind()]
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
	case kinds.IsGroupRegistered(kind.Group):
		problems = append(problems, strict(o)...)
	case d != nil:
		problems = append(problems, d.problems(o)...)
	case s.kinds[kind.GroupKind()] && !served:
		problems = append(problems, fmt.Sprintf("its definition does not serve the version %s", o.APIVersion))
	}
	return problems
}

// strict decodes an object of a built-in kind as the API server does.
func strict(o render.Object) []string {
	if !kinds.Recognizes(kindOf(o)) {
		return []string{fmt.Sprintf("Kubernetes has no kind %s in %s", o.Kind, o.APIVersion)}
	}
	data, err := json.Marshal(o.Content)
	if err != nil {
		return []string{"it cannot be written as JSON"}
	}
	_, _, err = decoder.Decode(data, nil, nil)
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

// problems holds an object against its definition.
func (d *definition) problems(o render.Object) []string {
	content, _ := whole(o.Content).(map[string]any)
	var problems []string
	for _, field := range pruning.PruneWithOptions(
		content, d.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true},
	) {
		problems = append(problems, fmt.Sprintf("unknown field %q", field))
	}
	defaulting.Default(content, d.structural)
	for _, err := range validation.ValidateCustomResource(nil, content, d.validator) {
		problems = append(problems, strings.TrimSuffix(fmt.Sprintf("%s: %s: %s", err.Field, err.Type, err.Detail), ": "))
	}
	if d.cluster && o.Namespace != "" {
		problems = append(problems, "it belongs to the cluster, and names a namespace")
	}
	slices.Sort(problems)
	return problems
}

// whole copies a value with its numbers as a decoder of JSON would have them.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = whole(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = whole(e)
		}
		return out
	case int:
		return int64(v)
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
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
	object, err := kinds.New(kindOf(o))
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
