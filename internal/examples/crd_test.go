package examples_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// definition is one version of a custom resource, as the API server compiles it.
type definition struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *schemacel.Validator
	scope      apiextensionsv1.ResourceScope
}

// definitions are those of the kinds that the units use, by apiVersion and kind.
func definitions(t *testing.T, units []unit) map[string]definition {
	t.Helper()
	wanted := make(map[string]bool)
	for _, u := range units {
		for _, o := range u.objects {
			if slices.Contains(customGroups, group(o)) {
				wanted[o.APIVersion+" "+o.Kind] = true
			}
		}
	}
	data, err := os.ReadFile(tooltest.File(t, "crds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]definition)
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(wanted)), func(key string) bool { // parsing all takes seconds
			_, kind, _ := strings.Cut(key, " ")
			return bytes.Contains(document, []byte("\n    kind: "+kind+"\n"))
		}) {
			continue
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(document, &crd); err != nil {
			t.Fatal(err)
		}
		for _, v := range crd.Spec.Versions {
			if key := crd.Spec.Group + "/" + v.Name + " " + crd.Spec.Names.Kind; v.Served && wanted[key] {
				found[key] = compile(t, key, v, crd.Spec.Scope)
			}
		}
	}
	return found
}

func compile(t *testing.T, key string, v apiextensionsv1.CustomResourceDefinitionVersion, scope apiextensionsv1.ResourceScope) definition {
	t.Helper()
	var internal apiextensions.CustomResourceValidation
	convert := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation
	if err := convert(v.Schema, &internal, nil); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	structural, err := schema.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return definition{structural, validator, schemacel.NewValidator(structural, true, cel.PerCallLimit), scope}
}

// judge says what the API server would: unknown fields, values that do not fit,
// rules that do not hold, a namespace where there is none.
func (d definition) judge(ctx context.Context, o render.Object) []string {
	content := runtime.DeepCopyJSON(normal(o.Content).(map[string]any))
	var problems []string
	for _, unknown := range pruning.PruneWithOptions(
		content, d.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true},
	) {
		problems = append(problems, fmt.Sprintf("unknown field %q", unknown))
	}
	defaulting.Default(content, d.structural)
	errs := validation.ValidateCustomResource(nil, content, d.validator)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, d.structural, content)...)
	if len(errs) == 0 && d.rules != nil {
		broken, _ := d.rules.Validate(ctx, field.NewPath(""), d.structural, content, nil, cel.RuntimeCELCostBudget)
		errs = append(errs, broken...)
	}
	for _, err := range errs {
		problems = append(problems, err.Error())
	}
	if d.scope == apiextensionsv1.ClusterScoped && o.Namespace != "" {
		problems = append(problems, "it belongs to the cluster, but has a namespace")
	}
	return problems
}

// normal turns numbers into what decoded JSON has.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = normal(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = normal(e)
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

func unfit(t *testing.T, known map[string]definition, units []unit) (problems []string, judged int) {
	t.Helper()
	for _, u := range units {
		for _, o := range u.objects {
			if !slices.Contains(customGroups, group(o)) {
				continue
			}
			d, ok := known[o.APIVersion+" "+o.Kind]
			if !ok {
				problems = append(problems, fmt.Sprintf("%s: %s: no definition serves %s %s", u.name, o, o.APIVersion, o.Kind))
				continue
			}
			judged++
			for _, p := range d.judge(t.Context(), o) {
				problems = append(problems, fmt.Sprintf("%s: %s: %s", u.name, o, p))
			}
		}
	}
	return problems, judged
}

func TestCustomResourcesFitTheirDefinitions(t *testing.T) {
	t.Parallel()
	files := exampleTree(t)
	units := files.render(t)
	known := definitions(t, units)
	problems, judged := unfit(t, known, units)
	for _, p := range problems {
		t.Error(p)
	}
	if judged < 100 {
		t.Errorf("only %d objects were judged: something is not rendered", judged)
	}
	t.Logf("%d objects of %d custom kinds", judged, len(known))

	for name, m := range map[string]struct{ file, old, new, want string }{
		"unknown field": {
			"platform/certificates/issuers.yaml", "privateKeySecretRef", "privateKeySecretReference",
			`unknown field "spec.acme.privateKeySecretReference"`,
		},
		"missing field": {
			"platform/certificates/issuers.yaml", "    privateKeySecretRef: {name: letsencrypt-account}\n", "",
			"spec.acme.privateKeySecretRef: Required value",
		},
		"another type": {"platform/backups/schedules.yaml", "ttl: 720h", "ttl: 720", "spec.template.ttl: Invalid value"},
		"value not in its list": {
			"platform/nodes/nodepools.yaml", "consolidationPolicy: WhenEmptyOrUnderutilized", "consolidationPolicy: Sometimes",
			`spec.disruption.consolidationPolicy: Unsupported value: "Sometimes"`,
		},
		"rule of the definition": {
			"platform/nodes/nodeclass.yaml", "al2023@v20260930", "al2023", "spec.amiSelectorTerms[0].alias: Invalid value",
		},
		"version not served": {
			"platform/secret-store/store.yaml", "external-secrets.io/v1\n", "external-secrets.io/v2\n",
			"no definition serves external-secrets.io/v2 ClusterSecretStore",
		},
		"namespace of a cluster": {
			"platform/signatures/signed-by-deliver.yaml", "  name: signed-by-deliver\n",
			"  name: signed-by-deliver\n  namespace: kyverno\n", "it belongs to the cluster, but has a namespace",
		},
		"misspelt sync option": {
			"clusters/base/apps/backend.yaml", "syncOptions:", "syncOption:", `unknown field "spec.syncPolicy.syncOption"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, _ := unfit(t, known, files.with(t, m.file, m.old, m.new).renderChanged(t, units, m.file))
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.want) }) {
				t.Errorf("got %q, want %q", problems, m.want)
			}
		})
	}
}
