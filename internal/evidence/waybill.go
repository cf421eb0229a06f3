package evidence

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// WaybillSchema names the form of Waybill.
const WaybillSchema = "https://waybill.dev/waybill/v1"

// Waybill is the paper that travels with an image: what is known of the
// digest, and the verdict with its reasons. As a document between jobs it is a
// claim: callers that act on it must verify again.
type Waybill struct {
	Schema     string            `json:"schema"` // WaybillSchema
	Image      imageref.Ref      `json:"image"`
	App        string            `json:"app,omitempty"` // whose rules judged
	Env        string            `json:"env,omitempty"` // for which environment; empty is the rules common to all
	JudgedAt   time.Time         `json:"judgedAt"`
	Platforms  map[string]string `json:"platforms,omitempty"` // platform → manifest digest
	Signer     *Signer           `json:"signer,omitempty"`    // of the signature the verdict rests on
	Source     Source            `json:"source"`
	RunURL     string            `json:"runURL,omitempty"`
	BuiltAt    time.Time         `json:"builtAt,omitzero"` // end of the build, as the provenance says
	BaseImages []BaseImage       `json:"baseImages,omitempty"`
	Packages   int               `json:"packages"`
	Scan       *ScanSummary      `json:"scan,omitempty"`
	Excused    []Excused         `json:"excused,omitempty"`  // findings that would refuse, and why they do not
	Records    []Record          `json:"records,omitempty"`  // those that count, newest first
	Problems   []Problem         `json:"problems,omitempty"` // what was found and does not count
	Unread     string            `json:"unread,omitempty"`   // what was left out beside the image; empty if nothing was
	Decision   Decision          `json:"decision"`

	report *ScanReport
}

// ScanSummary is the newest scan in numbers.
type ScanSummary struct {
	Counts     map[Severity]int `json:"counts"` // distinct findings, waived ones left out
	FinishedAt time.Time        `json:"finishedAt"`
	Scanner    Scanner          `json:"scanner"`
	Database   Database         `json:"database"`
}

// NewWaybill judges the evidence by the policy and writes the waybill.
func NewWaybill(e Evidence, p Policy, now time.Time) Waybill {
	j := newJudgement(e, p, now)
	w := Waybill{
		Schema: WaybillSchema, Image: e.Image, JudgedAt: now.UTC(), Platforms: e.Platforms,
		Source: j.source(), RunURL: j.runURL(), BuiltAt: j.build.FinishedAt.UTC(), BaseImages: j.build.BaseImages, Unread: e.Unread,
		Decision: j.decision(), report: j.report,
	}
	if j.signature != nil {
		w.Signer = &j.signature.Signer
	}
	if j.report != nil {
		w.Scan = &ScanSummary{
			Counts: j.report.Counts(), FinishedAt: j.report.FinishedAt.UTC(), Scanner: j.report.Scanner,
			Database: j.report.Database,
		}
		w.Packages, w.Excused = countPackages(*j.report), p.Threshold.excused(*j.report, now)
	} else if j.sbom != nil {
		w.Packages = j.packages[&j.sbom.Predicate[0]]
	}
	for _, kind := range Kinds() {
		w.Records = append(w.Records, j.accepted[kind]...)
		for _, why := range j.rejected[kind] {
			w.Problems = append(w.Problems, Problem{Kind: kind, Detail: why})
		}
	}
	for _, why := range j.rejected[""] {
		w.Problems = append(w.Problems, Problem{Detail: why})
	}
	return w
}

// Undecided is an error where the image would be refused, and not everything
// beside it was read: what was left out may be what is missing. With enough that
// counts, the rest does not matter.
func (w Waybill) Undecided() error {
	if w.Unread == "" || w.Decision.Allowed {
		return nil
	}
	return fmt.Errorf("no verdict about %s: %s", w.Image, w.Unread)
}

// ScanReport is the newest scan by a signer that the policy trusts, and
// whether there is one. A waybill read back from JSON has none.
func (w Waybill) ScanReport() (ScanReport, bool) {
	if w.report == nil {
		return ScanReport{}, false
	}
	return *w.report, true
}

// SBOM is the newest bill of materials of one form (PredicateCycloneDX or
// PredicateSPDX) by a signer that the policy trusts, and whether there is one.
// A waybill read back from JSON has none.
func (w Waybill) SBOM(predicateType string) (json.RawMessage, bool) {
	for _, r := range w.Records {
		if r.Kind == SBOM && len(r.Predicate) > 0 && r.PredicateType == predicateType {
			return r.Predicate, true
		}
	}
	return nil, false
}

// ScanReport is the newest scan report among all records, of any signer. To act
// on it, take the Waybill's, which knows whom the policy trusts.
func (e Evidence) ScanReport() (ScanReport, bool) {
	var newest ScanReport
	found := false
	for _, r := range e.Of(Scan) {
		if report, err := r.ScanReport(); err == nil && (!found || report.FinishedAt.After(newest.FinishedAt)) {
			newest, found = report, true
		}
	}
	return newest, found
}

func countPackages(r ScanReport) int {
	distinct := make(map[[3]string]bool)
	for _, p := range r.Platforms {
		for _, pkg := range p.Packages {
			distinct[[3]string{pkg.Name, pkg.Version, pkg.Type}] = true
		}
	}
	return len(distinct)
}
