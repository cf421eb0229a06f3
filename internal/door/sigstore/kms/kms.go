// Package kms reaches the services that keep signing keys, as a plugin of
// Sigstore's (sigstore/pkg/signature/kms/cliplugin). It links the libraries of
// four clouds, so that only a program of its own may import it.
package kms

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sigstore/sigstore/pkg/signature/kms"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/aws"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/azure"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/gcp"
	_ "github.com/sigstore/sigstore/pkg/signature/kms/hashivault"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Answer writes the answer to the one request that the arguments hold. An error
// is part of the answer.
func Answer(args []string, stdin io.Reader, stdout io.Writer) error {
	request, err := handler.GetPluginArgs(args)
	if err != nil {
		return outcome.Join(err, handler.WriteErrorResponse(stdout, err))
	}
	key, err := open(request.InitOptions)
	if err != nil {
		return outcome.Join(err, handler.WriteErrorResponse(stdout, err))
	}
	_, err = handler.Dispatch(stdout, stdin, request, key)
	return err
}

// open finds the key. Without one of the built-in services the library would look
// for another plugin, and so for this one again.
func open(o *common.InitOptions) (kms.SignerVerifier, error) {
	if o == nil {
		return nil, errors.New("the request names no key")
	}
	services := kms.SupportedProviders()
	if !slices.ContainsFunc(services, func(scheme string) bool { return strings.HasPrefix(o.KeyResourceID, scheme) }) {
		slices.Sort(services)
		return nil, fmt.Errorf("%q is a key of no service that is known here: want %s", o.KeyResourceID, strings.Join(services, "…, ")+"…")
	}
	return kms.Get(context.Background(), o.KeyResourceID, crypto.SHA256)
}
