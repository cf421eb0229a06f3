package rules_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	cfg, err := config.Parse("waybill.yaml", []byte(`apiVersion: waybill.dev/v1
environments:
  - {name: dev, health: [{status: "argocd/{app}-{env}", from: "acme-argocd[bot]"}]}
  - {name: staging, soak: 2h}
apps: {demo-api: {image: ghcr.io/acme/demo-api}}
`))
	if err != nil {
		t.Fatal(err)
	}
	app, staging, err := cfg.Place("demo-api", "staging")
	if err != nil {
		t.Fatal(err)
	}
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	ran := history.Period{Ref: evidencetest.Ref("demo-api", 1), Commit: "c", Since: ago(3 * time.Hour)}
	by := "acme-argocd[bot]"
	for what, test := range map[string]struct {
		said rules.Said
		ran  history.Period
		want []string
	}{
		"healthy long enough": {rules.Said{State: "success", By: by, Since: ago(2 * time.Hour)}, ran, []string{
			"ok soak: 2 h in dev, 2 h asked", "ok health: healthy in dev since 2026-11-20 10:00 UTC"}},
		"healthy for an hour of three": {rules.Said{State: "success", By: by, Since: ago(time.Hour)}, ran, []string{
			"pending soak: 1 h in dev, 2 h asked", "ok health: healthy in dev since 2026-11-20 11:00 UTC"}},
		"said before it came": {rules.Said{State: "success", By: by, Since: ago(9 * time.Hour)}, ran, []string{
			"ok soak: 3 h in dev, 2 h asked", "ok health: healthy in dev since 2026-11-20 03:00 UTC"}},
		"nothing said": {rules.Said{}, ran, []string{
			"ok soak: 3 h in dev, 2 h asked", "pending health: dev has not said yet that it is healthy"}},
		"sick": {rules.Said{State: "failure", By: by, Since: ago(time.Minute), Description: "Degraded\n::error::x"}, ran, []string{
			"ok soak: 3 h in dev, 2 h asked",
			"pending health: argocd/demo-api-dev says failure since 2026-11-20 11:59 UTC: Degraded\\n::error::x"}},
		"said by another": {rules.Said{State: "success", By: "eve", Since: ago(2 * time.Hour)}, ran, []string{
			"ok soak: 3 h in dev, 2 h asked",
			"pending health: argocd/demo-api-dev was said last by eve, and only acme-argocd[bot] counts"}},
		"never ran": {rules.Said{State: "success", By: by, Since: ago(2 * time.Hour)}, history.Period{}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			j := judge(nil)
			j.Now = func() time.Time { return now }
			j.Health = func(_ context.Context, status string, p history.Period) (rules.Said, error) {
				if status != "argocd/demo-api-dev" || !reflect.DeepEqual(p, test.ran) {
					t.Errorf("asked for %s of %+v", status, p)
				}
				return test.said, nil
			}
			reasons, err := j.Before(t.Context(), cfg, app, staging, func(string) (history.Period, error) { return test.ran, nil })
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range reasons {
				if r.Rule != rules.RuleOrder {
					got = append(got, string(r.State)+" "+r.Rule+": "+r.Detail)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	j := judge(nil)
	period := func(string) (history.Period, error) { return ran, nil }
	if reasons, err := j.Before(t.Context(), cfg, app, staging, period); err != nil ||
		reasons[len(reasons)-1].Detail != "nobody can be asked here for the status argocd/demo-api-dev" {
		t.Errorf("in a clone: %+v %v", reasons, err)
	}
	j.Health = func(context.Context, string, history.Period) (rules.Said, error) {
		return rules.Said{}, errors.New("502")
	}
	if _, err := j.Before(t.Context(), cfg, app, staging, period); err == nil {
		t.Error("trouble was taken for an answer")
	}
}
