// Package collect collects the evidence for a digest from the registry and
// judges it by policy.
//
// Invariant: everything in the Evidence it returns was signed by the signer it
// names and names the image or one of its platforms. What was found and does
// not hold is a Problem. Registry, trusted root and log trouble is an error:
// never a Problem, never a verdict.
//
// It reads evidence in both forms that are in use, Sigstore bundles as OCI
// referrers and cosign's legacy tags, of the digest that is judged and no other.
package collect

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/strictjson"
)

// Deps are what verifying reads with. One Deps serves many images at once.
type Deps struct {
	Registry *registry.Client
	Verifier *sigstore.Verifier
	Server   string // root of GitHub's pages beside https://github.com; may be empty
	Bounds   registry.Bounds
	// Keep, if not nil, is given everything that holds, as it is stored.
	Keep func(Stored)
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
	w := evidence.NewWaybill(e, policy, now)
	return w, w.Undecided()
}

// Collect reads and verifies what the registry holds beside ref itself. What is
// kept beside a platform of it is not read: a record counts for the digest that
// is judged, and records about platforms never add up to an index.
//
// Whoever may push to the repository can put anything beside the image. What
// cannot be evidence is a Problem; what the bounds leave unread is named in
// Unread. A registry that does not answer as it should is an error.
func Collect(ctx context.Context, d Deps, ref imageref.Ref) (evidence.Evidence, error) {
	session, err := d.Registry.Session(ctx)
	if err != nil {
		return evidence.Evidence{}, err
	}
	contents, err := session.Contents(ctx, ref)
	if err != nil {
		return evidence.Evidence{}, fmt.Errorf("read the platforms of the image: %w", err)
	}
	c := collector{
		evidence: evidence.Evidence{Image: ref, Platforms: make(map[string]string), Manifests: contents.Manifests},
		verifier: d.Verifier, subjects: append([]string{ref.Digest()}, contents.Manifests...), known: make(map[evidence.Problem]bool),
		keep: d.Keep,
	}
	for _, p := range contents.Platforms {
		if p.Platform != "" {
			c.evidence.Platforms[p.Platform] = p.Ref.Digest()
		}
	}
	beside, err := session.Beside(ctx, ref, d.Bounds)
	if err != nil {
		return evidence.Evidence{}, err
	}
	blobs, err := list(ctx, beside)
	if err != nil {
		return evidence.Evidence{}, fmt.Errorf("collect the evidence: %w", err)
	}
	err = beside.Read(ctx, blobs, func(listed []registry.Blob, data []byte) error { return c.candidate(ctx, listed, data) })
	if err != nil {
		return evidence.Evidence{}, fmt.Errorf("collect the evidence: %w", err)
	}
	for _, junk := range beside.Junk() {
		c.problem("", junk)
	}
	c.evidence.Unread = beside.Unread()
	c.sort()
	return c.evidence, nil
}

// list lists all that may be evidence, in both forms of storage.
func list(ctx context.Context, beside *registry.Beside) ([]registry.Blob, error) {
	found := make([][]registry.Blob, 3)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		found[0], err = beside.Referrers(ctx, sigstore.MediaTypeBundlePrefix, couldBeRecord)
		return err
	})
	for i, tag := range []sigstore.LegacyTag{sigstore.LegacySignatures, sigstore.LegacyAttestations} {
		g.Go(func() (err error) {
			found[1+i], err = beside.Tagged(ctx, string(tag), tag.LayerType())
			return err
		})
	}
	err := g.Wait()
	return slices.Concat(found...), err
}

// Annotations in which writers say of which type a statement is. cosign 2 and 3
// write the first for bundles, and the second for legacy attestations.
const (
	annotationBundleType = "dev.sigstore.bundle.predicateType"
	annotationLegacyType = "predicateType"
)

// couldBeRecord leaves out what says itself that it is of no kind that a policy
// can ask for.
func couldBeRecord(d v1.Descriptor) bool {
	says := d.Annotations[annotationBundleType]
	return says == "" || evidence.KindOf(says) != ""
}

type collector struct {
	subjects []string // digests of the image and of what it holds
	verifier *sigstore.Verifier

	mu       sync.Mutex
	evidence evidence.Evidence
	known    map[evidence.Problem]bool
	keep     func(Stored)
}

// candidate verifies one blob, in each way that it is listed. data is used
// again after, and a bundle is taken apart in its space, so that comes last.
func (c *collector) candidate(ctx context.Context, listed []registry.Blob, data []byte) error {
	seen := make(map[string]bool)
	var bundle map[string]string
	for _, l := range listed {
		if l.Tag == "" {
			if bundle == nil || bundle[sigstore.AnnotationPublicKey] == "" {
				bundle = maps.Clone(l.Annotations)
				if bundle == nil {
					bundle = map[string]string{}
				}
			}
			continue
		}
		annotations, err := json.Marshal(l.Annotations)
		if err != nil || seen[l.Tag+string(annotations)] {
			continue
		}
		seen[l.Tag+string(annotations)] = true
		if err := c.legacy(
			ctx, sigstore.LegacyTag(l.Tag), data, l.Annotations,
		); err != nil {
			return err
		}
	}
	if bundle == nil {
		return nil
	}
	guess := guessKind(bundle[annotationBundleType], bundlePayload, data)
	if c.keep != nil {
		whole := bytes.Clone(data)
		verified, err := c.verifier.BundleInPlace(data, bundle)
		c.kept(Stored{Annotations: bundle, Data: whole}, err)
		return c.statement(verified, err, "bundle", guess)
	}
	verified, err := c.verifier.BundleInPlace(data, bundle)
	return c.statement(verified, err, "bundle", guess)
}

