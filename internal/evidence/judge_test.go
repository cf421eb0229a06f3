package evidence

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/imageref"
)

const (
	issuer   = "https://token.actions.githubusercontent.com"
	workflow = "https://github.com/acme/config/.github/workflows/deliver.yml@refs/heads/main"
	commitA  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	commitB  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

var (
	indexDigest = "sha256:" + strings.Repeat("1", 64)
	amdDigest   = "sha256:" + strings.Repeat("2", 64)
	armDigest   = "sha256:" + strings.Repeat("3", 64)
	now         = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

func signer() Signer {
	return Signer{Issuer: issuer, Identity: workflow, SourceRepository: "https://github.com/acme/demo-api", SourceCommit: commitA,
		SourceRef: "refs/heads/main", RunURL: "https://github.com/acme/demo-api/actions/runs/1/attempts/1"}
}

func goodPolicy() Policy {
	return Policy{
		Require: Kinds(), Source: "acme/demo-api", MaxAge: 168 * time.Hour, Threshold: Threshold{Severity: High},
		Signers: []SignerRule{{Issuer: issuer, Workflow: "acme/config/.github/workflows/deliver.yml@refs/heads/main", Source: "acme/*"}},
	}
}

func goodReport() ScanReport {
	return ScanReport{
		Schema: ScanSchema, Image: "ghcr.io/acme/demo-api@" + indexDigest, Scanner: Scanner{"trivy", "0.72.0"},
		Database:  Database{Digest: "sha256:db", UpdatedAt: now.Add(-6 * time.Hour)},
		StartedAt: now.Add(-2 * time.Hour), FinishedAt: now.Add(-time.Hour),
		Platforms: []PlatformScan{
			{Platform: "linux/amd64", Digest: amdDigest, Findings: []Finding{}},
			{Platform: "linux/arm64", Digest: armDigest, Findings: []Finding{}},
		},
	}
}

func goodBuild() BuildRecord {
	return BuildRecord{
		Schema: BuildSchema, Digest: indexDigest, Engine: "assemble",
		Source:     Source{Repository: "https://github.com/acme/demo-api", Commit: commitA},
		BaseImages: []BaseImage{{"gcr.io/distroless/static:nonroot", "sha256:" + strings.Repeat("6", 64)}},
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func scanRecord(r ScanReport) Record {
	return record(Scan, PredicateScan, must(ScanPredicate(r, Builder{})))
}

func provenanceRecord(b BuildRecord) Record {
	return record(Provenance, PredicateProvenance, must(ProvenancePredicate(b, Builder{ID: workflow})))
}

func record(kind Kind, predicateType string, predicate json.RawMessage) Record {
	return Record{Kind: kind, PredicateType: predicateType, Predicate: predicate, Signer: signer(), SignedAt: now.Add(-time.Hour),
		Format: "bundle", Subjects: []string{indexDigest, amdDigest, armDigest}}
}

// good is evidence that passes goodPolicy.
func good() Evidence {
	return Evidence{
		Image:     must(imageref.Parse("ghcr.io/acme/demo-api@" + indexDigest)),
		Platforms: map[string]string{"linux/amd64": amdDigest, "linux/arm64": armDigest},
		Records: []Record{
			record(Signature, PredicateSignature, json.RawMessage(`{}`)),
			provenanceRecord(goodBuild()),
			record(SBOM, PredicateCycloneDX, sbom(indexDigest, `{"type":"library","purl":"pkg:deb/a@1"},{"type":"file"}`)),
			scanRecord(goodReport()),
		},
	}
}

// sbom is a CycloneDX document about a digest; an empty one says of none.
func sbom(about, components string) json.RawMessage {
	return json.RawMessage(
		`{"bomFormat":"CycloneDX","metadata":{"component":{"name":"ghcr.io/acme/demo-api@` + about + `"}},"components":[` + components + `]}`,
	)
}

// at moves a report in time.
func at(r *ScanReport, finished time.Time) {
	r.StartedAt, r.FinishedAt, r.Database.UpdatedAt = finished.Add(-time.Minute), finished, finished.Add(-time.Hour)
}

// of changes the records of a kind.
func of(e *Evidence, kind Kind, change func(*Record)) {
	for i := range e.Records {
		if e.Records[i].Kind == kind {
			change(&e.Records[i])
		}
	}
}

func all(e *Evidence, change func(*Record)) {
	for i := range e.Records {
		change(&e.Records[i])
	}
}

func rescan(e *Evidence, change func(*ScanReport)) {
	r := goodReport()
	change(&r)
	of(e, Scan, func(old *Record) { *old = scanRecord(r) })
}

func rebuild(e *Evidence, change func(*BuildRecord)) {
	b := goodBuild()
	change(&b)
	of(e, Provenance, func(old *Record) { *old = provenanceRecord(b) })
}

func high(r *ScanReport) {
	r.Platforms[1].Findings = []Finding{{ID: "CVE-2026-1234", Package: "openssl", Version: "3.3.1", FixedVersion: "3.3.2", Severity: High}}
}

func withKey(e *Evidence, p *Policy) {
	p.Keys = []string{"sha256:key"}
	all(e, func(r *Record) { r.Signer = Signer{Key: "sha256:key"} })
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Evidence, *Policy)
		rule   string // that decides; empty for allowed
		detail string // in that rule's reason, or in any when allowed
	}{
		"good": {
			func(*Evidence, *Policy) {}, "",
			"0 critical, 0 high, 0 medium, 0 low; scanned 2026-11-20 11:00 UTC, database of 2026-11-20 06:00 UTC",
		},
		"good, says the source": {func(*Evidence, *Policy) {}, "", "acme/demo-api at aaaaaaa"},
		"good, says the base":   {func(*Evidence, *Policy) {}, "", "base image gcr.io/distroless/static:nonroot@sha256:666666666666"},
		"good, counts packages": {func(*Evidence, *Policy) {}, "", "1 package"},
		"nothing required":      {func(e *Evidence, p *Policy) { e.Records, p.Require = nil, []Kind{} }, "", "requires no record"},
		"requirements not said": {
			func(e *Evidence, p *Policy) { e.Records, p.Require = e.Records[1:], nil }, "signature", "no signature record",
		},

		// missing records
		"no signature":             {func(e *Evidence, _ *Policy) { e.Records = e.Records[1:] }, "signature", "no signature record"},
		"no scan":                  {func(e *Evidence, _ *Policy) { e.Records = e.Records[:3] }, "scan", "no scan record"},
		"not required, not missed": {func(e *Evidence, p *Policy) { e.Records, p.Require = e.Records[:3], []Kind{Signature} }, "", ""},
		"a problem says why": {func(e *Evidence, _ *Policy) {
			e.Records = e.Records[1:]
			e.Problems = []Problem{{Kind: Signature, Detail: "the signature is wrong"}}
		}, "signature", "no signature record that counts: the signature is wrong"},

		// signers
		"another issuer": {
			func(e *Evidence, _ *Policy) { of(e, Signature, func(r *Record) { r.Signer.Issuer = "https://evil" }) }, "signature",
			"its issuer is https://evil, not " + issuer,
		},
		"another workflow": {
			func(e *Evidence, _ *Policy) { of(e, SBOM, func(r *Record) { r.Signer.Identity += "2" }) }, "sbom",
			"its workflow is not acme/config/.github/workflows/deliver.yml@refs/heads/main",
		},
		"another server": {func(e *Evidence, _ *Policy) {
			of(e, SBOM, func(r *Record) {
				r.Signer.Identity = strings.Replace(r.Signer.Identity, "github.com", "github.evil", 1)
			})
		}, "sbom", "the identity is no workflow of https://github.com"},
		"a server that looks like it": {func(e *Evidence, _ *Policy) {
			of(e, SBOM, func(r *Record) {
				r.Signer.Identity = strings.Replace(r.Signer.Identity, "github.com", "github.com.evil", 1)
			})
		}, "sbom", "the identity is no workflow of https://github.com"},
		"the configured server": {func(e *Evidence, p *Policy) {
			p.Server = "https://ghe.acme.example"
			all(e, func(r *Record) {
				r.Signer.Identity = strings.Replace(r.Signer.Identity, "github.com", "ghe.acme.example", 1)
				r.Signer.SourceRepository = strings.Replace(r.Signer.SourceRepository, "github.com", "ghe.acme.example", 1)
				r.Predicate = json.RawMessage(strings.ReplaceAll(string(r.Predicate), "github.com", "ghe.acme.example"))
			})
		}, "", ""},
		"source on another server": {func(e *Evidence, _ *Policy) {
			of(e, Scan, func(r *Record) { r.Signer.SourceRepository = "https://evil/acme/demo-api" })
		}, "scan", "the source repository https://evil/acme/demo-api is not on"},
		"source of another owner": {func(e *Evidence, p *Policy) {
			p.Source = ""
			of(e, Scan, func(r *Record) { r.Signer.SourceRepository = "https://github.com/evil/a" })
		}, "scan", "it ran for evil/a, not acme/*"},
		"source of another app": {func(e *Evidence, _ *Policy) {
			of(e, Scan, func(r *Record) { r.Signer.SourceRepository = "https://github.com/acme/web" })
		}, "scan", "it ran for acme/web, and the application is built from acme/demo-api"},
		"a rule without a workflow matches nobody": {
			func(_ *Evidence, p *Policy) { p.Require, p.Signers[0].Workflow = []Kind{Signature}, "" }, "signature",
			"its workflow is not",
		},
		"no signers in the policy": {
			func(_ *Evidence, p *Policy) { p.Require, p.Signers = []Kind{Signature}, nil }, "signature",
			"the policy names no signer",
		},
		"the second rule matches": {func(_ *Evidence, p *Policy) {
			p.Signers = append([]SignerRule{{Issuer: "https://other"}}, p.Signers...)
		}, "", ""},
		"tags by glob": {func(e *Evidence, p *Policy) {
			p.Signers[0].Workflow = "acme/config/.github/workflows/deliver.yml@refs/tags/v*"
			all(e, func(r *Record) {
				r.Signer.Identity = strings.Replace(r.Signer.Identity, "refs/heads/main", "refs/tags/v1.2", 1)
				r.Predicate = json.RawMessage(strings.ReplaceAll(string(r.Predicate), "refs/heads/main", "refs/tags/v1.2"))
			})
		}, "", ""},
		"an unknown key": {
			func(e *Evidence, p *Policy) { withKey(e, p); p.Require, p.Keys = []Kind{Signature}, nil }, "signature",
			"one by key sha256:key does not count: no such key in the policy",
		},
		"a known key": {withKey, "", "acme/demo-api at aaaaaaa"},

		// subjects
		"about another image": {
			func(e *Evidence, _ *Policy) { of(e, SBOM, func(r *Record) { r.Subjects = []string{"sha256:other"} }) }, "sbom",
			"it is about something else, and not about the image itself",
		},
		"about one platform": {
			func(e *Evidence, _ *Policy) { of(e, SBOM, func(r *Record) { r.Subjects = []string{amdDigest} }) }, "sbom",
			"it is about linux/amd64, and not about the image itself",
		},
		"about every platform": {func(e *Evidence, _ *Policy) {
			of(e, Signature, func(r *Record) { r.Subjects = []string{amdDigest, armDigest} })
		}, "signature", "it is about linux/amd64, linux/arm64, and not about the image itself"},
		"each about one platform": {func(e *Evidence, _ *Policy) {
			of(e, Signature, func(r *Record) { r.Subjects = []string{amdDigest} })
			arm := e.Records[0]
			arm.Subjects = []string{armDigest}
			e.Records = append(e.Records, arm)
		}, "signature", "it is about linux/amd64, and not about the image itself, one by"},
		"a scan about the platforms": {func(e *Evidence, _ *Policy) {
			of(e, Scan, func(r *Record) { r.Subjects = []string{amdDigest, armDigest} })
		}, "scan", "it is about linux/amd64, linux/arm64, and not about the image itself"},

		// provenance and source
		"built from another repository": {func(e *Evidence, _ *Policy) {
			rebuild(e, func(b *BuildRecord) { b.Source.Repository = "https://github.com/evil/demo-api" })
		}, "provenance", "it says built from https://github.com/evil/demo-api, and the application is built from acme/demo-api"},
		"built from nowhere": {
			func(e *Evidence, _ *Policy) { rebuild(e, func(b *BuildRecord) { b.Source = Source{} }) }, "provenance",
			"it does not say from which repository",
		},
		"built from changed files": {
			func(e *Evidence, _ *Policy) { rebuild(e, func(b *BuildRecord) { b.Source.Dirty = true }) }, "",
			"some files differ from the commit",
		},
		"built from another commit than its signer ran for": {
			func(e *Evidence, _ *Policy) { rebuild(e, func(b *BuildRecord) { b.Source.Commit = commitB }) }, "provenance",
			"it says built from commit bbbbbbb, and its signer ran for aaaaaaa",
		},
		"signature of another commit than the provenance": {
			func(e *Evidence, _ *Policy) { of(e, Signature, func(r *Record) { r.Signer.SourceCommit = commitB }) }, "provenance",
			"it is of commit aaaaaaa, and the signature of bbbbbbb",
		},
		"one digest, signed for two commits": {func(e *Evidence, _ *Policy) {
			newer := e.Records[0]
			newer.Signer.SourceCommit = commitB
			e.Records = append([]Record{newer}, e.Records...)
		}, "", "acme/demo-api at aaaaaaa"},
		"provenance that is none": {func(e *Evidence, _ *Policy) {
			of(e, Provenance, func(r *Record) { r.Predicate = json.RawMessage(`"x"`) })
		}, "provenance", "read provenance"},
		"a key alone says no source": {func(e *Evidence, p *Policy) {
			withKey(e, p)
			e.Records, p.Require = e.Records[:1], []Kind{Signature}
		}, "source", "a signature with a key does not say what the image was built from"},

		// scan
		"too old": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { at(r, now.Add(-169*time.Hour)) })
		}, "scan", "longer ago than the 7 d allowed"},
		"old enough": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { at(r, now.Add(-168*time.Hour)) })
		}, "", ""},
		"any age": {func(e *Evidence, p *Policy) {
			p.MaxAge = 0
			rescan(e, func(r *ScanReport) { at(r, now.AddDate(-9, 0, 0)) })
		}, "", ""},
		"of the future": {
			func(e *Evidence, _ *Policy) { rescan(e, func(r *ScanReport) { r.FinishedAt = now.Add(time.Hour) }) }, "scan",
			"which is still to come",
		},
		"about another": {
			func(e *Evidence, _ *Policy) { rescan(e, func(r *ScanReport) { r.Image = "x@" + amdDigest }) }, "scan",
			"its report is about x@" + amdDigest,
		},
		"leaves out": {
			func(e *Evidence, _ *Policy) { rescan(e, func(r *ScanReport) { r.Platforms = r.Platforms[:1] }) }, "scan",
			"its report leaves out linux/arm64",
		},
		"of another scanner": {
			func(e *Evidence, _ *Policy) { rescan(e, func(r *ScanReport) { r.Schema = "x" }) }, "scan", `its schema is "x"`,
		},
		"a high finding": {
			func(e *Evidence, _ *Policy) { rescan(e, high) }, "scan",
			"1 high finding with a fix: CVE-2026-1234 (openssl 3.3.1, fixed in 3.3.2)",
		},
		"no threshold means high": {func(e *Evidence, p *Policy) { p.Threshold = Threshold{}; rescan(e, high) }, "scan", "1 high finding"},
		"only critical refuses":   {func(e *Evidence, p *Policy) { p.Threshold.Severity = Critical; rescan(e, high) }, "", "1 high"},
		"none refuses":            {func(e *Evidence, p *Policy) { p.Threshold.Severity = "none"; rescan(e, high) }, "", "1 high"},
		"unfixed ignored": {func(e *Evidence, p *Policy) {
			p.Threshold.IgnoreUnfixed = true
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].FixedVersion = "" })
		}, "", "1 high"},
		"waived": {func(e *Evidence, p *Policy) {
			p.Threshold.Waivers = []Waiver{{ID: "CVE-2026-1234", Reason: "not reachable", Expires: now.Add(time.Hour)}}
			rescan(e, high)
		}, "", "(1 waived)"},
		"waiver expired": {func(e *Evidence, p *Policy) {
			p.Threshold.Waivers = []Waiver{{ID: "CVE-2026-1234", Reason: "not reachable", Expires: now}}
			rescan(e, high)
		}, "scan", "the waiver for CVE-2026-1234 expired 2026-11-20 12:00 UTC"},
		"waiver without reason": {func(e *Evidence, p *Policy) {
			p.Threshold.Waivers = []Waiver{{ID: "CVE-2026-1234", Expires: now.Add(time.Hour)}}
			rescan(e, high)
		}, "scan", "the waiver for CVE-2026-1234 gives no reason and does not count"},
		"waiver without expiry": {func(e *Evidence, p *Policy) {
			p.Threshold.Waivers = []Waiver{{ID: "CVE-2026-1234", Reason: "x"}}
			rescan(e, high)
		}, "scan", "the waiver for CVE-2026-1234 has no expiry and does not count"},
		"nothing about the scan's end": {
			func(e *Evidence, _ *Policy) { rescan(e, func(r *ScanReport) { r.FinishedAt = time.Time{} }) }, "scan",
			"it does not say when the scan ended",
		},
		"ended before it began": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { r.StartedAt = r.FinishedAt.Add(time.Hour) })
		}, "scan", "it says that the scan began at 2026-11-20 12:00 UTC and ended before, at 2026-11-20 11:00 UTC"},
		"signed before it ended": {func(e *Evidence, _ *Policy) {
			of(e, Scan, func(r *Record) { r.SignedAt = now.Add(-3 * time.Hour) })
		}, "scan", "its report is of 2026-11-20 11:00 UTC, and was signed before, at 2026-11-20 09:00 UTC"},
		"a severity in capitals": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Severity = "HIGH" })
		}, "scan", "1 high finding with a fix"},
		"a severity that is none": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Severity = "catastrophic" })
		}, "scan", `CVE-2026-1234 has the severity "catastrophic", which is not critical, high, medium, low or unknown`},
		"a severity with a blank": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Severity = "low " })
		}, "scan", `CVE-2026-1234 has the severity "low ", which is not critical, high, medium, low or unknown`},
		"a severity after a tab": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Severity = "\tlow" })
		}, "scan", `has the severity "\tlow", which is not critical`},
		"a severity with another letter": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Severity = "un\u212anown" })
		}, "scan", "has the severity \"un\u212anown\", which is not critical"},
		"no severity": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Severity = "" })
		}, "scan", `has the severity ""`},
		"a finding without a package": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Package = "" })
		}, "scan", "a finding of linux/arm64 has no id or no package"},
		"waived by whoever scanned": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Waived = "waived until 2030-01-01: because" })
		}, "scan", "1 high finding with a fix"},
		"excused by a VEX document that the policy does not take": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Waived = VEXPrefix + "not_affected" })
		}, "scan", "1 high finding with a fix"},
		"excused by a VEX document that the policy takes": {func(e *Evidence, p *Policy) {
			p.VEX = true
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Waived = VEXPrefix + "not_affected" })
		}, "", "0 high"},
		"waived by whoever scanned, with VEX taken": {func(e *Evidence, p *Policy) {
			p.VEX = true
			rescan(e, func(r *ScanReport) { high(r); r.Platforms[1].Findings[0].Waived = "waived until 2030-01-01: because" })
		}, "scan", "1 high finding with a fix"},
		"a fixable finding beside an unfixable one of the same name": {func(e *Evidence, p *Policy) {
			p.Threshold.IgnoreUnfixed = true
			rescan(e, func(r *ScanReport) {
				r.Platforms[0].Findings = []Finding{
					{
						ID: "CVE-2030-0001", Package: "rake", PURL: "pkg:deb/debian/rake@13.0.0", Version: "13.0.0",
						Severity: Critical, Status: "affected",
					},
					{
						ID: "CVE-2030-0001", Package: "rake", PURL: "pkg:gem/rake@13.0.0", Version: "13.0.0", Severity: High,
						FixedVersion: "13.0.1",
					},
				}
			})
		}, "scan", "1 high finding with a fix: CVE-2030-0001 (rake 13.0.0, fixed in 13.0.1)"},
		"a fixable finding waived nowhere, beside a waived one": {func(e *Evidence, p *Policy) {
			p.VEX = true
			rescan(e, func(r *ScanReport) {
				high(r)
				r.Platforms[0].Findings = []Finding{r.Platforms[1].Findings[0]}
				r.Platforms[0].Findings[0].Waived = VEXPrefix + "not_affected"
			})
		}, "scan", "1 high finding with a fix"},
		"fixed, and no version named": {func(e *Evidence, p *Policy) {
			p.Threshold.IgnoreUnfixed = true
			rescan(e, func(r *ScanReport) {
				high(r)
				r.Platforms[1].Findings[0].FixedVersion, r.Platforms[1].Findings[0].Status = "", "fixed"
			})
		}, "scan", "1 high finding"},
		"a result twice": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { r.Platforms = append(r.Platforms, r.Platforms[0]) })
		}, "scan", "it has two results for sha256:2222"},
		"a result of something else": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) {
				r.Platforms = append(r.Platforms, PlatformScan{Digest: "sha256:" + strings.Repeat("9", 64), Findings: []Finding{}})
			})
		}, "scan", "its report is also about sha256:9999"},
		"platforms swapped": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) {
				r.Platforms[0].Platform, r.Platforms[1].Platform = r.Platforms[1].Platform, r.Platforms[0].Platform
			})
		}, "scan", "its report calls sha256:"},
		"a manifest without a platform left out": {func(e *Evidence, _ *Policy) {
			e.Manifests = []string{amdDigest, armDigest, "sha256:" + strings.Repeat("9", 64)}
		}, "scan", "its report leaves out sha256:999999999999, which the image holds without a platform"},
		"a single manifest without a platform": {func(e *Evidence, _ *Policy) {
			e.Platforms, e.Manifests = map[string]string{}, []string{indexDigest}
			rescan(e, func(r *ScanReport) { r.Platforms = nil })
		}, "scan", "its report leaves out sha256:1111"},
		"the database of two years ago": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { r.Database.UpdatedAt = now.AddDate(-2, 0, 0) })
		}, "scan", "its vulnerability database was 729 d 23 h old when it scanned, 7 d allowed"},
		"a database as old as the policy allows": {func(e *Evidence, p *Policy) {
			p.DatabaseMaxAge = 9 * 24 * time.Hour
			rescan(e, func(r *ScanReport) { r.Database.UpdatedAt = r.FinishedAt.Add(-8 * 24 * time.Hour) })
		}, "", "0 high"},
		"the database of the future": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { r.Database.UpdatedAt = now.AddDate(9, 0, 0) })
		}, "scan", "its vulnerability database is of 2035-11-20 12:00 UTC, after the scan of 2026-11-20 11:00 UTC"},
		"the database of no time": {func(e *Evidence, _ *Policy) {
			rescan(e, func(r *ScanReport) { r.Database.UpdatedAt = time.Time{} })
		}, "scan", "it does not say of when its vulnerability database is"},
		"a database that the policy does not take": {func(e *Evidence, p *Policy) {
			p.Databases = []string{"ghcr.io/aquasecurity/trivy-db"}
			rescan(e, func(r *ScanReport) { r.Database.Repository = "ghcr.io/acme/empty-db" })
		}, "scan", "its vulnerability database is from ghcr.io/acme/empty-db, and the policy takes ghcr.io/aquasecurity/trivy-db"},
		"a database that the policy takes": {func(e *Evidence, p *Policy) {
			p.Databases = []string{"ghcr.io/aquasecurity/trivy-db"}
			rescan(e, func(r *ScanReport) { r.Database.Repository = "ghcr.io/aquasecurity/trivy-db" })
		}, "", "from ghcr.io/aquasecurity/trivy-db"},
		"what the scan job let pass is judged again": {func(e *Evidence, p *Policy) { // by its own severity and ignore_unfixed
			p.Threshold.Severity = Medium
			rescan(e, func(r *ScanReport) {
				r.Platforms[0].Findings = []Finding{{
					ID: "CVE-2026-9", Package: "zlib", Version: "1", Severity: Medium, Status: "will_not_fix",
				}}
			})
		}, "scan", "1 medium finding without a fix: CVE-2026-9 (zlib 1)"},
		"a report with a name twice": {func(e *Evidence, _ *Policy) {
			of(e, Scan, func(r *Record) {
				r.Predicate = json.RawMessage(strings.Replace(string(r.Predicate), `"platforms":`, `"platforms":[],"platforms":`, 1))
			})
		}, "scan", `the name "platforms" stands twice`},

		// bills of materials
		"an SBOM of nothing": {func(e *Evidence, _ *Policy) {
			of(e, SBOM, func(r *Record) { r.Predicate = json.RawMessage(`{"bomFormat":"CycloneDX"}`) })
		}, "sbom", "it lists no package, and does not say which image it is about"},
		"an SBOM of an image without packages": {func(e *Evidence, _ *Policy) {
			of(e, SBOM, func(r *Record) { r.Predicate = sbom(indexDigest, "") })
		}, "", "0 packages"},
		"an SBOM about another image": {func(e *Evidence, _ *Policy) {
			of(e, SBOM, func(r *Record) {
				r.Predicate = sbom("sha256:"+strings.Repeat("9", 64), `{"type":"library","purl":"pkg:deb/a@1"}`)
			})
		}, "sbom", "it is about sha256:9999"},
		"an SBOM about one platform": {func(e *Evidence, _ *Policy) {
			of(e, SBOM, func(r *Record) { r.Predicate = sbom(amdDigest, `{"type":"library","purl":"pkg:deb/a@1"}`) })
		}, "sbom", "it is about sha256:2222"},
		"an SBOM of another form than attested": {func(e *Evidence, _ *Policy) {
			of(e, SBOM, func(r *Record) { r.PredicateType = PredicateSPDX })
		}, "sbom", "it is attested as https://spdx.dev/Document, and is https://cyclonedx.org/bom"},
		"an SBOM that is none": {func(e *Evidence, _ *Policy) {
			of(e, SBOM, func(r *Record) { r.Predicate = json.RawMessage(`{}`) })
		}, "sbom", "neither CycloneDX nor SPDX"},

		// builders
		"a foreign builder": {func(e *Evidence, _ *Policy) {
			of(e, Provenance, func(r *Record) {
				r.Predicate = must(ProvenancePredicate(goodBuild(), Builder{ID: "https://evil.example/builder"}))
			})
		}, "provenance", "it says built by https://evil.example/builder, and its signer is another"},
		"a builder that the policy does not take": {func(e *Evidence, p *Policy) {
			p.Builders = []string{"https://github.com/acme/config/.github/workflows/build.yml@*"}
		}, "provenance", "the policy takes https://github.com/acme/config/.github/workflows/build.yml@*"},
		"a builder that the policy takes, signed with a key": {func(e *Evidence, p *Policy) {
			withKey(e, p)
			p.Builders = []string{"https://github.com/acme/config/.github/workflows/deliver.yml@refs/heads/main"}
		}, "", "acme/demo-api at aaaaaaa"},
		"built in the future": {func(e *Evidence, _ *Policy) {
			rebuild(e, func(b *BuildRecord) { b.FinishedAt = now.Add(time.Hour) })
		}, "provenance", "it says that the build ended at 2026-11-20 13:00 UTC, which is still to come"},

		"the newest scan counts, not the better one": {func(e *Evidence, _ *Policy) {
			worse := goodReport()
			high(&worse)
			worse.FinishedAt = now.Add(-time.Minute)
			newer := scanRecord(worse)
			newer.SignedAt = now
			e.Records = append(e.Records, newer)
		}, "scan", "1 high finding"},
		"a stranger's newer scan does not count": {func(e *Evidence, _ *Policy) {
			worse := goodReport()
			high(&worse)
			worse.FinishedAt = now.Add(-time.Minute)
			r := scanRecord(worse)
			r.Signer.Identity = "https://github.com/evil/x/.github/workflows/a.yml@refs/heads/main"
			e.Records = append(e.Records, r)
		}, "", "0 high"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := good(), goodPolicy()
			tc.change(&e, &p)
			d := Judge(e, p, now)
			if want := tc.rule == ""; d.Allowed != want {
				t.Fatalf("allowed: %v, want %v\n%s", d.Allowed, want, d.Lines())
			}
			found := tc.detail == ""
			for _, r := range d.Reasons {
				decides := r.State != Met
				if decides != (r.Rule == tc.rule) {
					t.Errorf("%s is %s (%s); want %q to decide alone", r.Rule, r.State, r.Detail, tc.rule)
				}
				if decides && r.Remedy == "" {
					t.Errorf("%s: no remedy", r.Rule)
				}
				if (tc.rule == "" || decides) && strings.Contains(r.Detail, tc.detail) {
					found = true
				}
			}
			if !found {
				t.Errorf("no reason says %q:\n%+v", tc.detail, d.Reasons)
			}
		})
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"acme/*", "acme/demo", true},
		{"acme/*", "acme/", true},
		{"acme/*", "acme/x/../evil", false},
		{"acme/*", "evil/acme/x", false},
		{"acme/*", "acme/x\nevil", true}, // no path segment is spanned; no repository is named so
		{"acme/*", "acmeevil", false},
		{"*/demo", "acme/demo", true},
		{"*", "acme/demo", false},
		{"a.c", "abc", false},
		{"a(b|c)", "ab", false},
		{"v[0-9]", "v1", false},
		{"refs/tags/v*.*", "refs/tags/v1.2", true},
		{"", "", false},
		{"acme/demo", "acme/demo2", false},
	} {
		if got := matchGlob(tc.pattern, tc.text); got != tc.want {
			t.Errorf("%q against %q: got %v", tc.pattern, tc.text, got)
		}
	}
}
