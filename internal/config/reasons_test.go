package config_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
)

// Whatever asks for a reason wants one that people can see, and says where.
func TestReasonsAreVisible(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a waiver":           "policy:\n  waivers:\n    - {id: CVE-1, expires: 2026-12-01,\n       reason: BLANK}\n",
		"an environment's":   "environments:\n  - {name: dev, policy: {waivers: [{id: CVE-1, expires: 2026-12-01, reason: BLANK}]}}\n",
		"a freeze":           "environments:\n  - {name: dev, freeze: [{from: 2026-12-20, until: 2027-01-03, reason: BLANK}]}\n",
		"an acknowledgement": "acknowledge:\n  -\n    change: x\n    reason: BLANK\n",
		"a manifest waiver":  "manifests:\n  waivers:\n    - {policy: p, expires: 2026-12-01,\n       reason: BLANK}\n",
		"accepted drift": "terraform: {roots: [{dir: a}],\n  drift: {\n    ignore: [\n      {address: a.b, expires: 2026-12-01, " +
			"reason: BLANK}]}}\n",
	} {
		file := func(reason string) []byte {
			head := "apiVersion: waybill.dev/v1\napps: {shop: {image: ghcr.io/acme/shop}}\n"
			if !strings.Contains(text, "environments:") {
				head += "environments: [{name: dev}]\n"
			}
			return []byte(strings.Replace(head+text, "BLANK", reason, 1))
		}
		for _, blank := range []string{`"   "`, `"\u200b"`, `"\u3164\u2800"`, `"\t\n"`} {
			if _, err := config.Parse("waybill.yaml", file(blank)); err == nil || !strings.Contains(err.Error(), "reason: ") ||
				!strings.Contains(err.Error(), "holds no visible character: say why in words") ||
				!strings.HasPrefix(err.Error(), "waybill.yaml:") {
				t.Errorf("%s for the reason %s: %v", name, blank, err)
			}
		}
		if _, err := config.Parse("waybill.yaml", file("not reachable")); err != nil {
			t.Errorf("%s with a reason: %v", name, err)
		}
	}
}

// A waiver is for a package, an application and an environment that there are.
func TestWaiversNameWhatThereIs(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: waybill.dev/v1\napps: {shop: {image: ghcr.io/acme/shop}}\n"
	for text, want := range map[string]string{
		"environments: [{name: dev}]\npolicy:\n  waivers:\n    - {id: C, reason: w, expires: 2026-12-01, package: ''}\n": "waybill.yaml:6:56: policy.waivers.0.package: minLength",
		"environments: [{name: dev}]\npolicy:\n  waivers:\n    - {id: C, reason: w, expires: 2026-12-01, app: shopp}\n":  `waybill.yaml:6:52: policy.waivers.0.app: no application "shopp"; there are: shop`,
		"environments:\n  - {name: dev, policy: {waivers: [{id: C, reason: w, expires: 2026-12-01, app: shopp}]}}\n":     `environments.0.policy.waivers.0.app: no application "shopp"; there are: shop`,
		"environments: [{name: dev}]\nmanifests:\n  waivers:\n    - {policy: p, reason: w, expires: 2026-12-01, app: " +
			"shopp}\n": `manifests.waivers.0.app: no application "shopp"; there are: shop`,
		"environments: [{name: dev}]\nmanifests:\n  waivers:\n    - {policy: p, reason: w, expires: 2026-12-01, app: shop, env: " +
			"devv}\n": `manifests.waivers.0.env: no environment "devv"; there are: dev`,
	} {
		if _, err := config.Parse("waybill.yaml", []byte(head+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	const right = "environments: [{name: dev}]\npolicy:\n  waivers:\n    - {id: C, reason: w, expires: 2026-12-01, app: shop, package: p}\n"
	if _, err := config.Parse("waybill.yaml", []byte(head+right)); err != nil {
		t.Error(err)
	}
}

// A list behind an alias has its problems reported, and stops nothing.
func TestProblemsBehindAliases(t *testing.T) {
	t.Parallel()
	const apps = "apiVersion: waybill.dev/v1\napps: {shop: {image: ghcr.io/acme/shop, environments: &e [qa]}, web: {image: " +
		"ghcr.io/acme/web, environments: *e}}\n"
	for text, want := range map[string]string{
		apps + "environments: [{name: dev}]\n": "apps.web.environments: no environment \"qa\"",
		"apiVersion: waybill.dev/v1\napps: {shop: {image: ghcr.io/acme/shop}}\n" +
			"environments: [{name: dev, freeze: &f [{from: 2026-12-20, until: 2026-12-01, reason: x}]}, {name: prod, " +
			"freeze: *f}]\n": "freeze ends before it begins",
		"apiVersion: waybill.dev/v1\napps: {shop: {image: ghcr.io/acme/shop}}\nenvironments:\n" +
			"  - {name: dev, policy: {waivers: &w [{id: C, expires: 2026-12-01, reason: ' '}]}}\n  - {name: prod, policy: " +
			"{waivers: *w}}\n": "environments.1.policy.waivers.0.reason",
	} {
		if _, err := config.Parse("waybill.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
