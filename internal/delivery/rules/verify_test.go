package rules_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

// verified parses a configuration whose dev has sources of health and a verification.
func verified(t *testing.T, dev string) (*config.Config, config.App, config.Environment) {
	t.Helper()
	cfg, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nenvironments:\n  - {name: dev, "+dev+"}\n"+
		"  - {name: staging, soak: 2h}\napps: {demo-api: {image: ghcr.io/acme/demo-api}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	app, staging, err := cfg.Place("demo-api", "staging")
	if err != nil {
		t.Fatal(err)
	}
	return cfg, app, staging
}

func said(reasons []evidence.Reason, rule string) string {
	var list []string
	for _, r := range reasons {
		if r.Rule == rule {
			list = append(list, strings.TrimSuffix(string(r.State)+" "+r.Detail+" → "+r.Remedy, " → "))
		}
	}
	return strings.Join(list, "\n")
}

// A digest goes on once the workflows that verify its deployment have succeeded.
func TestVerify(t *testing.T) {
	t.Parallel()
	cfg, app, staging := verified(t, "verify: [{workflow: smoke.yml}]")
	ran := history.Period{Ref: evidencetest.Ref("demo-api", 1), Commit: "c", Since: now.Add(-3 * time.Hour)}
	period := func(string) (history.Period, error) { return ran, nil }
	for _, test := range []struct {
		found rules.Verification
		want  string
	}{
		{rules.Verification{State: rules.VerifyPassed, URL: "https://x/1"}, "ok smoke.yml has succeeded in dev: https://x/1"},
		{rules.Verification{State: rules.VerifyRunning, URL: "https://x/1"},
			"pending smoke.yml verifies the deployment in dev: https://x/1 → passes when the run has succeeded"},
		{rules.Verification{State: rules.VerifyFailed, URL: "https://x/1", Said: "timed_out"}, "refused smoke.yml has failed in dev " +
			"(timed_out): https://x/1 → run that run again on its page, or deploy a digest that passes it"},
		{rules.Verification{Said: "a\n::error::b"}, `pending smoke.yml has not verified the deployment in dev yet (a\n::error::b) → waybill ` +
			"promote starts it, hourly and after a change of the branch"},
		{rules.Verification{State: "green"}, "pending smoke.yml has not verified the deployment in dev yet → waybill promote starts it, " +
			"hourly and after a change of the branch"},
	} {
		j := judge(nil)
		j.Now = func() time.Time { return now }
		j.Verified = func(_ context.Context, v config.Verification, app, env string, p history.Period) (rules.Verification, error) {
			if v.Workflow != "smoke.yml" || app != "demo-api" || env != "dev" || !reflect.DeepEqual(p, ran) {
				t.Errorf("asked for %+v of %s in %s, %+v", v, app, env, p)
			}
			return test.found, nil
		}
		reasons, err := j.Before(t.Context(), cfg, app, staging, period)
		if diff := cmp.Diff(test.want, said(reasons, rules.RuleVerify)); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	j := judge(nil)
	if reasons, err := j.Before(t.Context(), cfg, app, staging, period); err != nil ||
		!strings.HasPrefix(said(reasons, rules.RuleVerify), "pending nobody can be asked here for the runs of smoke.yml") {
		t.Errorf("in a clone: %+v %v", reasons, err)
	}
	j.Verified = func(context.Context, config.Verification, string, string, history.Period) (rules.Verification, error) {
		return rules.Verification{}, errors.New("502")
	}
	if _, err := j.Before(t.Context(), cfg, app, staging, period); err == nil {
		t.Error("trouble was taken for an answer")
	}
}

// Only the time in which every source says healthy soaks.
func TestSourcesOfHealth(t *testing.T) {
	t.Parallel()
	cfg, app, staging := verified(t, "health: [{status: ok}, {argocd: {url: \"https://argocd.example\", application: \"{app}-{env}\"}}, "+
		"{prometheus: {url: \"https://prom.example\", query: \"min(up) == 1\"}}]")
	ran := history.Period{Ref: evidencetest.Ref("demo-api", 1), Commit: "c", Since: now.Add(-3 * time.Hour)}
	period := func(string) (history.Period, error) { return ran, nil }
	good := rules.Said{State: "success", Since: now.Add(-3 * time.Hour)}
	for what, test := range map[string]struct {
		argo, prom rules.Said
		want       []string
	}{
		"all of them": {good, rules.Said{State: "success", Since: now.Add(-2 * time.Hour), Throughout: true}, []string{
			"ok 2 h in dev, 2 h asked", "ok healthy in dev since 2026-11-20 09:00 UTC\nok healthy in dev since 2026-11-20 09:00 UTC\n" +
				"ok healthy in dev, as the query of Prometheus says"}},
		"the last of them counts": {rules.Said{State: "success", Since: now.Add(-time.Hour)}, good, []string{
			"pending 1 h in dev, 2 h asked → passes 2026-11-20 13:00 UTC", "ok healthy in dev since 2026-11-20 09:00 UTC\n" +
				"ok healthy in dev since 2026-11-20 11:00 UTC\nok healthy in dev since 2026-11-20 09:00 UTC"}},
		"one is not": {rules.Said{State: "failure", Description: "Degraded; Pod x"}, good, []string{"ok 3 h in dev, 2 h asked",
			"ok healthy in dev since 2026-11-20 09:00 UTC\npending Argo CD's Application demo-api-dev says failure: Degraded; Pod x → passes " +
				"when Argo CD's Application demo-api-dev says that the deployment is healthy\nok healthy in dev since 2026-11-20 09:00 UTC"}},
		"one cannot be asked": {good, rules.Said{Description: "no token"}, []string{"ok 3 h in dev, 2 h asked",
			"ok healthy in dev since 2026-11-20 09:00 UTC\nok healthy in dev since 2026-11-20 09:00 UTC\npending dev has not said yet that it " +
				"is healthy: no token → passes when the query of Prometheus says that the deployment is healthy"}},
	} {
		j := judge(nil)
		j.Now = func() time.Time { return now }
		j.Health = func(context.Context, string, history.Period) (rules.Said, error) { return good, nil }
		j.Sources = func(_ context.Context, asked rules.Asked) (rules.Said, error) {
			if asked.Soak != 2*time.Hour || asked.Env != "dev" || asked.App.Name != "demo-api" || !reflect.DeepEqual(asked.Ran, ran) {
				t.Errorf("asked %+v", asked)
			}
			if asked.Source.Application != "" {
				return test.argo, nil
			}
			return test.prom, nil
		}
		reasons, err := j.Before(t.Context(), cfg, app, staging, period)
		got := []string{said(reasons, rules.RuleSoak), said(reasons, rules.RuleHealth)}
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
		}
	}
	j := judge(nil)
	j.Sources = func(context.Context, rules.Asked) (rules.Said, error) { return good, errors.New("502") }
	if _, err := j.Before(t.Context(), cfg, app, staging, period); err == nil ||
		!strings.Contains(err.Error(), "ask Argo CD's Application demo-api-dev for the health of demo-api in dev: 502") {
		t.Errorf("trouble was taken for an answer: %v", err)
	}
}
