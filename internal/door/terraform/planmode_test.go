package terraform

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// What a plan was asked for stands in its binary form; one that is applied to a part of
// what it shows is told apart.
func TestPlanMode(t *testing.T) {
	t.Parallel()
	mode := func(numbers ...uint64) (m []byte) {
		for _, n := range numbers {
			m = protowire.AppendVarint(protowire.AppendTag(m, 17, protowire.VarintType), n)
		}
		return m
	}
	for name, c := range map[string]struct {
		message []byte
		want    Mode
	}{
		"none": {nil, Normal}, "normal": {mode(0), Normal}, "destroy": {mode(1), Destroying}, "refresh-only": {mode(2), RefreshOnly},
		"a field of another kind is not the mode": {append(mode(2), message(17, "x")...), RefreshOnly},
		"the last one counts":                     {mode(2, 0), Normal},
		"beside others":                           {append(message(14, "1.11.4"), mode(2)...), RefreshOnly},
	} {
		if got, err := PlanMode(binaryPlan(t, part{"tfplan", c.message})); err != nil || got != c.want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	for _, field := range []int{5, 6, 16, 32} {
		if _, err := PlanMode(binaryPlan(t, part{"tfplan", message(field, "x.y")})); !errors.Is(err, ErrNarrowed) {
			t.Errorf("field %d: %v", field, err)
		}
	}
	if _, err := PlanMode(binaryPlan(t, part{"tfplan", mode(3)})); err == nil {
		t.Error("a mode that is not known is one")
	}
	for name, torn := range map[string][]byte{
		"no field":                       binaryPlan(t, part{"tfplan", []byte{0xff}}),
		"a field that is cut off":        binaryPlan(t, part{"tfplan", []byte{13<<3 | 2, 5}}),
		"a part that is not what it was": tornPlan(t, "tfplan", message(13, "r")),
	} {
		if got, err := PlanMode(torn); err == nil {
			t.Errorf("%s: it is %s", name, got)
		}
	}
	if _, err := PlanMode([]byte("encrypted")); !errors.Is(err, ErrEncrypted) {
		t.Error(err)
	}
}
