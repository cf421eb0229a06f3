package sigstore

import (
	"context"
	"fmt"
)

// Verified signs an in-toto statement as Statement does, and sees that verifiers would
// take it before anybody keeps it: the bundle verifies, and it is this signer's.
// Annotations are those that are to stand beside the bundle.
func (s *Signer) Verified(ctx context.Context, v *Verifier, statement []byte, annotations map[string]string) ([]byte, Verified, error) {
	bundle, err := s.Statement(ctx, statement)
	if err != nil {
		return nil, Verified{}, err
	}
	verified, err := v.Bundle(bundle, annotations)
	return bundle, verified, s.Own(verified, err)
}

// Own reports, by its error, that what a verifier says of a new signature is not that it
// is this signer's.
func (s *Signer) Own(verified Verified, err error) error {
	if IsUntrusted(err) {
		return fmt.Errorf("the new signature does not verify, so nothing was attached or written: see that --trusted-root is the root of "+
			"the services in --signing-config: %w", err)
	}
	if err == nil && !verified.Signer.Same(s.identity) {
		return fmt.Errorf("the new signature is by %s, so nothing was attached or written", verified.Signer.Name())
	}
	return err
}
