package audit

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// terraformRecord is a signed statement about a plan, as the terraform gate keeps it.
func (w *world) terraformRecord(t *testing.T, kind, fingerprint, by string) []byte {
	t.Helper()
	statement := map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": kind,
		"subject":   []any{map[string]any{"name": "plan", "digest": map[string]string{"sha256": fingerprint}}},
		"predicate": map[string]string{"approvedBy": by, "reason": "a<b & c"},
	}
	data, err := w.signer.Statement(t.Context(), mustJSON(t, statement))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// gather makes an audit with records of the terraform gate, in files.
func (w *world) gather(t *testing.T, records ...[]byte) (*Archive, error) {
	t.Helper()
	work, err := Begin(t.Context(), w.repo, Request{
		Repository: "acme/config", Branch: "main", Env: "staging", Until: w.repo.Clock.Now(), Now: w.repo.Clock.Now(), Version: "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	from := Sources{Signer: w.signer, Verifier: w.verifier(t), Registry: func(string) *registry.Client { return w.client }}
	var names []string
	for i, record := range records {
		name := filepath.Join(t.TempDir(), string(rune('a'+i))+".sigstore.json")
		if err := os.WriteFile(name, record, 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := from.ReadTerraform(t.Context(), names); err != nil {
		t.Fatal(err)
	}
	return work.Gather(t.Context(), from)
}

// A record of the terraform gate lies in the audit as it was signed, is said as it says,
// and is verified again with the rest.
func TestAnAuditHoldsTerraformRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fingerprint := strings.Repeat("ab", 32)
	a, err := w.gather(t, w.terraformRecord(t, terraformTypes+"gate/v1", fingerprint, "ada"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.verify(t, a)
	if err != nil || len(v.Problems) > 0 {
		t.Fatal(err, v.Problems)
	}
	list := v.Document.Terraform
	if len(list) != 1 || list[0].Fingerprint != fingerprint || list[0].Type != terraformTypes+"gate/v1" ||
		!strings.Contains(string(list[0].Record), `"ada"`) || list[0].Signer.Key == "" || v.Bundles != 1 {
		t.Errorf("the audit says %+v of %d bundles", list, v.Bundles)
	}
	for _, gap := range v.Document.Gaps {
		if strings.Contains(gap, "terraform") {
			t.Errorf("and that it has none: %s", gap)
		}
	}
	// Nobody can make the document say what the record does not, nor add another one.
	for what, change := range map[string]struct {
		change func(doc *Document)
		says   string
	}{
		"who approved": {func(doc *Document) { doc.Terraform[0].Record = json.RawMessage(`{"approvedBy":"eve"}`) },
			"what is said of the terraform plan abababababab is not what its record says"},
		"another plan": {func(doc *Document) { doc.Terraform[0].Fingerprint = strings.Repeat("cd", 32) },
			"what is said of the terraform plan cdcdcdcdcdcd is not what its record says"},
		"another step": {func(doc *Document) { doc.Terraform[0].Type = terraformTypes + "apply/v1" }, "is not what its record says"},
		"another hand": {func(doc *Document) { doc.Terraform[0].Signer = evidence.Signer{Identity: "the chief"} },
			"is not what its record says"},
		"left out": {func(doc *Document) { doc.Terraform = nil }, "nothing in audit.json rests on it"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			other := &Archive{files: maps.Clone(a.files)}
			var doc Document
			if err := json.Unmarshal(a.files[documentFile], &doc); err != nil {
				t.Fatal(err)
			}
			change.change(&doc)
			if err := other.setDocument(doc); err != nil {
				t.Fatal(err)
			}
			w.resign(t, other)
			v, err := w.verify(t, other)
			if said := strings.Join(v.Problems, "\n"); err != nil || !strings.Contains(said, change.says) {
				t.Errorf("got %v, %s, want %s", err, said, change.says)
			}
		})
	}
}

// What is no record of the terraform gate, or of a key that nobody trusts, is not put
// into an audit.
func TestAnAuditTakesNoOtherRecord(t *testing.T) {
	t.Parallel()
	w, stranger := newWorld(t), newWorld(t)
	for what, test := range map[string]struct {
		record []byte
		says   string
	}{
		"another type": {w.terraformRecord(t, "https://slsa.dev/provenance/v1", strings.Repeat("ab", 32), "ada"), "is no type of one"},
		"another key": {
			stranger.terraformRecord(t, terraformTypes+"gate/v1", strings.Repeat("ab", 32), "eve"), "read a record of the terraform gate",
		},
		"no bundle": {[]byte("{}"), "read a record of the terraform gate"},
	} {
		if _, err := w.gather(t, test.record); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
