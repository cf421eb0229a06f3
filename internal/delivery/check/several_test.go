package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }
func cart(n int) imageref.Ref   { return evidencetest.Ref("cart", n) }

func both(n, m int) string { return configrepotest.SeveralText(api(n).Digest(), worker(m).Digest()) }

var shopProd = configrepotest.Overlay("shop", "prod")

// several is a config repository of shop, whose images api and worker move together, and
// of cart, which enters prod together with shop. Both were in dev and staging as 1 and 2
// for two days each, and shop is in prod as 1; api 3 is in staging, for two days, beside
// worker 2. Worker 4 has no signature.
func several(t *testing.T, edit ...string) *world {
	t.Helper()
	files := configrepotest.Several("cart")
	files["waybill.yaml"] = strings.NewReplacer(edit...).Replace(files["waybill.yaml"])
	w := &world{Repo: configrepotest.Local(t, files), images: severalImages()}
	for n := 1; n <= 2; n++ {
		for _, env := range []string{"dev", "staging"} {
			w.Clock.Pass(time.Hour)
			w.DeploySeveral(t, "main", env, api(n), worker(n))
			w.Deploy(t, "main", env, "cart", cart(n))
			w.Clock.Pass(24 * time.Hour)
		}
		if n == 1 {
			w.DeploySeveral(t, "main", "prod", api(1), worker(1))
			w.Deploy(t, "main", "prod", "cart", cart(1))
		}
	}
	w.DeploySeveral(t, "main", "staging", api(3), worker(2))
	w.Clock.Pass(25 * time.Hour)
	return w
}

