package sign

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// What verifiers would not read is refused before anything is signed.
func TestNothingIsSignedThatIsTooLargeToRead(t *testing.T) {
	t.Parallel()
	image, err := imageref.Parse("ghcr.io/acme/app@sha256:" + strings.Repeat("1", 64))
	if err != nil {
		t.Fatal(err)
	}
	c := claim{kind: evidence.SBOM, predicateType: evidence.PredicateCycloneDX, predicate: make([]byte, sigstore.MaxStatement)}
	err = readable([]claim{c}, image, registry.Contents{}, evidence.Signer{})
	if outcome.Code(err) != outcome.Usage || !strings.Contains(
		err.Error(), "the sbom has 95 MiB, and no verifier reads a statement of more than 95 MiB: nothing was signed",
	) {
		t.Errorf("got %v", err)
	}
}

func TestSameJSON(t *testing.T) {
	t.Parallel()
	large := `"` + strings.Repeat("x", maxDecoded) + `"`
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{``, `{}`, true}, {`{"a":1,"b":2}`, `{ "b": 2, "a": 1 }`, true}, {`{"a":1}`, `{"a":2}`, false}, {`{`, `{}`, false},
		{`{"a": ` + large + `}`, `{"a":` + large + `}`, true}, {`{"a":1,"b":` + large + `}`, `{"a":2,"b":` + large + `}`, false},
		{`{` + large, `{}`, false},
	} {
		if got := sameJSON(json.RawMessage(test.a), json.RawMessage(test.b)); got != test.want {
			t.Errorf("%.20s and %.20s: got %v", test.a, test.b, got)
		}
	}
}
