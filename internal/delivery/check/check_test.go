package check_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/check"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

func image(n int) evidencetest.Image {
	return evidencetest.Image{App: "demo-api", N: n, At: configrepotest.Start.Add(time.Duration(n) * time.Minute)}
}

// world is a config repository with demo-api 2 in dev, staging and, for two
// days, prod, where 1 ran before; 3 is in dev and staging for a day.
type world struct {
	*configrepotest.Repo
	images *evidencetest.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Repo: configrepotest.Local(t, configrepotest.Files("demo-api")), images: images()}
	for _, env := range []string{"dev", "staging", "prod"} {
		for n := 1; n <= 2; n++ {
			w.Clock.Pass(time.Hour)
			w.Deploy(t, "main", env, "demo-api", demo(n))
		}
	}
	w.Clock.Pass(24 * time.Hour)
	w.Deploy(t, "main", "dev", "demo-api", demo(3))
	w.Deploy(t, "main", "staging", "demo-api", demo(3))
	w.Clock.Pass(24 * time.Hour)
	return w
}

func images() *evidencetest.Registry {
	return evidencetest.NewRegistry(image(1), image(2), image(3), image(4))
}

func (w *world) copy(t *testing.T) *world {
	t.Helper()
	return &world{Repo: w.Copy(t), images: images()}
}

func (w *world) checker() *check.Checker {
	return &check.Checker{Repo: w.Repo, Judge: &rules.Judge{Collect: w.images.Collect, Now: w.Clock.Now,
		Relate: func(_ context.Context, _, base, head string) (rules.Relation, error) {
			if head[:7] < base[:7] {
				return rules.Older, nil
			}
			return rules.Newer, nil
		}}}
}

// findings are of what a branch would change.
func (w *world) findings(t *testing.T, base, head string) []string {
	t.Helper()
	result, err := w.checker().Run(t.Context(), base, head)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, f := range result.Findings {
		at := f.File
		if f.Line > 0 {
			at += fmt.Sprint(":", f.Line)
		}
		list = append(list, fmt.Sprintf("%s %s %s: %s", at, f.State, f.Rule, f.Message))
	}
	return list
}

var (
	dev, staging = configrepotest.Overlay("demo-api", "dev"), configrepotest.Overlay("demo-api", "staging")
	prod         = configrepotest.Overlay("demo-api", "prod")
	deployment   = "apps/demo-api/base/deployment.yaml"
)

func at(n int) string { return configrepotest.OverlayText("demo-api", demo(n).Digest()) }

func tagged(tag string) string {
	return "resources:\n  - ../../base\nimages:\n  - name: demo-api\n    newName: ghcr.io/acme/demo-api\n    newTag: " + tag + "\n"
}

