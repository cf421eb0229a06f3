package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const full = `apiVersion: waybill.dev/v1
environments:
  - {name: dev, promotion: auto}
  - {name: staging, promotion: pull-request, soak: 30m}
  - name: prod
    soak: 7d
    reviewers: [acme/platform]
    freeze: [{from: 2026-12-20, until: 2027-01-03, reason: holidays}]
    policy: {scan: {severity: medium}}
apps:
  demo-api:
    image: ghcr.io/acme/demo-api
    source: acme/demo-api
  demo-web:
    image: ghcr.io/acme/demo-web
    overlay: apps/{app}/env/{env}
    environments: [dev, prod]
    helm: {chart: "charts/{app}", namespace: web}
policy:
  require: [signature, scan]
  signers:
    - issuer: https://token.actions.githubusercontent.com
      workflow: acme/config/.github/workflows/deliver.yml@refs/heads/main
      source: acme/*
  scan: {severity: high, ignoreUnfixed: true, maxAge: 168h}
  waivers:
    - {id: CVE-2026-1, reason: not reachable, expires: 2026-12-01, app: demo-api}
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("waybill.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	t.Parallel()
	c := parse(t, full)
	if got, want := c.EnvironmentNames(), []string{"dev", "staging", "prod"}; !cmp.Equal(got, want) {
		t.Errorf("environments %v, want %v", got, want)
	}
	prod, err := c.Environment("prod")
	if err != nil {
		t.Fatal(err)
	}
	if prod.Promotion != config.PullRequest || prod.Soak != 7*24*time.Hour || !cmp.Equal(prod.Reviewers, []string{"acme/platform"}) {
		t.Errorf("prod: %+v", prod)
	}
	web, err := c.App("demo-web")
	if err != nil {
		t.Fatal(err)
	}
	if web.Overlay("prod") != "apps/demo-web/env/prod" || web.Helm("prod").Chart != "charts/demo-web" ||
		web.Helm("prod").Release != "demo-web" {
		t.Errorf("demo-web: overlay %s helm %+v", web.Overlay("prod"), web.Helm("prod"))
	}
	if befores := c.Befores(web, "prod"); len(befores) != 1 || befores[0].Name != "dev" {
		t.Errorf("before prod for demo-web: %v, want dev: it does not run in staging", befores)
	}
	if befores := c.Befores(web, "dev"); len(befores) != 0 {
		t.Errorf("before dev: %v", befores)
	}
}

// Environments can be a graph: what comes before each is what it says, or the one
// right before it; where an application does not run, those before that.
func TestEnvironmentsAsAGraph(t *testing.T) {
	t.Parallel()
	c := parse(t, `apiVersion: waybill.dev/v1
environments:
  - {name: dev, promotion: auto}
  - {name: lab, after: []}
  - {name: staging, after: [dev]}
  - {name: prod-eu, after: [staging]}
  - {name: prod-us, after: [staging]}
  - {name: archive, after: [prod-eu, prod-us]}
  - {name: copy, after: [prod-eu, lab], needs: any}
apps:
  all: {image: ghcr.io/acme/all}
  short: {image: ghcr.io/acme/short, environments: [dev, prod-us, archive]}
`)
	for _, test := range []struct{ app, env, want string }{
		{"all", "dev", ""}, {"all", "lab", ""}, {"all", "staging", "dev"}, {"all", "prod-eu", "staging"}, {"all", "prod-us", "staging"},
		{"all", "archive", "prod-eu prod-us"}, {"all", "copy", "prod-eu lab"}, {"short", "prod-us", "dev"},
		{"short", "archive", "dev prod-us"},
	} {
		app, err := c.App(test.app)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range c.Befores(app, test.env) {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s before %s: %q, want %q", test.app, test.env, got, test.want)
		}
	}
	_, err := config.Parse(
		"waybill.yaml",
		[]byte("apiVersion: waybill.dev/v1\nenvironments: [{name: dev, after: [prod]}, {name: prod}]\napps: {a: {image: "+
			"ghcr.io/acme/a}}\n"),
	)
	if err == nil || !strings.Contains(err.Error(), `dev comes after "prod", which does not stand before it`) {
		t.Errorf("a circle: %v", err)
	}
}

func TestPolicyMergesEnvironmentAndApp(t *testing.T) {
	t.Parallel()
	c := parse(t, full)
	expires := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	want := evidence.Policy{
		Require: []evidence.Kind{evidence.Signature, evidence.Scan},
		Signers: []evidence.SignerRule{{
			Issuer:   "https://token.actions.githubusercontent.com",
			Workflow: "acme/config/.github/workflows/deliver.yml@refs/heads/main", Source: "acme/*",
		}},
		Source: "acme/demo-api", MaxAge: 168 * time.Hour, Secrets: evidence.Note, EndOfLife: evidence.Note, Misconfiguration: evidence.Off,
		Threshold: evidence.Threshold{Severity: evidence.Medium, IgnoreUnfixed: true,
			Waivers: []evidence.Waiver{{ID: "CVE-2026-1", Reason: "not reachable", Expires: expires}}},
	}
	got, err := c.Policy("demo-api", "prod")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	web, err := c.Policy("demo-web", "dev")
	if err != nil {
		t.Fatal(err)
	}
	if web.Threshold.Severity != evidence.High || len(web.Threshold.Waivers) != 0 || web.Source != "" {
		t.Errorf("demo-web in dev takes what is not its own: %+v", web)
	}
}

// What an environment says of the scan takes the place of what is common, and
// the signers of all are those that anything is verified for.
func TestPolicyOfDatabasesAndBuilders(t *testing.T) {
	t.Parallel()
	c := parse(t, `apiVersion: waybill.dev/v1
