package connect

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/running"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Question is an image, and the policy that judges it.
type Question struct {
	Image  imageref.Ref
	Policy string // file
	App    string // if empty, the application that has the image
	Env    string
	Keys   []string // files of public keys to accept beside those of the policy
	Host   string   // whose password the inputs hold; if empty, the image's registry
}

// Waybill collects the evidence of an image and judges it by a policy file.
func (a Access) Waybill(ctx context.Context, q Question) (evidence.Waybill, error) {
	cfg, err := config.Load(q.Policy)
	if err != nil {
		return evidence.Waybill{}, outcome.Usagef("%w", err)
	}
	if q.App == "" {
		found, err := cfg.AppForImage(q.Image.Repository())
		if err != nil {
			return evidence.Waybill{}, outcome.Usagef("%w", err)
		}
		q.App = found.Name
	}
	policy, err := cfg.Policy(q.App, q.Env)
	if err != nil {
		return evidence.Waybill{}, outcome.Usagef("%w", err)
	}
	keys := cfg.PublicKeys()
	for _, path := range q.Keys {
		pem, err := os.ReadFile(path)
		if err != nil {
			return evidence.Waybill{}, outcome.Usagef("read --key: %w", err)
		}
		_, fingerprint, err := sigstore.LoadPublicKey(pem)
		if err != nil {
			return evidence.Waybill{}, outcome.Usagef("--key %s: %w", path, err)
		}
		keys, policy.Keys = append(keys, pem), append(policy.Keys, fingerprint) // who gives a key accepts it
	}
	policy.Server = a.Call.Env(contract.EnvGitHubServer)
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: a.TrustedRoot, Keys: keys, Trusts: policy.Trusts})
	if err != nil {
		return evidence.Waybill{}, err
	}
	deps := collect.Deps{Registry: a.RegistryClient(cmp.Or(q.Host, q.Image.Registry())), Verifier: verifier, Server: policy.Server}
	waybill, err := collect.Verify(ctx, deps, q.Image, policy, time.Now())
	waybill.App, waybill.Env = q.App, q.Env
	if err != nil {
		return evidence.Waybill{}, err
	}
	return waybill, nil
}

// MovedBases are the base images of an image whose names stand for other images by now,
// as its provenance by a signer of the policy says. One that cannot be asked for is
// left out.
func (a Access) MovedBases(ctx context.Context, image imageref.Ref, policy evidence.Policy, keys [][]byte) ([]running.Base, error) {
	client := a.RegistryClient(image.Registry())
	policy.Require = []evidence.Kind{evidence.Provenance}
	waybill, err := a.attested(ctx, client, image, policy, keys)
	if err != nil {
		return nil, err
	}
	var moved []running.Base
	for _, base := range waybill.BaseImages {
		now, err := client.Resolve(ctx, base.Name)
		if err != nil || now.Digest() == base.Digest {
			continue
		}
		if was, err := imageref.Parse(now.Repository() + "@" + base.Digest); err == nil {
			moved = append(moved, running.Base{Name: base.Name, Was: was, Now: now})
		}
	}
	return moved, ctx.Err()
}

// Attested is what signers of the policy attested of an image: its bill of materials, and
// the newest scan.
func (a Access) Attested(ctx context.Context, image imageref.Ref, policy evidence.Policy, keys [][]byte) (running.Attested, error) {
	policy.Require = []evidence.Kind{evidence.SBOM, evidence.Scan}
	waybill, err := a.attested(ctx, a.RegistryClient(image.Registry()), image, policy, keys)
	if err != nil {
		return running.Attested{}, err
	}
	bom, ok := waybill.SBOM(evidence.PredicateCycloneDX)
	report, scanned := waybill.ScanReport()
	if !ok || !scanned {
		return running.Attested{}, errors.New("no signer of the policy attested both a CycloneDX SBOM and a scan of it")
	}
	return running.Attested{BOM: bom, Scan: report}, nil
}

// attested is what counts of an image by the policy.
func (a Access) attested(
	ctx context.Context, client *registry.Client, image imageref.Ref, policy evidence.Policy, keys [][]byte,
) (evidence.Waybill, error) {
	policy.Server = a.Call.Env(contract.EnvGitHubServer)
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{TrustedRoot: a.TrustedRoot, Keys: keys, Trusts: policy.Trusts})
	if err != nil {
		return evidence.Waybill{}, err
	}
	return collect.Verify(ctx, collect.Deps{Registry: client, Verifier: verifier, Server: policy.Server}, image, policy, time.Now())
}
