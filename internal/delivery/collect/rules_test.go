package collect_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
)

// attach signs any text as a statement and attaches it.
func attach(t *testing.T, im image, key *sigstore.Key, text string) {
	t.Helper()
	signer, err := sigstore.NewSigner(t.Context(), sigstore.SignerOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	data, err := signer.Statement(t.Context(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	a := registry.Attachment{MediaType: sigstore.MediaTypeBundle, Data: data}
	if err := sigstore.Attach(t.Context(), im.client, []imageref.Ref{im.Ref}, []registry.Attachment{a}); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyStatementsOfKnownKindsAreRecords(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	key, trust, p := newKey(t, "ecdsa")
	for name, tc := range map[string]struct {
		statementType, predicateType string
		records                      int
		problem                      string
	}{
		"a signature":               {"https://in-toto.io/Statement/v1", evidence.PredicateSignature, 1, ""},
		"version 0.1":               {"https://in-toto.io/Statement/v0.1", evidence.PredicateSignature, 1, ""},
		"CycloneDX with a version":  {"https://in-toto.io/Statement/v1", "https://cyclonedx.org/bom/v1.6", 1, ""},
		"no statement":              {"https://example.com/Note", evidence.PredicateSignature, 0, "no in-toto statement"},
		"a predicate nobody wants":  {"https://in-toto.io/Statement/v1", "https://example.com/review", 0, ""},
		"provenance of another age": {"https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v0.2", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			im := push(t, host)
			attach(t, im, key, fmt.Sprintf(
				`{"_type":%q,"predicateType":%q,"subject":[{"digest":{"sha256":%q}}],"predicate":{"bomFormat":"CycloneDX","components":[{"type":"library","purl":"pkg:deb/a@1"}]}}`,
				tc.statementType, tc.predicateType, im.Hex(),
			))
			w := judge(t, im, trust, p)
			if len(w.Records) != tc.records {
				t.Errorf("got %d records, want %d", len(w.Records), tc.records)
			}
			if found := len(w.Problems) == 1 && strings.Contains(w.Problems[0].Detail, tc.problem); (tc.problem != "") != found {
				t.Errorf("got problems %+v, want %q", w.Problems, tc.problem)
			}
		})
	}
}

// A document that two readers read differently counts for nothing, however deep
// the difference lies.
func TestStatementWithANameTwice(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	key, trust, p := newKey(t, "ecdsa")
	p.Require, p.Source = []evidence.Kind{evidence.Signature}, ""
	for what, tc := range map[string]struct{ predicate, problem string }{
		"once":            {`{"a":{"b":1}}`, ""},
		"twice":           {`{"a":{"b":1,"b":2}}`, `the name "b" stands twice in one object`},
		"in capitals":     {`{"a":{"b":1,"B":2}}`, `the name "B" stands twice in one object`},
		"beyond any need": {strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300), "nested more than"},
	} {
		im := push(t, host)
		attach(t, im, key, fmt.Sprintf(
			`{"_type":"https://in-toto.io/Statement/v1","predicateType":%q,"subject":[{"digest":{"sha256":%q}}],"predicate":%s}`,
			evidence.PredicateSignature, im.Hex(), tc.predicate,
		))
		w := judge(t, im, trust, p)
		if w.Decision.Allowed != (tc.problem == "") || !strings.Contains(fmt.Sprint(w.Problems), tc.problem) {
			t.Errorf("%s: allowed %v, problems %v, want %q", what, w.Decision.Allowed, w.Problems, tc.problem)
		}
	}
}

// So does the document that a legacy signature signs: another reader could take the
// first of two digests.
func TestLegacySignatureWithANameTwice(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	key, trust, p := newKey(t, "ecdsa")
	p.Require, p.Source = []evidence.Kind{evidence.Signature}, ""
	signer, err := sigstore.NewSigner(t.Context(), sigstore.SignerOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	const other = `"docker-manifest-digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"`
	for what, tc := range map[string]struct{ before, problem string }{
		"once":  {"", ""},
		"twice": {other + ",", `that is no simple-signing document: the name "docker-manifest-digest" stands twice in one object`},
		"in capitals": {
			strings.Replace(other, "docker", "Docker", 1) + ",", `the name "docker-manifest-digest" stands twice in one object`,
		},
	} {
		im := push(t, host)
		signature, err := signer.LegacySignature(t.Context(), fmt.Appendf(nil,
			`{"critical":{"identity":{},"image":{%s"docker-manifest-digest":%q},"type":"cosign container image signature"}}`,
			tc.before, im.Digest(),
		))
		if err != nil {
			t.Fatal(err)
		}
		if err := sigstore.AppendLegacy(
			t.Context(), im.client, im.Ref, sigstore.LegacySignatures, []sigstore.Legacy{signature},
		); err != nil {
			t.Fatal(err)
		}
		w := judge(t, im, trust, p)
		if w.Decision.Allowed != (tc.problem == "") || !strings.Contains(fmt.Sprint(w.Problems), tc.problem) {
			t.Errorf("%s: allowed %v, problems %v, want %q", what, w.Decision.Allowed, w.Problems, tc.problem)
		}
	}
}

// A signature by one signer does not stand for another's.
func TestEachSignerSigns(t *testing.T) {
	t.Parallel()
	im := push(t, registrytest.New(t, nil).Host)
	o := im.options()
	for _, name := range []string{"first", "second"} {
		key, trust, p := newKey(t, "ecdsa")
		result, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o)
		if err != nil || len(result.Written) != 4 {
			t.Fatalf("%s: got %+v, %v", name, result, err)
		}
		if w := judge(t, im, trust, p); !w.Decision.Allowed {
			t.Errorf("%s: not allowed:\n%s", name, w.Text())
		}
	}
}

// What is about the image and not about its platforms, as cosign writes it, is
// no reason to leave the platforms without.
func TestStatementsWithoutPlatformsAreCompleted(t *testing.T) {
	t.Parallel()
	im := push(t, registrytest.New(t, nil).Host)
	key, trust, _ := newKey(t, "ecdsa")
	attach(t, im, key, fmt.Sprintf(
		`{"_type":"https://in-toto.io/Statement/v1","predicateType":%q,"subject":[{"digest":{"sha256":%q}}]}`,
		evidence.PredicateSignature, im.Hex(),
	))
	result, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, sign.Options{Image: im.Ref, Format: sign.Bundle})
	if err != nil || len(result.Written) != 1 {
		t.Errorf("got %+v, %v; want the signature written", result, err)
	}
}

// A certificate lives ten minutes: somebody has to vouch for the time.
func TestKeylessNeedsLogOrTimestamp(t *testing.T) {
	t.Parallel()
	s := sigstoretest.Start(t)
	instance := s.Instance
	instance.LogURL, instance.TimestampURL = "", ""
	config, err := instance.SigningConfig()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = sigstore.NewSigner(t.Context(), sigstore.SignerOptions{SigningConfig: file, IDToken: s.IDToken(job())})
	if err == nil || !strings.Contains(err.Error(), "neither a log nor a timestamp authority") {
		t.Errorf("got %v", err)
	}
}

// Interrupted between platforms and index, signing begins again and ends in
// the same state.
func TestInterruptedSigning(t *testing.T) {
	t.Parallel()
	cut, server := cutAt(t)
	key, trust, p := newKey(t, "ecdsa")
	im := push(t, server.Host)
	o := im.options()
	cut.Store(im.Digest())
	if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o); err == nil ||
		!strings.Contains(err.Error(), "store the evidence: registry "+server.Host) {
		t.Fatalf("got %v", err)
	}
	cut.Store("")
	if w := judge(t, im, trust, p); w.Decision.Allowed && len(w.Records) == 0 {
		t.Error("allowed without records")
	}
	for range 2 {
		if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o); err != nil {
			t.Fatal(err)
		}
	}
	w := judge(t, im, trust, p)
	if !w.Decision.Allowed {
		t.Errorf("not allowed:\n%s", w.Text())
	}
	beside, err := im.client.Attached(t.Context(), im.Ref, sigstore.MediaTypeBundlePrefix)
	if err != nil || len(beside) != 4 {
		t.Errorf("beside the index: %d, %v; want 4", len(beside), err)
	}
}