func (c *collector) legacy(ctx context.Context, tag sigstore.LegacyTag, data []byte, annotations map[string]string) error {
	verified, err := c.verifier.Legacy(ctx, tag, sigstore.NewLegacy(tag, data, annotations))
	if c.keep != nil {
		c.kept(Stored{Tag: string(tag), Annotations: annotations, Data: bytes.Clone(data)}, err)
	}
	if tag == sigstore.LegacySignatures {
		return c.simpleSigning(verified, err)
	}
	return c.statement(verified, err, "legacy", evidence.KindOf(annotations[annotationLegacyType]))
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
	s, err := readStatement(v.Payload)
	if err != nil {
		c.problem(guess, fmt.Sprintf("%s signed something that is no in-toto statement: %v", v.Signer.Name(), err))
		return nil
	}
	kind := evidence.KindOf(s.PredicateType)
	if kind == "" {
		return nil // a predicate that no policy asks for
	}
	var digests []string
	for _, subject := range s.Subject {
		if hex := subject.Digest["sha256"]; hex != "" {
			digests = append(digests, imageref.Algorithm+hex)
		}
	}
	if !slices.ContainsFunc(c.subjects, func(r string) bool { return slices.Contains(digests, r) }) {
		c.problem(kind, fmt.Sprintf("a statement by %s is about another image: %s", v.Signer.Name(), strings.Join(digests, ", ")))
		return nil
	}
	c.record(evidence.Record{
		Kind: kind, PredicateType: s.PredicateType, Predicate: bytes.Clone(s.Predicate), Signer: v.Signer,
		SignedAt: v.SignedAt, LogIndex: v.LogIndex, Format: format, Subjects: digests,
	})
	return nil
}

// simpleSigning adds a verified legacy signature.
func (c *collector) simpleSigning(v sigstore.Verified, err error) error {
	if sigstore.IsUntrusted(err) {
		c.problem(evidence.Signature, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	digest, err := sigstore.SimpleSigningDigest(v.Payload)
	if err == nil {
		err = strictjson.Check(v.Payload)
	}
	if err != nil {
		c.problem(evidence.Signature, fmt.Sprintf("%s signed something that is no simple-signing document: %v", v.Signer.Name(), err))
		return nil
	}
	if digest != c.evidence.Image.Digest() {
		c.problem(evidence.Signature, fmt.Sprintf("a signature by %s is about another image: %s", v.Signer.Name(), digest))
		return nil
	}
	c.record(evidence.Record{
		Kind: evidence.Signature, PredicateType: evidence.PredicateSignature, Signer: v.Signer,
		SignedAt: v.SignedAt, LogIndex: v.LogIndex, Format: "legacy", Subjects: []string{digest},
	})
	return nil
}

// record adds r, unless the same is known.
func (c *collector) record(r evidence.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	same := func(o evidence.Record) bool {
		return o.Kind == r.Kind && o.PredicateType == r.PredicateType && o.Format == r.Format && o.Signer == r.Signer &&
			o.SignedAt.Equal(r.SignedAt) && slices.Equal(o.Subjects, r.Subjects) && bytes.Equal(o.Predicate, r.Predicate)
	}
	if !slices.ContainsFunc(c.evidence.Records, same) {
		c.evidence.Records = append(c.evidence.Records, r)
	}
}

// maxProblems bounds what is said of things that do not count: anybody who may
// push can add to them.
const maxProblems = 200

func (c *collector) problem(kind evidence.Kind, detail string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := (evidence.Problem{Kind: kind, Detail: detail}); !c.known[p] && len(c.known) < maxProblems {
		c.known[p] = true
		c.evidence.Problems = append(c.evidence.Problems, p)
	}
}

// sort puts the newest first, and what the registry lists in no order into a
// fixed one.
func (c *collector) sort() {
	slices.SortStableFunc(c.evidence.Records, func(a, b evidence.Record) int {
		return cmp.Or(b.SignedAt.Compare(a.SignedAt), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.PredicateType, b.PredicateType),
			cmp.Compare(a.Format, b.Format), bytes.Compare(a.Predicate, b.Predicate))
	})
	slices.SortFunc(c.evidence.Problems, func(a, b evidence.Problem) int { return strings.Compare(a.String(), b.String()) })
}

// readStatement reads a statement that a verified signature covers. Its
// predicate lies in data.
func readStatement(data []byte) (evidence.Statement, error) {
	if err := strictjson.Check(data); err != nil {
		return evidence.Statement{}, err
	}
	members, err := strictjson.Members(data)
	if err != nil {
		return evidence.Statement{}, err
	}
	s := evidence.Statement{Predicate: members["predicate"]}
	for name, into := range map[string]any{"_type": &s.Type, "subject": &s.Subject, "predicateType": &s.PredicateType} {
		if raw := members[name]; raw != nil {
			if err := json.Unmarshal(raw, into); err != nil {
				return evidence.Statement{}, fmt.Errorf("read its %s: %w", name, err)
			}
		}
	}
	if !strings.HasPrefix(s.Type, "https://in-toto.io/Statement/") {
		return evidence.Statement{}, fmt.Errorf("its type is %.100q", s.Type)
	}
	return s, nil
}

// maxGuess bounds what is parsed of an unverified statement.
const maxGuess = 64 << 10

// guessKind reads the kind out of what is not verified, to label a problem with
// and for nothing else.
func guessKind(says string, payload func([]byte) []byte, data []byte) evidence.Kind {
	if kind := evidence.KindOf(says); kind != "" || len(data) > maxGuess {
		return kind
	}
	var s evidence.Statement
	if json.Unmarshal(payload(data), &s) != nil {
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
