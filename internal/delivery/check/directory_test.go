package check_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

// Deployers and owners name paths from the top of the repository, also where the config
// repository is a directory of it. What they name beside it is no place.
func TestADirectoryInItsRepository(t *testing.T) {
	t.Parallel()
	application := func(env, path string) string {
		return "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: demo-" + env + "}\nspec:\n  source:\n" +
			"    repoURL: https://github.com/acme/shop\n    targetRevision: main\n    path: " + path + "\n"
	}
	files := configrepotest.With(configrepotest.Files("demo-api"), map[string]string{
		"clusters/dev/app.yaml":         application("dev", "deploy/shop/apps/demo-api/overlays/dev"),
		"../../.github/CODEOWNERS":      "/deploy/shop/ @acme/platform\n/src/ @acme/developers\n*.md @acme/writers\n",
		"../../src/k8s/deployment.yaml": configrepotest.Deployment("other", "other"),
	})
	template := &world{Repo: configrepotest.Directory(t, files), images: evidencetest.NewRegistry(image(1))}
	template.Deploy(t, "main", "dev", "demo-api", demo(1))
	template.Clock.Pass(time.Hour)
	stagingAt := func(path string) map[string]string {
		return map[string]string{"clusters/staging/app.yaml": application("staging", path)}
	}
	owners := func(text string) map[string]string { return map[string]string{"../../.github/CODEOWNERS": text} }
	for what, test := range map[string]struct {
		change map[string]string
		want   string // of the finding; empty for none
	}{
		"a place":             {stagingAt("deploy/shop/apps/demo-api/overlays/staging"), ""},
		"a place, with a dot": {stagingAt("./deploy/shop/apps/demo-api/overlays/staging/"), ""},
		"the same path from the top": {stagingAt("apps/demo-api/overlays/staging"),
			"protection: this change takes protection away: Application demo-staging of clusters/staging/app.yaml is new"},
		"another directory": {stagingAt("src/k8s"), "Application demo-staging"},
		"a directory of a like name": {stagingAt("deploy/shopping"),
			"Application demo-staging"},
		"out and elsewhere": {stagingAt("deploy/shop/../../src/k8s"),
			"Application demo-staging"},
		"from a place to elsewhere": {map[string]string{"clusters/dev/app.yaml": application("dev", "src/k8s")},
			"spec.source.path goes from deploy/shop/apps/demo-api/overlays/dev to src/k8s"},
		"a base outside": {map[string]string{
			"apps/demo-api/overlays/staging/kustomization.yaml": strings.Replace(at(1), "../../base", "../../../../../../src/k8s", 1),
		}, "render: "},
		"source":       {map[string]string{"../../src/k8s/deployment.yaml": "{", "../../platform/x.yaml": "{"}, ""},
		"owners":       {owners("* @mallory\n"), `.github/CODEOWNERS drops or changes "/deploy/shop/ @acme/platform"`},
		"more owners":  {owners("/deploy/shop/ @acme/platform\n*.md @acme/writers\n/deploy/ @mallory\n"), `adds "/deploy/ @mallory"`},
		"other owners": {owners("/deploy/shop/ @acme/platform\n/src/ @ada\n/deploy/shopping @ada\n*.md @acme/writers\n"), ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.Write(t, "change", "change", test.change)
			got := w.findings(t, "main", "change")
			switch found := slices.ContainsFunc(got, func(f string) bool { return strings.Contains(f, test.want) }); {
			case test.want == "" && len(got) > 0:
				t.Errorf("got %q", got)
			case test.want != "" && !found:
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