func TestChange(t *testing.T) {
	t.Parallel()
	config := configrepotest.Config("demo-api")
	sidecar := func(image string) string {
		return configrepotest.Deployment("demo-api", "demo-api") + "        - name: sidecar\n          image: " + image + "\n"
	}
	template := newWorld(t)
	unsigned := func(w *world) { i := image(3); i.Without = []evidence.Kind{evidence.Signature}; w.images.Push(i) }
	for what, test := range map[string]struct {
		main   map[string]string // before the change
		world  func(*world)
		change map[string]string
		want   []string // each a part of one finding, in order; none is allowed
	}{
		"the promotion": {change: map[string]string{prod: at(3)}},
		"an unsigned digest, by hand": {
			world: unsigned, change: map[string]string{prod: at(3)},
			want: []string{prod + ":6 refused signature: " + demo(3).Short() + ": no signature record"},
		},
		"a digest that nobody has": {
			change: map[string]string{prod: at(4), "README.md": "x"},
			want: []string{
				prod + ":6 refused order: " + demo(4).Short() + ": has not run in staging, the environment before prod → bring it " +
					"to staging first",
			},
		},
		"skipping an environment": {
			main: map[string]string{dev: at(4)}, change: map[string]string{prod: at(4)}, want: []string{"refused order"},
		},
		"too early": {
			world: func(w *world) { w.Clock.Pass(-time.Hour) }, change: map[string]string{prod: at(3)},
			want: []string{prod + ":6 pending soak: " + demo(3).Short() + ": 23 h in staging, 24 h asked → passes 2026-11-22 18:00 UTC"},
		},
		"in a freeze": {world: func(w *world) {
			w.Clock.Pass(31 * 24 * time.Hour)
			i := image(3)
			i.At = w.Clock.Now()
			w.images.Push(i)
		}, change: map[string]string{prod: at(3)}, want: []string{"pending freeze: " + demo(3).Short() + ": prod is frozen: holidays"}},
		"back to what ran": {change: map[string]string{prod: at(1)}},
		"back to what ran, scanned long ago": {
			world:  func(w *world) { i := image(1); i.At = i.At.AddDate(0, -2, 0); w.images.Push(i) },
			change: map[string]string{prod: at(1)},
		},
		"back to what ran, unsigned": {
			world: func(w *world) {
				i := image(1)
				i.Without = []evidence.Kind{evidence.Signature}
				w.images.Push(i)
			},
			change: map[string]string{prod: at(1)}, want: []string{"refused signature"},
		},
		"older than what runs": {
			main: map[string]string{prod: at(4)}, change: map[string]string{prod: at(3)},
			want: []string{"refused forward: " + demo(3).Short() + ": built from c0ffee3, an ancestor of the deployed c0ffee4"},
		},
		"two at once": {
			change: map[string]string{dev: at(4), staging: at(4)}, want: []string{staging + ":6 refused order"},
		},
		"a scan that is too old": {
			world:  func(w *world) { i := image(3); i.At = i.At.AddDate(0, -2, 0); w.images.Push(i) },
			change: map[string]string{prod: at(3)}, want: []string{"refused scan: " + demo(3).Short() + ": scanned"},
		},
		"a tag": {
			change: map[string]string{dev: tagged("v1")},
			want:   []string{dev + ":6 refused digest: ghcr.io/acme/demo-api is named by the tag \"v1\", which can be moved"},
		},
		"a tag that was there": {
			main: map[string]string{dev: tagged("v1")}, change: map[string]string{dev: tagged("v1") + "# edited\n"},
		},
		"another tag": {
			main: map[string]string{dev: tagged("v1")}, change: map[string]string{dev: tagged("v2")},
			want: []string{`the tag "v2"`},
		},
		"the placeholder, once it ran": {
			change: map[string]string{prod: configrepotest.OverlayText("demo-api", configrepotest.Placeholder)},
			want:   []string{prod + ":6 refused digest: the placeholder digest takes the place of " + demo(2).Short()},
		},
		"no digest any more": {
			change: map[string]string{
				prod: "resources:\n  - ../../base\nimages:\n  - name: demo-api\n    newName: ghcr.io/acme/demo-api\n",
			},
			want: []string{"which names no digest"},
		},
		"a sidecar by tag": {
			change: map[string]string{deployment: sidecar("envoy:v1")},
			want:   []string{"the rendered manifests run envoy:v1", "envoy:v1", "envoy:v1"},
		},
		"a sidecar by digest": {
			change: map[string]string{deployment: sidecar("envoy@sha256:" + strings.Repeat("5", 64))},
			want:   []string{"not allowed", "not allowed", "not allowed"},
		},
		"a sidecar by digest, allowed": {
			main: map[string]string{"waybill.yaml": strings.Replace(
				config, "policy:\n", "policy:\n  images: {allow: [docker.io/library/envoy]}\n", 1,
			)},
			change: map[string]string{deployment: sidecar("envoy@sha256:" + strings.Repeat("5", 64))},
		},
		"a sidecar by tag, allowed": {
			main: map[string]string{"waybill.yaml": strings.Replace(
				config, "policy:\n", "policy:\n  images: {allow: [docker.io/library/envoy]}\n", 1,
			)},
			change: map[string]string{deployment: sidecar("envoy:v1")},
			want:   []string{"which names no digest", "which names no digest", "which names no digest"},
		},
		"a sidecar that was there": {
			main: map[string]string{deployment: sidecar("envoy:v1")}, change: map[string]string{dev: at(2)},
		},
		"the image past the overlay": {
			world: unsigned,
			change: map[string]string{deployment: strings.ReplaceAll(
				sidecar("x"), "image: x", "image: ghcr.io/acme/demo-api:v9@"+demo(3).Digest(),
			)},
			want: []string{prod + " refused signature"},
		},
		"an overlay that is broken":  {change: map[string]string{prod: "images: [\n"}, want: []string{prod}},
		"an overlay that was broken": {main: map[string]string{prod: "images: [\n"}, change: map[string]string{dev: at(2)}},
		"what does not render": {
			change: map[string]string{prod: strings.ReplaceAll(at(2), "../../base", "../../nothing")},
			want:   []string{prod + ":6 refused render"},
		},
		"a base that does not render": {change: map[string]string{deployment: "a: [\n"}, want: []string{"render", "render", "render"}},
		"waybill.yaml that does not parse": {
			change: map[string]string{"waybill.yaml": strings.Replace(config, "promotion: auto", "promotion: never", 1)},
			want:   []string{"waybill.yaml:3 refused waybill.yaml: "},
		},
		"waybill.yaml that is gone": {
			change: map[string]string{"waybill.yaml": "", "README.md": "x"},
			want:   []string{"waybill.yaml refused waybill.yaml: the config repository has no waybill.yaml"},
		},
		"nothing that is deployed": {change: map[string]string{"README.md": "x\n"}},

		// A change does not lift the rules that it is judged by.
		"its own policy": {
			world:  unsigned,
			change: map[string]string{prod: at(3), "waybill.yaml": strings.Replace(config, "policy:\n", "policy:\n  require: [scan]\n", 1)},
			want: []string{
				"refused signature", "protection: this change takes protection away: policy.require drops signature",
				"policy.require drops provenance", "policy.require drops sbom",
			},
		},
		"its own signers": {world: func(w *world) {
			i := image(3)
			i.Workflow = "acme/evil/.github/workflows/x.yml@refs/heads/main"
			w.images.Push(i)
		}, change: map[string]string{
			prod:           at(3),
			"waybill.yaml": strings.ReplaceAll(config, "acme/config/.github/workflows/deliver.yml@", "acme/evil/.github/workflows/x.yml@"),
		}, want: []string{
			"refused signature", "refused provenance", "refused sbom", "refused scan",
			"policy.signers adds https://token.actions.githubusercontent.com acme/evil",
		}},
		"its own source": {
			world: func(w *world) { i := image(3); i.Source = "acme/evil"; w.images.Push(i) },
			change: map[string]string{
				prod: at(3), "waybill.yaml": strings.ReplaceAll(config, "source: acme/demo-api", "source: acme/evil"),
			},
			want: []string{
				"refused signature", "refused provenance", "refused sbom", "refused scan",
				"apps.demo-api.source goes from acme/demo-api to acme/evil",
			},
		},
		"its own soak": {
			world:  func(w *world) { w.Clock.Pass(-time.Hour) },
			change: map[string]string{prod: at(3), "waybill.yaml": strings.ReplaceAll(config, ", soak: 24h", "")},
			want:   []string{"pending soak", "environments.prod.soak goes from 24h0m0s to 0s"},
		},
		"its own freeze": {world: func(w *world) {
			w.Clock.Pass(31 * 24 * time.Hour)
			i := image(3)
			i.At = w.Clock.Now()
			w.images.Push(i)
		}, change: map[string]string{
			prod:           at(3),
			"waybill.yaml": strings.ReplaceAll(config, ", freeze: [{from: 2026-12-20, until: 2027-01-03, reason: holidays}]", ""),
		}, want: []string{"pending freeze", "environments.prod.freeze drops or shortens"}},
		"its own order": {
			main: map[string]string{dev: at(4)},
			change: map[string]string{
				prod:           at(4),
				"waybill.yaml": strings.ReplaceAll(config, "source: acme/demo-api}", "source: acme/demo-api, environments: [prod]}"),
			},
			want: []string{"refused order", "apps.demo-api.environments drops dev", "apps.demo-api.environments drops staging"},
		},
		"its own overlay": {
			main: map[string]string{"hidden/prod/kustomization.yaml": strings.ReplaceAll(
				configrepotest.OverlayText("demo-api", demo(4).Digest()), "../../base", "../../apps/demo-api/base",
			)},
			change: map[string]string{"waybill.yaml": strings.ReplaceAll(
				config, "source: acme/demo-api}", "source: acme/demo-api, overlay: \"hidden/prod\", environments: [prod]}",
			)},
			want: []string{
				"hidden/prod/kustomization.yaml:6 refused order", "apps.demo-api.environments drops dev",
				"apps.demo-api.environments drops staging",
			},
		},
		"a base that mends": {
			main: map[string]string{"waybill.yaml": "broken: [\n"}, change: map[string]string{"waybill.yaml": config},
			want: []string{"waybill.yaml refused protection: this change takes protection away: the base's waybill.yaml cannot be read"},
		},
		"a new application": {world: func(w *world) {
			w.images.Push(evidencetest.Image{App: "web", N: 1, At: w.Clock.Now(), Without: []evidence.Kind{evidence.SBOM}})
		},
			change: newApp("web", configrepotest.Config("demo-api", "web")),
			want:   []string{configrepotest.Overlay("web", "dev") + ":6 refused sbom"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := template.copy(t)
			if test.main != nil {
				w.Write(t, "main", "before", test.main)
			}
			if test.world != nil {
				test.world(w)
			}
			w.Write(t, "change", "the change", test.change)
			got := w.findings(t, "main", "change")
			if len(got) != len(test.want) {
				t.Fatalf("got %d findings, want %d:\n%s", len(got), len(test.want), strings.Join(got, "\n"))
			}
			for i := range test.want {
				if !strings.Contains(got[i], test.want[i]) {
					t.Errorf("finding %d: got %s\nwant %s", i, got[i], test.want[i])
				}
			}
		})
	}
}

