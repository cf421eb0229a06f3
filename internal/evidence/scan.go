package evidence

import (
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/text"
)

// ScanSchema names the form of ScanReport.
const ScanSchema = "https://waybill.dev/scan/v1"

// Severity of a finding, in Trivy's words.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Unknown  Severity = "unknown"
)

// Severities lists them, worst first.
func Severities() []Severity { return []Severity{Critical, High, Medium, Low, Unknown} }

// AtLeast reports whether s is as bad as limit or worse. The severity "unknown", of
// a finding that nobody has rated yet, is below every limit, as in Trivy; any
// word that is no severity is refused where a report is read. The limit "none"
// is above everything.
func (s Severity) AtLeast(limit Severity) bool {
	i, j := slices.Index(Severities(), s), slices.Index(Severities(), limit)
	return i >= 0 && j >= 0 && i <= j
}

// ScanReport is the result of scanning every platform of one image. It is the
// document between scan and sign, and `scanner.result` of the scan record.
type ScanReport struct {
	Schema     string         `json:"schema"` // ScanSchema
	Image      string         `json:"image"`  // REPOSITORY@sha256:…
	Scanner    Scanner        `json:"scanner"`
	Database   Database       `json:"database"`
	StartedAt  time.Time      `json:"startedAt"`
	FinishedAt time.Time      `json:"finishedAt"`
	Platforms  []PlatformScan `json:"platforms"`
	// Checked names what was looked for beside known vulnerabilities. A report that
	// does not name a check says nothing of it.
	Checked []string `json:"checked,omitempty"`
}

// What a scan looks for beside known vulnerabilities.
const (
	CheckSecrets          = "secrets"
	CheckEndOfLife        = "endOfLife"
	CheckLicenses         = "licenses"
	CheckMisconfiguration = "misconfiguration"
)

// Scanner names what scanned.
type Scanner struct {
	Name    string `json:"name"`    // trivy
	Version string `json:"version"` // 0.72.0
}

// Database is the vulnerability database that was used.
type Database struct {
	Repository string    `json:"repository"`
	Digest     string    `json:"digest"` // sha256:HEX of its manifest
	Version    int       `json:"version"`
	UpdatedAt  time.Time `json:"updatedAt"` // when the database was built
}

// PlatformScan is what was found in one platform's manifest.
type PlatformScan struct {
	Platform string    `json:"platform"` // linux/arm64
	Digest   string    `json:"digest"`   // sha256:HEX of the manifest
	OS       string    `json:"os,omitempty"`
	Packages []Package `json:"packages"`
	Findings []Finding `json:"findings"`
	Secrets  []Secret  `json:"secrets,omitempty"`
	// EndOfLife reports whether the makers of the distribution no longer support it.
	EndOfLife bool `json:"endOfLife,omitempty"`
	// Misconfigurations are what the image's configuration has and should not.
	Misconfigurations []Misconfiguration `json:"misconfigurations,omitempty"`
}

// Misconfiguration is a setting of the image's configuration that weakens whoever
// runs it.
type Misconfiguration struct {
	ID    string `json:"id"` // DS-0002, as Trivy's checks are called
	Title string `json:"title"`
}

// Secret says where in the image something stands that should be kept secret. It
// never holds the secret itself.
type Secret struct {
	Rule   string `json:"rule"` // aws-access-key-id
	Title  string `json:"title,omitempty"`
	Target string `json:"target"` // file, or the image's configuration
	Line   int    `json:"line,omitempty"`
}

// Package is one component of the image.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Type    string `json:"type"`           // debian, gobinary, npm, …
	PURL    string `json:"purl,omitempty"` // https://github.com/package-url/purl-spec
	// Licenses are SPDX expressions or names, as the package says.
	Licenses []string `json:"licenses,omitempty"`
}

// Finding is one vulnerability in one package.
type Finding struct {
	ID           string   `json:"id"` // CVE-2026-1234
	Package      string   `json:"package"`
	PURL         string   `json:"purl,omitempty"`
	Version      string   `json:"version"`
	FixedVersion string   `json:"fixedVersion,omitempty"` // empty when there is no fix
	Severity     Severity `json:"severity"`
	Title        string   `json:"title,omitempty"`
	URL          string   `json:"url,omitempty"`
	Target       string   `json:"target,omitempty"` // file or layer it was found in
	Status       string   `json:"status,omitempty"` // fixed, affected, will_not_fix, …
	Waived       string   `json:"waived,omitempty"` // reason of the waiver or VEX statement that covers it
}

// Key identifies a finding across platforms and across images: the same
// vulnerability in the same package, whatever version.
func (f Finding) Key() string { return f.ID + " " + f.Package }

// fixable reports whether there is a fixed version.
func (f Finding) fixable() bool {
	return f.FixedVersion != "" || strings.EqualFold(strings.TrimSpace(f.Status), "fixed")
}

