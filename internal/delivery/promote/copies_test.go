package promote_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

const (
	devConfig     = "apps/demo-api/overlays/dev/config/"
	stagingConfig = "apps/demo-api/overlays/staging/config/"
)

func configMap(level string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {level: " + level + "}\n"
}

// copying is a world in which a directory goes with the image.
func copying(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	overlay := func(env string) string {
		text := w.Text(t, "main", configrepotest.Overlay("demo-api", env))
		return strings.Replace(text, "- ../../base\n", "- ../../base\n  - config\n", 1)
	}
	w.Write(t, "main", "a directory that goes with the image", map[string]string{
		"waybill.yaml": strings.Replace(configrepotest.Config("demo-api"), "source: acme/demo-api}",
			"source: acme/demo-api, promote: {paths: [\"apps/{app}/overlays/{env}/config\"]}}", 1),
		configrepotest.Overlay("demo-api", "dev"): overlay("dev"), configrepotest.Overlay("demo-api", "staging"): overlay("staging"),
		devConfig + "kustomization.yaml": "resources: [settings.yaml]\n", devConfig + "settings.yaml": configMap("debug"),
		stagingConfig + "kustomization.yaml": "resources: [settings.yaml, old.yaml]\n", stagingConfig + "settings.yaml": configMap("info"),
		stagingConfig + "old.yaml": strings.Replace(configMap("info"), "settings", "old", 1),
	})
	return w
}

// Files that go with the image are in the same pull request, shown as what they change,
// and nothing else makes the branch Waybill's own.
func TestPathsGoWithTheImage(t *testing.T) {
	t.Parallel()
	w := copying(t)
	p := w.run(t, promote.Opened)
	want := strings.Join([]string{
		"0\t4\t" + stagingConfig + "old.yaml", "1\t1\t" + stagingConfig + "kustomization.yaml", "1\t1\t" + stagingConfig + "settings.yaml",
		"1\t1\t" + configrepotest.Overlay("demo-api", "staging"),
	}, "\n")
	got := strings.Split(w.Git(t, "diff", "--numstat", "main", branch), "\n")
	for _, line := range strings.Split(want, "\n") {
		if !strings.Contains(strings.Join(got, "\n"), line) || len(got) != 4 {
			t.Errorf("the branch changes %q, want %q", got, want)
		}
	}
	body := w.pull(t, p.Number).Body
	for _, said := range []string{"3 files copied from dev", stagingConfig + "old.yaml", "data.level", "debug"} {
		if !strings.Contains(body, said) {
			t.Errorf("the pull request does not say %q:\n%s", said, body)
		}
	}
	w.run(t, promote.Unchanged)

	// What changes in dev brings the branch up to date.
	w.Write(t, "main", "another level", map[string]string{devConfig + "settings.yaml": configMap("trace")})
	w.run(t, promote.Updated)
	if text := w.Text(t, branch, stagingConfig+"settings.yaml"); text != strings.TrimSpace(configMap("trace")) {
		t.Errorf("the branch has %s", text)
	}

	// Anything that is not exactly that copy is somebody else's.
	w.Write(t, branch, "and this", map[string]string{stagingConfig + "settings.yaml": configMap("none")})
	w.run(t, promote.Foreign)
}

// A change of the files alone is promoted like another digest.
func TestPathsGoWithoutAnotherImage(t *testing.T) {
	t.Parallel()
	w := copying(t)
	w.Write(t, "main", "the same image", map[string]string{
		configrepotest.Overlay("demo-api", "staging"): w.Text(t, "main", configrepotest.Overlay("demo-api", "dev")),
	})
	w.run(t, promote.Opened)
	if got := w.Git(t, "diff", "--name-only", "main", branch); strings.Contains(got, configrepotest.Overlay("demo-api", "staging")) ||
		!strings.Contains(got, stagingConfig+"settings.yaml") {
		t.Errorf("the branch changes %q", got)
	}
	w.run(t, promote.Unchanged)
}
