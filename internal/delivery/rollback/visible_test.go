package rollback

import "testing"

// A rollback does not fail for its reason: where people can see none, it has one.
func TestReasonsOfHoldsAreVisible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ given, before, want string }{
		{"errors since noon", "before", "errors since noon"}, {" \u200b", "before", "before"}, {"", "", "rolled back"},
		{"\u3164", "\u2800 ", "rolled back"},
	} {
		if got := visible(c.given, c.before, "rolled back"); got != c.want {
			t.Errorf("%q over %q: %q, want %q", c.given, c.before, got, c.want)
		}
	}
}
