package sigstore

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file may hold the roots of several Sigstore instances. A signature verifies by
// one of them, and never by parts of two.
func TestSeveralTrustedRoots(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("testdata", "public")
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	public, signed := read("trusted-root.json"), read("sigstore-js-1.3.0.bundle.json")
	without := func(parts ...string) []byte {
		var document map[string]any
		if err := json.Unmarshal(public, &document); err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			document[part] = []any{}
		}
		data, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	empty, err := (Instance{Since: time.Now()}).TrustedRoot()
	if err != nil {
		t.Fatal(err)
	}
	join := func(documents ...[]byte) string { return string(bytes.Join(documents, []byte("\n"))) }
	for name, test := range map[string]struct {
		roots, wrong string
	}{
		"the first":  {join(public, empty), ""},
		"the second": {join(empty, public), ""},
		"the third":  {join(empty, without("certificateAuthorities"), public), ""},
		"neither":    {join(empty, empty), "by another trusted root: "},
		"one half in each": {
			join(without("certificateAuthorities"), without("tlogs", "timestampAuthorities")), "by another trusted root: ",
		},
		"a certificate's half": {string(without("tlogs", "timestampAuthorities")), "signature with the certificate of"},
	} {
		v, err := NewVerifier(VerifierOptions{TrustedRoot: test.roots})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = v.Bundle(signed, nil)
		if test.wrong == "" && err != nil || test.wrong != "" && (!IsUntrusted(err) || !strings.Contains(err.Error(), test.wrong)) {
			t.Errorf("%s: %v, want %q", name, err, test.wrong)
		}
	}
	for name, test := range map[string]struct{ roots, wrong string }{
		"more than anybody has": {strings.Repeat(string(empty)+"\n", maxRoots+1), "more than 10 trusted roots"},
		"no JSON after it":      {join(public, []byte("x")), "invalid character"},
	} {
		if _, err := NewVerifier(VerifierOptions{TrustedRoot: test.roots}); err == nil || !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%s: %v, want %q", name, err, test.wrong)
		}
	}
}
