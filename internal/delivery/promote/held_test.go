package promote_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
)

// A digest that was rolled back is not proposed, and a pull request that is open
// for it says that it must not be merged.
func TestHeldDigestsAreNotProposed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	held := func(env string) {
		file := hold.Hold{App: "demo-api", Env: env, Reason: "errors since noon", Digests: []string{demo(1).Digest()}}.File()
		w.Write(t, "main", "hold", map[string]string{hold.Path("demo-api", env): string(file)})
	}
	held("staging")
	p := w.run(t, promote.Refused)
	if !strings.Contains(p.Reason, "held since it was taken out of staging: errors since noon") ||
		len(w.Server.Pulls("acme/config")) != 0 || len(w.Requests.Writes()) != 0 {
		t.Errorf("got %+v, %v", p, w.Server.Pulls("acme/config"))
	}
	w.Write(t, "main", "lift", map[string]string{hold.Path("demo-api", "staging"): ""})
	w.run(t, promote.Opened)
	held("dev")
	if p := w.run(t, promote.Refused); p.Number != 1 {
		t.Errorf("got %+v", p)
	}
	body := w.pull(t, 1).Body
	if !strings.Contains(body, "❌ **Refused.**") || !strings.Contains(body, "must not be merged as it stands: hold") ||
		!strings.Contains(body, "held since it was taken out of dev") {
		t.Errorf("the body:\n%s", body)
	}
	if writes := w.Requests.Writes(); len(writes) == 0 || writes[len(writes)-1] != started {
		t.Errorf("its check is not made again: %v", writes)
	}
}
