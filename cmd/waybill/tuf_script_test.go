package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// serveTUF serves the script's trusted root from a TUF repository, as a Sigstore of
// one's own does: tuf. It sets TUF_MIRROR, and FIRST_ROOT to its first root in base64.
// https://theupdateframework.github.io/specification/latest/
func serveTUF(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 || ts.Getenv("TRUSTED_ROOT") == "" {
		ts.Fatalf("usage, after sigstore: tuf")
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	ts.Check(err)
	key, err := metadata.KeyFromPublicKey(public)
	ts.Check(err)
	signer, err := signature.LoadSigner(private, crypto.Hash(0))
	ts.Check(err)

	trusted := withCertificateLog(ts)
	expires := time.Now().Add(time.Hour)
	root, targets := metadata.Root(expires), metadata.Targets(expires)
	snapshot, timestamp := metadata.Snapshot(expires), metadata.Timestamp(expires)
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		ts.Check(root.Signed.AddKey(key, role))
	}
	file, err := metadata.TargetFile().FromBytes("trusted_root.json", trusted, "sha256")
	ts.Check(err)
	targets.Signed.Targets["trusted_root.json"] = file

	files := map[string][]byte{"/targets/" + file.Hashes["sha256"].String() + ".trusted_root.json": trusted}
	files["/1.root.json"] = signed(ts, signer, root)
	files["/root.json"] = files["/1.root.json"]
	files["/1.targets.json"] = signed(ts, signer, targets)
	files["/1.snapshot.json"] = signed(ts, signer, snapshot)
	files["/timestamp.json"] = signed(ts, signer, timestamp)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	ts.Defer(server.Close)
	ts.Setenv("TUF_MIRROR", server.URL)
	ts.Setenv("FIRST_ROOT", base64.StdEncoding.EncodeToString(files["/1.root.json"]))
}

func signed[T metadata.Roles](ts *testscript.TestScript, signer signature.Signer, role *metadata.Metadata[T]) []byte {
	_, err := role.Sign(signer)
	ts.Check(err)
	data, err := role.ToBytes(false)
	ts.Check(err)
	return data
}

// withCertificateLog is the script's trusted root with a log of certificates, which
// the rehearsal's Fulcio has not, and without which Kyverno starts nothing.
func withCertificateLog(ts *testscript.TestScript) []byte {
	data, err := os.ReadFile(ts.Getenv("TRUSTED_ROOT"))
	ts.Check(err)
	var document map[string]any
	ts.Check(json.Unmarshal(data, &document))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	ts.Check(err)
	id := sha256.Sum256(der)
	type object = map[string]any
	document["ctlogs"] = []any{object{
		"baseUrl": "https://ctlog.example", "hashAlgorithm": "SHA2_256", "logId": object{"keyId": id[:]},
		"publicKey": object{
			"rawBytes": der, "keyDetails": "PKIX_ECDSA_P256_SHA_256",
			"validFor": object{"start": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)},
		},
	}}
	data, err = json.Marshal(document)
	ts.Check(err)
	return data
}
