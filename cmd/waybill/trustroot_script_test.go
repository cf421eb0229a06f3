package main

import (
	"encoding/json"
	"encoding/pem"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore-go/pkg/root"
	"sigs.k8s.io/yaml"
)

// writeTrustRoot writes policy-controller's TrustRoot of the script's Sigstore:
// trustroot NAME FILE
// https://github.com/sigstore/policy-controller/blob/main/docs/api-types/index-v1alpha1.md
func writeTrustRoot(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || ts.Getenv("TRUSTED_ROOT") == "" {
		ts.Fatalf("usage, after sigstore: trustroot NAME FILE")
	}
	trusted, err := root.NewTrustedRootFromPath(ts.Getenv("TRUSTED_ROOT"))
	ts.Check(err)
	type object = map[string]any
	block := func(kind string, data ...[]byte) (chain []byte) {
		for _, der := range data {
			chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
		}
		return chain
	}
	authority := func(uri string, chain []byte) object {
		return object{"subject": object{"organization": "acme", "commonName": "acme"}, "uri": uri, "certChain": chain}
	}
	keys := make(map[string][]any)
	for _, ca := range trusted.FulcioCertificateAuthorities() {
		fulcio := ca.(*root.FulcioCertificateAuthority)
		var chain [][]byte
		for _, c := range fulcio.Intermediates {
			chain = append(chain, c.Raw)
		}
		keys["certificateAuthorities"] = append(keys["certificateAuthorities"],
			authority("https://fulcio.example", block("CERTIFICATE", append(chain, fulcio.Root.Raw)...)))
	}
	for _, tsa := range trusted.TimestampingAuthorities() {
		authorityOf := tsa.(*root.SigstoreTimestampingAuthority)
		chain := [][]byte{authorityOf.Leaf.Raw}
		for _, c := range authorityOf.Intermediates {
			chain = append(chain, c.Raw)
		}
		keys["timestampAuthorities"] = append(keys["timestampAuthorities"],
			authority("https://timestamp.example", block("CERTIFICATE", append(chain, authorityOf.Root.Raw)...)))
	}
	data, err := yaml.Marshal(object{
		"apiVersion": "policy.sigstore.dev/v1alpha1", "kind": "TrustRoot", "metadata": object{"name": args[0]},
		"spec": object{"sigstoreKeys": keys},
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
}

// writeWithoutLog writes the script's signing config and trusted root without their
// transparency log: withoutlog CONFIG ROOT
func writeWithoutLog(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || ts.Getenv("SIGNING_CONFIG") == "" {
		ts.Fatalf("usage, after sigstore: withoutlog CONFIG ROOT")
	}
	for i, from := range []string{"SIGNING_CONFIG", "TRUSTED_ROOT"} {
		data, err := os.ReadFile(ts.Getenv(from))
		ts.Check(err)
		var document map[string]any
		ts.Check(json.Unmarshal(data, &document))
		for _, field := range []string{"rekorTlogUrls", "rekorTlogConfig", "tlogs"} {
			delete(document, field)
		}
		data, err = json.Marshal(document)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[i]), data, 0o600))
	}
}
