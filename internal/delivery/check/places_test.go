package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

// The head's waybill.yaml does not decide what is judged: its files are what is
// deployed, whatever it says of them.
func TestPlacesAreThoseOfBaseAndHead(t *testing.T) {
	t.Parallel()
	template := newWorld(t)
	config := configrepotest.Config("demo-api")
	replaced := func(old, by string) string {
		t.Helper()
		if !strings.Contains(config, old) {
			t.Fatalf("the configuration has no %q", old)
		}
		return strings.ReplaceAll(config, old, by)
	}
	decoy := strings.ReplaceAll(at(2), "../../base", "../../apps/demo-api/base")
	for what, change := range map[string]map[string]string{
		"the environment goes": {"waybill.yaml": replaced(
			"  - {name: prod, promotion: pull-request, soak: 24h, reviewers: [acme/platform], freeze: [{from: 2026-12-20, until: "+
				"2027-01-03, reason: holidays}]}\n",
			"",
		)},
		"the environment has another name": {
			"waybill.yaml": replaced("name: prod", "name: production"), configrepotest.Overlay("demo-api", "production"): at(2),
		},
		"the application leaves it": {"waybill.yaml": replaced(
			"source: acme/demo-api}", "source: acme/demo-api, environments: [dev, staging]}",
		)},
		"the application goes": newApp("demo-web", configrepotest.Config("demo-web")),
		"the application has another name": {
			"waybill.yaml":                     replaced("  demo-api: {", "  demo: {overlay: \"apps/demo/{env}\", "),
			"apps/demo/dev/kustomization.yaml": decoy, "apps/demo/staging/kustomization.yaml": decoy,
			"apps/demo/prod/kustomization.yaml": decoy,
		},
		"the overlay is another": {
			"waybill.yaml":                 replaced("source: acme/demo-api}", "source: acme/demo-api, overlay: \"decoy/{env}\"}"),
			"decoy/dev/kustomization.yaml": decoy, "decoy/staging/kustomization.yaml": decoy,
			"decoy/prod/kustomization.yaml": decoy,
		},
		"the overlay is another file": {
			"waybill.yaml":       replaced("source: acme/demo-api}", "source: acme/demo-api, overlay: \"decoy/{env}.yaml\"}"),
			"decoy/dev.yaml":     configrepotest.Deployment("a", demo(3).String()),
			"decoy/staging.yaml": configrepotest.Deployment("a", demo(3).String()),
			"decoy/prod.yaml":    configrepotest.Deployment("a", demo(2).String()),
		},
		"the repository is another": {"waybill.yaml": replaced("image: ghcr.io/acme/demo-api", "image: ghcr.io/acme/other")},
		"the same files, by a second name": {"waybill.yaml": replaced(
			"  demo-api: {", "  demo: {overlay: \"apps/demo-api/overlays/{env}\", ",
		)},
		"as a chart, of which nothing is": {"waybill.yaml": replaced(
			"source: acme/demo-api}", "source: acme/demo-api, helm: {chart: nothing}}",
		)},
		"the environments are in another order": {"waybill.yaml": strings.Replace(
			replaced("  - {name: dev, promotion: auto}\n", ""), "apps:\n", "  - {name: dev, promotion: auto}\napps:\n", 1,
		)},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			w.images.Push(evidencetest.Image{App: "demo-web", N: 1, At: w.Clock.Now()})
			files := map[string]string{prod: at(4)}
			for name, text := range change {
				files[name] = text
			}
			w.Write(t, "change", "the change", files)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if want := "refused order: " + demo(4).Short() + ": has not run in staging"; !strings.Contains(got, want) {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// Moving an overlay, or deleting one, brings nothing new.
func TestMovedPlacesAreNotJudgedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	moved := strings.ReplaceAll(at(2), "../../base", "../../apps/demo-api/base")
	w.Write(t, "change", "move", map[string]string{
		"waybill.yaml": strings.ReplaceAll(
			configrepotest.Config("demo-api"), "source: acme/demo-api}", "source: acme/demo-api, overlay: \"o/{env}\"}",
		),
		"o/dev/kustomization.yaml":     strings.ReplaceAll(at(3), "../../base", "../../apps/demo-api/base"),
		"o/staging/kustomization.yaml": strings.ReplaceAll(at(3), "../../base", "../../apps/demo-api/base"),
		"o/prod/kustomization.yaml":    moved, dev: "", staging: "", prod: "",
	})
	if got := w.findings(t, "main", "change"); len(got) != 0 {
		t.Errorf("got %s", strings.Join(got, "\n"))
	}
}

// What a file named before it was a place did not run there: a text that nobody
// judged, which then becomes an overlay, gives no digest a past.
func TestNothingRanBeforeThePlace(t *testing.T) {
	t.Parallel()
	text := func(n int) string { return configrepotest.Deployment("demo-api", demo(n).String()) }
	for what, change := range map[string]map[string]string{
		"in the environment before": {"drafts/staging.md": text(4)}, "in the environment": {"drafts/prod.md": text(4)},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Write(t, "main", "a draft", change)
			w.Clock.Pass(48 * time.Hour)
			w.Write(t, "main", "drafts become overlays", map[string]string{
				"drafts/dev.md": text(3), "drafts/staging.md": text(3), "drafts/prod.md": text(2),
				"waybill.yaml": strings.Replace(
					w.Text(t, "main", "waybill.yaml"), "source: acme/demo-api}", "source: acme/demo-api, overlay: \"drafts/{env}.md\"}", 1,
				),
			})
			w.Clock.Pass(48 * time.Hour)
			w.Write(t, "change", "the change", map[string]string{"drafts/prod.md": text(4)})
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if want := "refused order: " + demo(4).Short() + ": has not run in staging"; !strings.Contains(got, want) {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// A pull request that is rebased brings each of its commits, and only the last was
// judged: a digest that one on the way names did not run.
func TestCommitsOnTheWayAreNoDeployments(t *testing.T) {
	t.Parallel()
	for what, overlay := range map[string]string{"in the environment before": staging, "in the environment": prod} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.Text(t, "main", overlay)
			w.Write(t, "main", "on the way", map[string]string{overlay: at(4)})
			w.Clock.Pass(time.Second)
			w.Write(t, "main", "what was judged", map[string]string{overlay: before, "README.md": "more\n"})
			w.Clock.Pass(48 * time.Hour)
			w.Write(t, "change", "the change", map[string]string{prod: at(4)})
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if want := "refused order: " + demo(4).Short() + ": has not run in staging"; !strings.Contains(got, want) {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}