func TestCosignVerifiesLegacyOfEveryKey(t *testing.T) {
	t.Parallel()
	host := registrytest.New(t, nil).Host
	for _, kind := range []string{"p384", "rsa", "ed25519"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := newCosign(t)
			key, trust, _ := newKey(t, kind)
			public, err := key.PublicKeyPEM()
			if err != nil {
				t.Fatal(err)
			}
			im := push(t, host)
			o := im.options()
			o.Format = sign.Legacy
			if _, err := signWith(t, im, trust, sigstore.SignerOptions{Key: key}, o); err != nil {
				t.Fatal(err)
			}
			flags := []string{"--key", c.write("key.pub", string(public)), "--insecure-ignore-tlog", im.String()}
			c.run(append([]string{"verify"}, flags...)...)
			c.run(append([]string{"verify-attestation", "--type", "vuln"}, flags...)...)
		})
	}
}

// The vulnerability record is one that cosign's own policies can read.
func TestScanRecordFollowsCosignsSpecification(t *testing.T) {
	t.Parallel()
	im := image{Ref: must(imageref.Parse("r.example/a@sha256:" + strings.Repeat("1", 64)))}
	at := must(parseTime("2026-11-20T06:12:00Z"))
	data, err := evidence.ScanPredicate(*im.report(at), evidence.Builder{ID: "b", InvocationID: "i"})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	db, _ := got["scanner"]["db"].(map[string]any)
	if got["invocation"]["uri"] != "i" || got["invocation"]["builder.id"] != "b" || got["scanner"]["version"] != "0.72.0" ||
		db["version"] != "sha256:ab" || db["lastUpdate"] != "2026-11-20T05:12:00Z" ||
		got["metadata"]["scanFinishedOn"] != "2026-11-20T06:12:00Z" {
		t.Errorf("got %s", data)
	}
	if result, _ := got["scanner"]["result"].(map[string]any); result["schema"] != evidence.ScanSchema {
		t.Errorf("result: %v", result)
	}
}
