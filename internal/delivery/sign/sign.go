// Package sign signs an image and attests its evidence beside it in the
// registry, and reads it back to see that it verifies.
//
// Invariant: every statement names the index and every platform manifest,
// nothing is attached that does not verify, and
// nothing is reported as signed that was not read back and verified. Running
// again leaves alone what is there. An image's platforms get their copies
// first and the index last, so what the index has is complete.
//
// It neither builds nor scans: it signs what it is told, as long as that is
// about this image.
package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// attempts bounds how often a referrer that another writer's update of the
// fallback tag has dropped is written again.
const attempts = 4

// Forms of storage.
const (
	Bundle = "bundle"
	Legacy = "legacy"
	Both   = "both"
)

// Deps are what signing works with.
type Deps struct {
	Registry *registry.Client
	Signer   *sigstore.Signer
	Verifier *sigstore.Verifier // that Collect verifies by
	// Collect reads what is beside the image itself, verified.
	Collect func(ctx context.Context, ref imageref.Ref) (evidence.Evidence, error)
}

// Options say what to sign.
type Options struct {
	Image   imageref.Ref
	Copies  []imageref.Ref // of the image in other repositories
	Format  string         // Bundle, Legacy or Both
	SBOMs   []json.RawMessage
	Scan    *evidence.ScanReport
	Build   *evidence.BuildRecord
	Builder evidence.Builder

	contents map[imageref.Ref]registry.Contents // of the image and its copies, once look has seen them
}

// Result says what is there now.
type Result struct {
	Image    imageref.Ref    `json:"image"`
	Signer   evidence.Signer `json:"signer"`
	LogIndex *int64          `json:"logIndex,omitempty"` // of the signature; missing without a log
	Written  []string        `json:"written,omitempty"`  // kinds of record signed now
	Kept     []string        `json:"kept,omitempty"`     // kinds of record that were there
	Notes    []string        `json:"notes,omitempty"`    // what the reader should know
	Copies   []Result        `json:"copies,omitempty"`   // of the same image in other repositories
	// Published are the bundles that were handed to GitHub's attestations now.
	Published *int `json:"published,omitempty"`
}

// Images lists the image in every repository, the first one first.
func (r Result) Images() []string {
	images := []string{r.Image.String()}
	for _, c := range r.Copies {
		images = append(images, c.Image.String())
	}
	return images
}

// Run signs the image and every copy of it. Nothing is signed anywhere unless
// every repository has the image whole.
func Run(ctx context.Context, d Deps, o Options) (Result, error) {
	if err := o.look(ctx, d.Registry); err != nil {
		return Result{}, err
	}
	result, err := signOne(ctx, d, o)
	if err != nil {
		return Result{}, err
	}
	for _, o.Image = range o.Copies {
		c, err := signOne(ctx, d, o)
		if err != nil {
			done := strings.Join(result.Images(), " and ")
			return Result{}, fmt.Errorf("%s is signed, and not %s: run sign again: %w", done, o.Image, err)
		}
		result.Copies = append(result.Copies, c)
	}
	return result, nil
}

