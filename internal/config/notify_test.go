package config_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
)

const notifyBase = "apiVersion: waybill.dev/v1\nenvironments:\n  - {name: dev}\napps:\n  api: {image: ghcr.io/acme/api}\n"

func TestNotify(t *testing.T) {
	t.Parallel()
	cfg, err := config.Parse("waybill.yaml", []byte(notifyBase+
		`notify: [{webhook: "env:WAYBILL_WEBHOOK", secret: "env:WAYBILL_WEBHOOK_SECRET", events: [refused], environments: [dev]}]`+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	n := cfg.Notify[0]
	if n.Webhook != "WAYBILL_WEBHOOK" || n.Secret != "WAYBILL_WEBHOOK_SECRET" || n.Format != config.NotifyJSON {
		t.Errorf("%+v", n)
	}
	for _, test := range []struct {
		event, env string
		want       bool
	}{
		{config.EventRefused, "dev", true}, {config.EventRefused, "prod", false}, {config.EventDeployed, "dev", false},
		{config.EventRefused, "", true},
	} {
		if n.Wants(test.event, test.env) != test.want {
			t.Errorf("%s in %q: want %v", test.event, test.env, test.want)
		}
	}
	if !(config.Notify{}).Wants(config.EventWaiting, "prod") {
		t.Error("an entry that names nothing is about everything")
	}
}

// No address and no other secret gets out by way of this file.
func TestNotifyNamesVariablesAlone(t *testing.T) {
	t.Parallel()
	for entry, says := range map[string]string{
		`{webhook: "https://hooks.slack.com/services/T/B/X"}`:             "does not match",
		`{webhook: "env:GITHUB_TOKEN"}`:                                   "does not match",
		`{webhook: "env:WAYBILL_WEBHOOKX"}`:                               "does not match",
		`{webhook: "env:WAYBILL_WEBHOOK", secret: "env:WAYBILL_APP_KEY"}`: "does not match",
		`{webhook: "env:WAYBILL_WEBHOOK", environments: [nowhere]}`:       "nowhere",
		`{webhook: "env:WAYBILL_WEBHOOK", events: [exploded]}`:            "events",
		`{secret: "env:WAYBILL_WEBHOOK"}`:                                 "webhook",
		`{webhook: "env:WAYBILL_WEBHOOK", format: teams}`:                 "format",
	} {
		_, err := config.Parse("waybill.yaml", []byte(notifyBase+"notify: ["+entry+"]\n"))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %s", entry, err, says)
		}
	}
}