func newApp(app, config string) map[string]string {
	files := map[string]string{}
	for name, text := range configrepotest.Files(app) {
		files[name] = text
	}
	files["waybill.yaml"] = config
	files[configrepotest.Overlay(app, "dev")] = configrepotest.OverlayText(app, evidencetest.Ref(app, 1).Digest())
	return files
}

// A change that was begun before the base's newest commits does not take them
// back, so they are not its own.
func TestBaseThatMovedOn(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api", "demo-web"), func(t *testing.T, r *configrepotest.Repo) {
		web := func(n int) evidencetest.Image {
			return evidencetest.Image{App: "demo-web", N: n, At: configrepotest.Start}
		}
		unsigned := web(1)
		unsigned.Without = evidence.Kinds()
		w := &world{Repo: r, images: evidencetest.NewRegistry(image(1), unsigned, web(2))}
		w.Deploy(t, "main", "dev", "demo-web", unsigned.Evidence().Image)
		w.Deploy(t, "change", "dev", "demo-api", demo(1))
		w.Deploy(t, "main", "dev", "demo-web", web(2).Evidence().Image)
		w.Write(t, "main", "mended", map[string]string{"README.md": "x\n"})
		if got := w.findings(t, "main", "change"); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		if _, images := w.images.Asked(demo(1)); images != 1 {
			t.Errorf("%d images were verified, want the change's own", images)
		}
	})
}

