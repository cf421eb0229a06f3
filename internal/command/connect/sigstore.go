package connect

import (
	"context"
	"fmt"
	"os"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// SigningKey reads a private key, and its public half in PEM form. Without a
// path there is none, and signatures are keyless.
func (a Access) SigningKey(path string) (*sigstore.Key, [][]byte, error) {
	if path == "" {
		return nil, nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, outcome.Usagef("read --key: %w", err)
	}
	key, err := sigstore.LoadKey(pem, []byte(a.Call.Env(contract.EnvCosignPassword)))
	if err != nil {
		return nil, nil, fmt.Errorf("--key %s: %w", path, err)
	}
	public, err := key.PublicKeyPEM()
	if err != nil {
		return nil, nil, fmt.Errorf("--key %s: %w", path, err)
	}
	return key, [][]byte{public}, nil
}

// SignerOptions say with what to sign, and what may become public by it.
func (a Access) SignerOptions(key *sigstore.Key) (sigstore.SignerOptions, error) {
	event, err := a.Call.Runner.Event()
	if err != nil {
		return sigstore.SignerOptions{}, err
	}
	return sigstore.SignerOptions{
		Key: key, IDToken: a.Call.Runner.IDToken, SigningConfig: a.SigningConfig,
		AllowPublicLog: a.AllowPublicLog, Visibility: event.Visibility(),
	}, nil
}

// Signer signs with the key of a file, or keyless. It gives the public key too.
func (a Access) Signer(ctx context.Context, key string) (*sigstore.Signer, [][]byte, error) {
	private, public, err := a.SigningKey(key)
	if err != nil {
		return nil, nil, err
	}
	with, err := a.SignerOptions(private)
	if err != nil {
		return nil, nil, err
	}
	signer, err := sigstore.NewSigner(ctx, with)
	return signer, public, err
}
