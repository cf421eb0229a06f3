package collect

import (
	"bytes"
	"context"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// Stored is a signed record as it lies beside an image, so that it can be verified
// again without the registry.
type Stored struct {
	Tag         string            `json:"tag,omitempty"` // of cosign's legacy form; empty for a bundle
	Annotations map[string]string `json:"annotations,omitempty"`
	Data        []byte            `json:"-"`
}

// kept hands on what holds. What does not is no record.
func (c *collector) kept(s Stored, err error) {
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.keep(s)
	}
}

// Again verifies what was stored beside an image and gives the same evidence as
// Collect did. image says what the image holds: its records are not looked at.
func Again(ctx context.Context, v *sigstore.Verifier, image evidence.Evidence, list []Stored) (evidence.Evidence, error) {
	c := collector{
		evidence: evidence.Evidence{Image: image.Image, Platforms: image.Platforms, Manifests: image.Manifests},
		verifier: v, subjects: append([]string{image.Image.Digest()}, image.Manifests...), known: make(map[evidence.Problem]bool),
	}
	for _, s := range list {
		blob := registry.Blob{Tag: s.Tag, Annotations: s.Annotations}
		if err := c.candidate(ctx, []registry.Blob{blob}, bytes.Clone(s.Data)); err != nil {
			return evidence.Evidence{}, err
		}
	}
	c.sort()
	return c.evidence, nil
}
