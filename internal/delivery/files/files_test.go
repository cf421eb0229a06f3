package files_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/files"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
)

func signerAndKey(t *testing.T) (*sigstore.Signer, []byte) {
	t.Helper()
	key, public := sigstoretest.NewKey(t, "")
	signer, err := sigstore.NewSigner(t.Context(), sigstore.SignerOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return signer, public
}

// What gh wants of a bundle from a file: a name that ends in .json, and one DSSE
// envelope with an in-toto statement of SLSA provenance v1 that has the file's
// SHA-256 among its subjects. The provenance is GitHub's build type of a workflow.
// https://github.com/cli/cli/blob/trunk/pkg/cmd/attestation/verification/attestation.go
// https://actions.github.io/buildtypes/workflow/v1
func TestBundleHasTheFormThatGhReads(t *testing.T) {
	t.Parallel()
	signer, public := signerAndKey(t)
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{Keys: [][]byte{public}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tool.tar.gz")
	if err := os.WriteFile(path, []byte("an archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	signed, err := files.Sign(t.Context(), signer, verifier, files.Order{Paths: []string{path}, Run: evidence.Run{
		Builder: evidence.Builder{
			ID:           "https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1",
			InvocationID: "https://github.com/acme/tool/actions/runs/7",
		},
		Repository: "https://github.com/acme/tool", Workflow: ".github/workflows/release.yml",
		Ref: "refs/tags/v1", Commit: strings.Repeat("1", 40), Event: "push",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(signed.Bundles) != 1 || filepath.Ext(signed.Bundles[0]) != ".json" {
		t.Fatalf("bundles %q, want one whose name ends in .json", signed.Bundles)
	}
	data, err := os.ReadFile(signed.Bundles[0])
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct {
		MediaType    string
		DSSEEnvelope struct {
			Payload     []byte
			PayloadType string
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(data, &bundle); err != nil {
		t.Fatal(err)
	}
	if bundle.MediaType != "application/vnd.dev.sigstore.bundle.v0.3+json" ||
		bundle.DSSEEnvelope.PayloadType != "application/vnd.in-toto+json" {
		t.Errorf("media type %s, payload type %s", bundle.MediaType, bundle.DSSEEnvelope.PayloadType)
	}
	sum := sha256.Sum256([]byte("an archive"))
	want := `{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",
		"subject": [{"name": "tool.tar.gz", "digest": {"sha256": "` + hex.EncodeToString(sum[:]) + `"}}],
		"predicate": {
		  "buildDefinition": {"buildType": "https://actions.github.io/buildtypes/workflow/v1",
		    "externalParameters": {"workflow": {
		      "ref": "refs/tags/v1", "repository": "https://github.com/acme/tool", "path": ".github/workflows/release.yml"}},
		    "internalParameters": {"github": {"event_name": "push"}},
		    "resolvedDependencies": [{"uri": "git+https://github.com/acme/tool@refs/tags/v1",
		      "digest": {"gitCommit": "1111111111111111111111111111111111111111"}}]},
		  "runDetails": {"builder": {"id": "https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1"},
		    "metadata": {"invocationId": "https://github.com/acme/tool/actions/runs/7"}}}}`
	var got, wanted any
	if err := json.Unmarshal(bundle.DSSEEnvelope.Payload, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("the statement (-want +got):\n%s", diff)
	}
}

// A signed statement that is no provenance says nothing of who made a file.
func TestOnlyProvenanceCounts(t *testing.T) {
	t.Parallel()
	signer, public := signerAndKey(t)
	path := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("x"))
	subject := `"subject": [{"name": "tool", "digest": {"sha256": "` + hex.EncodeToString(sum[:]) + `"}}]`
	for statement, why := range map[string]string{
		`{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://spdx.dev/Document", ` + subject + `}`:    "it is no SLSA provenance",
		`{"_type": "https://example.com/other", "predicateType": "https://slsa.dev/provenance/v1", ` + subject + `}`:     "it is no SLSA provenance",
		`{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1", "subject": []}`: "none of its 0 subjects",
		`{"_type": "https://in-toto.io/Statement/v1", "_type": "x", ` + subject + `}`:                                    "stands twice",
	} {
		bundle, err := signer.Statement(t.Context(), []byte(statement))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+files.Suffix, bundle, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = files.Verify(files.Question{Paths: []string{path}, Keys: [][]byte{public}})
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %s", statement, err, why)
		}
	}
}
