package notice_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/notice"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

// Another image of one application is another fact.
func TestEventOfSeveral(t *testing.T) {
	t.Parallel()
	event := func(n int) notice.Event {
		return notice.Event{Event: config.EventDeployed, App: "shop", Env: "dev", Parts: []history.Moved{
			{Part: "api", Image: evidencetest.Ref("shop-api", 1)}, {Part: "worker", Image: evidencetest.Ref("shop-worker", n)},
		}}
	}
	_, one, err := notice.Body(event(1), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, two, _ := notice.Body(event(2), ""); one == two {
		t.Error("both have the id " + one)
	}
	body, again, err := notice.Body(event(1), config.NotifySlack)
	if err != nil || again != one || !strings.Contains(string(body), "shop in dev api sha256:") ||
		!strings.Contains(string(body), " worker sha256:") {
		t.Errorf("%s, %v", body, err)
	}
}
