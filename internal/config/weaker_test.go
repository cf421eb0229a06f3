package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/evidence"
)

const strong = `apiVersion: waybill.dev/v1
environments:
  - {name: dev, promotion: auto}
  - {name: staging, soak: 30m}
  - name: prod
    soak: 24h
    reviewers: [acme/platform, ada]
    freeze: [{from: 2026-12-20, until: 2027-01-03, reason: holidays}, {from: 2020-01-01, until: 2020-01-02, reason: over}]
    policy: {require: [signature, provenance, sbom, scan], scan: {severity: low}}
apps:
  api: {image: ghcr.io/acme/api, source: acme/api}
  web: {image: ghcr.io/acme/web}
policy:
  require: [signature, scan]
  signers:
    - {issuer: https://a.example, workflow: acme/config/.github/workflows/deliver.yml@refs/heads/main, source: acme/api}
    - {issuer: https://a.example, workflow: "acme/*/.github/workflows/deliver.yml@refs/heads/main", source: "acme/*"}
  scan: {severity: high, maxAge: 168h}
  waivers: [{id: CVE-1, package: openssl, reason: x, expires: 2027-01-01}]
  images: {allow: [registry.k8s.io/**], fields: ["Mesh:spec.a"]}
manifests:
  waivers: [{policy: p, app: api, reason: x, expires: 2027-01-01}]
  kubernetes: "1.35"
  rules: {probes: refuse, replicas: note}
terraform:
  roots: [{dir: a}]
  rules: [{dir: "**", approvals: 2, from: codeowners}]
`

const (
	testKey      = `"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAEShXwJbOTOrGUFmKNlQ9DXS0SheZJz1BgIeozAb5ERY=\n-----END PUBLIC KEY-----\n"`
	testKeyPrint = "sha256:31083931214de9a90fb951337888c7ecce2ef52ef5074d05b078b8be0f1854b9"
)

