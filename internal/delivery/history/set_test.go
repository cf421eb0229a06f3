package history_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

func shop(t *testing.T, text string) config.App {
	t.Helper()
	cfg, err := config.Parse("waybill.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	app, err := cfg.App("shop")
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// What ran together is what one file named at one time; each image alone ran longer.
func TestTogether(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Several(), func(t *testing.T, r *configrepotest.Repo) {
		begin := r.Clock.Now()
		for _, n := range [][2]int{{1, 1}, {2, 1}, {2, 2}} {
			r.Clock.Pass(time.Hour)
			r.DeploySeveral(t, "main", "dev", api(n[0]), worker(n[1]))
		}
		r.Clock.Pass(time.Hour)
		where := history.Where{Rev: "main", App: shop(t, configrepotest.Several()["waybill.yaml"]), Env: "dev"}
		for _, test := range []struct {
			api, worker int
			since       time.Duration // zero is never
			length      time.Duration
		}{{1, 1, 1, 1}, {2, 1, 2, 1}, {2, 2, 3, 1}, {1, 2, 0, 0}} {
			p, found, err := history.Together(t.Context(), r, where, history.Set{api(test.api), worker(test.worker)})
			if err != nil || found != (test.since > 0) {
				t.Fatalf("%+v: %v, %v", test, found, err)
			}
			since, length := begin.Add(test.since*time.Hour), test.length*time.Hour
			if found && (!p.Since.Equal(since) || p.Length(r.Clock.Now()) != length || !p.Ref.IsZero()) {
				t.Errorf("%+v: %+v", test, p)
			}
		}
		for ref, want := range map[imageref.Ref]time.Duration{api(2): 2, worker(1): 1} { // worker 1 ran for two hours
			p, found, err := history.Ran(t.Context(), r, where, ref)
			if err != nil || !found || !p.Since.Equal(begin.Add(want*time.Hour)) || p.Length(r.Clock.Now()) != 2*time.Hour {
				t.Errorf("%s: %+v, %v, %v", ref, p, found, err)
			}
		}
		if _, found, err := history.Ran(t.Context(), r, where, demo(1)); found || err != nil {
			t.Errorf("an image of another application: %v, %v", found, err)
		}
	})
}

// A trailer of a commit that brings several images is about each of them.
func TestTrailersOfSeveral(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Several())
	m := history.Message{
		Verb: history.Bump, Apps: []string{"shop"}, Env: "dev", Images: history.Set{api(1), worker(1)},
		Previous: history.Set{api(9), {}}, Sources: []string{"acme/shop@a", "acme/shop@b"},
	}
	for _, want := range []string{
		"bump shop in dev to " + api(1).Short() + ", " + worker(1).Short() + "\n", "Waybill-Image: " + api(1).String() +
			"\nWaybill-Image: " + worker(1).String() + "\nWaybill-Previous: " + api(9).String() + "\nWaybill-Source: acme/shop@a\n",
	} {
		if !strings.Contains(m.String(), want) {
			t.Errorf("no %q in\n%s", want, m)
		}
	}
	r.Write(t, "main", m.String(), map[string]string{
		configrepotest.Overlay("shop", "dev"): configrepotest.SeveralText(api(1).Digest(), worker(1).Digest()),
	})
	where := history.Where{Rev: "main", App: shop(t, configrepotest.Several()["waybill.yaml"]), Env: "dev"}
	for _, ref := range []imageref.Ref{api(1), worker(1)} {
		if _, found, err := history.Find(t.Context(), r, where, ref); !found || err != nil {
			t.Errorf("%s: %v, %v", ref, found, err)
		}
	}
}

// An image that joined later ran together with the others since then, and no earlier.
func TestAnImageThatJoins(t *testing.T) {
	t.Parallel()
	files := configrepotest.Several()
	after := files["waybill.yaml"]
	files["waybill.yaml"] = strings.Replace(after, "images: {api: ghcr.io/acme/shop-api, worker: ghcr.io/acme/shop-worker}",
		"image: ghcr.io/acme/shop-api", 1)
	r := configrepotest.Local(t, files)
	r.DeploySeveral(t, "main", "dev", api(1), worker(1))
	begin := r.Clock.Now()
	r.Clock.Pass(time.Hour)
	r.Write(t, "main", "both", map[string]string{"waybill.yaml": after})
	r.Clock.Pass(time.Hour)
	where := history.Where{Rev: "main", App: shop(t, after), Env: "dev"}
	p, found, err := history.Together(t.Context(), r, where, history.Set{api(1), worker(1)})
	if err != nil || !found || !p.Since.Equal(begin.Add(time.Hour)) {
		t.Errorf("together: %+v, %v, %v", p, found, err)
	}
	p, found, err = history.Ran(t.Context(), r, where, api(1))
	if err != nil || !found || !p.Since.Equal(begin) {
		t.Errorf("api: %+v, %v, %v", p, found, err)
	}
}

