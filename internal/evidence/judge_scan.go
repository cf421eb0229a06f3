package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/imageref"
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
		details = append(details, fmt.Sprintf("scanned %s, longer ago than the %s allowed", stamp(report.FinishedAt), span(j.p.MaxAge)))
		remedies = append(remedies, "scan it again with waybill scan --documents and attest the report with waybill sign --documents")
	}
	if blocking := threshold.Blocking(report, j.now); len(blocking) > 0 {
		details = append(details, describeFindings(blocking))
		if notes := lapsedWaivers(threshold.Waivers, blocking, j.now); len(notes) > 0 {
			details = append(details, list(notes, 5))
		}
		remedies = append(remedies, "update the base image or the package, or add a waiver with reason and expiry to waybill.yaml")
	}
	if len(details) > 0 {
		return Reason{Rule: string(Scan), State: Refused, Detail: strings.Join(details, "; "), Remedy: strings.Join(remedies, "; ")}
	}
	return met(Scan, describeScan(report, waived(threshold, report, j.now)))
}

func describeScan(r ScanReport, waived int) string {
	counts := r.Counts()
	text := fmt.Sprintf("%d critical, %d high, %d medium, %d low", counts[Critical], counts[High], counts[Medium], counts[Low])
	if waived > 0 {
		text += fmt.Sprintf(" (%d waived)", waived)
	}
	return text + fmt.Sprintf("; scanned %s, database of %s%s", stamp(r.FinishedAt), stamp(r.Database.UpdatedAt), describeOrigin(r.Database))
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
			parts = append(parts, fmt.Sprintf("%s %s: %s", plural(len(names), string(severity)+" finding"), with, list(names, 5)))
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
			notes = append(notes, "the waiver for "+w.ID+" expired "+stamp(w.Expires))
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

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list joins the first few and counts the rest.
func list(items []string, limit int) string {
	if len(items) <= limit {
		return strings.Join(items, ", ")
	}
	return strings.Join(items[:limit], ", ") + fmt.Sprintf(" and %d more", len(items)-limit)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// span is a duration for people: 9 d, 7 d 5 h, 3 h 10 m, 30 m.
func span(d time.Duration) string {
	days, hours, minutes := int(d/(24*time.Hour)), int(d/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case days >= 2 && hours%24 > 0:
		return fmt.Sprintf("%d d %d h", days, hours%24)
	case days >= 2:
		return fmt.Sprintf("%d d", days)
	case hours > 0 && minutes > 0:
		return fmt.Sprintf("%d h %d m", hours, minutes)
	case hours > 0:
		return fmt.Sprintf("%d h", hours)
	}
	return fmt.Sprintf("%d m", minutes)
}

func short(commit string) string {
	if len(commit) > 7 {
		return commit[:7]
	}
	if commit == "" {
		return "unknown"
	}
	return commit
}

func shortDigest(digest string) string { return imageref.ShortDigest(digest) }
