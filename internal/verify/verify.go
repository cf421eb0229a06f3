// Package verify collects the evidence for a digest from the registry and
// judges it by policy.
//
// Invariant: everything in the Evidence it returns was signed by the signer it
// names and names the image or one of its platforms. What was found and does
// not hold is a Problem. Registry, trusted root and log trouble is an error:
// never a Problem, never a verdict.
//
// It reads evidence in both forms that are in use, Sigstore bundles as OCI
// referrers and cosign's legacy tags, of the index and of its platforms.
package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/registry"
	"github.com/waybill-dev/waybill/internal/sign/sigstore"
)

// Deps are what verifying reads with. One Deps serves many images at once.
type Deps struct {
	Registry *registry.Client
	Verifier *sigstore.Verifier
	Server   string // root of GitHub's pages beside https://github.com; may be empty
}

// Verify collects and judges: the waybill holds the verdict.
func Verify(ctx context.Context, d Deps, ref imageref.Ref, policy evidence.Policy, now time.Time) (evidence.Waybill, error) {
	e, err := Collect(ctx, d, ref)
	if err != nil {
		return evidence.Waybill{}, err
	}
	if policy.Server == "" {
		policy.Server = d.Server
	}
	return evidence.NewWaybill(e, policy, now), nil
}

// Collect reads and verifies what the registry holds for ref and its
// platforms.
func Collect(ctx context.Context, d Deps, ref imageref.Ref) (evidence.Evidence, error) {
	return collect(ctx, d, ref, true)
}

// CollectBeside reads and verifies what the registry holds for ref itself, and
// leaves out what is kept beside its platforms.
func CollectBeside(ctx context.Context, d Deps, ref imageref.Ref) (evidence.Evidence, error) {
	return collect(ctx, d, ref, false)
}

func collect(ctx context.Context, d Deps, ref imageref.Ref, everywhere bool) (evidence.Evidence, error) {
	session, err := d.Registry.Session(ctx)
	if err != nil {
		return evidence.Evidence{}, err
	}
	platforms, err := session.Platforms(ctx, ref)
	if err != nil {
		return evidence.Evidence{}, fmt.Errorf("read the platforms of the image: %w", err)
	}
	c := collector{evidence: evidence.Evidence{Image: ref, Platforms: make(map[string]string)}, verifier: d.Verifier}
	subjects := []imageref.Ref{ref}
	for _, p := range platforms {
		if p.Platform != "" {
			c.evidence.Platforms[p.Platform] = p.Ref.Digest()
		}
		if !slices.Contains(subjects, p.Ref) {
			subjects = append(subjects, p.Ref)
		}
	}
	c.subjects = subjects
	if !everywhere {
		subjects = subjects[:1]
	}
	found, err := fetch(ctx, session, subjects)
	if err != nil {
		return evidence.Evidence{}, err
	}
	if err := c.verifyAll(ctx, found); err != nil {
		return evidence.Evidence{}, err
	}
	c.sort()
	return c.evidence, nil
}

// stored is everything found beside an image, unverified.
type stored struct {
	bundles []registry.Attachment
	legacy  []legacyLayers
}

type legacyLayers struct {
	subject imageref.Ref
	tag     sigstore.LegacyTag
	layers  []sigstore.Legacy
}

