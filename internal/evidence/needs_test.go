package evidence

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	gitlab         = "https://gitlab.com"
	gitlabPipeline = "https://gitlab.com/acme/demo-api//.gitlab-ci.yml@refs/heads/main"
)

// A policy can ask for every signer, for records that are not too old, for licences,
// and take signers of another issuer than GitHub's.
func TestJudgeByWhatPeopleAskFor(t *testing.T) {
	t.Parallel()
	key := "sha256:" + strings.Repeat("9", 64)
	byKey := func(e *Evidence) {
		r := record(Signature, PredicateSignature, json.RawMessage(`{}`))
		r.Signer = Signer{Key: key}
		e.Records = append(e.Records, r)
	}
	licensed := func(licenses ...string) func(e *Evidence, p *Policy) {
		return func(e *Evidence, p *Policy) {
			p.Licenses = []string{"AGPL-3.0*", "gpl-3.0-only", "SSPL-*", "GNU Affero*", "*licenses/agpl*"}
			rescan(e, func(r *ScanReport) {
				r.Checked = []string{CheckLicenses}
				r.Platforms[1].Packages = []Package{{Name: "curl", Version: "8.1", Type: "npm", Licenses: licenses}}
			})
		}
	}
	onGitLab := func(change func(s *Signer, rule *SignerRule)) func(e *Evidence, p *Policy) {
		return func(e *Evidence, p *Policy) {
			s := Signer{
				Issuer: gitlab, Identity: gitlabPipeline, SourceRepository: "https://gitlab.com/acme/demo-api", SourceCommit: commitA,
				SourceRef: "refs/heads/main", Runner: "gitlab-hosted", Trigger: "push",
			}
			rule := SignerRule{Issuer: gitlab, Identity: "https://gitlab.com/acme/*//.gitlab-ci.yml@refs/heads/main", Source: "acme/*"}
			change(&s, &rule)
			p.Signers, p.Require = []SignerRule{rule}, []Kind{Signature}
			all(e, func(r *Record) { r.Signer = s })
		}
	}
	for name, test := range map[string]struct {
		change func(e *Evidence, p *Policy)
		rule   string // that refuses; empty if the image is allowed
		want   string
	}{
		"all have signed": {func(e *Evidence, p *Policy) { byKey(e); p.Keys, p.AllSign = []string{key}, true }, "", ""},
		"one of two has signed": {
			func(_ *Evidence, p *Policy) { p.Keys, p.AllSign = []string{key}, true },
			"signature", "no signature that counts by key " + key + ", and every signer has to sign",
		},
		"one of two workflows has signed": {
			func(_ *Evidence, p *Policy) {
				p.AllSign = true
				p.Signers = append(p.Signers, SignerRule{Issuer: issuer, Workflow: "acme/second/.github/workflows/x.yml@refs/heads/main"})
			},
			"signature", "no signature that counts by https://github.com/acme/second/.github/workflows/x.yml@refs/heads/main",
		},
		"any may sign": {func(_ *Evidence, p *Policy) { p.Keys = []string{key} }, "", ""},

		"young enough": {func(_ *Evidence, p *Policy) { p.RecordAge = map[Kind]time.Duration{Signature: 2 * time.Hour} }, "", ""},
		"too old": {
			func(_ *Evidence, p *Policy) { p.RecordAge = map[Kind]time.Duration{Provenance: time.Minute} },
			"provenance", "it was signed 2026-11-20 11:00 UTC, longer ago than the 1 m allowed",
		},
		"no time of a third party": {
			func(e *Evidence, p *Policy) {
				p.RecordAge = map[Kind]time.Duration{SBOM: time.Hour}
				of(e, SBOM, func(r *Record) { r.SignedAt = time.Time{} })
			},
			"sbom", "no log or timestamp authority says when it was signed",
		},

		"a licence that is allowed": {licensed("MIT"), "", ""},
		"a refused licence": {
			licensed("MIT", "agpl-3.0-or-later"), "scan", "1 package under a licence that the policy refuses: curl 8.1 (agpl-3.0-or-later)",
		},
		"a choice":                    {licensed("AGPL-3.0-only OR MIT"), "", ""},
		"a choice of refused ones":    {licensed("AGPL-3.0-only or SSPL-1.0"), "scan", "under a licence that the policy refuses"},
		"both hold":                   {licensed("MIT AND GPL-3.0-only"), "scan", "(MIT AND GPL-3.0-only)"},
		"a choice in parentheses":     {licensed("(MIT OR AGPL-3.0-only)"), "", ""},
		"both, one of them a choice":  {licensed("SSPL-1.0 AND (MIT OR AGPL-3.0-only)"), "scan", "(SSPL-1.0 AND"},
		"a choice of both":            {licensed("(SSPL-1.0 AND MIT) OR (MIT AND BSD-3-Clause)"), "", ""},
		"no expression":               {licensed("MIT) AGPL-3.0-only"), "scan", "(MIT) AGPL-3.0-only)"},
		"no expression at all":        {licensed(")(", "OR", "AND AND", "((((", ""), "", ""},
		"a later version":             {licensed("AGPL-3.0 or later"), "scan", "(AGPL-3.0 or later)"},
		"any later version":           {licensed("GNU Affero GPL v3 OR any later version"), "scan", "(GNU Affero GPL v3 OR any"},
		"a later version, or another": {licensed("AGPL-3.0 or later or MIT"), "", ""},
		"a name with its short form":  {licensed("GNU Affero General Public License v3 or later (AGPLv3+)"), "scan", "(GNU Affero"},
		"names with commas":           {licensed("MIT, AGPL-3.0-only"), "scan", "(MIT, AGPL-3.0-only)"},
		"a name with a comma":         {licensed("GNU Affero General Public License, Version 3"), "scan", "(GNU Affero General"},
		"a slash is a choice":         {licensed("MIT/AGPL-3.0-only"), "", ""},
		"a slash, the other way":      {licensed("AGPL-3.0-only / MIT"), "", ""},
		"a slash between refused":     {licensed("AGPL-3.0-only/SSPL-1.0"), "scan", "(AGPL-3.0-only/SSPL-1.0)"},
		"a text":                      {licensed("text://You may use it or leave it, by licenses/AGPL, or not"), "scan", "(text://You may"},
		"a text beside a name":        {licensed("text://Use it or not AND AGPL-3.0-only"), "scan", "AGPL-3.0-only)"},
		"an address":                  {licensed("https://www.gnu.org/licenses/agpl-3.0.html"), "scan", "(https://www.gnu.org/"},
		"a name that begins the same": {licensed("GPL-3.0-only-with-more"), "", ""},
		"a report that did not look": {
			func(_ *Evidence, p *Policy) { p.Licenses = []string{"AGPL-*"} },
			"scan", "does not say under which licences the packages are",
		},
		"a licence that somebody waived": {func(e *Evidence, p *Policy) {
			licensed("SSPL-1.0")(e, p)
			p.Threshold.Waivers = []Waiver{{ID: "SSPL-1.0", Package: "curl", Reason: "not distributed", Expires: now.Add(time.Hour)}}
		}, "", ""},
		"a licence that somebody waived for all": {func(e *Evidence, p *Policy) {
			licensed("MIT AND SSPL-1.0")(e, p)
			p.Threshold.Waivers = []Waiver{{ID: "MIT AND SSPL-1.0", Reason: "not distributed", Expires: now.Add(time.Hour)}}
		}, "", ""},
		"a waiver for a part of an expression": {func(e *Evidence, p *Policy) {
			licensed("MIT AND SSPL-1.0")(e, p)
			p.Threshold.Waivers = []Waiver{{ID: "SSPL-1.0", Reason: "not distributed", Expires: now.Add(time.Hour)}}
		}, "scan", "(MIT AND SSPL-1.0)"},
		"a waiver for another package": {func(e *Evidence, p *Policy) {
			licensed("SSPL-1.0")(e, p)
			p.Threshold.Waivers = []Waiver{{ID: "SSPL-1.0", Package: "wget", Reason: "not distributed", Expires: now.Add(time.Hour)}}
		}, "scan", "(SSPL-1.0)"},

		"GitLab": {onGitLab(func(*Signer, *SignerRule) {}), "", ""},
		"GitLab, another project": {
			onGitLab(func(s *Signer, _ *SignerRule) { s.SourceRepository = "https://gitlab.com/acme/other" }),
			"signature", "it ran for acme/other, and the application is built from acme/demo-api",
		},
		"GitLab, another server's project": {
			onGitLab(func(s *Signer, _ *SignerRule) { s.SourceRepository = "https://github.com/acme/demo-api" }),
			"signature", "the source repository https://github.com/acme/demo-api is not on the server of https://gitlab.com/acme/",
		},
		"GitLab, another pipeline": {
			onGitLab(func(s *Signer, _ *SignerRule) {
				s.Identity = "https://gitlab.com/evil/x//.gitlab-ci.yml@refs/heads/main"
			}),
			"signature", "its identity is not https://gitlab.com/acme/*//.gitlab-ci.yml@refs/heads/main",
		},
		"GitLab, another issuer": {onGitLab(func(s *Signer, _ *SignerRule) { s.Issuer = issuer }), "signature", "its issuer is " + issuer},
		"GitLab, a runner of one's own": {
			onGitLab(func(s *Signer, _ *SignerRule) { s.Runner = RunnerSelf }), "signature", "it was made on a self-hosted runner",
		},
		"GitLab, a merge request": {
			onGitLab(func(s *Signer, _ *SignerRule) { s.Trigger = "merge_request_event" }), "signature", "it ran for a pull request",
		},
		"somebody's address": {
			onGitLab(func(s *Signer, rule *SignerRule) {
				*s = Signer{Issuer: "https://accounts.google.com", Identity: "release@acme.example"}
				*rule = SignerRule{Issuer: s.Issuer, Identity: s.Identity}
			}),
			"source", "the certificate of release@acme.example does not say what the image was built from",
		},
		"a rule for GitLab takes no workflow of GitHub's": {
			func(_ *Evidence, p *Policy) {
				p.Signers = []SignerRule{{Issuer: issuer, Identity: "https://gitlab.com/acme/*//x@y"}}
			}, "signature", "its identity is not",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := good(), goodPolicy()
			test.change(&e, &p)
			d := Judge(e, p, now)
			if d.Allowed != (test.rule == "") {
				t.Fatalf("allowed %t: %+v", d.Allowed, d.Reasons)
			}
			said := slices.ContainsFunc(d.Reasons, func(r Reason) bool {
				return r.Rule == test.rule && r.State == Refused && strings.Contains(r.Detail, test.want)
			})
			if test.rule != "" && !said {
				t.Errorf("%+v, want %s: %q", d.Reasons, test.rule, test.want)
			}
		})
	}
}
