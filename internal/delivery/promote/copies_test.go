package promote_test

import (
	"strings"
	"testing"
	"time"

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

// Keys of a file of values go with the image that stands in the same file; everything
// else in it stays. A key that holds the image does not go.
func TestKeysGoWithTheImage(t *testing.T) {
	t.Parallel()
	keys := func(list string) string {
		return strings.Replace(configrepotest.Config("demo-api"), "source: acme/demo-api}",
			"source: acme/demo-api, helm: {chart: chart}, promote: {paths: ["+list+"]}}", 1)
	}
	values := func(n int, level, env string) string {
		return "image:\n  repository: ghcr.io/acme/demo-api\n  digest: " + demo(n).Digest() + "\nconfig:\n  logLevel: " + level +
			" # of " + env + "\n  url: " + env + "\n"
	}
	files := map[string]string{
		"waybill.yaml":     keys(`"apps/{app}/overlays/{env}/values.yaml#/config/logLevel"`),
		"chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n",
		"chart/templates/x.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {spec: {containers: [{name: x, " +
			"image: \"{{ .Values.image.repository }}@{{ .Values.image.digest }}\", args: [\"{{ .Values.config.logLevel }}\"]}]}}}\n",
	}
	for _, env := range []string{"dev", "staging", "prod"} {
		files[configrepotest.Overlay("demo-api", env)] = ""
		files["apps/demo-api/overlays/"+env+"/values.yaml"] = values(1, "info", env)
	}
	w := newWorld(t)
	w.Write(t, "main", "values", files)
	w.Write(t, "main", "next", map[string]string{"apps/demo-api/overlays/dev/values.yaml": values(2, "debug", "dev")})
	w.Clock.Pass(48 * time.Hour)
	const at = "apps/demo-api/overlays/staging/values.yaml"
	w.run(t, promote.Opened)
	if got := w.Text(t, branch, at); got != strings.TrimSpace(values(2, "debug", "staging")) {
		t.Errorf("the branch has\n%s", got)
	}
	w.run(t, promote.Unchanged)
	// A level alone goes too, and makes a branch of Waybill's own.
	w.Write(t, "main", "the same image", map[string]string{at: values(2, "info", "staging")})
	w.run(t, promote.Updated)
	if got := w.Git(t, "diff", "--numstat", "main", branch); got != "1\t1\t"+at {
		t.Errorf("the branch changes %q", got)
	}
	w.run(t, promote.Unchanged)
	w.Write(t, branch, "and this", map[string]string{at: values(2, "trace", "staging")})
	w.run(t, promote.Foreign)

	w.Write(t, "main", "too much", map[string]string{
		"waybill.yaml": keys(`"apps/{app}/overlays/{env}/values.yaml#/image"`), at: values(1, "info", "staging"),
	})
	_, err := w.promoter().Run(t.Context(), promote.Request{From: "dev", To: "staging", Branch: "main"})
	if err == nil || !strings.Contains(err.Error(), "the image of demo-api in staging is among what they copy") {
		t.Errorf("got %v", err)
	}
}