environments:
  - {name: dev}
  - name: prod
    policy:
      signers: [{issuer: https://issuer.example, workflow: "acme/prod/.github/workflows/a.yml@refs/heads/main"}]
      scan: {databases: [registry.acme.example/trivy-db], databaseMaxAge: 24h, vex: false}
      builders: ["https://github.com/acme/prod/*"]
apps: {a: {image: ghcr.io/acme/a}}
policy:
  signers: [{issuer: https://issuer.example, workflow: "acme/config/.github/workflows/a.yml@refs/heads/main"}]
  scan: {databases: [ghcr.io/aquasecurity/trivy-db], vex: true}
`)
	for env, want := range map[string]evidence.Policy{
		"dev": {Databases: []string{"ghcr.io/aquasecurity/trivy-db"}, VEX: true},
		"prod": {
			Databases: []string{"registry.acme.example/trivy-db"}, DatabaseMaxAge: 24 * time.Hour,
			Builders: []string{"https://github.com/acme/prod/*"},
		},
	} {
		got, err := c.Policy("a", env)
		if err != nil {
			t.Fatal(err)
		}
		if !cmp.Equal(got.Databases, want.Databases) || got.DatabaseMaxAge != want.DatabaseMaxAge || got.VEX != want.VEX ||
			!cmp.Equal(got.Builders, want.Builders) {
			t.Errorf("%s: got %+v, want %+v", env, got, want)
		}
	}
	signer := evidence.Signer{Issuer: "https://issuer.example", SourceRepository: "https://github.com/acme/a"}
	for workflow, want := range map[string]bool{"acme/prod": true, "acme/config": true, "acme/other": false} {
		signer.Identity = "https://github.com/" + workflow + "/.github/workflows/a.yml@refs/heads/main"
		if ok, why := c.Signers().Trusts(signer); ok != want {
			t.Errorf("%s: trusted by some policy: %v (%s), want %v", workflow, ok, why, want)
		}
	}
	for _, wrong := range []string{"databases: []", "databases: [trivy-db]", `databases: ["ghcr.io/a/db@sha256:1"]`, "vex: perhaps"} {
		text := "apiVersion: waybill.dev/v1\nenvironments: [{name: dev}]\napps: {a: {image: ghcr.io/acme/a}}\npolicy: " +
			"{scan: {" + wrong + "}}\n"
		if _, err := config.Parse("waybill.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), "waybill.yaml:4") {
			t.Errorf("%s: got %v, want it refused by line", wrong, err)
		}
	}
}

func TestKeysAreNamedByTheirFingerprint(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	quoted, err := json.Marshal(string(block))
	if err != nil {
		t.Fatal(err)
	}
	c := parse(t, strings.Replace(full, "policy:\n  require", "policy:\n  keys: ["+string(quoted)+"]\n  require", 1))
	p, err := c.Policy("demo-api", "dev")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("sha256:%x", sha256.Sum256(der)); !cmp.Equal(p.Keys, []string{want}) {
		t.Errorf("keys %v, want %s", p.Keys, want)
	}
	if keys := c.PublicKeys(); len(keys) != 1 || string(keys[0]) != string(block) {
		t.Errorf("public keys %q", keys)
	}
}

func TestPolicyDefaultsRequireEverything(t *testing.T) {
	t.Parallel()
	c := parse(t, "apiVersion: waybill.dev/v1\nenvironments: [{name: dev}]\napps: {a: {image: ghcr.io/acme/a}}\n")
	p, err := c.Policy("a", "dev")
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(p.Require, evidence.Kinds()) || p.Threshold.Severity != evidence.High || p.MaxAge != 7*24*time.Hour {
		t.Errorf("defaults: %+v", p)
	}
}

func TestFreezeIncludesItsLastDay(t *testing.T) {
	t.Parallel()
	prod, err := parse(t, full).Environment("prod")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]bool{
		"2026-12-19T23:59:59Z": false, "2026-12-20T00:00:00Z": true,
		"2027-01-03T23:59:59Z": true, "2027-01-04T00:00:00Z": false,
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if _, frozen := prod.Frozen(now); frozen != want {
			t.Errorf("%s: frozen %v, want %v", at, frozen, want)
		}
	}
}

func TestParseSaysWhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key": {
			"    source: acme/demo-api\n", "    sources: acme/demo-api\n",
			"waybill.yaml:12:5: apps.demo-api: additional properties 'sources' not allowed",
		},
		"wrong enum": {
			"promotion: auto", "promotion: automatic",
			"waybill.yaml:3:28: environments.0.promotion: value must be one of 'auto', 'pull-request'",
		},
		"bad duration": {
			"soak: 30m", "soak: half an hour",
			`waybill.yaml:4:52: environments.1.soak: "half an hour" is not what is meant here: A duration such as 30m`,
		},
		"no such day":      {"from: 2026-12-20", "from: 2026-13-40", `waybill.yaml:8:21: "2026-13-40" is neither a day`},
		"freeze backwards": {"until: 2027-01-03", "until: 2026-01-03", "waybill.yaml:8:14: freeze ends before it begins"},
		"no such environment": {
			"[dev, prod]", "[dev, live]",
			`waybill.yaml:17:25: apps.demo-web.environments: no environment "live"; there are: dev, staging, prod`,
		},
		"environment twice": {"name: staging,", "name: dev,", `waybill.yaml:4:12: environment "dev" stands here a second time`},
		"image with tag": {
			"ghcr.io/acme/demo-api\n", "ghcr.io/acme/demo-api:latest\n", "waybill.yaml:12:12: apps.demo-api.image: repository",
		},
		"overlay without env": {
			"apps/{app}/env/{env}", "apps/{app}/env",
			`waybill.yaml:16:14: apps.demo-web.overlay: "apps/{app}/env" is the same for every environment`,
		},
		"overlay outside":       {"apps/{app}/env/{env}", "apps/../../{env}", `leaves the repository`},
		"waiver without reason": {"reason: not reachable, ", "", "waybill.yaml:27:7: policy.waivers.0: missing property 'reason'"},
		"waiver without expiry": {", expires: 2026-12-01", "", "waybill.yaml:27:7: policy.waivers.0: missing property 'expires'"},
		"key twice": {
			"policy:\n  require", "apps: {}\npolicy:\n  require", `waybill.yaml:19:1: "apps" stands here a second time`,
		},
		"signer without issuer": {
			"    - issuer: https://token.actions.githubusercontent.com\n      workflow", "    - workflow",
			"missing property 'issuer'",
		},
		"signer without ref": {"deliver.yml@refs/heads/main", "deliver.yml", "policy.signers.0.workflow"},
		"not YAML":           {"apps:\n", "apps: [\n", "waybill.yaml:9:1: did not find expected"},
		"no public key": {
			"policy:\n  require",
			"policy:\n  keys: [\"-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----\\n\"]\n  require",
			"waybill.yaml:20:10: not a public key",
		},
		"two documents":   {"apps:\n", "---\napps:\n", "several YAML documents in one file"},
		"another version": {"waybill.dev/v1", "waybill.dev/v9", "waybill.yaml:1:13: apiVersion: value must be 'waybill.dev/v1'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(full, c.old, c.new, 1)
			if text == full {
				t.Fatal("the case changes nothing")
			}
			_, err := config.Parse("waybill.yaml", []byte(text))
			if err == nil {
				t.Fatal("want an error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error\n%v\ndoes not say\n%s", err, c.want)
			}
			var at *config.Error
			if !errors.As(err, &at) || at.Line < 1 || at.Column < 1 {
				t.Errorf("error %v has no place", err)
			}
		})
	}
}

func TestParseReportsEveryProblem(t *testing.T) {
	t.Parallel()
	text := strings.Replace(strings.Replace(full, "promotion: auto", "promotion: x", 1), "maxAge: 168h", "maxAge: soon", 1)
	_, err := config.Parse("waybill.yaml", []byte(text))
	if err == nil || strings.Count(err.Error(), "waybill.yaml:") != 2 {
		t.Errorf("want two problems, got: %v", err)
	}
}

func TestUnknownNamesListTheKnown(t *testing.T) {
	t.Parallel()
	c := parse(t, full)
	_, err := c.App("demo-apo")
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "demo-api, demo-web") {
		t.Errorf("unknown application: %v", err)
	}
	_, err = c.Environment("live")
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "dev, staging, prod") {
		t.Errorf("unknown environment: %v", err)
	}
	_, _, err = c.Place("demo-web", "staging")
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "runs in: dev, prod") {
		t.Errorf("application not in environment: %v", err)
	}
	_, err = c.AppForImage("ghcr.io/acme/other")
	if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "ghcr.io/acme/demo-api, ghcr.io/acme/demo-web") {
		t.Errorf("unknown image: %v", err)
	}
}
