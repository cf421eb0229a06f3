package evidence

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/strictjson"
	"github.com/waybill-dev/waybill/internal/text"
)

// What a trusted signer attests is read strictly: where a lenient reader would
// see less than is written, the record does not count.

// normalise reads severities in upper and lower case, and says what makes a report one
// that cannot be judged by.
func (r *ScanReport) normalise() error {
	switch {
	case r.Image == "":
		return errors.New("it names no image")
	case r.FinishedAt.IsZero():
		return errors.New("it does not say when the scan ended")
	case r.StartedAt.After(r.FinishedAt.Add(clockSkew)):
		return fmt.Errorf("it says that the scan began at %s and ended before, at %s", text.Time(r.StartedAt), text.Time(r.FinishedAt))
	case r.Database.UpdatedAt.IsZero():
		return errors.New("it does not say of when its vulnerability database is")
	case r.Scanner.Name == "" || r.Scanner.Version == "":
		return errors.New("it does not say which scanner, of which version, made it")
	}
	seen := make(map[string]bool)
	for _, p := range r.Platforms {
		if seen[p.Digest] {
			return fmt.Errorf("it has two results for %s", shortDigest(p.Digest))
		}
		seen[p.Digest] = true
		if p.Findings == nil { // under another name they would count as none
			return fmt.Errorf("it has no list of findings for %.100s, not even an empty one", p.Platform)
		}
		for i := range p.Findings {
			f := &p.Findings[i]
			word := Severity(strings.ToLower(string(f.Severity)))
			if !slices.Contains(Severities(), word) || len(word) != len(f.Severity) { // K, the sign of kelvin, is no k
				return fmt.Errorf(
					"%.100s has the severity %.50q, which is not critical, high, medium, low or unknown", f.ID, f.Severity,
				)
			}
			f.Severity, f.FixedVersion = word, strings.TrimSpace(f.FixedVersion)
			if f.ID == "" || f.Package == "" {
				return fmt.Errorf("a finding of %s has no id or no package", p.Platform)
			}
		}
	}
	return nil
}

// unusableScan says why a report by a trusted signer does not count.
func (j *judgement) unusableScan(r Record) string {
	report, err := r.ScanReport()
	if err != nil {
		return err.Error()
	}
	if why := report.about(j.e); why != "" {
		return why
	}
	if report.FinishedAt.After(j.now.Add(clockSkew)) {
		return fmt.Sprintf("its report is of %s, which is still to come", text.Time(report.FinishedAt))
	}
	if !r.SignedAt.IsZero() && report.FinishedAt.After(r.SignedAt.Add(clockSkew)) {
		return fmt.Sprintf("its report is of %s, and was signed before, at %s", text.Time(report.FinishedAt), text.Time(r.SignedAt))
	}
	return j.p.unusableDatabase(report)
}

// Unusable says why a record that this signer would sign counts under no policy;
// empty if it may count. Sign asks before, so that nothing is attested
// that no reader takes.
func (e Evidence) Unusable(r Record, now time.Time) string {
	j := &judgement{e: e, p: Policy{DatabaseMaxAge: math.MaxInt64}, now: now}
	if err := strictjson.Check(r.Predicate); err != nil {
		return err.Error()
	}
	return j.unusable(r)
}

// about says why a report is not about the whole image and nothing else.
func (r ScanReport) about(e Evidence) string {
	if !strings.HasSuffix(r.Image, "@"+e.Image.Digest()) {
		return fmt.Sprintf("its report is about %s", r.Image)
	}
	scanned := make(map[string]string)
	for _, p := range r.Platforms {
		scanned[p.Digest] = p.Platform
	}
	for platform, digest := range e.Platforms {
		switch is, ok := scanned[digest]; {
		case !ok:
			return "its report leaves out " + platform
		case is != platform:
			return fmt.Sprintf("its report calls %s %s, which is %s", shortDigest(digest), is, platform)
		}
		delete(scanned, digest)
	}
	for _, digest := range e.Manifests {
		if _, ok := scanned[digest]; !ok && !slices.Contains(platformDigests(e), digest) {
			return fmt.Sprintf("its report leaves out %s, which the image holds without a platform", shortDigest(digest))
		}
		delete(scanned, digest)
	}
	for digest := range scanned {
		return fmt.Sprintf("its report is also about %s, which is no part of the image", shortDigest(digest))
	}
	if len(r.Platforms) == 0 {
		return "its report holds no result"
	}
	return ""
}

func platformDigests(e Evidence) []string {
	var digests []string
	for _, digest := range e.Platforms {
		digests = append(digests, digest)
	}
	return digests
}

// unusableDatabase says why a scan with this database does not count.
func (p Policy) unusableDatabase(r ScanReport) string {
	db := r.Database
	if p.Databases != nil && !slices.Contains(p.Databases, db.Repository) {
		return fmt.Sprintf(
			"its vulnerability database is from %.200s, and the policy takes %s", orUnknown(db.Repository),
			text.List(p.Databases, 5),
		)
	}
	if db.UpdatedAt.After(r.FinishedAt.Add(clockSkew)) {
		return fmt.Sprintf("its vulnerability database is of %s, after the scan of %s", text.Time(db.UpdatedAt), text.Time(r.FinishedAt))
	}
	limit := p.DatabaseMaxAge
	if limit == 0 {
		limit = DefaultDatabaseMaxAge
	}
	if age := r.FinishedAt.Sub(db.UpdatedAt); age > limit {
		return fmt.Sprintf("its vulnerability database was %s old when it scanned, %s allowed", text.Duration(age), text.Duration(limit))
	}
	return ""
}

// DefaultDatabaseMaxAge is how old a vulnerability database may be at the time
// of the scan, where the policy does not say.
const DefaultDatabaseMaxAge = 7 * 24 * time.Hour

func orUnknown(text string) string {
	if text == "" {
		return "nowhere that it names"
	}
	return text
}

// judged is the report as the policy sees it. A waiver or VEX statement that
// the scan applied counts only as far as the policy takes it: waivers
// that count are the policy's own.
func (p Policy) judged(r ScanReport) ScanReport {
	r.Platforms = slices.Clone(r.Platforms)
	for i, platform := range r.Platforms {
		findings := slices.Clone(platform.Findings)
		for k, f := range findings {
			if !p.VEX || !strings.HasPrefix(f.Waived, VEXPrefix) {
				findings[k].Waived = ""
			}
		}
		r.Platforms[i].Findings = findings
	}
	return r
}

// VEXPrefix begins the reason of a finding that a VEX document excused.
const VEXPrefix = "VEX: "

// unusableSBOM says why a bill of materials by a trusted signer does not count.
func (j *judgement) unusableSBOM(r Record) string {
	form, about, packages, err := readSBOM(r.Predicate)
	if err != nil {
		return err.Error()
	}
	if base, _, _ := strings.Cut(strings.TrimPrefix(r.PredicateType, form), "/"); !strings.HasPrefix(r.PredicateType, form) || base != "" {
		return fmt.Sprintf("it is attested as %.100s, and is %s", r.PredicateType, form)
	}
	if about != "" && about != j.e.Image.Digest() {
		return fmt.Sprintf("it is about %s", shortDigest(about))
	}
	if about == "" && packages == 0 {
		return "it lists no package, and does not say which image it is about"
	}
	if j.packages != nil {
		j.packages[&r.Predicate[0]] = packages
	}
	return ""
}