func TestWithoutBase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Write(t, "main", "a tag", map[string]string{dev: tagged("v1")})
	i := image(2)
	i.Without = []evidence.Kind{evidence.SBOM}
	w.images.Push(i)
	got := w.findings(t, "", "main")
	if len(got) != 2 || !strings.HasPrefix(got[0], dev+":6 refused digest") || !strings.HasPrefix(got[1], prod+":6 refused sbom") {
		t.Errorf("got %v", got)
	}
}

func TestTroubleIsNoVerdict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Write(t, "change", "c", map[string]string{prod: at(3)})
	w.images.Break(errors.New("registry is away"))
	result, err := w.checker().Run(t.Context(), "main", "change")
	if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "registry is away") || len(result.Findings) != 0 {
		t.Errorf("got %+v, %v", result, err)
	}
	if _, err := w.checker().Run(t.Context(), "none", "change"); err == nil || !strings.Contains(err.Error(), "read none") {
		t.Errorf("a base that is not there: %v", err)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	for want, findings := range map[evidence.State][]check.Finding{
		evidence.Met: nil, evidence.Pending: {{State: evidence.Pending}},
		evidence.Refused: {{State: evidence.Pending}, {State: evidence.Refused}},
	} {
		if got := (check.Result{Findings: findings}).State(); got != want {
			t.Errorf("%v: got %s", findings, got)
		}
	}
}

// One overlay of three hundred changes: one digest is verified.
func TestOnlyWhatChanges(t *testing.T) {
	t.Parallel()
	var apps []string
	for i := range 100 {
		apps = append(apps, fmt.Sprintf("app-%03d", i))
	}
	files := configrepotest.Files(apps...)
	registry := evidencetest.NewRegistry()
	for _, app := range apps {
		for _, env := range []string{"dev", "staging", "prod"} {
			files[configrepotest.Overlay(app, env)] = configrepotest.OverlayText(app, evidencetest.Ref(app, 1).Digest())
		}
		registry.Push(evidencetest.Image{App: app, N: 1, At: configrepotest.Start})
	}
	w := &world{Repo: configrepotest.Local(t, files), images: registry}
	next := registry.Push(evidencetest.Image{App: "app-042", N: 2, At: configrepotest.Start})
	w.Deploy(t, "change", "dev", "app-042", next)
	result, err := w.checker().Run(t.Context(), "main", "change")
	if err != nil {
		t.Fatal(err)
	}
	var verified []string
	for _, waybill := range result.Waybills {
		verified = append(verified, waybill.App+" "+waybill.Env+" "+waybill.Image.String())
	}
	if diff := cmp.Diff([]string{"app-042 dev " + next.String()}, verified); diff != "" || len(result.Findings) != 0 {
		t.Errorf("verified (-want +got):\n%s%v", diff, result.Findings)
	}
	// Beside it what runs there now, to tell which is older.
	if _, images := registry.Asked(next); images > 2 {
		t.Errorf("%d images were asked for", images)
	}
}
