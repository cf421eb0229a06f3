package bump_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

func shop(images ...imageref.Ref) bump.Request {
	return bump.Request{Images: images, App: "shop", Env: "dev", Branch: "main"}
}

// The images that are named move by one commit, and all of them or none.
func TestSeveralImages(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Several(), func(t *testing.T, r *configrepotest.Repo) {
		images := evidencetest.NewRegistry()
		for n := 1; n <= 3; n++ {
			for _, app := range []string{"shop-api", "shop-worker"} {
				one := evidencetest.Image{App: app, N: n, Source: "acme/shop", At: r.Clock.Now().Add(time.Duration(n) * time.Minute)}
				if app == "shop-worker" && n == 3 {
					one.Without = []evidence.Kind{evidence.Signature}
				}
				images.Push(one)
			}
		}
		overlay := configrepotest.Overlay("shop", "dev")
		begin := r.Git(t, "rev-parse", "main")
		both, err := bump.Run(t.Context(), r, judge(r, images), shop(worker(1), api(1)))
		if err != nil || !both.Changed || len(both.Parts) != 2 || len(both.Waybills) != 2 || !both.Previous.IsZero() {
			t.Fatalf("%+v, %v", both, err)
		}
		if n := r.Git(t, "rev-list", "--count", begin+"..main"); n != "1" {
			t.Errorf("%s commits", n)
		}
		if got := r.Text(t, "main", overlay) + "\n"; got != configrepotest.SeveralText(api(1).Digest(), worker(1).Digest()) {
			t.Errorf("dev has\n%s", got)
		}
		message := r.Git(t, "log", "-1", "--format=%B", "main")
		if got := strings.Join(history.Trailers(message, history.TrailerImage), " "); got != api(1).String()+" "+worker(1).String() ||
			!strings.Contains(message, "api is built from acme/shop@"+evidencetest.Commit(1)) {
			t.Errorf("%s", message)
		}
		one, err := bump.Run(t.Context(), r, judge(r, images), shop(api(2)))
		if err != nil || !one.Changed || len(one.Parts) != 1 || one.Parts[0].Previous != api(1) {
			t.Errorf("one of both: %+v, %v", one, err)
		}
		if again, err := bump.Run(t.Context(), r, judge(r, images), shop(api(2), worker(1))); err != nil || again.Changed {
			t.Errorf("again: %+v, %v", again, err)
		}
		head := r.Git(t, "rev-parse", "main")
		for want, images2 := range map[string][]imageref.Ref{
			worker(3).Short() + " may not enter dev": {api(3), worker(3)},
			api(1).Short() + " may not enter dev":    {api(1), worker(2)}, // backwards
			"is not in ghcr.io/acme/shop-api":        {api(3), demo(1)},
			"no digest is named for shop":            nil,
		} {
			_, err := bump.Run(t.Context(), r, judge(r, images), shop(images2...))
			if err == nil || outcome.Code(err) == outcome.Broken || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if now := r.Git(t, "rev-parse", "main"); now != head {
			t.Errorf("something was committed: %s", r.Git(t, "log", "-1", "--format=%B", "main"))
		}
	})
}

// An environment that takes commits takes an application of a group only as it ran beside
// the others, and a decision is made again where one of them moved meanwhile.
func TestBumpIntoAGroup(t *testing.T) {
	t.Parallel()
	files := configrepotest.Several("cart")
	files["waybill.yaml"] = strings.Replace(files["waybill.yaml"], "{name: staging, promotion: pull-request, soak: 30m}",
		"{name: staging, promotion: auto}", 1) + "groups: {checkout: {apps: [cart, shop]}}\n"
	r := configrepotest.Local(t, files)
	images := evidencetest.NewRegistry()
	for n := 1; n <= 2; n++ {
		for app, source := range map[string]string{"shop-api": "acme/shop", "shop-worker": "acme/shop", "cart": ""} {
			images.Push(evidencetest.Image{App: app, N: n, Source: source, At: r.Clock.Now().Add(time.Duration(n) * time.Minute)})
		}
		r.DeploySeveral(t, "main", "dev", api(n), worker(n))
		r.Deploy(t, "main", "dev", "cart", evidencetest.Ref("cart", n))
		r.Clock.Pass(time.Hour)
		if n == 1 {
			r.DeploySeveral(t, "main", "staging", api(1), worker(1))
			r.Deploy(t, "main", "staging", "cart", evidencetest.Ref("cart", 1))
		}
	}
	request := bump.Request{Images: []imageref.Ref{evidencetest.Ref("cart", 2)}, App: "cart", Env: "staging", Branch: "main"}
	refused := func(err error) {
		t.Helper()
		if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "never together with shop "+api(1).Short()) {
			t.Errorf("got %v", err)
		}
	}
	_, err := bump.Run(t.Context(), r, judge(r, images), request)
	refused(err)
	r.DeploySeveral(t, "main", "staging", api(2), worker(2))
	o := &overtaken{Repo: r, t: t, by: map[string]string{
		configrepotest.Overlay("shop", "staging"): configrepotest.SeveralText(api(1).Digest(), worker(1).Digest()),
	}}
	_, err = bump.Run(t.Context(), o, judge(r, images), request)
	refused(err)
	r.DeploySeveral(t, "main", "staging", api(2), worker(2))
	if result, err := bump.Run(t.Context(), r, judge(r, images), request); err != nil || !result.Changed {
		t.Errorf("%+v, %v", result, err)
	}
}

// A set does not enter beside an image that something else than the overlay brings.
func TestBumpBesideAnotherImage(t *testing.T) {
	t.Parallel()
	files := configrepotest.Several()
	files["waybill.yaml"] = strings.Replace(files["waybill.yaml"], "{name: staging, promotion: pull-request, soak: 30m}",
		"{name: staging, promotion: auto}", 1)
	r := configrepotest.Local(t, files)
	images := evidencetest.NewRegistry()
	for _, app := range []string{"shop-api", "shop-worker"} {
		images.Push(evidencetest.Image{App: app, N: 2, Source: "acme/shop", At: r.Clock.Now()})
	}
	r.DeploySeveral(t, "main", "dev", api(2), worker(2))
	staging := configrepotest.Overlay("shop", "staging")
	r.Write(t, "main", "canary", map[string]string{
		"apps/shop/overlays/staging/canary.yaml": configrepotest.Deployment("canary", worker(1).String()),
		staging:                                  strings.Replace(files[staging], "../../base\n", "../../base\n  - canary.yaml\n", 1),
	})
	r.Clock.Pass(time.Hour)
	request := shop(api(2), worker(2))
	request.Env = "staging"
	want := "order: staging would run " + worker(1).String() + " too, which its overlay does not name and dev does not run"
	_, err := bump.Run(t.Context(), r, judge(r, images), request)
	if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	r.Write(t, "main", "no canary", map[string]string{staging: files[staging]})
	if result, err := bump.Run(t.Context(), r, judge(r, images), request); err != nil || !result.Changed {
		t.Errorf("%+v, %v", result, err)
	}
}