// Images are told apart by their repositories, in every form of overlay.
func TestPrepareSeveral(t *testing.T) {
	t.Parallel()
	head := "apiVersion: waybill.dev/v1\nenvironments: [{name: dev}]\napps:\n  shop:\n    images: {api: ghcr.io/acme/shop-api, " +
		"worker: ghcr.io/acme/shop-worker}\n"
	chart := map[string]string{
		"apps/shop/chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
		"apps/shop/chart/templates/all.yaml": configrepotest.Deployment("api",
			`"{{ .Values.api.image.repository }}@{{ .Values.api.image.digest }}"`) + "---\n" +
			configrepotest.Deployment("worker", `"{{ .Values.worker.image.repository }}@{{ .Values.worker.image.digest }}"`),
	}
	none := "digest: " + configrepotest.Placeholder + "\n"
	values := "api:\n  image:\n    repository: ghcr.io/acme/shop-api\n    " + none +
		"worker:\n  image:\n    repository: ghcr.io/acme/shop-worker\n    " + none
	for what, test := range map[string]struct {
		config, file, text string
		files              map[string]string
		want               []string // lines afterwards
		err                string
	}{
		"kustomize": {
			file: "apps/shop/overlays/dev/kustomization.yaml", text: configrepotest.SeveralText(configrepotest.Placeholder,
				configrepotest.Placeholder), files: configrepotest.Several(),
			want: []string{"    digest: " + api(1).Digest(), "    digest: " + worker(1).Digest()},
		},
		"kustomize without entries": {
			file: "apps/shop/overlays/dev/kustomization.yaml", text: "resources:\n  - ../../base\n",
			files: configrepotest.With(configrepotest.Several(), map[string]string{
				"apps/shop/base/api.yaml":    configrepotest.Deployment("api", "ghcr.io/acme/shop-api"),
				"apps/shop/base/worker.yaml": configrepotest.Deployment("worker", "ghcr.io/acme/shop-worker"),
			}), want: []string{"digest: " + api(1).Digest(), "digest: " + worker(1).Digest()},
		},
		"values, found by the repositories": {
			file: "apps/shop/overlays/dev/values.yaml", text: values, files: chart,
			want: []string{"    digest: " + api(1).Digest(), "    digest: " + worker(1).Digest()},
		},
		"values, by their paths": {
			config: "    helm: {image: {api: api.image, worker: worker.image}}\n", file: "apps/shop/overlays/dev/values.yaml",
			text: strings.ReplaceAll(strings.ReplaceAll(values, "    repository: ghcr.io/acme/shop-api\n", ""),
				"    repository: ghcr.io/acme/shop-worker\n", ""),
			files: configrepotest.With(chart, map[string]string{"apps/shop/chart/values.yaml": values}),
			want:  []string{"    digest: " + api(1).Digest(), "    digest: " + worker(1).Digest()},
		},
		"values of which nobody says whose they are": {
			file: "apps/shop/overlays/dev/values.yaml", text: "image:\n  " + none, files: chart,
			err: `no image "ghcr.io/acme/shop-api" in the values: name its repository there, or set the path of its mapping`,
		},
		"manifests": {
			config: "    overlay: apps/shop/{env}.yaml\n", file: "apps/shop/dev.yaml",
			text: configrepotest.Deployment("api", "ghcr.io/acme/shop-api:v1") + "---\n" +
				configrepotest.Deployment("worker", "ghcr.io/acme/shop-worker:v1"),
			want: []string{"image: " + api(1).String(), "image: " + worker(1).String()},
		},
		"one of both is not there": {
			config: "    overlay: apps/shop/{env}.yaml\n", file: "apps/shop/dev.yaml",
			text: configrepotest.Deployment("api", "ghcr.io/acme/shop-api:v1"), err: `no image "ghcr.io/acme/shop-worker"`,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files := make(map[string][]byte)
			for name, text := range test.files {
				files[name] = []byte(text)
			}
			files[test.file] = []byte(test.text)
			app := shop(t, head+test.config)
			change, err := history.Prepare(t.Context(), render.New(files), app, "dev", history.Set{api(1), worker(1)})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(string(change.After), want+"\n") {
					t.Errorf("no %q in\n%s", want, change.After)
				}
			}
			if len(change.Objects) != 2 {
				t.Errorf("%d objects change, want 2", len(change.Objects))
			}
			// One alone leaves the other as it is.
			alone, err := history.Prepare(t.Context(), render.New(history.With(files, test.file, change.After)), app, "dev",
				history.Set{{}, worker(2)})
			if err != nil {
				t.Fatal(err)
			}
			places, err := history.ReadSet(history.With(files, test.file, alone.After), app, "dev")
			if err != nil || !places.Set().Equal(history.Set{api(1), worker(2)}) || places[0].Form == "" {
				t.Errorf("%v, %v", places, err)
			}
		})
	}
}

// A digest is of the image whose repository it is in.
func TestNamed(t *testing.T) {
	t.Parallel()
	app := shop(t, configrepotest.Several()["waybill.yaml"])
	set, err := history.Named(app, []imageref.Ref{worker(2)})
	if err != nil || !set.Equal(history.Set{{}, worker(2)}) {
		t.Errorf("%v, %v", set, err)
	}
	for want, images := range map[string][]imageref.Ref{
		"is not in ghcr.io/acme/shop-api, ghcr.io/acme/shop-worker": {api(1), demo(1)},
		"name one digest for each image":                            {api(1), worker(1), api(2)},
	} {
		if _, err := history.Named(app, images); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	places := history.Places{overlay.Place{Ref: api(1), Tag: "v1"}, overlay.Place{Ref: worker(1)}}
	if lack := places.Lack(history.Set{api(1), worker(1)}); !lack.Equal(history.Set{api(1), {}}) {
		t.Errorf("beside a tag: %v", lack)
	}
}
