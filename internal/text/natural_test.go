package text_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/text"
)

func TestNatural(t *testing.T) {
	t.Parallel()
	want := []string{"", "1", "02", "2", "10", "api", "app", "app-1", "app-2", "app-2-b", "app-10", "app-10-2", "app-10-10", "app2", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, text.Natural)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, a := range want {
		for _, b := range want {
			if text.Natural(a, b) != -text.Natural(b, a) || (text.Natural(a, b) == 0) != (a == b) {
				t.Errorf("%q and %q have no order", a, b)
			}
		}
	}
}
