package sign

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// write signs what is to do, all at once, and stores it.
func (r run) write(ctx context.Context, todo []want) error {
	var legacy legacyLayers
	bundles := make([]*registry.Attachment, len(todo))
	g, gctx := errgroup.WithContext(ctx)
	for i, w := range todo {
		g.Go(func() (err error) {
			if w.legacy {
				return r.signLegacy(gctx, w, &legacy)
			}
			bundles[i], err = r.signBundle(gctx, w)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var attachments []registry.Attachment
	for _, b := range bundles {
		if b != nil {
			attachments = append(attachments, *b)
		}
	}
	if err := sigstore.Attach(ctx, r.Registry, r.platforms, attachments); err != nil {
		return fmt.Errorf("store the evidence: %w", err)
	}
	if err := sigstore.Attach(ctx, r.Registry, []imageref.Ref{r.image}, attachments); err != nil {
		return fmt.Errorf("store the evidence: %w", err)
	}
	return legacy.store(ctx, r)
}

func (r run) signBundle(ctx context.Context, w want) (*registry.Attachment, error) {
	statement, err := r.statement(w.claim)
	if err != nil {
		return nil, err
	}
	annotations := r.Signer.Annotations(w.predicateType)
	data, _, err := r.Signer.Verified(ctx, r.Verifier, statement, annotations)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", w.kind, err)
	}
	return &registry.Attachment{MediaType: sigstore.MediaTypeBundle, Data: data, Annotations: annotations}, nil
}

// legacyLayers are layers by the digest they stand beside.
type legacyLayers struct {
	mu           sync.Mutex
	signatures   map[imageref.Ref][]sigstore.Legacy
	attestations []sigstore.Legacy // beside every digest
}

func (r run) signLegacy(ctx context.Context, w want, layers *legacyLayers) error {
	if w.kind != evidence.Signature {
		statement, err := r.statement(w.claim)
		if err != nil {
			return err
		}
		attestation, err := r.Signer.LegacyAttestation(ctx, statement, w.predicateType)
		if err == nil {
			err = r.Signer.Own(r.Verifier.Legacy(ctx, sigstore.LegacyAttestations, attestation))
		}
		if err != nil {
			return fmt.Errorf("sign %s: %w", w.kind, err)
		}
		layers.mu.Lock()
		defer layers.mu.Unlock()
		layers.attestations = append(layers.attestations, attestation)
		return nil
	}
	for _, ref := range append([]imageref.Ref{r.image}, r.platforms...) { // a legacy signature names one digest
		payload, err := sigstore.SimpleSigning(ref)
		if err != nil {
			return err
		}
		signature, err := r.Signer.LegacySignature(ctx, payload)
		if err == nil {
			err = r.Signer.Own(r.Verifier.Legacy(ctx, sigstore.LegacySignatures, signature))
		}
		if err != nil {
			return fmt.Errorf("sign %s: %w", ref.Short(), err)
		}
		layers.mu.Lock()
		if layers.signatures == nil {
			layers.signatures = make(map[imageref.Ref][]sigstore.Legacy)
		}
		layers.signatures[ref] = append(layers.signatures[ref], signature)
		layers.mu.Unlock()
	}
	return nil
}

func (l *legacyLayers) store(ctx context.Context, r run) error {
	for _, ref := range append(slices.Clone(r.platforms), r.image) {
		if err := sigstore.AppendLegacy(ctx, r.Registry, ref, sigstore.LegacySignatures, l.signatures[ref]); err != nil {
			return fmt.Errorf("store the signature: %w", err)
		}
		if err := sigstore.AppendLegacy(ctx, r.Registry, ref, sigstore.LegacyAttestations, l.attestations); err != nil {
			return fmt.Errorf("store the attestations: %w", err)
		}
	}
	return nil
}
