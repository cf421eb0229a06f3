// Command sigstore-kms-waybill signs with a key that stays in a key management
// service: AWS KMS, Azure Key Vault, Google Cloud KMS, or the transit engine of
// HashiCorp Vault or OpenBao. It is a plugin as Sigstore defines one
// (sigstore/pkg/signature/kms/cliplugin): `waybill sign --key awskms:///…` starts
// it for each signature, and so does `cosign sign --key waybill://awskms:///…`.
// It is a program of its own so that the libraries of four clouds are in no other.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/sigstore/kms"
)

func main() {
	if slices.Contains(os.Args[1:], "--version") {
		fmt.Printf("sigstore-kms-waybill version %s\n", cli.Version())
		return
	}
	if err := kms.Answer(os.Args, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "sigstore-kms-waybill: %v\n", err)
		os.Exit(1)
	}
}
