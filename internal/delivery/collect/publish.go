package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Attestations is GitHub's store of attestations of one repository.
type Attestations interface {
	// Attestations are the bundles about a digest.
	Attestations(ctx context.Context, digest string) ([]json.RawMessage, error)
	Attest(ctx context.Context, bundle json.RawMessage) error
}

// Publish hands the bundles by one signer that are beside an image to a store, except
// those that it has. It says how many it handed over.
func Publish(ctx context.Context, d Deps, ref imageref.Ref, signer evidence.Signer, to Attestations) (*int, error) {
	added, err := publish(ctx, d, ref, signer, to)
	if err != nil {
		return nil, fmt.Errorf("the image is signed, and its evidence lies in the registry; running sign again hands over the rest: %w", err)
	}
	return &added, nil
}

func publish(ctx context.Context, d Deps, ref imageref.Ref, signer evidence.Signer, to Attestations) (int, error) {
	var mu sync.Mutex
	var found []Stored
	d.Keep = func(s Stored) {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, s)
	}
	if _, err := Collect(ctx, d, ref); err != nil {
		return 0, err
	}
	there, err := to.Attestations(ctx, ref.Digest())
	if err != nil {
		return 0, err
	}
	known := make(map[string]bool)
	for _, bundle := range there {
		known[envelopeSignature(bundle)] = true
	}
	slices.SortFunc(found, func(a, b Stored) int { return bytes.Compare(a.Data, b.Data) })
	added := 0
	for _, s := range found {
		if s.Tag != "" || known[envelopeSignature(s.Data)] {
			continue
		}
		if verified, err := d.Verifier.Bundle(s.Data, s.Annotations); err != nil || !verified.Signer.Same(signer) {
			continue // somebody else's: theirs to publish
		}
		if err := to.Attest(ctx, s.Data); err != nil {
			return added, err
		}
		known[envelopeSignature(s.Data)] = true // somebody may have attached it once more, in other bytes
		added++
	}
	return added, nil
}

// envelopeSignature tells bundles apart, however their JSON is written.
func envelopeSignature(bundle []byte) string {
	var b struct {
		Envelope struct {
			Signatures []struct {
				Sig string `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if json.Unmarshal(bundle, &b) != nil || len(b.Envelope.Signatures) == 0 {
		return ""
	}
	return b.Envelope.Signatures[0].Sig
}