func TestSeveralImages(t *testing.T) {
	t.Parallel()
	w := several(t)
	for what, test := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a set that ran together": {map[string]string{shopProd: both(2, 2)}, nil},
		"the newest set":          {map[string]string{shopProd: both(3, 2)}, nil},
		"what stands there":       {map[string]string{"README.md": "x\n"}, nil},
		"one image of a set, after another": {map[string]string{shopProd: both(1, 2)}, []string{
			shopProd + ":9 refused order: worker " + worker(2).Short() + ": ran in staging, and never together with api " + api(1).Short() +
				" → let prod take all images that staging runs at one time, as waybill promote does",
		}},
		"api of one release with a worker of another": {map[string]string{shopProd: both(3, 1)}, []string{
			shopProd + ":6 refused order: api " + api(3).Short() + ": ran in staging, and never together with worker " + worker(1).Short(),
		}},
		"what never ran": {map[string]string{shopProd: both(2, 3)}, []string{
			shopProd + ":6 refused order: api " + api(2).Short() + ": ran in staging, and never together with worker " + worker(3).Short(),
			shopProd + ":9 refused order: worker " + worker(3).Short() + ": has not run in staging, the environment before prod",
		}},
		"each is judged": {map[string]string{configrepotest.Overlay("shop", "dev"): both(3, 4)}, []string{
			":9 refused signature: worker " + worker(4).Short() + ": no signature",
		}},
		"a tag for one": {map[string]string{
			shopProd: strings.Replace(both(2, 2), "digest: "+worker(2).Digest(), "newTag: v2", 1),
		}, []string{
			":6 refused order: api " + api(2).Short() + ": ran in staging, and never together with worker, of which no digest is named",
			":9 refused digest: ghcr.io/acme/shop-worker is named by the tag \"v2\"",
		}},
		"a placeholder for one": {map[string]string{
			shopProd: configrepotest.SeveralText(api(1).Digest(), configrepotest.Placeholder),
		}, []string{
			":9 refused digest: the placeholder digest takes the place of " + worker(1).Short(),
		}},
		"one image in the place of the other": {map[string]string{
			shopProd: strings.Replace(both(1, 1), "newName: ghcr.io/acme/shop-worker\n    digest: "+worker(1).Digest(),
				"newName: ghcr.io/acme/shop-api\n    digest: "+api(4).Digest(), 1),
		}, []string{"refused"}},
		"an image beside the overlay": {map[string]string{
			shopProd: both(1, 1) + "patches:\n  - target: {kind: Deployment, name: worker}\n    patch: |-\n      - {op: replace, path: " +
				"/spec/template/spec/containers/0/image, value: \"ghcr.io/acme/shop-api@" + api(4).Digest() + "\"}\n",
		}, []string{"refused order: api " + api(4).Short() + ": has not run in staging"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := w.copy(t)
			w.images = severalImages()
			w.Write(t, "change", "change", test.files)
			got := w.findings(t, "main", "change")
			if len(test.want) == 0 && len(got) > 0 {
				t.Fatalf("%q", got)
			}
			for _, want := range test.want {
				if !strings.Contains(strings.Join(got, "\n"), want) {
					t.Errorf("no %q in\n%s", want, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// severalImages is the registry of several.
func severalImages() *evidencetest.Registry {
	images := evidencetest.NewRegistry()
	for n := 1; n <= 4; n++ {
		for app, source := range map[string]string{"shop-api": "acme/shop", "shop-worker": "acme/shop", "cart": ""} {
			image := evidencetest.Image{App: app, N: n, Source: source, At: configrepotest.Start.Add(time.Duration(n) * time.Minute)}
			if app == "shop-worker" && n == 4 {
				image.Without = []evidence.Kind{evidence.Signature}
			}
			images.Push(image)
		}
	}
	return images
}

// A set may go back to where it ran, and a mixture of two that ran may not.
func TestSeveralImagesReturn(t *testing.T) {
	t.Parallel()
	w := several(t)
	w.DeploySeveral(t, "main", "prod", api(2), worker(2))
	w.Clock.Pass(time.Hour)
	w.Write(t, "back", "back", map[string]string{shopProd: both(1, 1)})
	if got := w.findings(t, "main", "back"); len(got) > 0 {
		t.Errorf("%q", got)
	}
	w.Write(t, "half", "half", map[string]string{shopProd: both(1, 2)})
	if got := strings.Join(w.findings(t, "main", "half"), "\n"); !strings.Contains(got, "never together with worker "+worker(2).Short()) ||
		!strings.Contains(got, "an ancestor of the deployed") {
		t.Errorf("%s", got)
	}
	held := hold.Hold{App: "shop", Env: "prod", Reason: "bad", Digests: []string{worker(1).Digest()}}
	w.Write(t, "main", "hold", map[string]string{hold.Path("shop", "prod"): string(held.File())})
	if got := strings.Join(w.findings(t, "main", "back"), "\n"); !strings.Contains(got, ":9 refused hold: worker "+worker(1).Short()) {
		t.Errorf("%s", got)
	}
}

// An application may get images in place of image, where nothing that runs changes. What
// it takes away is said.
func TestImagesInPlaceOfImage(t *testing.T) {
	t.Parallel()
	const all = "images: {api: ghcr.io/acme/shop-api, worker: ghcr.io/acme/shop-worker}"
	w := several(t, all, "image: ghcr.io/acme/shop-api", "policy:\n", "policy:\n  images: {allow: [ghcr.io/acme/shop-worker]}\n")
	before := w.Text(t, "main", "waybill.yaml")
	w.Write(t, "more", "more", map[string]string{"waybill.yaml": strings.Replace(before, "image: ghcr.io/acme/shop-api", all, 1)})
	if got := w.findings(t, "main", "more"); len(got) > 0 {
		t.Errorf("%q", got)
	}
	// By the base's rules the new image has run nowhere yet.
	w.Write(t, "once", "at once", map[string]string{
		"waybill.yaml": strings.Replace(before, "image: ghcr.io/acme/shop-api", all, 1), shopProd: both(1, 2),
	})
	if got := strings.Join(w.findings(t, "main", "once"), "\n"); !strings.Contains(got,
		":9 refused order: worker "+worker(2).Short()+": has not run in staging") {
		t.Errorf("%s", got)
	}
	w.Git(t, "update-ref", "refs/heads/main", w.Git(t, "rev-parse", "more"))
	w.Write(t, "less", "less", map[string]string{"waybill.yaml": before})
	if got := strings.Join(w.findings(t, "main", "less"), "\n"); !strings.Contains(got,
		"protection: this change takes protection away: apps.shop.images drops ghcr.io/acme/shop-worker") {
		t.Errorf("%s", got)
	}
}

// That the others ran together, here or in the environment before, says nothing of an image
// that joins them.
func TestAnImageThatJoinsIsNew(t *testing.T) {
	t.Parallel()
	jobs := func(n int) string {
		return "  - name: jobs\n    newName: ghcr.io/acme/jobs\n    digest: " + evidencetest.Ref("jobs", n).Digest() + "\n"
	}
	for what, before := range map[string]string{"new": "", "allowed before": jobs(1)} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := several(t, "policy:\n", "policy:\n  images: {allow: [ghcr.io/acme/jobs]}\n")
			w.images.Push(evidencetest.Image{App: "jobs", N: 2, Source: "acme/shop", At: configrepotest.Start})
			base := map[string]string{
				"apps/shop/base/jobs.yaml":          configrepotest.Deployment("jobs", "jobs"),
				"apps/shop/base/kustomization.yaml": "resources:\n  - api.yaml\n  - worker.yaml\n  - jobs.yaml\n",
			}
			if before != "" {
				w.Write(t, "main", "before", configrepotest.With(base, map[string]string{shopProd: both(1, 1) + before}))
				base = map[string]string{}
			}
			head := configrepotest.With(base, map[string]string{
				"waybill.yaml": strings.Replace(w.Text(t, "main", "waybill.yaml"), "worker: ghcr.io/acme/shop-worker",
					"worker: ghcr.io/acme/shop-worker, jobs: ghcr.io/acme/jobs", 1) + "\n",
				shopProd: both(1, 1) + jobs(2),
			})
			w.Write(t, "third", "third", head)
			want := shopProd + ":12 refused order: jobs " + evidencetest.Ref("jobs", 2).Short() + ": has not run in staging"
			if got := strings.Join(w.findings(t, "main", "third"), "\n"); !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		})
	}
}

// Applications of a group enter as they ran at one time.
func TestGroups(t *testing.T) {
	t.Parallel()
	const group = "groups:\n  checkout: {apps: [cart, shop], environments: [prod]}\npolicy:\n"
	w := several(t, "policy:\n", group)
	cartProd := configrepotest.Overlay("cart", "prod")
	second := configrepotest.OverlayText("cart", cart(2).Digest())
	for what, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"both": {map[string]string{cartProd: second, shopProd: both(2, 2)}, ""},
		"cart alone": {map[string]string{cartProd: second}, cartProd + ":6 refused order: " + cart(2).Short() +
			": ran in staging, and never together with shop " + api(1).Short() + ", " + worker(1).Short()},
		"shop alone": {map[string]string{shopProd: both(2, 2)}, "refused order: api " + api(2).Short() +
			": ran in staging, and never together with cart " + cart(1).Short()},
		"another than ran beside it": {map[string]string{
			cartProd: configrepotest.OverlayText("cart", cart(3).Digest()), shopProd: both(2, 2),
		}, "refused order: api " + api(2).Short() + ": ran in staging, and never together with cart " + cart(3).Short()},
		"in another environment": {map[string]string{
			configrepotest.Overlay("cart", "dev"): configrepotest.OverlayText("cart", cart(3).Digest()),
		}, ""},
		"what takes it away": {map[string]string{"waybill.yaml": strings.Replace(
			strings.NewReplacer("policy:\n", group).Replace(configrepotest.Several("cart")["waybill.yaml"]), "[cart, shop]", "[cart]", 1),
			cartProd: second}, "protection: this change takes protection away: groups.checkout no longer moves cart and shop into prod together"},
		"and is judged by what was": {map[string]string{"waybill.yaml": configrepotest.Several("cart")["waybill.yaml"], cartProd: second},
			"never together with shop"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := w.copy(t)
			w.images = severalImages()
			w.Write(t, "change", "change", test.files)
			got := strings.Join(w.findings(t, "main", "change"), "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("no %q in\n%s", test.want, got)
			}
		})
	}
}

// What stood there only between two commits of one push did not run together.
func TestAGroupIsNotWhatAPushPassed(t *testing.T) {
	t.Parallel()
	for passed, want := range map[time.Duration]string{
		time.Second: "refused order: " + cart(3).Short() + ": ran in staging, and never together with shop " + api(3).Short(),
		time.Minute: "",
	} {
		w := several(t, "policy:\n", "groups:\n  checkout: {apps: [cart, shop], environments: [prod]}\npolicy:\n")
		w.Deploy(t, "main", "staging", "cart", cart(3))
		w.Clock.Pass(passed)
		w.DeploySeveral(t, "main", "staging", api(4), worker(2))
		w.Clock.Pass(25 * time.Hour)
		w.Write(t, "change", "change", map[string]string{
			configrepotest.Overlay("cart", "prod"): configrepotest.OverlayText("cart", cart(3).Digest()), shopProd: both(3, 2),
		})
		got := strings.Join(w.findings(t, "main", "change"), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", passed, want, got)
		}
	}
}
