package connect

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// SigningKey opens a private key, a file or a reference to a key management
// service, and gives its public half in PEM form. Without a name there is none,
// and signatures are keyless.
func (a Access) SigningKey(ctx context.Context, name string) (*sigstore.Key, [][]byte, error) {
	if name == "" {
		return nil, nil, nil
	}
	var pem []byte
	if !sigstore.IsKeyReference(name) {
		var err error
		if pem, err = os.ReadFile(name); err != nil {
			return nil, nil, outcome.Usagef("read --key: %w", err)
		}
	}
	key, err := a.openKey(ctx, name, pem)
	if err != nil {
		return nil, nil, fmt.Errorf("--key %s: %w", name, err)
	}
	public, err := key.PublicKeyPEM()
	if err != nil {
		return nil, nil, fmt.Errorf("--key %s: %w", name, err)
	}
	return key, [][]byte{public}, nil
}

// OpenSigningKey begins what SigningKey does, and gives what waits for it.
func (a Access) OpenSigningKey(ctx context.Context, name string) func() (*sigstore.Key, [][]byte, error) {
	type opened struct {
		key    *sigstore.Key
		public [][]byte
		err    error
	}
	done := make(chan opened, 1)
	go func() {
		key, public, err := a.SigningKey(ctx, name)
		done <- opened{key, public, err}
	}()
	return func() (*sigstore.Key, [][]byte, error) {
		o := <-done
		return o.key, o.public, o.err
	}
}

// openKey opens the key of a file that holds pem, or of a service.
func (a Access) openKey(ctx context.Context, name string, pem []byte) (*sigstore.Key, error) {
	if pem == nil {
		return sigstore.OpenKey(ctx, name)
	}
	return sigstore.LoadKey(pem, []byte(a.Call.Env(contract.EnvCosignPassword)))
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
	private, public, err := a.SigningKey(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	signer, err := a.SignerWith(ctx, private)
	return signer, public, err
}

// SignerWith signs with a key that is open, or keyless where that is nil.
func (a Access) SignerWith(ctx context.Context, key *sigstore.Key) (*sigstore.Signer, error) {
	with, err := a.SignerOptions(key)
	if err != nil {
		return nil, err
	}
	return sigstore.NewSigner(ctx, with)
}

// attestations are GitHub's attestations of a repository.
type attestations struct {
	api  *github.Client
	repo github.Repository
}

func (a attestations) Attestations(ctx context.Context, digest string) ([]json.RawMessage, error) {
	return a.api.Attestations(ctx, a.repo, digest)
}

func (a attestations) Attest(ctx context.Context, bundle json.RawMessage) error {
	return a.api.Attest(ctx, a.repo, bundle)
}

// Attestations is GitHub's store for the run's repository.
func (a Access) Attestations() (collect.Attestations, error) {
	repository, err := github.ParseRepository(a.Call.Runner.Context().Repository)
	if err != nil {
		return nil, outcome.Usagef("--github-attestations works in a run of GitHub Actions: there is no GITHUB_REPOSITORY here")
	}
	api, err := a.GitHubClient()
	return attestations{api, repository}, err
}

// RootReady reports, by its error, what keeps a trusted root away: the JSON that is
// given, otherwise the one of the public Sigstore.
func (a Access) RootReady(trusted string) error {
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: trusted})
	if err != nil {
		return err
	}
	return verifier.Ready()
}
