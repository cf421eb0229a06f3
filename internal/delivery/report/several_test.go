package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

// A deployment of several images is one, and goes back as one.
func TestDeploymentsOfSeveral(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Several())
	for _, n := range [][2]int{{1, 1}, {2, 2}, {2, 3}, {1, 1}} {
		r.Clock.Pass(time.Hour)
		r.DeploySeveral(t, "main", "prod", api(n[0]), worker(n[1]))
	}
	r.Clock.Pass(time.Hour)
	r.Write(t, "main", "one", map[string]string{
		configrepotest.Overlay("shop", "prod"): configrepotest.SeveralText(api(3).Digest(), configrepotest.Placeholder),
	})
	place, err := report.Read(t.Context(), r, report.Query{Branch: "main", App: "shop", Env: "prod", Now: r.Clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, s := range place.Steps {
		kinds = append(kinds, s.Kind)
		if whole := s.Images[0] != api(3); whole != (len(s.Images) == 2) || !s.Image.IsZero() {
			t.Errorf("%+v", s)
		}
	}
	if got := strings.Join(kinds, " "); got != "deploy takeback deploy deploy deploy" {
		t.Errorf("got %s", got)
	}
	if text := place.Text(); !strings.Contains(text, api(2).Hex()[:12]+", "+worker(3).Hex()[:12]) {
		t.Errorf("%s", text)
	}
}
