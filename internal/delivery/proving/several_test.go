package proving_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// A set of images is verified once it is whole, by one run that gets all of them.
func TestSeveralImagesAreVerified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api, worker := evidencetest.Ref("shop-api", 1), evidencetest.Ref("shop-worker", 1)
	files := configrepotest.Several()
	before := w.Text(t, "main", "waybill.yaml")
	files["waybill.yaml"] = strings.Replace(before, "apps:\n", "apps:\n  shop: {images: {api: ghcr.io/acme/shop-api, "+
		"worker: ghcr.io/acme/shop-worker}}\n", 1) + "\n"
	delete(files, ".github/workflows/smoke.yml")
	w.Write(t, "main", "shop", files)
	w.Write(t, "main", "one", map[string]string{
		configrepotest.Overlay("shop", "dev"): configrepotest.SeveralText(api.Digest(), configrepotest.Placeholder),
	})
	if err := w.run(w.prover(w.API)); err != nil || len(w.sent) != 1 { // of the other application
		t.Fatalf("%d runs: %v", len(w.sent), err)
	}
	w.DeploySeveral(t, "main", "dev", api, worker)
	w.sick = true
	if err := w.run(w.prover(w.API)); err != nil || len(w.sent) != 1 {
		t.Fatalf("%d runs before it is healthy: %v", len(w.sent), err)
	}
	w.sick = false
	for range 2 {
		if err := w.run(w.prover(w.API)); err != nil || len(w.sent) != 2 {
			t.Fatalf("%d runs: %v", len(w.sent), err)
		}
	}
	if got := w.sent[1]; got["app"] != "shop" || got["image"] != imageref.Lines([]imageref.Ref{api, worker}) {
		t.Errorf("%+v", got)
	}
	w.end(1, "success")
	tip, err := history.ReadTip(t.Context(), w, "main")
	if err != nil {
		t.Fatal(err)
	}
	app, dev, err := tip.Config.Place("shop", "dev")
	if err != nil {
		t.Fatal(err)
	}
	ran, found, err := history.Together(t.Context(), w, history.Where{Rev: "main", App: app, Env: "dev"}, history.Set{api, worker})
	if err != nil || !found {
		t.Fatal(found, err)
	}
	got, err := w.prover(w.API).Found(t.Context(), dev.Verify[0], "shop", "dev", ran)
	if err != nil || got.State != rules.VerifyPassed {
		t.Errorf("%+v, %v", got, err)
	}
}
