package sign

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/tooltest"
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

// docs/evidence.md says how large a statement may be, and of what that is a part.
func TestTheLimitIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "evidence.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("A statement may have %d MiB, which is what fits the %d MiB of one attachment",
		sigstore.MaxStatement>>20, registry.MaxAttachment>>20)
	if !strings.Contains(string(text), want) {
		t.Errorf("docs/evidence.md does not say %q", want)
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
