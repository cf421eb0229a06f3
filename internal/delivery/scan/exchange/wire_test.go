package exchange

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/evidence"
)

func TestAnswersAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	written := Answer{Version: Version, Scanner: evidence.Scanner{Name: "trivy", Version: "1"}, Images: make([]Result, 2)}
	documents := Documents{CycloneDX: []byte("{\"name\":\"<a & b>\"}\n"), SPDX: []byte(`{"x": 1}`)}
	var out bytes.Buffer
	if err := Write(&out, written, func() ([]Documents, error) { return []Documents{documents, {}}, nil }); err != nil {
		t.Fatal(err)
	}
	whole := int64(out.Len())
	data := out.Bytes()
	got, err := Read(bytes.NewReader(data), whole)
	if err != nil {
		t.Fatal(err)
	}
	if got.Scanner != written.Scanner || len(got.Images) != 2 {
		t.Errorf("got %+v", got)
	}
	if a, b := got.Images[0], documents; !bytes.Equal(a.CycloneDX, b.CycloneDX) || !bytes.Equal(a.SPDX, b.SPDX) {
		t.Errorf("got %s and %s, byte for byte %s and %s were written", a.CycloneDX, a.SPDX, b.CycloneDX, b.SPDX)
	}
	if got.Images[1].CycloneDX != nil || got.Images[1].SPDX != nil {
		t.Errorf("an image without documents got %s and %s", got.Images[1].CycloneDX, got.Images[1].SPDX)
	}
	if _, err := Read(bytes.NewReader(data), whole-1); err == nil || !strings.Contains(err.Error(), "it has more than") {
		t.Errorf("got %v for an answer that is a byte too long", err)
	}
}

func TestLengthsThatLie(t *testing.T) {
	t.Parallel()
	for text, reason := range map[string]string{
		`{"images":[{}]}` + "\n" + `[{"cyclonedx":-1}]` + "\n":             "the CycloneDX document of : it cannot have -1 bytes",
		`{"images":[{}]}` + "\n" + `[{"spdx":9000000000000000000}]` + "\n": "the SPDX document of : it cannot have 9000000000000000000 bytes",
		`{"images":[{}]}` + "\n" + `[{"spdx":5}]` + "\n{}":                 "the SPDX document of : unexpected EOF",
		`{"images":[{}]}` + "\n" + `[{"spdx":1}]` + "\n{}":                 "it is not JSON",
		`{"images":[{}]}` + "\n" + `[{"spdx":2}]` + "\n{}\n":               "there is more after it",
		`{"images":[{}]}` + "\n" + `[]` + "\n":                             "it has 1 images, and documents of 0",
		`{"images":[{}]}` + "\n" + `[{}]`:                                  "EOF",
	} {
		if _, err := Read(strings.NewReader(text), 1000); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: got %v, want %q", text, err, reason)
		}
	}
}

func TestDocumentsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := Write(&out, Answer{Images: make([]Result, 1)}, func() ([]Documents, error) { return nil, errors.New("no SPDX") })
	if err == nil || !strings.Contains(err.Error(), "no SPDX") {
		t.Errorf("got %v, want why", err)
	}
	if _, err := Read(&out, 1000); err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("got %v for an answer without its documents", err)
	}
}
