package evidence

import (
	"encoding/json"
	"strings"
	"testing"
)

// What somebody tries who can have a trusted workflow run, or who signs with it:
// each attempt ends with its own reason.
func TestAttacks(t *testing.T) {
	t.Parallel()
	restrict := func(refs, events []string) func(*Policy) {
		return func(p *Policy) { p.Signers[0].Refs, p.Signers[0].Events = refs, events }
	}
	run := func(ref, event string) func(*Evidence) {
		return func(e *Evidence) {
			all(e, func(r *Record) { r.Signer.SourceRef, r.Signer.Trigger = ref, event })
		}
	}
	report := func(change func(*ScanReport)) func(*Evidence) { return func(e *Evidence) { rescan(e, change) } }
	leak := func(r *ScanReport) {
		r.Checked = []string{CheckSecrets}
		r.Platforms[1].Secrets = []Secret{{Rule: "aws-access-key-id", Target: "/app/.env", Line: 3}}
	}
	old := func(r *ScanReport) {
		r.Checked = []string{CheckEndOfLife}
		r.Platforms[0].OS, r.Platforms[0].EndOfLife = "debian 8", true
	}
	root := func(r *ScanReport) {
		r.Checked = []string{CheckMisconfiguration}
		r.Platforms[0].Misconfigurations = []Misconfiguration{{ID: "DS-0002", Title: "it runs as root"}}
	}
	main, tags := []string{"refs/heads/main"}, []string{"refs/heads/main", "refs/tags/v*"}
	for name, tc := range map[string]struct {
		policy   func(*Policy)
		evidence func(*Evidence)
		rule     string // that refuses; empty allows
		detail   string
	}{
		"main":           {restrict(main, []string{"push"}), run("refs/heads/main", "push"), "", ""},
		"a tag, by glob": {restrict(tags, nil), run("refs/tags/v1.2", "push"), "", ""},
		"a feature branch": {
			restrict(main, nil), run("refs/heads/feature", "push"), "signature", "it ran for refs/heads/feature, not refs/heads/main",
		},
		"a branch below main": {restrict(main, nil), run("refs/heads/main/x", "push"), "signature", "it ran for refs/heads/main/x, not"},
		"a glob spans no slash": {
			restrict(tags, nil), run("refs/tags/v1/evil", "push"),
			"signature", "it ran for refs/tags/v1/evil, not refs/heads/main, refs/tags/v*",
		},
		"no ref in the certificate": {
			restrict(main, nil), run("", "push"), "signature", "it ran for a ref that its certificate does not name",
		},
		"another event": {
			restrict(nil, []string{"push"}), run("refs/heads/main", "schedule"), "signature", "its run was started by schedule, not push",
		},
		"no event in the certificate": {
			restrict(nil, []string{"push"}), run("refs/heads/main", ""),
			"signature", "its run was started by an event that its certificate does not name",
		},
		"a pull request": {
			restrict(nil, nil), run("refs/pull/7/merge", "pull_request"),
			"signature", "it ran for a pull request, whose code is not merged",
		},
		"a pull request's target": {
			restrict(nil, nil), run("refs/heads/main", "pull_request_target"), "signature", "it ran for a pull request",
		},
		"a pull request's ref by hand": {
			restrict(nil, nil), run("refs/pull/7/head", "workflow_dispatch"), "signature", "it ran for a pull request",
		},
		"a pull request, if that is meant": {
			restrict(nil, []string{"pull_request"}), run("refs/pull/7/merge", "pull_request"), "", "",
		},

		"a secret, and the policy notes": {
			func(*Policy) {}, report(leak), "", "1 secret in the image: aws-access-key-id (/app/.env:3)",
		},
		"a secret, and the policy refuses": {
			func(p *Policy) { p.Secrets = Refuse }, report(leak), "scan", "1 secret in the image: aws-access-key-id (/app/.env:3)",
		},
		"no secret": {
			func(p *Policy) { p.Secrets = Refuse }, report(func(r *ScanReport) { r.Checked = []string{CheckSecrets} }), "", "0 high",
		},
		"a scan that looked for no secret": {
			func(p *Policy) { p.Secrets = Refuse }, report(func(r *ScanReport) { leak(r); r.Checked = nil }),
			"scan", "its report does not say whether the image holds secrets",
		},
		"a distribution that ended, noted": {func(*Policy) {}, report(old), "", "debian 8 is no longer supported by its distribution"},
		"a distribution that ended, refused": {
			func(p *Policy) { p.EndOfLife = Refuse }, report(old), "scan", "debian 8 is no longer supported by its distribution",
		},
		"a scan that did not ask for the end of life": {
			func(p *Policy) { p.EndOfLife = Refuse }, report(func(*ScanReport) {}),
			"scan", "its report does not say whether the distribution is still supported",
		},

		"an image that runs as root, noted": {func(*Policy) {}, report(root), "", "DS-0002: it runs as root"},
		"an image that runs as root, refused": {
			func(p *Policy) { p.Misconfiguration = Refuse }, report(root), "scan", "DS-0002: it runs as root",
		},
		"a scan that did not look at the configuration": {
			func(p *Policy) { p.Misconfiguration = Refuse }, report(func(*ScanReport) {}),
			"scan", "its report does not say whether the image's configuration was looked at",
		},

		"fixed, in capitals": {func(p *Policy) { p.Threshold.IgnoreUnfixed = true }, report(func(r *ScanReport) {
			r.Platforms[0].Findings = []Finding{{ID: "CVE-1", Package: "a", Severity: High, Status: "FIXED "}}
		}), "scan", "1 high finding"},
		"a name twice, in another case": {func(*Policy) {}, func(e *Evidence) {
			of(e, Scan, func(r *Record) {
				r.Predicate = json.RawMessage(strings.Replace(string(r.Predicate), `"findings":`, `"Findings":[],"findings":`, 1))
			})
		}, "scan", "stands twice"},
		"a report without a list of findings": {
			func(*Policy) {}, report(func(r *ScanReport) { r.Platforms[1].Findings = nil }),
			"scan", "it has no list of findings for linux/arm64, not even an empty one",
		},
		"a list of findings under another name": {func(*Policy) {}, func(e *Evidence) {
			of(e, Scan, func(r *Record) {
				r.Predicate = json.RawMessage(strings.ReplaceAll(string(r.Predicate), `"findings":`, `"vulnerabilities":`))
			})
		}, "scan", "it has no list of findings for linux/amd64"},
		"a report by nobody": {
			func(*Policy) {}, report(func(r *ScanReport) { r.Scanner = Scanner{} }),
			"scan", "it does not say which scanner, of which version, made it",
		},
		"a report by a scanner without a name": {
			func(*Policy) {}, report(func(r *ScanReport) { r.Scanner.Name = "" }),
			"scan", "it does not say which scanner, of which version, made it",
		},
		"a report by a scanner without a version": {
			func(*Policy) {}, report(func(r *ScanReport) { r.Scanner.Version = "" }),
			"scan", "it does not say which scanner, of which version, made it",
		},
		"a report of Trivy's own": {func(*Policy) {}, func(e *Evidence) {
			of(e, Scan, func(r *Record) {
				r.Predicate = json.RawMessage(`{"scanner":{"result":{"SchemaVersion":2,"ArtifactName":"a","Results":[]}}}`)
			})
		}, "scan", "its report is Trivy's own, which covers one platform"},
		"GitHub's own record of a release": {func(*Policy) {}, func(e *Evidence) {
			of(e, Provenance, func(r *Record) { r.Predicate = json.RawMessage(`{"purl":"pkg:github/acme/demo-api@v1"}`) })
		}, "provenance", "it does not say from which repository the image was built"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, p := good(), goodPolicy()
			tc.policy(&p)
			tc.evidence(&e)
			d := Judge(e, p, now)
			if d.Allowed != (tc.rule == "") {
				t.Fatalf("allowed: %v\n%s", d.Allowed, d.Lines())
			}
			for _, r := range d.Reasons {
				if (tc.rule == "" || r.Rule == tc.rule && r.State == Refused) && strings.Contains(r.Detail, tc.detail) {
					return
				}
			}
			t.Errorf("no reason of %q says %q:\n%s", tc.rule, tc.detail, d.Lines())
		})
	}
}

