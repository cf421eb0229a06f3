package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
)

func TestManifestWaivers(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: waybill.dev/v1\nenvironments: [{name: dev}]\napps: {a: {image: ghcr.io/acme/a}}\nmanifests:\n  " +
		"waivers:\n    - "
	c, err := config.Parse(
		"waybill.yaml",
		[]byte(head+"{policy: p, app: a, env: dev, object: 'Deployment shop/*', reason: why, expires: 2026-12-01}\n"),
	)
	if err != nil {
		t.Fatal(err)
	}
	before, after := time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	w := c.ManifestWaivers()[0]
	for _, q := range []struct {
		policy, app, env, object string
		now                      time.Time
		want                     bool
	}{
		{"p", "a", "dev", "Deployment shop/api", before, true}, {"p", "a", "dev", "Deployment shop/api", after, false},
		{"p2", "a", "dev", "Deployment shop/api", before, false},
		{"p", "b", "dev", "Deployment shop/api", before, false}, {"p", "a", "prod", "Deployment shop/api", before, false},
		{"p", "a", "dev", "XDeployment shop/api", before, false}, {"p", "a", "dev", "Deployment shopping/api", before, false},
	} {
		if got := w.Waives(q.policy, q.app, q.env, q.object, q.now); got != q.want {
			t.Errorf("%+v: %v", q, got)
		}
	}
	if any := (config.ManifestWaiver{Policy: "p", Reason: "why", Expires: after}); !any.Waives("p", "a", "dev", "Service x", before) {
		t.Error("what is left out is not any")
	}
	if (config.ManifestWaiver{Policy: "p", Reason: " \u200b", Expires: after}).Waives("p", "a", "dev", "Service x", before) {
		t.Error("a waiver for no reason waives")
	}
	for text, want := range map[string]string{
		"{app: a, reason: why, expires: 2026-12-01}":        "policy",
		"{policy: p, expires: 2026-12-01}":                  "reason",
		"{policy: p, reason: why}":                          "expires",
		"{policy: p, reason: '', expires: 2026-12-01}":      "minLength",
		"{policy: p, reason: why, expires: whenever}":       "A day",
		"{policy: p, reason: w, expires: 2026-12-01, x: 1}": "x",
	} {
		if _, err := config.Parse("waybill.yaml", []byte(head+text+"\n")); err == nil || !strings.Contains(err.Error(), want) ||
			!strings.HasPrefix(err.Error(), "waybill.yaml:6:") {
			t.Errorf("%s: %v, want %q with its place", text, err, want)
		}
	}
}

func TestManifestRules(t *testing.T) {
	t.Parallel()
	parse := func(text string) (*config.Config, error) {
		return config.Parse(
			"waybill.yaml",
			[]byte("apiVersion: waybill.dev/v1\nenvironments: [{name: dev}]\napps: {api: {image: ghcr.io/acme/api}}\n"+text),
		)
	}
	c, err := parse("manifests: {kubernetes: \"1.29\", rules: {probes: refuse, schema: off}}\n")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"probes": config.Refuse, "schema": config.Off, "references": config.Note, "quota": config.Off} {
		if got := c.ManifestRule(id); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	if c.Kubernetes() != 29 {
		t.Errorf("Kubernetes 1.%d", c.Kubernetes())
	}
	if c, err = parse(""); err != nil || c.Kubernetes() != 34 || c.ManifestRule("schema") != config.Refuse {
		t.Errorf("by default: %v, %v", c, err)
	}
	for text, want := range map[string]string{
		"rules: {probe: refuse}": "probe", "rules: {probes: deny}": "manifests.rules.probes",
		"kubernetes: \"2.0\"": "manifests.kubernetes",
	} {
		if _, err := parse("manifests: {" + text + "}\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Paths that promote must not copy are refused with words that say which may be.
func TestPromotedPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"apps/{env}/..":        "promote copies nothing that is outside of the repository or below .waybill or .github",
		".github/{env}":        "promote copies nothing that is outside of the repository or below .waybill or .github",
		".waybill/holds/{env}": "promote copies nothing that is outside of the repository or below .waybill or .github",
		"waybill.yaml":         `"waybill.yaml" is not what is meant here: A path with {env} in it`,
	} {
		_, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nenvironments: [{name: dev}]\napps:\n  a: "+
			"{image: ghcr.io/acme/a, promote: {paths: [\""+path+"\"]}}\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}
