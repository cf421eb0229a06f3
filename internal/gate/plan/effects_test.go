package plan_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/plan"
)

// What a plan leaves as it is does not count to what it does; everything else does.
func TestEffects(t *testing.T) {
	t.Parallel()
	const base = `{"resource_changes":[
		{"address":"a.kept","change":{"actions":["no-op"],"before":{"v":1},"after":{"v":1}}},
		{"address":"a.made","change":{"actions":["create"],"before":null,"after":{"v":1}}},
		{"address":"a.moved","previous_address":"a.old","change":{"actions":["no-op"],"before":{"v":1},"after":{"v":1}}},
		{"address":"a.imported","change":{"actions":["no-op"],"before":{"v":1},"after":{"v":1},"importing":{"id":"i"}}}],
		"output_changes":{"kept":{"actions":["no-op"],"before":1,"after":1},"made":{"actions":["create"],"before":null,"after":1}},
		"action_invocations":[{"address":"action.a.x"}],"resource_drift":[{"address":"a.kept"}]}`
	effects := func(r plan.RootRecord, text string) string {
		digest, err := r.Effects([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	none := strings.Replace(base, `{"address":"a.kept","change":{"actions":["no-op"],"before":{"v":1},"after":{"v":1}}},`, "", 1)
	for name, c := range map[string]struct {
		text string
		same bool
	}{
		"what is left alone has drifted": {
			strings.Replace(base, `"before":{"v":1},"after":{"v":1}}`, `"before":{"v":2},"after":{"v":2}}`, 1), true,
		},
		"it is gone":           {none, true},
		"an output that stays": {strings.Replace(base, `"before":1,"after":1`, `"before":2,"after":2`, 1), true},
		"another value":        {strings.Replace(base, `null,"after":{"v":1}`, `null,"after":{"v":2}`, 1), false},
		"it is changed":        {strings.Replace(base, "no-op", "update", 1), false},
		"it is made again":     {strings.Replace(base, `["no-op"]`, `["delete","create"]`, 1), false},
		"no action":            {strings.Replace(base, `["no-op"]`, `[]`, 1), false},
		"another move":         {strings.Replace(base, "a.old", "a.older", 1), false},
		"another import":       {strings.Replace(base, `"id":"i"`, `"id":"j"`, 1), false},
		"another output":       {strings.Replace(base, `null,"after":1`, `null,"after":2`, 1), false},
		"another invocation":   {strings.Replace(base, "action.a.x", "action.a.y", 1), false},
	} {
		if c.text == base {
			t.Fatalf("%s changes nothing", name)
		}
		if same := effects(plan.RootRecord{}, c.text) == effects(plan.RootRecord{}, base); same != c.same {
			t.Errorf("%s: the same: %t", name, same)
		}
	}
	refresh := plan.RootRecord{RefreshOnly: true}
	if effects(refresh, none) == effects(refresh, base) {
		t.Error("of a plan that brings the state up to date something is left out")
	}
	if _, err := (plan.RootRecord{}).Effects([]byte("{")); err == nil {
		t.Error("no JSON")
	}
}
