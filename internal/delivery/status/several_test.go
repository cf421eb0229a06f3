package status_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/status"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

// Each image of an application has a row, and what waits is said once.
func TestRowsOfSeveral(t *testing.T) {
	t.Parallel()
	files := configrepotest.Several("cart")
	files["waybill.yaml"] += "groups: {checkout: {apps: [cart, shop], environments: [prod]}}\n"
	r := configrepotest.Local(t, files)
	r.DeploySeveral(t, "main", "dev", api(1), worker(1))
	r.DeploySeveral(t, "main", "staging", api(1), worker(1))
	r.Clock.Pass(24 * time.Hour)
	r.DeploySeveral(t, "main", "dev", api(1), worker(2))
	held := hold.Hold{App: "shop", Env: "dev", Reason: "a migration"}
	r.Write(t, "main", "hold", map[string]string{hold.Path("shop", "dev"): string(held.File())})
	r.Clock.Pass(10 * time.Minute)
	table, err := status.Read(t.Context(), r, status.Request{Branch: "main", Now: r.Clock.Now(), Open: []status.Open{
		{Number: 7, Branch: "waybill/staging/shop"}, {Number: 8, Branch: "waybill/prod/+checkout"},
		{Number: 9, Branch: "waybill/prod/shop"}, // from before it was in the group
	}})
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, row := range table.Rows {
		titles = append(titles, row.Title())
		for _, cell := range row.Cells {
			if cell.Env == "prod" && (cell.Pending == nil || cell.Pending.Number != 8) {
				t.Errorf("%s waits for %+v", row.Title(), cell.Pending)
			}
		}
	}
	if got := strings.Join(titles, " "); got != "cart shop/api shop/worker" {
		t.Fatalf("rows: %s", got)
	}
	worker := table.Rows[2].Cells[1]
	if worker.Behind != 1 || len(worker.Waits) != 1 || !strings.HasPrefix(worker.Waits[0], "soak: 10 m in dev, 30 m asked") {
		t.Errorf("worker in staging: %+v", worker)
	}
	if api := table.Rows[1].Cells[1]; api.Behind != 0 || len(api.Waits) != 0 {
		t.Errorf("api in staging: %+v", api)
	}
	var text strings.Builder
	if err := table.Text(&text); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "#7 waits to enter staging"); n != 1 || strings.Count(text.String(), "a migration") != 1 {
		t.Errorf("said %d times:\n%s", n, text.String())
	}
	if got := page(t, table); strings.Count(got, ": is held: a migration</li>") != 1 || !strings.Contains(got, "data-app=\"shop/worker\"") {
		t.Errorf("the page says it %d times", strings.Count(got, ": is held: a migration</li>"))
	}
}