// look sees that every repository has the image whole, which needs no key.
func (o *Options) look(ctx context.Context, client *registry.Client) error {
	if o.contents != nil {
		return nil
	}
	images := append([]imageref.Ref{o.Image}, o.Copies...)
	seen := make([]registry.Contents, len(images))
	g, ctx := errgroup.WithContext(ctx)
	for i, image := range images {
		g.Go(func() (err error) {
			seen[i], err = whole(ctx, client, image)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	o.contents = make(map[imageref.Ref]registry.Contents)
	for i, image := range images {
		o.contents[image] = seen[i]
	}
	return nil
}

// whole reads what an image holds, and reports, by its error, what its repository
// lacks of it.
func whole(ctx context.Context, client *registry.Client, image imageref.Ref) (registry.Contents, error) {
	contents, err := client.Contents(ctx, image)
	for _, p := range contents.Platforms {
		if err == nil {
			_, err = client.Manifest(ctx, p.Ref)
		}
	}
	if registry.IsNotFound(err) {
		return contents, outcome.Refusedf("nothing was signed: %s is not whole in its repository: run build again for that repository: %w",
			image, err)
	}
	return contents, err
}

// signOne signs, stores and reads back.
func signOne(ctx context.Context, d Deps, o Options) (Result, error) {
	claims, err := claims(o)
	if err != nil {
		return Result{}, err
	}
	if o.Format != Bundle {
		if err := d.Signer.LegacyPossible(); err != nil { // before anything gets into a log
			return Result{}, outcome.Usagef("%w", err)
		}
	}
	contents := o.contents[o.Image]
	r := run{Deps: d, image: o.Image}
	for _, p := range contents.Platforms {
		if p.Ref != o.Image {
			r.platforms = append(r.platforms, p.Ref)
		}
	}
	if err := readable(claims, o.Image, contents, d.Signer.Identity()); err != nil {
		return Result{}, err
	}
	before, err := d.Collect(ctx, o.Image)
	if err != nil {
		return Result{}, err
	}
	result := Result{Image: o.Image, Signer: d.Signer.Identity()}
	for _, sbom := range o.SBOMs {
		if _, about, err := evidence.SBOMAbout(sbom); err == nil && about == "" {
			result.Notes = append(result.Notes, "an SBOM does not say which image it is about: it is attested because you say so")
		}
	}
	wanted := r.wanted(claims, o.Format)
	var todo []want
	for _, w := range wanted {
		if r.has(before, w) {
			result.Kept = append(result.Kept, w.label())
			continue
		}
		todo = append(todo, w)
		result.Written = append(result.Written, w.label())
	}
	if err := r.write(ctx, todo); err != nil {
		return Result{}, err
	}
	after, err := r.readBack(ctx, wanted, before.Problems)
	if err != nil {
		return Result{}, err
	}
	for _, record := range after.Of(evidence.Signature) {
		if record.Signer.Same(result.Signer) && record.LogIndex != nil {
			result.LogIndex = record.LogIndex
			break
		}
	}
	return result, nil
}

// want is a claim in one form of storage.
type want struct {
	claim
	legacy bool
}

func (w want) label() string {
	if w.legacy {
		return string(w.kind) + " (legacy)"
	}
	return string(w.kind)
}

type run struct {
	Deps
	image     imageref.Ref
	platforms []imageref.Ref // other than the image itself
}

func (r run) wanted(claims []claim, format string) []want {
	var wanted []want
	for _, c := range claims {
		if format != Legacy {
			wanted = append(wanted, want{claim: c})
		}
		if format == Legacy || format == Both {
			wanted = append(wanted, want{claim: c, legacy: true})
		}
	}
	return wanted
}

// has reports whether the evidence holds the claim already, by the same signer.
func (r run) has(e evidence.Evidence, w want) bool {
	format := "bundle"
	if w.legacy {
		format = "legacy"
	}
	return slices.ContainsFunc(e.Records, func(record evidence.Record) bool {
		if record.Format != format || record.PredicateType != w.predicateType || !record.Signer.Same(r.Signer.Identity()) {
			return false
		}
		if w.legacy && w.kind == evidence.Signature {
			return slices.Contains(record.Subjects, r.image.Digest())
		}
		for _, subject := range append([]imageref.Ref{r.image}, r.platforms...) {
			if !slices.Contains(record.Subjects, subject.Digest()) {
				return false
			}
		}
		return sameJSON(record.Predicate, w.predicate)
	})
}

// maxDecoded is up to where two documents are compared by their values: decoded,
// a document takes many times its size.
const maxDecoded = 4 << 20

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if len(a) == 0 {
		a = json.RawMessage(`{}`) // cosign leaves the empty predicate out
	}
	if bytes.Equal(a, b) {
		return true
	}
	if len(a) > maxDecoded || len(b) > maxDecoded {
		var compactA, compactB bytes.Buffer
		return json.Compact(&compactA, a) == nil && json.Compact(&compactB, b) == nil && bytes.Equal(compactA.Bytes(), compactB.Bytes())
	}
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}

func (r run) statement(c claim) ([]byte, error) {
	s := evidence.Statement{Type: evidence.StatementType, PredicateType: c.predicateType, Predicate: json.RawMessage("0")}
	for _, ref := range append([]imageref.Ref{r.image}, r.platforms...) {
		s.Subject = append(s.Subject, evidence.Subject{Name: r.image.Repository(), Digest: map[string]string{"sha256": ref.Hex()}})
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the statement about %s: %w", c.kind, err)
	}
	// The predicate goes in as it is: it can be large, and encoding it again
	// would write it three times over and make its < and > six times as long.
	head := len(data) - len(`0}`)
	return slices.Concat(data[:head], c.predicate, []byte("}")), nil
}

// readBack sees that all that is wanted is there and verifies, and signs again
// what another writer's update of a shared tag has dropped.
func (r run) readBack(ctx context.Context, wanted []want, known []evidence.Problem) (evidence.Evidence, error) {
	for attempt := 1; ; attempt++ {
		after, err := r.Collect(ctx, r.image)
		if err != nil {
			return evidence.Evidence{}, fmt.Errorf("read back what was signed: %w", err)
		}
		var lost []want
		for _, w := range wanted {
			if !r.has(after, w) {
				lost = append(lost, w)
			}
		}
		if len(lost) == 0 {
			return after, nil
		}
		problems := slices.DeleteFunc(after.Problems, func(p evidence.Problem) bool { return slices.Contains(known, p) })
		if attempt == attempts || len(problems) > 0 {
			return evidence.Evidence{}, notVerified(lost, problems)
		}
		if err := r.write(ctx, lost); err != nil {
			return evidence.Evidence{}, err
		}
	}
}

func notVerified(lost []want, problems []evidence.Problem) error {
	var kinds, why []string
	for _, w := range lost {
		kinds = append(kinds, w.label())
	}
	for _, p := range problems {
		why = append(why, p.String())
	}
	text := "signed, but what the registry gives back does not hold " + strings.Join(kinds, ", ")
	if len(why) > 0 {
		text += ": " + strings.Join(why, "; ") + " (is the trusted root that of the signing config?)"
	}
	return errors.New(text)
}
