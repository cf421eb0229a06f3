package landed_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/landed"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

// Each image of an application has deployments of its own.
func TestRecordOfSeveral(t *testing.T) {
	t.Parallel()
	r := configrepotest.GitHub(t, configrepotest.Several())
	for _, test := range []struct {
		api, worker int
		want        string
	}{{1, 1, "first api, first worker"}, {1, 2, "worker"}, {1, 2, ""}, {2, 1, "api, worker"}} {
		if test.want != "" {
			r.DeploySeveral(t, "main", "dev", api(test.api), worker(test.worker))
		}
		tip, err := history.ReadTip(t.Context(), r, "main")
		if err != nil {
			t.Fatal(err)
		}
		list, err := landed.Record(t.Context(), r.API, r.Name, tip)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, l := range list {
			first := map[bool]string{true: "first "}[l.Previous.IsZero()]
			said = append(said, first+l.Part)
		}
		if got := strings.Join(said, ", "); got != test.want {
			t.Errorf("%+v: got %s", test, got)
		}
	}
}
