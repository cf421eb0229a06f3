package render_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
)

// Errors of Kustomize, YAML and Helm quote what they read. Of a Secret nothing
// may be quoted, and the cause is told all the same.
func TestErrorsQuoteNoSecret(t *testing.T) {
	t.Parallel()
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
	for name, c := range map[string]struct{ kustomization, secret, want string }{
		"key twice": {
			"resources: [s.yaml]", secret + "stringData: {a: hunter2secret, a: hunter2secret}\n",
			"render app: a key stands twice in one mapping (line",
		},
		"not a number": {"resources: [s.yaml]", secret + "stringData: {a: !!int hunter2secret}\n", "render app: "},
		"literal": {
			"secretGenerator: [{name: s, literals: [hunter2secret]}]", "", "render app: a literal of a generator is not KEY=VALUE",
		},
		"patch": {
			"resources: [s.yaml]\npatches:\n- target: {kind: Secret}\n  patch: |\n    stringData: hunter2secret: hunter2secret\n",
			secret, "render app: a patch cannot be read",
		},
		"patch in file": {"resources: [s.yaml]\npatches: [{path: hunter.yaml}]", secret, "render app: "},
		"wrong kind": {
			"secretGenerator: hunter2secret", "",
			"app/kustomization.yaml: a value is not of the kind that is wanted there (line 1)",
		},
		"environment": {"secretGenerator: [{name: s, envs: [bad.env]}]", "", "render app: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := renderer(t, map[string][]byte{
				"app/kustomization.yaml": []byte(c.kustomization), "app/s.yaml": []byte(c.secret),
				"app/bad.env":     []byte("A=hunter2secret\nA=hunter2again\n"),
				"app/hunter.yaml": []byte("hunter2secret\n"),
			}).Kustomize("app")
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") ||
				!strings.Contains(err.Error(), "are hidden") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	files := map[string][]byte{
		"chart/Chart.yaml": []byte("apiVersion: v2\nname: c\nversion: 0.1.0\n"), "o/values.yaml": []byte("password: hunter2secret\n"),
		"chart/templates/s.yaml": []byte("kind: Secret\nstringData: {a: {{ fail .Values.password }}}\n"),
	}
	_, err := renderer(t, files).Helm(config.Helm{Chart: "chart", Release: "r"}, "o/values.yaml")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "(hidden)") {
		t.Errorf("helm: got %v", err)
	}
}
