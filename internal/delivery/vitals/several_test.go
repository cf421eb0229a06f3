package vitals_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal/healthd"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

// A set is healthy at the commit that brought it together, or after that: not where only
// one of its images ran.
func TestArgoCDOfSeveral(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Several())
	w := newWorld(t, r, argo)
	cfg, err := config.Parse("waybill.yaml", []byte(configrepotest.Several()["waybill.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	if w.asked.App, err = cfg.App("shop"); err != nil {
		t.Fatal(err)
	}
	before := r.DeploySeveral(t, "main", "dev", api(1), worker(1))
	r.Clock.Pass(time.Hour)
	together := r.DeploySeveral(t, "main", "dev", api(1), worker(2))
	r.Clock.Pass(time.Hour)
	ran, found, err := history.Together(t.Context(), r, history.Where{Rev: "main", App: w.asked.App, Env: "dev"},
		history.Set{api(1), worker(2)})
	if err != nil || !found {
		t.Fatal(found, err)
	}
	w.asked.Ran = ran.Of(api(1))
	for what, test := range map[string]struct {
		revision string
		runs     imageref.Ref
		state    string
		says     string
	}{
		"at its commit":         {together, worker(2), "success", ""},
		"one of both is seen":   {together, api(1), "success", ""},
		"where one of both ran": {before, api(1), "pending", "which does not hold the deployment"},
		"none of both is seen":  {together, worker(1), "pending", "no pod runs " + api(1).Short() + ", " + worker(2).Short()},
	} {
		w.d.SetApplication(healthd.Application{
			Name: "shop-dev", Sync: "Synced", Health: "Healthy", HealthSince: r.Clock.Now(), Revision: test.revision,
			Images: []string{test.runs.String()},
		})
		got, err := w.fresh("hushhush").Said(t.Context(), w.asked)
		if err != nil || got.State != test.state || !strings.Contains(got.Description, test.says) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}
