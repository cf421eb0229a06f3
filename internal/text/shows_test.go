package text_test

import (
	"testing"

	"github.com/waybill-dev/waybill/internal/text"
)

func TestShows(t *testing.T) {
	t.Parallel()
	for _, blank := range []string{
		"", " ", "\t\n", "\u00a0\u2003\u3000", "\u200b\u200d\ufeff\u2060", "\u00ad", "\u034f", "\ufe0f", "\u202e",
		"\u115f\u1160\u3164\uffa0",
		"\u2800", "\U0001d159", "\U000e0041", "\x00\x7f", "\ue000", "\u0301",
	} {
		if text.Shows(blank) {
			t.Errorf("%q counts as visible", blank)
		}
	}
	for _, seen := range []string{"x", " \u200bnot reachable", "不可达", "7", "-", "e\u0301", "✓"} {
		if !text.Shows(seen) {
			t.Errorf("%q does not count as visible", seen)
		}
	}
}
