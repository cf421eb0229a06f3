package why_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/delivery/why"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

type openOn string

func (o openOn) FindPull(_ context.Context, branch, _ string) (*rules.Pull, error) {
	if branch != string(o) {
		return nil, nil
	}
	return &rules.Pull{Number: 5, URL: "https://github.com/acme/config/pull/5"}, nil
}

func TestWhySeveral(t *testing.T) {
	t.Parallel()
	files := configrepotest.Several("cart")
	files["waybill.yaml"] += "groups: {checkout: {apps: [cart, shop], environments: [prod]}}\n"
	r := configrepotest.Local(t, files)
	images := evidencetest.NewRegistry()
	for n := 1; n <= 2; n++ {
		for app, source := range map[string]string{"shop-api": "acme/shop", "shop-worker": "acme/shop", "cart": ""} {
			image := evidencetest.Image{App: app, N: n, Source: source, At: configrepotest.Start}
			if app == "shop-worker" && n == 2 {
				image.Without = []evidence.Kind{evidence.Signature}
			}
			images.Push(image)
		}
	}
	judge := &rules.Judge{Collect: images.Collect, Now: r.Clock.Now}
	ask := func(env string, forge why.Forge, images ...imageref.Ref) string {
		t.Helper()
		result, err := why.Explain(t.Context(), r, judge, forge, why.Request{App: "shop", Env: env, Branch: "main", Images: images})
		if err != nil {
			t.Fatal(err)
		}
		return result.Text()
	}
	want := func(got string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(got, text) {
				t.Errorf("no %q in\n%s", text, got)
			}
		}
	}
	want(ask("staging", nil), "Nothing runs in dev yet, so nothing can enter staging.")
	r.DeploySeveral(t, "main", "dev", api(1), worker(1))
	r.Clock.Pass(time.Minute)
	want(ask("staging", nil), "api "+api(1).Hex()[:8]+", worker "+worker(1).Hex()[:8]+" (acme/shop@"+evidencetest.Commit(1)+
		") of dev is not in staging:", "soak")
	r.Clock.Pass(time.Hour)
	want(ask("staging", openOn("waybill/staging/shop")), "may enter staging: merge #5")
	r.DeploySeveral(t, "main", "staging", api(1), worker(1))
	r.Deploy(t, "main", "staging", "cart", evidencetest.Ref("cart", 1))
	r.Deploy(t, "main", "dev", "cart", evidencetest.Ref("cart", 1))
	r.Clock.Pass(25 * time.Hour)
	want(ask("staging", nil), "All images of shop run in staging since 2026-11-20 13:01 UTC: there is nothing to wait for.")
	want(ask("staging", nil, worker(2)), "no signature record", "worker "+worker(2).Hex()[:8],
		"has not run in dev")
	want(ask("prod", openOn("waybill/prod/+checkout")), "with the group checkout, may enter prod: merge #5")
	// What the other application of the group does is part of the answer.
	r.Deploy(t, "main", "staging", "cart", evidencetest.Ref("cart", 2)) // for a moment
	want(ask("prod", nil), "group", "cart enters prod at the same time, and may not yet: soak: 0 s in staging, 24 h asked",
		"→ waybill why cart prod says more")
	r.Write(t, "main", "empty", map[string]string{
		configrepotest.Overlay("cart", "staging"): configrepotest.OverlayText("cart", configrepotest.Placeholder),
	})
	want(ask("prod", nil), "order", "never together with cart as prod would run it")
}
