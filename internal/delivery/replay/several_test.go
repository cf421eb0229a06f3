package replay_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/replay"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

// Of several images each is judged, and what counts for order and soak is the set.
func TestReplayOfSeveral(t *testing.T) {
	t.Parallel()
	files := configrepotest.Several()
	r := configrepotest.Local(t, files)
	images := evidencetest.NewRegistry()
	for n := 1; n <= 2; n++ {
		for _, app := range []string{"shop-api", "shop-worker"} {
			images.Push(evidencetest.Image{App: app, N: n, Source: "acme/shop", At: r.Clock.Now()})
		}
	}
	for _, n := range [][2]int{{1, 1}, {2, 2}} {
		r.DeploySeveral(t, "main", "dev", api(n[0]), worker(n[1]))
		r.Clock.Pass(time.Hour)
	}
	r.DeploySeveral(t, "main", "staging", api(1), worker(1))
	r.Clock.Pass(time.Hour)
	r.DeploySeveral(t, "main", "staging", api(1), worker(2)) // by hand: never together
	policy, err := config.Parse("new.yaml", []byte(files["waybill.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	result, err := replay.Run(t.Context(), r, &rules.Judge{Collect: images.Collect, Now: r.Clock.Now}, replay.Request{
		Branch: "main", Env: "staging", Policy: policy, Period: 30 * 24 * time.Hour, Now: r.Clock.Now(),
	})
	if err != nil || result.Judged != 2 || len(result.Stopped) != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if v := result.Stopped[0]; !v.Already || v.Reasons[0].Rule != rules.RuleOrder || v.Step.Images[1] != worker(2) {
		t.Errorf("%+v", v)
	}
	without := strings.Replace(files["waybill.yaml"], "source: acme/shop", "source: acme/another", 1)
	if policy, err = config.Parse("new.yaml", []byte(without)); err != nil {
		t.Fatal(err)
	}
	if result, err = replay.Run(t.Context(), r, &rules.Judge{Collect: images.Collect, Now: r.Clock.Now}, replay.Request{
		Branch: "main", Env: "staging", Policy: policy, Period: 30 * 24 * time.Hour, Now: r.Clock.Now(),
	}); err != nil || result.Rules["signature"] != 1 || !strings.Contains(result.Text(), api(1).Hex()[:12]+", "+worker(1).Hex()[:12]) {
		t.Errorf("%+v, %v\n%s", result.Rules, err, result.Text())
	}
}