// What the policy turns off is neither refused nor noted.
func TestTurnedOff(t *testing.T) {
	t.Parallel()
	r := goodReport()
	r.Platforms[0].Secrets = []Secret{{Rule: "aws-access-key-id", Target: "/app/.env"}}
	r.Platforms[0].EndOfLife = true
	r.Platforms[0].Misconfigurations = []Misconfiguration{{ID: "DS-0002", Title: "it runs as root"}}
	if refused, notes := (Policy{Secrets: Off, EndOfLife: Off, Misconfiguration: Off}).beside(r, now); len(refused)+len(notes) > 0 {
		t.Errorf("refused %q, noted %q", refused, notes)
	}
}

func TestCoversRefsAndEvents(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		hasRefs, otherRefs, hasEvents, otherEvents string
		want                                       bool
	}{
		{"", "refs/heads/main", "", "push", true},
		{"refs/heads/*", "refs/heads/main", "push,schedule", "push", true},
		{"refs/heads/main", "", "", "", false},
		{"refs/heads/main", "refs/heads/main,refs/heads/x", "", "", false},
		{"", "", "", "push,pull_request_target", false},
		{"", "", "push", "", false},
		{"", "", "push", "push,schedule", false},
	} {
		rule := func(refs, events string) SignerRule {
			r := goodPolicy().Signers[0]
			if refs != "" {
				r.Refs = strings.Split(refs, ",")
			}
			if events != "" {
				r.Events = strings.Split(events, ",")
			}
			return r
		}
		if got := rule(test.hasRefs, test.hasEvents).Covers(rule(test.otherRefs, test.otherEvents)); got != test.want {
			t.Errorf("%+v: %t", test, got)
		}
	}
}