func TestWeaker(t *testing.T) {
	t.Parallel()
	parse := func(text string) *config.Config {
		t.Helper()
		c, err := config.Parse("waybill.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return c
	}
	for what, test := range map[string]struct {
		edit []string // pairs
		want []string
	}{
		"nothing": {nil, nil},
		"secrets and the end of life no longer refuse": {
			[]string{"scan: {severity: high, maxAge: 168h}", "scan: {severity: high, maxAge: 168h, secrets: \"off\", endOfLife: \"off\"}"},
			[]string{"policy.scan.secrets goes from note to off", "policy.scan.endOfLife goes from note to off"},
		},
		"licences, ages and signers asked for": {[]string{
			"scan: {severity: high, maxAge: 168h}",
			"signedBy: all\n  maxAge: {sbom: 720h}\n  scan: {severity: high, maxAge: 168h, licenses: [AGPL-*]}",
		}, nil},
		"a signer of another system": {
			[]string{"  signers:\n", "  signers:\n" +
				"    - {issuer: https://gitlab.com, identity: \"https://gitlab.com/acme/*//.gitlab-ci.yml@main\"}\n"},
			[]string{"policy.signers adds https://gitlab.com https://gitlab.com/acme/*//.gitlab-ci.yml@main (any source)"},
		},
		"secrets refuse": {
			[]string{"scan: {severity: high, maxAge: 168h}", "scan: {severity: high, maxAge: 168h, secrets: refuse, endOfLife: refuse}"},
			nil,
		},
		"signatures for pull requests": {
			[]string{`source: "acme/*"}`, `source: "acme/*", refs: ["refs/pull/*/merge"], events: [pull_request]}`},
			[]string{"policy.signers adds https://a.example acme/*/.github/workflows/deliver.yml@refs/heads/main acme/* " +
				"for refs/pull/*/merge started by pull_request"},
		},
		"signatures for main alone": {
			[]string{`source: "acme/*"}`, `source: "acme/*", refs: [refs/heads/main], events: [push]}`}, nil,
		},
		"require emptied": {
			[]string{"require: [signature, scan]", "require: []"},
			[]string{"policy.require drops signature", "policy.require drops scan"},
		},
		"require of one": {
			[]string{"require: [signature, provenance, sbom, scan]", "require: [sbom]"},
			[]string{
				"environments.prod.policy.require drops signature", "environments.prod.policy.require drops provenance",
				"environments.prod.policy.require drops scan",
			},
		},
		"require left out": {
			[]string{
				"require: [signature, scan]\n", "waivers: []\n",
				"  waivers: [{id: CVE-1, package: openssl, reason: x, expires: 2027-01-01}]\n", "",
			},
			nil,
		},
		"override left out": {
			[]string{"    policy: {require: [signature, provenance, sbom, scan], scan: {severity: low}}\n", ""},
			[]string{
				"environments.prod.policy.require drops provenance", "environments.prod.policy.require drops sbom",
				"environments.prod.policy.scan.severity goes from low to high",
			},
		},
		"a signer more": {
			[]string{
				"  signers:\n",
				"  signers:\n    - {issuer: https://a.example, workflow: evil/x/.github/workflows/x.yml@refs/heads/main}\n",
			},
			[]string{"policy.signers adds https://a.example evil/x/.github/workflows/x.yml@refs/heads/main (any source)"},
		},
		"a glob widened": {
			[]string{
				"workflow: acme/config/.github/workflows/deliver.yml@refs/heads/main",
				"workflow: \"acme/config/.github/workflows/*@refs/heads/main\"",
			},
			[]string{"policy.signers adds https://a.example acme/config/.github/workflows/*@refs/heads/main acme/api"},
		},
		"another issuer": {
			[]string{"issuer: https://a.example, workflow: acme", "issuer: https://b.example, workflow: acme"},
			[]string{"policy.signers adds https://b.example acme/config/.github/workflows/deliver.yml@refs/heads/main acme/api"},
		},
		"a source left out": {
			[]string{", source: acme/api}\n    - {issuer", "}\n    - {issuer"},
			[]string{"policy.signers adds https://a.example acme/config/.github/workflows/deliver.yml@refs/heads/main (any source)"},
		},
		"a glob narrowed": {
			[]string{
				"\"acme/*/.github/workflows/deliver.yml@refs/heads/main\", source: \"acme/*\"",
				"acme/other/.github/workflows/deliver.yml@refs/heads/main, source: acme/web",
			},
			nil,
		},
		"severity": {
			[]string{"scan: {severity: high", "scan: {severity: critical"},
			[]string{"policy.scan.severity goes from high to critical"},
		},
		"severity none": {
			[]string{"scan: {severity: high", "scan: {severity: none"}, []string{"policy.scan.severity goes from high to none"},
		},
		"severity stricter": {[]string{"scan: {severity: high", "scan: {severity: low"}, nil},
		"unfixed": {
			[]string{"maxAge: 168h", "maxAge: 168h, ignoreUnfixed: true"}, []string{"policy.scan.ignoreUnfixed becomes true"},
		},
		"age": {
			[]string{"maxAge: 168h", "maxAge: 900h"}, []string{"policy.scan.maxAge goes from 168h0m0s to 900h0m0s"},
		},
		"a waiver": {
			[]string{"waivers: [{id: CVE-1,", "waivers: [{id: CVE-2, reason: x, expires: 2027-02-01}, {id: CVE-1,"},
			[]string{"policy.waivers adds CVE-2 until 2027-02-01"},
		},
		"a waiver that is over": {
			[]string{"waivers: [{id: CVE-1,", "waivers: [{id: CVE-2, reason: x, expires: 2020-02-01}, {id: CVE-1,"}, nil,
		},
		"a waiver longer": {
			[]string{"package: openssl, reason: x, expires: 2027-01-01", "package: openssl, reason: x, expires: 2028-01-01"},
			[]string{"policy.waivers adds CVE-1 openssl until 2028-01-01"},
		},
		"a waiver wider": {[]string{"package: openssl, ", ""}, []string{"policy.waivers adds CVE-1 until 2027-01-01"}},
		"allow wider": {
			[]string{"allow: [registry.k8s.io/**]", "allow: [\"**\"]"}, []string{"policy.images.allow adds **"},
		},
		"allow narrower": {[]string{"allow: [registry.k8s.io/**]", "allow: [registry.k8s.io/pause]"}, nil},
		"a field less":   {[]string{", fields: [\"Mesh:spec.a\"]", ""}, []string{"policy.images.fields drops Mesh:spec.a"}},
		"a field ignored": {
			[]string{"fields: [\"Mesh:spec.a\"]", "fields: [\"Mesh:spec.a\"], ignore: [\"Pod:spec\"]"},
			[]string{"policy.images.ignore adds Pod:spec"},
		},
		"no environment": {[]string{"  - {name: staging, soak: 30m}\n", ""}, []string{"environments drops staging"}},
		"another order": {
			[]string{"  - {name: staging, soak: 30m}\n", "", "apps:\n", "  - {name: staging, soak: 30m}\napps:\n"},
			[]string{"environments.prod no longer comes after staging"},
		},
		"auto": {
			[]string{"{name: staging,", "{name: staging, promotion: auto,"},
			[]string{"environments.staging.promotion becomes auto"},
		},
		"soak": {
			[]string{"soak: 24h", "soak: 1h"}, []string{"environments.prod.soak goes from 24h0m0s to 1h0m0s"},
		},
		"soak left out": {[]string{"    soak: 24h\n", ""}, []string{"environments.prod.soak goes from 24h0m0s to 0s"}},
		"a reviewer less": {
			[]string{"[acme/platform, ada]", "[ada]"}, []string{"environments.prod.reviewers drops acme/platform"},
		},
		"no freeze": {
			[]string{
				"    freeze: [{from: 2026-12-20, until: 2027-01-03, reason: holidays}, {from: 2020-01-01, until: 2020-01-02, " +
					"reason: over}]\n",
				"",
			},
			[]string{"environments.prod.freeze drops or shortens that from 2026-12-20 until 2027-01-04"},
		},
		"a shorter freeze": {
			[]string{"until: 2027-01-03", "until: 2026-12-31"},
			[]string{"environments.prod.freeze drops or shortens that from 2026-12-20 until 2027-01-04"},
		},
		"a longer freeze": {[]string{"until: 2027-01-03", "until: 2027-02-03"}, nil},
		"no application":  {[]string{"  web: {image: ghcr.io/acme/web}\n", ""}, []string{"apps drops web"}},
		"an environment less": {
			[]string{"image: ghcr.io/acme/web}", "image: ghcr.io/acme/web, environments: [dev, staging]}"},
			[]string{"apps.web.environments drops prod"},
		},
		"no source": {
			[]string{", source: acme/api}\n  web", "}\n  web"}, []string{"apps.api.source goes from acme/api to any"},
		},
		"another source": {
			[]string{"source: acme/api}\n  web", "source: evil/api}\n  web"},
			[]string{"apps.api.source goes from acme/api to evil/api"},
		},
		"manifest waiver": {
			[]string{"  waivers: [{policy: p,", "  waivers: [{policy: q, reason: x, expires: 2027-01-01}, {policy: p,"},
			[]string{"manifests.waivers adds q until 2027-01-01"},
		},
		"manifest waiver wider": {
			[]string{"policy: p, app: api,", "policy: p,"}, []string{"manifests.waivers adds p until 2027-01-01"},
		},
		"a rule that only notes": {
			[]string{"probes: refuse", "probes: note"}, []string{"manifests.rules.probes goes from refuse to note"},
		},
		"a rule that is off": {
			[]string{"replicas: note", "replicas: off"}, []string{"manifests.rules.replicas goes from note to off"},
		},
		"a rule that is left out": {[]string{"probes: refuse, ", ""}, []string{"manifests.rules.probes goes from refuse to off"}},
		"no rules": {
			[]string{"  rules: {probes: refuse, replicas: note}\n", ""},
			[]string{"manifests.rules.probes goes from refuse to off", "manifests.rules.replicas goes from note to off"},
		},
		"a rule that is on by default": {
			[]string{"probes: refuse", "probes: refuse, schema: off"}, []string{"manifests.rules.schema goes from refuse to off"},
		},
		"a rule more":         {[]string{"probes: refuse", "probes: refuse, quota: note"}, nil},
		"a rule stricter":     {[]string{"replicas: note", "replicas: refuse"}, nil},
		"an older Kubernetes": {[]string{`"1.35"`, `"1.34"`}, []string{"manifests.kubernetes goes from 1.35 to 1.34"}},
		"a newer Kubernetes":  {[]string{`"1.35"`, `"1.36"`}, nil},
		"no Kubernetes": {
			[]string{"  kubernetes: \"1.35\"\n", ""}, []string{"manifests.kubernetes goes from 1.35 to 1.34"},
		},
		"terraform's rules": {[]string{"approvals: 2", "approvals: 1"}, []string{"terraform.rules changes"}},
		"a root more":       {[]string{"roots: [{dir: a}]", "roots: [{dir: a}, {dir: b}]"}, nil},
		"a root less":       {[]string{"roots: [{dir: a}]", "roots: [{dir: b}]"}, []string{"terraform.roots changes"}},
		"no terraform": {
			[]string{strong[strings.Index(strong, "terraform:"):], ""},
			[]string{"terraform.roots changes", "terraform.rules changes"},
		},
		"a new environment of less": {
			[]string{
				"  - {name: dev,",
				"  - {name: x1, policy: {require: [], waivers: [{id: CVE-2, reason: x, expires: 2027-02-01}], scan: {severity: " +
					"critical}, images: {allow: [\"**\"]}}}\n  - {name: dev,",
			},
			[]string{
				"environments.x1.policy.require drops signature", "environments.x1.policy.require drops scan",
				"environments.x1.policy.scan.severity goes from high to critical",
				"environments.x1.policy.waivers adds CVE-2 until 2027-02-01", "environments.x1.policy.images.allow adds **",
			},
		},
		"a new environment of others": {
			[]string{
				"apps:\n",
				"  - {name: x1, policy: {signers: [{issuer: https://b.example, workflow: evil/x@y}], scan: {vex: true, " +
					"databaseMaxAge: 900h}}}\napps:\n",
			},
			[]string{
				"environments.x1.policy.signers adds https://b.example evil/x@y (any source)",
				"environments.x1.policy.scan.databaseMaxAge goes from 168h0m0s to 900h0m0s",
				"environments.x1.policy.scan.vex becomes true",
			},
		},
		"a new environment of a key": {
			[]string{"apps:\n", "  - {name: x1, policy: {keys: [" + testKey + "]}}\napps:\n"},
			[]string{"environments.x1.policy.keys adds " + testKeyPrint},
		},
		"a new environment in between": {[]string{"  - name: prod\n", "  - {name: x1}\n  - name: prod\n"}, nil},
		"a new environment of more": {
			[]string{"apps:\n", "  - {name: x1, policy: {require: [signature, scan, sbom], scan: {severity: low}}}\napps:\n"}, nil,
		},
		"an environment's own vex": {
			[]string{"{name: staging,", "{name: staging, policy: {scan: {vex: true}},"},
			[]string{"environments.staging.policy.scan.vex becomes true"},
		},
		"a second application": {
			[]string{"  web: {", "  api2: {image: ghcr.io/acme/api, environments: [prod]}\n  web: {"},
			[]string{"apps.api2 runs the image of api: its order, soak, holds and source would not be asked"},
		},
		"a second, by a port": {
			[]string{"  web: {", "  api2: {image: \"ghcr.io:443/acme/api\"}\n  web: {"},
			[]string{"apps.api2 runs the image of api: its order, soak, holds and source would not be asked"},
		},
		"another takes the image": {
			[]string{"ghcr.io/acme/web", "ghcr.io/acme/api"},
			[]string{"apps.web runs the image of api: its order, soak, holds and source would not be asked"},
		},
		"a new application": {[]string{"  web: {", "  job: {image: ghcr.io/acme/job}\n  web: {"}, nil},
		"everything stricter": {
			[]string{
				"soak: 30m", "soak: 48h", "require: [signature, scan]", "require: [signature, scan, sbom]", "reviewers: [",
				"reviewers: [eve, ",
			},
			nil,
		},
		"a first environment of its own": {
			[]string{"  - name: prod\n", "  - name: prod\n    after: []\n"},
			[]string{"environments.prod no longer comes after dev", "environments.prod no longer comes after staging"},
		},
		"past one": {
			[]string{"  - name: prod\n", "  - name: prod\n    after: [dev]\n"},
			[]string{"environments.prod no longer comes after staging"},
		},
		"any is enough": {
			[]string{"  - name: prod\n", "  - name: prod\n    after: [staging, dev]\n    needs: any\n"},
			[]string{"environments.prod.needs becomes any"},
		},
		"the same in words": {[]string{"  - name: prod\n", "  - name: prod\n    after: [staging]\n    needs: all\n"}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			text := strong
			for i := 0; i < len(test.edit); i += 2 {
				if !strings.Contains(text, test.edit[i]) {
					t.Fatalf("there is no %q", test.edit[i])
				}
				text = strings.Replace(text, test.edit[i], test.edit[i+1], 1)
			}
			var got []string
			for _, w := range config.Weaker(parse(strong), parse(text), time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)) {
				got = append(got, w.Change)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What only some files ask for is protection too.
func TestWeakerThanAFileThatAsksForMore(t *testing.T) {
	t.Parallel()
	asks := strings.Replace(strong, "  scan: {severity: high, maxAge: 168h}\n",
		"  signedBy: all\n  keys: ["+testKey+"]\n  maxAge: {sbom: 720h}\n"+
			"  scan: {severity: high, maxAge: 168h, misconfiguration: refuse, licenses: [AGPL-*, SSPL-*]}\n", 1)
	for edit, want := range map[[2]string][]string{
		{"  signedBy: all\n", ""}:                  {"policy.signedBy goes from all to any"},
		{"  keys: [" + testKey + "]\n", ""}:        {"policy.keys drops " + testKeyPrint + ", which had to sign"},
		{"  maxAge: {sbom: 720h}\n", ""}:           {"policy.maxAge.sbom goes from 720h0m0s to 0s"},
		{"sbom: 720h", "sbom: 721h"}:               {"policy.maxAge.sbom goes from 720h0m0s to 721h0m0s"},
		{"sbom: 720h", "sbom: 24h"}:                nil,
		{"misconfiguration: refuse, ", ""}:         {"policy.scan.misconfiguration goes from refuse to off"},
		{", licenses: [AGPL-*, SSPL-*]", ""}:       {"policy.scan.licenses drops AGPL-*", "policy.scan.licenses drops SSPL-*"},
		{"AGPL-*, SSPL-*", "AGPL-*"}:               {"policy.scan.licenses drops SSPL-*"},
		{"AGPL-*, SSPL-*", "AGPL-*, SSPL-*, GPL*"}: nil,
		{
			"    - {issuer: https://a.example, workflow: acme/config/.github/workflows/deliver.yml@refs/heads/main, source: acme/api}\n",
			"",
		}: {
			"policy.signers drops https://github.com/acme/config/.github/workflows/deliver.yml@refs/heads/main, which had to sign",
		},
	} {
		base, err := config.Parse("waybill.yaml", []byte(asks))
		if err != nil {
			t.Fatal(err)
		}
		head, err := config.Parse("waybill.yaml", []byte(strings.Replace(asks, edit[0], edit[1], 1)))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range config.Weaker(base, head, time.Now()) {
			if strings.HasPrefix(w.Change, "policy.") {
				got = append(got, w.Change)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", edit, diff)
		}
	}
}

// A workflow of GitHub has one spelling, and a signer one name.
func TestSignersHaveOneName(t *testing.T) {
	t.Parallel()
	for signer, want := range map[string]string{
		"{issuer: " + evidence.ActionsIssuer + ", identity: https://github.com/a/b/.github/workflows/c.yml@main}": "name a workflow of GitHub by workflow",
		"{issuer: https://gitlab.com, identity: x, workflow: a/b@c}":                                              "oneOf",
		"{issuer: https://gitlab.com}": "missing property 'workflow'",
	} {
		_, err := config.Parse("waybill.yaml", []byte(strings.Replace(strong, "  signers:\n", "  signers:\n    - "+signer+"\n", 1)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", signer, err, want)
		}
	}
}

func TestAcknowledgementsCountOnce(t *testing.T) {
	t.Parallel()
	parse := func(entries string) *config.Config {
		c, err := config.Parse("waybill.yaml", []byte(strong+"acknowledge: ["+entries+"]\n"))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old, fresh := "{change: a, reason: b}", "{change: a, reason: c}"
	if got := parse(old + ", " + fresh).Acknowledged(parse(old)); !slices.Equal(got, []config.Acknowledgement{{Change: "a", Reason: "c"}}) {
		t.Errorf("got %v", got)
	}
	if _, err := config.Parse("waybill.yaml", []byte(strong+"acknowledge: [{change: a}]\n")); err == nil ||
		!strings.Contains(err.Error(), "reason") {
		t.Errorf("without a reason: %v", err)
	}
}

// Where any environment before is enough, each that is added is another way in.
func TestAnotherWayInIsWeaker(t *testing.T) {
	t.Parallel()
	parse := func(after string) *config.Config {
		c, err := config.Parse(
			"waybill.yaml",
			[]byte(strings.Replace(strong, "  - name: prod\n", "  - name: prod\n    after: "+after+"\n    needs: any\n", 1)),
		)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	got := config.Weaker(parse("[staging]"), parse("[staging, dev]"), time.Time{})
	if len(got) != 1 || got[0].Change != "environments.prod may come from dev alone" {
		t.Errorf("got %+v", got)
	}
}
