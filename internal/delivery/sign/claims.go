package sign

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// claim is a predicate to be signed.
type claim struct {
	kind          evidence.Kind
	predicateType string
	predicate     json.RawMessage
}

// claims are what is to be signed, after seeing that it is about the image.
func claims(o Options) ([]claim, error) {
	all := []claim{{evidence.Signature, evidence.PredicateSignature, json.RawMessage(`{}`)}}
	if o.Build != nil {
		if o.Build.Digest != o.Image.Digest() {
			return nil, outcome.Usagef("the build record is about %s, not about %s", o.Build.Digest, o.Image.Digest())
		}
		p, err := evidence.ProvenancePredicate(*o.Build, o.Builder)
		if err != nil {
			return nil, fmt.Errorf("write provenance: %w", err)
		}
		all = append(all, claim{evidence.Provenance, evidence.PredicateProvenance, p})
	}
	for _, sbom := range o.SBOMs {
		predicateType, about, err := evidence.SBOMAbout(sbom)
		if err != nil {
			return nil, outcome.Usagef("%w", err)
		}
		if about != "" && about != o.Image.Digest() {
			return nil, outcome.Usagef("the SBOM is about %s, not about %s", about, o.Image.Digest())
		}
		all = append(all, claim{evidence.SBOM, predicateType, sbom})
	}
	if o.Scan != nil {
		if !strings.HasSuffix(o.Scan.Image, "@"+o.Image.Digest()) {
			return nil, outcome.Usagef("the scan report is about %s, not about %s", o.Scan.Image, o.Image)
		}
		p, err := evidence.ScanPredicate(*o.Scan, o.Builder)
		if err != nil {
			return nil, fmt.Errorf("write scan record: %w", err)
		}
		all = append(all, claim{evidence.Scan, evidence.PredicateScan, p})
	}
	return all, nil
}

// readable refuses, before anything is signed, what verifiers would not take:
// what is larger than they read, and what counts under no policy.
func readable(claims []claim, image imageref.Ref, contents registry.Contents, signer evidence.Signer) error {
	e := evidence.Evidence{Image: image, Platforms: make(map[string]string), Manifests: contents.Manifests}
	for _, p := range contents.Platforms {
		if p.Platform != "" {
			e.Platforms[p.Platform] = p.Ref.Digest()
		}
	}
	const subjects = 1 << 16 // more than the rest of a statement has
	for _, c := range claims {
		if size := len(c.predicate) + subjects; size > sigstore.MaxStatement {
			return outcome.Usagef("the %s has %d MiB, and no verifier reads a statement of more than %d MiB: nothing was signed. "+
				"Leave files out of it, or split the image",
				c.kind, size>>20, sigstore.MaxStatement>>20)
		}
		if why := e.Unusable(
			evidence.Record{Kind: c.kind, PredicateType: c.predicateType, Predicate: c.predicate, Signer: signer}, time.Now(),
		); why != "" {
			return outcome.Usagef("the %s would count nowhere, so nothing was signed: %s", c.kind, why)
		}
	}
	return nil
}
