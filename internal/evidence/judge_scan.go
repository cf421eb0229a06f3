package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/text"
	words "github.com/waybill-dev/waybill/internal/text"
)

// judgeScan compares the newest scan with age limit and threshold.
func (j *judgement) judgeScan() Reason {
	report, threshold := *j.report, j.p.Threshold
	if threshold.Severity == "" {
		threshold.Severity = High
	}
	var details, remedies []string
	if age := j.now.Sub(report.FinishedAt); j.p.MaxAge > 0 && age > j.p.MaxAge {
		details = append(details, fmt.Sprintf(
			"scanned %s, longer ago than the %s allowed", text.Time(report.FinishedAt), text.Duration(j.p.MaxAge),
		))
		remedies = append(remedies, "scan it again with waybill scan --documents and attest the report with waybill sign --documents")
	}
	if blocking := threshold.Blocking(report, j.now); len(blocking) > 0 {
		details = append(details, describeFindings(blocking))
		if notes := lapsedWaivers(threshold.Waivers, blocking, j.now); len(notes) > 0 {
			details = append(details, text.List(notes, 5))
		}
		remedies = append(remedies, "update the base image or the package, or add a waiver with reason and expiry to waybill.yaml")
	}
	refused, notes := j.p.beside(report, j.now)
	if len(refused) > 0 {
		details = append(details, refused...)
		remedies = append(remedies, besideRemedy)
	}
	if len(details) > 0 {
		return Reason{Rule: string(Scan), State: Refused, Detail: strings.Join(details, "; "), Remedy: strings.Join(remedies, "; ")}
	}
	return met(Scan, strings.Join(append([]string{describeScan(report, waived(threshold, report, j.now))}, notes...), "; "))
}

func describeScan(r ScanReport, waived int) string {
	counts := r.Counts()
	found := fmt.Sprintf("%d critical, %d high, %d medium, %d low", counts[Critical], counts[High], counts[Medium], counts[Low])
	if waived > 0 {
		found += fmt.Sprintf(" (%d waived)", waived)
	}
	return found + fmt.Sprintf(
		"; scanned %s, database of %s%s", text.Time(r.FinishedAt), text.Time(r.Database.UpdatedAt), describeOrigin(r.Database),
	)
}

// describeOrigin names where a database is from: by it, a finding is missed or not.
func describeOrigin(db Database) string {
	text := ""
	if db.Repository != "" {
		text += " from " + db.Repository
	}
	if db.Digest != "" && text != "" {
		text += "@" + shortDigest(db.Digest)
	}
	return text
}

// describeFindings is "2 high findings with a fix: CVE-… (openssl 3.3.1, fixed
// in 3.3.2), …", one part for each severity.
func describeFindings(findings []Finding) string {
	var parts []string
	for _, severity := range Severities() {
		for _, fixed := range []bool{true, false} {
			var names []string
			for _, f := range findings {
				if f.Severity == severity && (f.FixedVersion != "") == fixed {
					names = append(names, describeFinding(f))
				}
			}
			if len(names) == 0 {
				continue
			}
			with := "with a fix"
			if !fixed {
				with = "without a fix"
			}
			parts = append(parts, fmt.Sprintf("%s %s: %s", text.Count(len(names), string(severity)+" finding"), with, text.List(names, 5)))
		}
	}
	return strings.Join(parts, "; ")
}

func describeFinding(f Finding) string {
	text := f.ID + " (" + f.Package
	if f.Version != "" {
		text += " " + f.Version
	}
	if f.FixedVersion != "" {
		text += ", fixed in " + f.FixedVersion
	}
	return text + ")"
}

// lapsedWaivers names the waivers that name a finding and do not count.
func lapsedWaivers(waivers []Waiver, findings []Finding, now time.Time) []string {
	var notes []string
	for _, w := range waivers {
		if !slices.ContainsFunc(findings, func(f Finding) bool { return w.ID == f.ID && (w.Package == "" || w.Package == f.Package) }) {
			continue
		}
		switch {
		case !words.Shows(w.Reason):
			notes = append(notes, "the waiver for "+w.ID+" gives no reason and does not count")
		case w.Expires.IsZero():
			notes = append(notes, "the waiver for "+w.ID+" has no expiry and does not count")
		case !now.Before(w.Expires):
			notes = append(notes, "the waiver for "+w.ID+" expired "+text.Time(w.Expires))
		}
	}
	return notes
}

// waived counts the findings that would refuse if nothing waived them.
func waived(t Threshold, r ScanReport, now time.Time) int {
	without := t
	without.Waivers = nil
	return len(without.Blocking(r, now)) - len(t.Blocking(r, now))
}

func shortDigest(digest string) string { return imageref.ShortDigest(digest) }

func shortCommit(sha string) string { return cmp.Or(text.Commit(sha), "unknown") }
