package examples_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// customGroups are the API groups that a definition of the platform brings, not
// Kubernetes; crd_test.go holds their objects against it.
var customGroups = []string{
	"argoproj.io", "cert-manager.io", "external-secrets.io", "karpenter.k8s.aws", "karpenter.sh",
	"monitoring.coreos.com", "policies.kyverno.io", "snapshot.storage.k8s.io", "velero.io",
}

func group(o render.Object) string {
	group, _, versioned := strings.Cut(o.APIVersion, "/")
	if !versioned {
		return ""
	}
	return group
}

// decode says why Kubernetes would not take an object of a built-in kind: a
// kind or version that it does not have, a field it does not know, a value of
// another type.
func decode(o render.Object) error {
	data, err := json.Marshal(o.Content)
	if err != nil {
		return err
	}
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	_, _, err = codecs.UniversalDeserializer().Decode(data, nil, nil)
	return err
}

// undecodable lists the objects of built-in kinds that do not decode, and how
// many do.
func undecodable(units []unit) (problems []string, decoded int) {
	for _, u := range units {
		for _, o := range u.objects {
			if slices.Contains(customGroups, group(o)) {
				continue
			}
			if err := decode(o); err != nil {
				problems = append(problems, fmt.Sprintf("%s: %s: %v", u.name, o, err))
				continue
			}
			decoded++
		}
	}
	return problems, decoded
}

func TestBuiltInKindsDecodeStrictly(t *testing.T) {
	t.Parallel()
	problems, decoded := undecodable(exampleTree(t).render(t))
	for _, p := range problems {
		t.Error(p)
	}
	if decoded < 400 {
		t.Errorf("only %d objects were decoded: something is not rendered", decoded)
	}
	t.Logf("%d objects of built-in kinds", decoded)
}

func TestWhatDoesNotDecode(t *testing.T) {
	t.Parallel()
	files := exampleTree(t)
	units := files.render(t)
	for name, m := range map[string]struct{ file, old, new, want string }{
		"unknown field": {
			"platform/admission/services.yaml", "failurePolicy: Fail", "failurePolicies: Fail",
			`unknown field "spec.failurePolicies"`,
		},
		"version that is not": {
			"platform/storage/gp3.yaml", "storage.k8s.io/v1\n", "storage.k8s.io/v2\n",
			`no kind "StorageClass" is registered for version "storage.k8s.io/v2"`,
		},
		"kind that is not": {
			"namespaces/shop/quota.yaml", "kind: ResourceQuota", "kind: ResourceQuote", `no kind "ResourceQuote" is registered`,
		},
		"group that is not": {
			"namespaces/components/baseline/read-only.yaml", "apiVersion: rbac.authorization.k8s.io/v1",
			"apiVersion: rbac.authorisation.k8s.io/v1",
			`no kind "RoleBinding" is registered for version "rbac.authorisation.k8s.io/v1"`,
		},
		"another type": {
			"platform/storage/gp3.yaml", "allowVolumeExpansion: true", "allowVolumeExpansion: maybe",
			"cannot unmarshal string into Go struct field StorageClass.allowVolumeExpansion",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, _ := undecodable(files.with(t, m.file, m.old, m.new).renderChanged(t, units, m.file))
			if len(problems) == 0 || !strings.Contains(problems[0], m.want) {
				t.Errorf("got %q, want %q", problems, m.want)
			}
		})
	}
}

// duplicates lists the YAML files with a key given twice, of which a parser
// would quietly take the last.
func duplicates(files tree) []string {
	var problems []string
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(file, ".yaml") && !strings.HasSuffix(file, ".yml") || strings.Contains(file, "/chart/templates/") {
			continue
		}
		for document := range strings.SplitSeq("\n"+string(files[file]), "\n---") {
			var content any
			if err := yaml.UnmarshalStrict([]byte(document), &content); err != nil {
				problems = append(problems, fmt.Sprintf("%s: %v", file, err))
			}
		}
	}
	return problems
}

func TestNoKeyIsGivenTwice(t *testing.T) {
	t.Parallel()
	files := exampleTree(t)
	for _, p := range duplicates(files) {
		t.Error(p)
	}
	twice := files.with(t, "platform/storage/gp3.yaml", "provisioner: ebs.csi.aws.com", "provisioner: ebs.csi.aws.com\nprovisioner: other")
	if got := duplicates(twice); len(got) != 1 || !strings.Contains(got[0], `"provisioner" already`) &&
		!strings.Contains(got[0], "provisioner") {
		t.Errorf("a key given twice: %q", got)
	}
}