// Distinct lists the findings of all platforms, each once, worst first. Where a
// finding occurs more than once, the worst occurrence stands for it: it counts
// as waived only if it is waived everywhere, and as unfixed only if nowhere
// fixed.
func (r ScanReport) Distinct() []Finding {
	byKey := make(map[string]Finding)
	for _, p := range r.Platforms {
		for _, f := range p.Findings {
			if known, ok := byKey[f.Key()]; !ok || f.worseThan(known) {
				byKey[f.Key()] = f
			}
		}
	}
	findings := make([]Finding, 0, len(byKey))
	for _, f := range byKey {
		findings = append(findings, f)
	}
	slices.SortFunc(findings, func(a, b Finding) int {
		if d := slices.Index(Severities(), a.Severity) - slices.Index(Severities(), b.Severity); d != 0 {
			return d
		}
		return strings.Compare(a.Key(), b.Key())
	})
	return findings
}

func (f Finding) worseThan(known Finding) bool {
	if (f.Waived == "") != (known.Waived == "") {
		return f.Waived == ""
	}
	if f.Severity != known.Severity {
		return slices.Index(Severities(), f.Severity) < slices.Index(Severities(), known.Severity)
	}
	return f.fixable() && !known.fixable()
}

// Counts is the number of distinct findings of each severity, waived ones left
// out.
func (r ScanReport) Counts() map[Severity]int {
	counts := make(map[Severity]int)
	for _, f := range r.Distinct() {
		if f.Waived == "" {
			counts[f.Severity]++
		}
	}
	return counts
}

// Threshold says which findings refuse an image.
type Threshold struct {
	Severity      Severity // lowest that refuses; "none" refuses nothing
	IgnoreUnfixed bool
	Waivers       []Waiver
}

// Waiver accepts one finding for a time, for a reason.
type Waiver struct {
	ID      string    `json:"id" yaml:"id"`                               // CVE-2026-1234
	Package string    `json:"package,omitempty" yaml:"package,omitempty"` // empty means any
	Reason  string    `json:"reason" yaml:"reason"`
	Expires time.Time `json:"expires" yaml:"expires"` // the first instant at which it no longer waives
}

// Covers reports whether the waiver is in force at now and names the finding.
func (w Waiver) Covers(f Finding, now time.Time) bool {
	return w.ID == f.ID && (w.Package == "" || w.Package == f.Package) && text.Shows(w.Reason) && now.Before(w.Expires)
}

// Blocking lists the findings that refuse the image at now, worst first. Every
// occurrence is judged for itself: one without a fix, in a package of the
// distribution, hides none with a fix in a language's package of that name.
func (t Threshold) Blocking(r ScanReport, now time.Time) []Finding {
	blocking := ScanReport{Platforms: make([]PlatformScan, len(r.Platforms))}
	for i, p := range r.Platforms {
		for _, f := range p.Findings {
			if t.blocks(f, now) {
				blocking.Platforms[i].Findings = append(blocking.Platforms[i].Findings, f)
			}
		}
	}
	found := blocking.Distinct()
	if len(found) == 0 {
		return nil
	}
	return found
}

func (t Threshold) blocks(f Finding, now time.Time) bool {
	if !f.Severity.AtLeast(t.Severity) || f.Waived != "" || (t.IgnoreUnfixed && !f.fixable()) {
		return false
	}
	return !t.waives(f, now)
}

func (t Threshold) waives(f Finding, now time.Time) bool {
	return slices.ContainsFunc(t.Waivers, func(w Waiver) bool { return w.Covers(f, now) })
}

// Excused is a finding that would refuse the image, and what keeps it from that.
type Excused struct {
	Finding
	Why string `json:"why"` // the waiver's reason and end, or what a VEX document says
}

// excused lists what waivers and VEX documents took effect on.
func (t Threshold) excused(r ScanReport, now time.Time) []Excused {
	without := Threshold{Severity: t.Severity, IgnoreUnfixed: t.IgnoreUnfixed}
	if without.Severity == "" {
		without.Severity = High
	}
	var list []Excused
	for _, f := range r.Distinct() {
		why := f.Waived
		plain := f
		plain.Waived = ""
		if !without.blocks(plain, now) {
			continue
		}
		for _, w := range t.Waivers {
			if why == "" && w.Covers(f, now) {
				why = "waived until " + text.Day(w.Expires) + ": " + w.Reason
			}
		}
		if why != "" {
			list = append(list, Excused{Finding: plain, Why: why})
		}
	}
	return list
}

// CompareScans lists the findings that head has and base has not, and those
// that are gone.
func CompareScans(base, head ScanReport) (added, fixed []Finding) {
	return missing(head, base), missing(base, head)
}

func missing(in, from ScanReport) []Finding {
	known := make(map[string]bool)
	for _, f := range from.Distinct() {
		known[f.Key()] = true
	}
	var findings []Finding
	for _, f := range in.Distinct() {
		if !known[f.Key()] {
			findings = append(findings, f)
		}
	}
	return findings
}
