package examples_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// definitions are the schemas of the kinds that the units use; of all, if units is nil.
func definitions(t *testing.T, units []unit) *schema.Schemas {
	t.Helper()
	wanted := make(map[string]bool)
	for _, u := range units {
		for _, o := range u.objects {
			wanted[o.Kind] = true
		}
	}
	data, err := os.ReadFile(tooltest.File(t, "crds.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var found []render.Object
	for document := range bytes.SplitSeq(data, []byte("\n---\n")) {
		if m := definedKind.FindSubmatch(document); m == nil || units != nil && !wanted[string(m[1])] { // parsing all takes seconds
			continue
		}
		o := render.Object{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"}
		if err := yaml.Unmarshal(document, &o.Content); err != nil {
			t.Fatal(err)
		}
		found = append(found, o)
	}
	return schema.New(found)
}

var definedKind = regexp.MustCompile(`(?m)^    kind: (\w+)$`)

// unfit says what the API server would not take, and of how many built-in and
// custom kinds of objects that was asked.
func unfit(known *schema.Schemas, units []unit) (problems []string, builtin, custom int) {
	for _, u := range units {
		for _, o := range u.objects {
			if !known.Knows(o) {
				problems = append(problems, fmt.Sprintf("%s: %s: nothing defines %s %s", u.name, o, o.APIVersion, o.Kind))
				continue
			}
			if slices.Contains(customGroups, group(o)) {
				custom++
			} else {
				builtin++
			}
			for _, p := range known.Problems(o) {
				problems = append(problems, fmt.Sprintf("%s: %s: %s", u.name, o, p))
			}
		}
	}
	return problems, builtin, custom
}

func TestObjectsFitTheirDefinitions(t *testing.T) {
	t.Parallel()
	files := exampleTree(t)
	units := files.render(t)
	known := definitions(t, units)
	problems, builtin, custom := unfit(known, units)
	for _, p := range problems {
		t.Error(p)
	}
	if builtin < 400 || custom < 100 {
		t.Errorf("only %d objects of built-in and %d of custom kinds were judged: something is not rendered", builtin, custom)
	}
	t.Logf("%d objects of built-in kinds, %d of custom kinds", builtin, custom)

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
			"spec.disruption.consolidationPolicy: Unsupported value",
		},
		"rule of the definition": {
			"platform/nodes/nodeclass.yaml", "al2023@v20260930", "al2023", "spec.amiSelectorTerms[0].alias: Invalid value",
		},
		"version not served": {
			"platform/secret-store/store.yaml", "external-secrets.io/v1\n", "external-secrets.io/v2\n",
			"its definition does not serve the version external-secrets.io/v2",
		},
		"namespace of a cluster": {
			"platform/signatures/waybill.yaml", "  name: signed-by-deliver\n",
			"  name: signed-by-deliver\n  namespace: kyverno\n", "it belongs to the cluster, and names a namespace",
		},
		"misspelt sync option": {
			"clusters/base/apps/backend.yaml", "syncOptions:", "syncOption:", `unknown field "spec.syncPolicy.syncOption"`,
		},
		"unknown field of a built-in kind": {
			"platform/admission/services.yaml", "failurePolicy: Fail", "failurePolicies: Fail",
			`unknown field "spec.failurePolicies"`,
		},
		"version that is not": {
			"platform/storage/gp3.yaml", "storage.k8s.io/v1\n", "storage.k8s.io/v2\n",
			"Kubernetes has no kind StorageClass in storage.k8s.io/v2",
		},
		"kind that is not": {
			"namespaces/shop/quota.yaml", "kind: ResourceQuota", "kind: ResourceQuote", "Kubernetes has no kind ResourceQuote in v1",
		},
		"group that is not": {
			"namespaces/components/baseline/read-only.yaml", "apiVersion: rbac.authorization.k8s.io/v1",
			"apiVersion: rbac.authorisation.k8s.io/v1",
			"nothing defines rbac.authorisation.k8s.io/v1 RoleBinding",
		},
		"another type of a built-in kind": {
			"platform/storage/gp3.yaml", "allowVolumeExpansion: true", "allowVolumeExpansion: maybe",
			"cannot unmarshal string into Go struct field StorageClass.allowVolumeExpansion",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems, _, _ := unfit(known, files.with(t, m.file, m.old, m.new).renderChanged(t, units, m.file))
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.want) }) {
				t.Errorf("got %q, want %q", problems, m.want)
			}
		})
	}
}

// customGroups are the API groups that a definition of the platform brings, not
// Kubernetes.
var customGroups = []string{
	"argoproj.io", "bitnami.com", "cert-manager.io", "external-secrets.io", "gateway.envoyproxy.io", "gateway.networking.k8s.io",
	"karpenter.k8s.aws", "karpenter.sh", "monitoring.coreos.com", "policies.kyverno.io", "snapshot.storage.k8s.io", "velero.io",
}

func group(o render.Object) string {
	group, _, versioned := strings.Cut(o.APIVersion, "/")
	if !versioned {
		return ""
	}
	return group
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