func fetch(ctx context.Context, r *registry.Client, subjects []imageref.Ref) (stored, error) {
	var found stored
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		found.bundles, err = r.Attached(ctx, subjects, sigstore.MediaTypeBundlePrefix)
		return err
	})
	found.legacy = make([]legacyLayers, 0, 2*len(subjects))
	for _, subject := range subjects {
		for _, tag := range []sigstore.LegacyTag{sigstore.LegacySignatures, sigstore.LegacyAttestations} {
			found.legacy = append(found.legacy, legacyLayers{subject: subject, tag: tag})
		}
	}
	for i := range found.legacy {
		l := &found.legacy[i]
		g.Go(func() (err error) {
			l.layers, err = sigstore.ReadLegacy(ctx, r, l.subject, l.tag)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return stored{}, fmt.Errorf("collect the evidence: %w", err)
	}
	return found, nil
}

type collector struct {
	evidence evidence.Evidence
	subjects []imageref.Ref
	verifier *sigstore.Verifier
}

func (c *collector) verifyAll(ctx context.Context, found stored) error {
	for _, a := range found.bundles {
		if a.Gone != "" {
			c.problem("", a.Gone)
			continue
		}
		verified, err := c.verifier.Bundle(a.Data, a.Annotations)
		if err := c.statement(verified, err, "bundle", guessKind(bundlePayload(a.Data))); err != nil {
			return err
		}
	}
	for _, l := range found.legacy {
		for _, layer := range l.layers {
			if err := c.legacy(ctx, l, layer); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *collector) legacy(ctx context.Context, l legacyLayers, layer sigstore.Legacy) error {
	verified, err := c.verifier.Legacy(ctx, l.tag, layer)
	if l.tag == sigstore.LegacySignatures {
		return c.simpleSigning(verified, err, l.subject)
	}
	return c.statement(verified, err, "legacy", guessKind(sigstore.LegacyStatement(layer)))
}

// statement adds a verified statement as a record, if it is one, of a kind
// that counts, about this image. guess labels the problem when it is not.
func (c *collector) statement(v sigstore.Verified, err error, format string, guess evidence.Kind) error {
	if sigstore.IsUntrusted(err) {
		c.problem(guess, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	var s evidence.Statement
	if err := json.Unmarshal(v.Payload, &s); err != nil || !strings.HasPrefix(s.Type, "https://in-toto.io/Statement/") {
		c.problem("", fmt.Sprintf("%s signed something that is no in-toto statement", v.Signer.Name()))
		return nil
	}
	kind := evidence.KindOf(s.PredicateType)
	if kind == "" {
		return nil // a predicate that no policy asks for
	}
	var digests []string
	for _, subject := range s.Subject {
		if hex := subject.Digest["sha256"]; hex != "" {
			digests = append(digests, "sha256:"+hex)
		}
	}
	if !slices.ContainsFunc(c.subjects, func(r imageref.Ref) bool { return slices.Contains(digests, r.Digest()) }) {
		c.problem(kind, fmt.Sprintf("a statement by %s is about another image: %s", v.Signer.Name(), strings.Join(digests, ", ")))
		return nil
	}
	c.record(evidence.Record{
		Kind: kind, PredicateType: s.PredicateType, Predicate: s.Predicate, Signer: v.Signer,
		SignedAt: v.SignedAt, LogIndex: v.LogIndex, Format: format, Subjects: digests,
	})
	return nil
}

// simpleSigning adds a verified legacy signature.
func (c *collector) simpleSigning(v sigstore.Verified, err error, subject imageref.Ref) error {
	if sigstore.IsUntrusted(err) {
		c.problem(evidence.Signature, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	digest, err := sigstore.SimpleSigningDigest(v.Payload)
	if err != nil {
		c.problem(evidence.Signature, fmt.Sprintf("%s signed something that is no simple-signing document", v.Signer.Name()))
		return nil
	}
	if digest != subject.Digest() {
		c.problem(evidence.Signature, fmt.Sprintf("a signature by %s is about another image: %s", v.Signer.Name(), digest))
		return nil
	}
	c.record(evidence.Record{
		Kind: evidence.Signature, PredicateType: evidence.PredicateSignature, Signer: v.Signer,
		SignedAt: v.SignedAt, LogIndex: v.LogIndex, Format: "legacy", Subjects: []string{digest},
	})
	return nil
}

// record adds r, unless the same is known from the image or another platform.
func (c *collector) record(r evidence.Record) {
	same := func(o evidence.Record) bool {
		return o.Kind == r.Kind && o.PredicateType == r.PredicateType && o.Format == r.Format && o.Signer == r.Signer &&
			o.SignedAt.Equal(r.SignedAt) && slices.Equal(o.Subjects, r.Subjects) && bytes.Equal(o.Predicate, r.Predicate)
	}
	if !slices.ContainsFunc(c.evidence.Records, same) {
		c.evidence.Records = append(c.evidence.Records, r)
	}
}

func (c *collector) problem(kind evidence.Kind, detail string) {
	p := evidence.Problem{Kind: kind, Detail: detail}
	if !slices.Contains(c.evidence.Problems, p) {
		c.evidence.Problems = append(c.evidence.Problems, p)
	}
}

// sort puts the newest first, and what the registry lists in no order into a
// fixed one.
func (c *collector) sort() {
	slices.SortStableFunc(c.evidence.Records, func(a, b evidence.Record) int {
		if d := b.SignedAt.Compare(a.SignedAt); d != 0 {
			return d
		}
		return strings.Compare(string(a.Kind)+a.PredicateType+a.Format+string(a.Predicate), string(b.Kind)+b.PredicateType+b.Format+string(b.Predicate))
	})
	slices.SortFunc(c.evidence.Problems, func(a, b evidence.Problem) int { return strings.Compare(a.String(), b.String()) })
}

// guessKind reads the kind out of an unverified statement, to label a problem
// with and for nothing else.
func guessKind(payload []byte) evidence.Kind {
	var s evidence.Statement
	if json.Unmarshal(payload, &s) != nil {
		return ""
	}
	return evidence.KindOf(s.PredicateType)
}

func bundlePayload(data []byte) []byte {
	var b struct {
		Envelope struct {
			Payload []byte `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	_ = json.Unmarshal(data, &b)
	return b.Envelope.Payload
}
