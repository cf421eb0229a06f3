package evidence

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzParseScanReport looks for reports that stop the reader, that read back as
// another one, or in which a finding is lost on the way to the verdict.
func FuzzParseScanReport(f *testing.F) {
	const head = `{"schema":"https://waybill.dev/scan/v1","image":"a@sha256:b","startedAt":"2026-01-01T00:00:00Z",` +
		`"finishedAt":"2026-01-01T00:00:01Z","database":{"updatedAt":"2026-01-01T00:00:00Z"},"platforms":[`
	const finding = `{"id":"CVE-1","package":"a","severity":"HIGH"}`
	for _, seed := range []string{
		head + `]}`, head + `{"digest":"d","findings":[` + finding + `]}]}`, head + `{"digest":"d"},{"digest":"d"}]}`,
		head + `{"digest":"d","findings":[{"id":"CVE-1","package":"a","severity":"critical","fixedVersion":" ","waived":"x"},` +
			finding + `]}]}`,
		head + `{"findings":[{"id":"CVE-1","package":"a","severity":"\u212a"}]}]}`, head + `{"Findings":[],"findings":[` + finding + `]}]}`,
		`{"schema":1}`, `[]`, `null`, strings.Repeat("[", 300),
		`{"schema":"https://waybill.dev/scan/v1","finishedAt":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	at := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		report, err := ParseScanReport(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "read scan report: ") {
				t.Errorf("the error does not say what was read: %v", err)
			}
			return
		}
		written, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseScanReport(written)
		if d := cmp.Diff(report, again); err != nil || d != "" {
			t.Errorf("read back as another report: %v\n%s", err, d)
		}
		predicate, err := ScanPredicate(report, Builder{})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := Record{Kind: Scan, Predicate: predicate}.ScanReport()
		if d := cmp.Diff(report, signed); err != nil || d != "" {
			t.Errorf("attested as another report: %v\n%s", err, d)
		}
		blocking := Threshold{Severity: Low}.Blocking(report, at)
		for _, p := range report.Platforms {
			for _, f := range p.Findings {
				blocked := false
				for _, b := range blocking {
					blocked = blocked || b.Key() == f.Key()
				}
				if f.Waived == "" && f.Severity != Unknown && !blocked {
					t.Errorf("%s is %s, is not waived, and does not count", f.Key(), f.Severity)
				}
			}
		}
	})
}

var aDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// FuzzSBOMAbout looks for documents that stop the reader, or that are about what
// does not stand in them.
func FuzzSBOMAbout(f *testing.F) {
	hex := strings.Repeat("0123456789abcdef", 4)
	for _, seed := range []string{
		`{"bomFormat":"CycloneDX","metadata":{"component":{"version":"sha256:` + hex + `"}}}`,
		`{"bomFormat":"CycloneDX","metadata":{"component":{"purl":"pkg:oci/a@sha256%3A` + hex + `"}},` +
			`"components":[{"type":"library","purl":"pkg:a/b"}]}`,
		`{"spdxVersion":"SPDX-2.3","name":"a@sha256:` + hex + `"}`,
		`{"spdxVersion":"SPDX-2.3","documentDescribes":["x"],"packages":[{"SPDXID":"x","versionInfo":"sha256:` + hex + `"}]}`,
		`{"spdxVersion":"SPDX-2.3","relationships":[{"spdxElementId":"SPDXRef-DOCUMENT",` +
			`"relationshipType":"DESCRIBES","relatedSpdxElement":"x"}]}`,
		`{"bomFormat":"CycloneDX","metadata":{"component":{"version":"sha256:sha256:` + hex + `"}}}`, `{}`, `[]`,
		`{"components":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		form, digest, err := SBOMAbout(data)
		if err != nil {
			if form != "" || digest != "" || !strings.HasPrefix(err.Error(), "read SBOM: ") {
				t.Errorf("%v, and it gives %q, %q", err, form, digest)
			}
			return
		}
		if form != PredicateCycloneDX && form != PredicateSPDX {
			t.Errorf("the form is %q", form)
		}
		if digest != "" && (!aDigest.MatchString(digest) || !strings.Contains(string(data), digest[len("sha256:")+32:])) {
			if !strings.Contains(string(data), `\`) {
				t.Errorf("about %q, which does not stand in it", digest)
			}
		}
		n, err := Record{Kind: SBOM, Predicate: data}.Packages()
		if err != nil || n < 0 || n > strings.Count(string(data), "{") {
			t.Errorf("%d packages, %v", n, err)
		}
	})
}

// FuzzLicense looks for words that hide a refused licence which holds beside them,
// whatever they are: only a choice may.
func FuzzLicense(f *testing.F) {
	for _, seed := range []string{
		"", "MIT", "MIT AND BSD-3-Clause", "(MIT)", ")", "((((", "or later", "any later version", "MIT,", ";", "text://a or b",
		"https://a/b", "AND", "GNU GPL v2 (GPLv2)", strings.Repeat("(", 60), "\u00a0", "İ",
	} {
		f.Add(seed)
	}
	p := Policy{Licenses: []string{"AGPL-3.0*"}}
	choice := regexp.MustCompile(`(?i)\bor\b|/`)
	f.Fuzz(func(t *testing.T, words string) {
		p.refusesLicense(words)
		if choice.MatchString(words) {
			return
		}
		for _, expression := range []string{
			"AGPL-3.0-only AND " + words, words + " AND AGPL-3.0-only", "(" + words + ") AND (AGPL-3.0-only)", "AGPL-3.0-only, " + words,
			"(AGPL-3.0-only) " + words, words + " (AGPL-3.0 or later)",
		} {
			if !p.refusesLicense(expression) {
				t.Errorf("%q is not refused", expression)
			}
		}
	})
}
