package main

import (
	"net/http/httptest"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waybill-dev/waybill/internal/rehearsal/kmsd"
)

// startKMS starts a stand-in for Vault and AWS KMS that ends with the script,
// writes the public half of its key to kms.pub, and sets what the services'
// libraries read. The program that reaches them is in bin, by `make build`: kms
func startKMS(ts *testscript.TestScript, bin string, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: kms")
	}
	service, err := kmsd.New()
	ts.Check(err)
	server := httptest.NewServer(service)
	ts.Defer(server.Close)
	ts.Check(os.WriteFile(ts.MkAbs("kms.pub"), service.PublicKeyPEM(), 0o600))
	ts.Setenv("VAULT_ADDR", server.URL)
	ts.Setenv("VAULT_TOKEN", kmsd.Token)
	ts.Setenv("AWS_ENDPOINT_URL_KMS", server.URL)
	ts.Setenv("AWS_REGION", "eu-west-1")
	ts.Setenv("AWS_ACCESS_KEY_ID", "AKIAREHEARSAL")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "rehearsal")
	ts.Setenv("PATH", ts.Getenv("PATH")+string(os.PathListSeparator)+bin)
}
