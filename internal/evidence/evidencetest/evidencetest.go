// Package evidencetest builds evidence for tests of what rests on it.
//
// What it builds is as if it had been verified; that signatures are is the
// subject of internal/delivery/collect. Images are told apart by number: image N has a
// digest of its own, and is built from commit N unless it says otherwise.
package evidencetest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// What images are signed with unless they say otherwise.
const (
	Issuer   = "https://token.actions.githubusercontent.com"
	Workflow = "acme/config/.github/workflows/deliver.yml@refs/heads/main"
)

// Image is one image and what is beside it.
type Image struct {
	App       string // ghcr.io/acme/APP, built from acme/APP
	N         int
	Commit    string             // empty is Commit(N)
	Source    string             // OWNER/NAME; empty is acme/APP
	Workflow  string             // that signed; empty is Workflow
	At        time.Time          // of signing and scanning
	Run       string             // …/ID or …/ID/attempts/N; empty is a run with a number of its own
	Key       string             // that signed in place of a workflow; then nobody vouches for a time
	Built     time.Time          // end of the build; zero is At
	Committed time.Time          // time of the commit; zero is not known
	Without   []evidence.Kind    // records that it has not
	Findings  []evidence.Finding // of the scan
	Packages  []evidence.Package
	Base      string // name of the base image
}

// Ref is the reference of image n of an application.
func Ref(app string, n int) imageref.Ref {
	ref, _ := imageref.Parse("ghcr.io/acme/" + app + "@" + digest(app, n, "")) // zero for a name that is none
	return ref
}

// Commit is the source commit of image n.
func Commit(n int) string { return fmt.Sprintf("%07x%033x", 0xc0ffee0+n, n) }

func digest(app string, n int, what string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", app, n, what))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Evidence is what the registry would hold for the image.
func (i Image) Evidence() evidence.Evidence {
	ref := Ref(i.App, i.N)
	i.Commit, i.Source, i.Workflow = cmp.Or(i.Commit, Commit(i.N)), cmp.Or(i.Source, "acme/"+i.App), cmp.Or(i.Workflow, Workflow)
	platforms := map[string]string{"linux/amd64": digest(i.App, i.N, "amd64"), "linux/arm64": digest(i.App, i.N, "arm64")}
	run := fmt.Sprintf("https://github.com/%s/actions/runs/%s", i.Source, cmp.Or(i.Run, fmt.Sprint(7000+i.N)))
	signer := evidence.Signer{
		Issuer: Issuer, Identity: "https://github.com/" + i.Workflow, SourceRepository: "https://github.com/" + i.Source,
		SourceCommit: i.Commit, SourceRef: "refs/heads/main", RunURL: run,
	}
	signedAt := i.At
	if i.Key != "" {
		signer, signedAt = evidence.Signer{Key: i.Key}, time.Time{}
	}
	if i.Built.IsZero() {
		i.Built = i.At
	}
	index := int64(48_000_000 + i.N)
	subjects := []string{ref.Digest(), platforms["linux/amd64"], platforms["linux/arm64"]}
	builder := evidence.Builder{ID: signer.Identity, InvocationID: run}
	e := evidence.Evidence{Image: ref, Platforms: platforms}
	provenance, _ := evidence.ProvenancePredicate(i.buildRecord(platforms), builder) // this package's own documents can be written
	scan, _ := evidence.ScanPredicate(i.scanReport(platforms), builder)
	for _, r := range []struct {
		kind      evidence.Kind
		form      string
		predicate json.RawMessage
	}{
		{evidence.Signature, evidence.PredicateSignature, json.RawMessage("{}")},
		{evidence.Provenance, evidence.PredicateProvenance, provenance},
		{
			evidence.SBOM, evidence.PredicateCycloneDX,
			json.RawMessage(`{"bomFormat":"CycloneDX","components":[{"type":"library","purl":"pkg:deb/debian/openssl@3"}]}`),
		},
		{evidence.Scan, evidence.PredicateScan, scan},
	} {
		if !slices.Contains(i.Without, r.kind) {
			e.Records = append(e.Records, evidence.Record{
				Kind: r.kind, PredicateType: r.form, Predicate: r.predicate, Signer: signer, SignedAt: signedAt, LogIndex: &index,
				Format: "bundle", Subjects: subjects,
			})
		}
	}
	return e
}

func (i Image) scanReport(platforms map[string]string) evidence.ScanReport {
	report := evidence.ScanReport{
		Schema: evidence.ScanSchema, Image: Ref(i.App, i.N).String(), Scanner: evidence.Scanner{Name: "trivy", Version: "0.72.0"},
		Database: evidence.Database{
			Repository: "ghcr.io/aquasecurity/trivy-db", Digest: digest("db", 0, ""), Version: 2,
			UpdatedAt: i.At.Add(-6 * time.Hour),
		},
		StartedAt: i.At.Add(-time.Minute), FinishedAt: i.At,
	}
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		report.Platforms = append(report.Platforms, evidence.PlatformScan{
			Platform: platform, Digest: platforms[platform], Packages: i.Packages, Findings: append([]evidence.Finding{}, i.Findings...),
		})
	}
	return report
}

func (i Image) buildRecord(platforms map[string]string) evidence.BuildRecord {
	build := evidence.BuildRecord{
		Schema: evidence.BuildSchema, Digest: Ref(i.App, i.N).Digest(), Platforms: platforms, Engine: "assemble",
		Source: evidence.Source{
			Repository: "https://github.com/" + i.Source, Commit: i.Commit, Ref: "refs/heads/main", CommittedAt: i.Committed,
		},
		StartedAt: i.Built, FinishedAt: i.Built,
	}
	if i.Base != "" {
		build.BaseImages = []evidence.BaseImage{{Name: i.Base, Digest: digest(i.Base, 0, "")}}
	}
	return build
}

// Registry holds images. It is safe for concurrent use.
type Registry struct {
	mu     sync.Mutex
	images map[imageref.Ref]evidence.Evidence
	asked  map[imageref.Ref]int
	broken error
}

// NewRegistry makes a registry with images.
func NewRegistry(images ...Image) *Registry {
	r := &Registry{images: map[imageref.Ref]evidence.Evidence{}, asked: map[imageref.Ref]int{}}
	for _, i := range images {
		r.Push(i)
	}
	return r
}

// Push adds an image, or replaces what is beside it.
func (r *Registry) Push(i Image) imageref.Ref {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := i.Evidence()
	r.images[e.Image] = e
	return e.Image
}

// Break makes every answer an error; nil mends it.
func (r *Registry) Break(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = err
}

// Asked is how often an image was asked for, and how many images were.
func (r *Registry) Asked(ref imageref.Ref) (times, images int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[ref], len(r.asked)
}

// Collect gives the evidence of an image, as verify.Collect does.
func (r *Registry) Collect(_ context.Context, ref imageref.Ref) (evidence.Evidence, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[ref]++
	if r.broken != nil {
		return evidence.Evidence{}, r.broken
	}
	e, ok := r.images[ref]
	if !ok {
		return evidence.Evidence{}, &registry.Error{Status: http.StatusNotFound, Cause: errors.New("no such image")}
	}
	return e, nil
}
