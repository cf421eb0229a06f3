package seal_test

import (
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/seal"
)

// A place holds what is directly in it, and nothing of another place: roots keep the plans
// that are kept there.
func TestAPlaceHoldsItsOwnPlans(t *testing.T) {
	t.Parallel()
	const digest = "@sha256:1111111111111111111111111111111111111111111111111111111111111111"
	for _, c := range []struct {
		place, plan string
		holds       bool
	}{
		{"plans", "plans/a.sealed", true}, {"./plans/", "plans/a.sealed", true}, {"/srv/plans", "/srv/plans/a.sealed", true},
		{"plans", "plans/sub/a.sealed", false}, {"plans", "other/a.sealed", false}, {"plans", "a.sealed", false},
		{"plans", "oci://ghcr.io/acme/plans" + digest, false},
		{"oci://ghcr.io/acme/plans", "oci://ghcr.io/acme/plans" + digest, true},
		{"oci://ghcr.io/acme/plans", "oci://ghcr.io/acme/other" + digest, false},
		{"oci://ghcr.io/acme/plans", "oci://ghcr.io/acme/plans/more" + digest, false},
		{"oci://ghcr.io/acme/plans", "oci://evil.example/acme/plans" + digest, false},
		{"oci://ghcr.io/acme/plans", "oci://ghcr.io/acme/plans:latest", false},
		{"oci://ghcr.io/acme/plans", "a.sealed", false}, {"oci://ghcr.io/acme/plans", "./a.sealed", false},
		{"oci://ghcr.io/acme/plans", "", false}, {"plans", "", false},
	} {
		place, err := seal.ParsePlace(c.place)
		if err != nil {
			t.Fatal(err)
		}
		if got := place.Holds(c.plan); got != c.holds {
			t.Errorf("%s holds %q: %t", c.place, c.plan, got)
		}
	}
}
