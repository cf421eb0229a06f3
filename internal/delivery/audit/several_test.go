package audit

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Each image of an application is a deployment with evidence of its own; whether they ran
// together is asked of the set, and a set that comes back is a way back.
func TestAuditOfSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	api := w.images[0].Repository()
	place, err := name.NewRepository(strings.Replace(api, "demo-api", "worker", 1))
	if err != nil {
		t.Fatal(err)
	}
	var workers []imageref.Ref
	for range 2 {
		index, err := random.Index(64, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := w.client.PushIndex(t.Context(), place, index)
		if err != nil {
			t.Fatal(err)
		}
		w.sign(t, ref)
		workers = append(workers, ref)
	}
	base := "apps/demo-api/base/kustomization.yaml"
	w.repo.Write(t, "main", "two images", map[string]string{
		"waybill.yaml": strings.Replace(w.repo.Text(t, "main", "waybill.yaml"), "{image: "+api+"}",
			"{images: {api: "+api+", worker: "+place.Name()+"}}", 1) + "\n",
		base: "resources: [deployment.yaml, worker.yaml]\n",

		"apps/demo-api/base/worker.yaml": configrepotest.Deployment("worker", "worker"),
	})
	begin := w.repo.Clock.Now()
	deploy := func(env string, n, m int) {
		t.Helper()
		text := strings.ReplaceAll(configrepotest.OverlayText("demo-api", w.images[n].Digest()), "ghcr.io/acme/demo-api", api) +
			"  - name: worker\n    newName: " + place.Name() + "\n    digest: " + workers[m].Digest() + "\n"
		w.repo.Write(t, "main", "deploy", map[string]string{configrepotest.Overlay("demo-api", env): text})
		w.repo.Clock.Pass(time.Hour)
	}
	deploy("dev", 0, 0)
	deploy("staging", 0, 0)
	deploy("dev", 1, 1)
	deploy("staging", 1, 0) // by hand: never together
	deploy("staging", 0, 0) // and back
	deploy("staging", 1, 1)
	deploy("staging", 0, 1) // api went back, and the set did not
	a := w.audit(t, begin)
	verified, err := w.verify(t, a)
	if err != nil || len(verified.Problems) > 0 {
		t.Fatalf("%v, %q", err, verified.Problems)
	}
	var got []string
	for _, d := range verified.Document.Deployments {
		kind := map[bool]string{true: " back"}[d.Kind == report.TakeBack]
		got = append(got, d.title()+" "+d.Verdict+kind)
		if d.Verdict == Refused && !strings.Contains(d.BreakGlass, "order: has not run in dev") {
			t.Errorf("%s", d.BreakGlass)
		}
	}
	want := "demo-api/api allowed, demo-api/api refused, demo-api/api allowed back, demo-api/api allowed, demo-api/api refused, " +
		"demo-api/worker allowed, demo-api/worker allowed"
	if said := strings.Join(got, ", "); said != want {
		t.Errorf("got %s, want %s", said, want)
	}
	if text := verified.Text(); !strings.Contains(text, "demo-api/worker") {
		t.Errorf("%s", text)
	}
	if page := string(a.files[pageFile]); !strings.Contains(page, "demo-api/worker") {
		t.Error("the page does not name the image")
	}
}
