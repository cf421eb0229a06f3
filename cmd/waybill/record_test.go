package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// keyPair writes a private key in PKCS#8 and its public key.
func keyPair(t *testing.T) (private, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	private, public = filepath.Join(dir, "record.key"), filepath.Join(dir, "record.pub")
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"record.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if der, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"record.pub": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))})
	return private, public
}

// cosign runs the public cosign.
func cosign(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var words bytes.Buffer
	out, err := process.Command{
		Path: tooltest.Find(t, "cosign"), Args: args, Env: []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")},
		Stderr: &words,
	}.Output(t.Context())
	return string(out) + words.String(), err
}

// statement is what a bundle says.
func statement(t *testing.T, bundle []byte) (subjects []string, predicateType string, predicate map[string]any) {
	t.Helper()
	var b struct {
		DsseEnvelope struct{ Payload string }
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(b.DsseEnvelope.Payload)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Subject []struct {
			Digest map[string]string
		}
		PredicateType string
		Predicate     map[string]any
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		t.Fatal(err)
	}
	for _, subject := range s.Subject {
		subjects = append(subjects, subject.Digest["sha256"])
	}
	return subjects, s.PredicateType, s.Predicate
}

// Beside a sealed plan that is a file lies what was decided and what was
// applied, signed, about exactly this plan; the public cosign verifies it.
func TestSignedRecordsInFiles(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	id := w.approve("bob", f)
	private, public := keyPair(t)
	signing := []string{"--sign-record", "key", "--key", private}
	code, _, words := w.gate(signing...)
	w.wants("gate", code, 0, words, "the record is signed by key sha256:[0-9a-f]+, beside "+w.sealedFile(f)+".gate.sigstore.json")
	code, _, words = w.apply(signing...)
	w.wants("apply", code, 0, words, "infra/prod: applied", "beside "+w.sealedFile(f)+".apply.sigstore.json")
	nothing, err := sigstore.Instance{}.TrustedRoot() // cosign wants one where a key needs none
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root.json")
	write(t, filepath.Dir(root), map[string]string{"root.json": string(nothing)})
	for kind, predicateType := range map[string]string{
		"gate": "https://waybill.dev/terraform-gate/v1", "apply": "https://waybill.dev/terraform-apply/v1",
	} {
		bundle := w.sealedFile(f) + "." + kind + ".sigstore.json"
		subjects, got, predicate := statement(t, []byte(read(t, bundle)))
		if got != predicateType || len(subjects) != 2 || subjects[0] != string(f) ||
			subjects[1] != strings.TrimPrefix(plan.Digest([]byte(read(t, w.sealedFile(f)))), "sha256:") {
			t.Errorf("%s is about %q: %s", kind, subjects, got)
		}
		if kind == "apply" {
			if predicate["applied"] != true || predicate["pull_request"] != 1.0 || predicate["repository"] != "acme/infra" {
				t.Errorf("the record is %v", predicate)
			}
			predicate, _ = predicate["approval"].(map[string]any)
		}
		text, _ := json.Marshal(predicate)
		for _, want := range []string{
			`"user":"bob"`, `"id":` + id, `"kind":"review"`, `"as":"acme/dba"`, `"fingerprint":"` + string(f),
			`"head":"` + w.git(w.clone, "rev-parse", "HEAD"), `"verdict":"approved"`, `"dir":"infra/prod"`,
		} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the record of %s lacks %s: %s", kind, want, text)
			}
		}
		flags := []string{
			"verify-blob-attestation", "--key", public, "--bundle", bundle, "--new-bundle-format", "--type", predicateType,
			"--insecure-ignore-tlog", "--trusted-root", root,
		}
		if out, err := cosign(t, append(flags, w.sealedFile(f))...); err != nil {
			t.Errorf("cosign does not verify the record of %s: %v %s", kind, err, out)
		}
		if out, err := cosign(t, append(flags, private)...); err == nil {
			t.Errorf("cosign verifies it for another file: %s", out)
		}
	}
	w.noSecrets(secret)
}

// In a registry, records are referrers of the sealed plan, signed by the job's
// own identity.
func TestSignedRecordsInARegistry(t *testing.T) {
	t.Parallel()
	stack := sigstoretest.Start(t)
	w := newInfraWorld(t, nil)
	w.store = "oci://" + registrytest.New(t, nil).Host + "/acme/plans"
	w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
	f := w.plan()
	w.approve("bob", f)
	const workflow = "acme/infra/.github/workflows/apply.yml@refs/heads/main"
	w.env["ACTIONS_ID_TOKEN_REQUEST_URL"], w.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = stack.Issuer.Grant(oidc.Claims{
		Repository: "acme/infra", SHA: w.git(w.clone, "rev-parse", "HEAD"), Ref: "refs/heads/main", RunID: "7",
		WorkflowRef: workflow,
	})
	code, _, words := w.apply("--sign-record", "keyless", "--signing-config", stack.SigningConfig, "--trusted-root", stack.TrustedRoot)
	w.wants(
		"apply", code, 0, words, "infra/prod: applied",
		"the record is signed by https://github.com/"+workflow+", beside "+w.store+"@sha256:",
	)
	claim, ok := comment.ReadClaim(w.github.Pulls("acme/infra")[0].Comments[0])
	if !ok {
		t.Fatal("no claim")
	}
	ref := strings.TrimPrefix(claim.Plan, "oci://")
	flags := []string{"verify-attestation", "--type", "https://waybill.dev/terraform-apply/v1", "--new-bundle-format",
		"--trusted-root", stack.TrustedRoot, "--use-signed-timestamps", "--insecure-ignore-sct",
		"--certificate-oidc-issuer", stack.Issuer.URL(), "--certificate-identity"}
	out, err := cosign(t, append(flags, "https://github.com/"+workflow, ref)...)
	if err != nil || strings.Count(out, `"payloadType"`) != 1 {
		t.Errorf("cosign does not verify the record: %v %s", err, out)
	}
	if out, err := cosign(t, append(flags, "https://github.com/evil", ref)...); err == nil {
		t.Errorf("cosign verifies it for a stranger: %s", out)
	}
}

// What cannot be signed is said before anything is decided or applied; what was
// applied is not taken back.
func TestRecordsThatCannotBeSigned(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	w.approve("bob", f)
	private, _ := keyPair(t)
	_, other := keyPair(t)
	for want, args := range map[string][]string{
		"this job has no OIDC identity":           {"--sign-record", "keyless"},
		"--sign-record key and --key FILE belong": {"--sign-record", "key"},
		"--key without --sign-record key":         {"--key", private},
		"want cosign's form or PKCS#8":            {"--sign-record", "key", "--key", other},
		"read --key: open .*: no such file":       {"--sign-record", "key", "--key", filepath.Join(t.TempDir(), "none")},
	} {
		code, _, words := w.apply(args...)
		if code == 0 || w.state() != "" {
			t.Errorf("%q: applied", args)
		}
		w.wants("apply", code, code, words, want)
	}
	if err := os.Chmod(w.store, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // may write everywhere: a directory in the place of the file, then
		if err := os.Mkdir(w.sealedFile(f)+".apply.sigstore.json", 0o700); err != nil {
			t.Fatal(err)
		}
	}
	code, _, words := w.apply("--sign-record", "key", "--key", private)
	w.wants("apply", code, 1, words, "infra/prod: applied", "what is said above was done; its record is not signed: keep the signed record")
	if err := os.Chmod(w.store, 0o700); err != nil {
		t.Fatal(err)
	}
}
