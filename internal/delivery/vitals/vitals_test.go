package vitals_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/delivery/vitals"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/door/health"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal/healthd"
)

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

// world is a config repository, and what stands for Argo CD and Prometheus.
type world struct {
	*configrepotest.Repo
	d       *healthd.Server
	sources *vitals.Sources
	source  config.Health
	asked   rules.Asked
}

func newWorld(t *testing.T, r *configrepotest.Repo, source string) *world {
	t.Helper()
	w := &world{Repo: r, d: &healthd.Server{Token: "hushhush"}}
	web := httptest.NewServer(w.d)
	t.Cleanup(web.Close)
	cfg, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nenvironments: [{name: dev, health: ["+
		strings.ReplaceAll(source, "URL", web.URL)+"]}, {name: staging, soak: 2h}, {name: prod}]\napps: {demo-api: {image: ghcr.io/acme/demo-api}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	app, dev, err := cfg.Place("demo-api", "dev")
	if err != nil {
		t.Fatal(err)
	}
	w.source = dev.Health[0]
	w.sources = w.fresh("hushhush")
	w.asked = rules.Asked{Source: w.source, App: app, Env: "dev", Soak: 2 * time.Hour}
	return w
}

// fresh asks everything anew, with a token.
func (w *world) fresh(token string) *vitals.Sources {
	return &vitals.Sources{Repo: w.Repo, Now: w.Clock.Now, Server: func(address, variable string) (health.Server, bool) {
		return health.Server{URL: address, Token: token, Sleep: func(context.Context, time.Duration) error { return nil }},
			variable == "" || token != ""
	}, Named: func(_ context.Context, source config.Health) (bool, error) { return source == w.source, nil }}
}

// ran is the period of a digest in dev.
func (w *world) ran(t *testing.T, ref imageref.Ref) history.Period {
	t.Helper()
	p, found, err := history.Find(t.Context(), w, history.Where{Rev: "main", App: w.asked.App, Env: "dev"}, ref)
	if err != nil || !found {
		t.Fatalf("%v %v", found, err)
	}
	return p
}

const argo = `{argocd: {url: "URL/", application: "{app}-{env}", token: "env:WAYBILL_ARGOCD_TOKEN"}}`

// Healthy is what Argo CD says of this very deployment, from when it said so.
func TestArgoCD(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api"), func(t *testing.T, r *configrepotest.Repo) {
		w := newWorld(t, r, argo)
		before := r.Deploy(t, "main", "dev", "demo-api", demo(1))
		r.Clock.Pass(time.Hour)
		commit := r.Deploy(t, "main", "dev", "demo-api", demo(2))
		came := r.Clock.Now()
		r.Clock.Pass(time.Hour)
		later := r.Write(t, "main", "later", map[string]string{"README.md": "x\n"})
		w.asked.Ran = w.ran(t, demo(2))
		old := w.ran(t, demo(1))
		good := healthd.Application{
			Name: "demo-api-dev", Sync: "Synced", Health: "Healthy", HealthSince: came.Add(9 * time.Minute), Revision: later,
			Images: []string{"ghcr.io/acme/other@sha256:" + strings.Repeat("1", 64), "mirror.example/demo-api:v1@" + demo(2).Digest()},
		}
		for what, test := range map[string]struct {
			change func(a *healthd.Application)
			ran    history.Period
			want   rules.Said
		}{
			"healthy since it changed": {func(*healthd.Application) {}, w.asked.Ran,
				rules.Said{State: "success", Since: came.Add(9 * time.Minute)}},
			"healthy all the time, and deployed later": {func(a *healthd.Application) {
				a.HealthSince = came.Add(-time.Hour)
				a.History = []healthd.Deployment{
					{Revision: before, At: came.Add(-50 * time.Minute)}, {Revision: commit, At: came.Add(7 * time.Minute)},
					{Revision: later, At: came.Add(30 * time.Minute)},
				}
			}, w.asked.Ran, rules.Said{State: "success", Since: came.Add(7 * time.Minute)}},
			"rolled back in between": {func(a *healthd.Application) {
				a.HealthSince = came.Add(-time.Hour)
				a.History = []healthd.Deployment{
					{Revision: commit, At: came.Add(7 * time.Minute)}, {Revision: before, At: came.Add(20 * time.Minute)},
					{Revision: later, At: came.Add(30 * time.Minute)},
				}
			}, w.asked.Ran, rules.Said{State: "success", Since: came.Add(30 * time.Minute)}},
			"one of several sources": {func(a *healthd.Application) {
				a.Revision, a.Revisions = "", []string{"1.2.3", commit}
			}, w.asked.Ran, rules.Said{State: "success", Since: came.Add(9 * time.Minute)}},
			"not synced yet": {func(a *healthd.Application) {
				a.Revision, a.Phase, a.Message = before, "Failed", "one or more objects failed to apply"
			}, w.asked.Ran, rules.Said{State: "pending", Description: "it is at " + before[:7] +
				", which does not hold the deployment; its last sync is Failed: one or more objects failed to apply"}},
			"a commit of another repository": {func(a *healthd.Application) { a.Revision = strings.Repeat("1", 40) }, w.asked.Ran,
				rules.Said{State: "pending", Description: "it is at 1111111, which does not hold the deployment"}},
			"a branch for a commit": {func(a *healthd.Application) { a.Revision = "main" }, w.asked.Ran,
				rules.Said{State: "pending", Description: "it is at main, which does not hold the deployment"}},
			"replaced by now": {func(*healthd.Application) {}, old,
				rules.Said{State: "pending", Description: "another digest runs there by now, and Argo CD tells of that alone"}},
			"out of sync": {func(a *healthd.Application) { a.Sync = "OutOfSync" }, w.asked.Ran,
				rules.Said{State: "pending", Description: "it is OutOfSync"}},
			"degraded": {func(a *healthd.Application) {
				a.Health = "Degraded"
				a.Nodes = []healthd.Node{{
					Kind: "Deployment", Namespace: "demo", Name: "api", Health: "Degraded", Message: "exceeded its progress deadline",
				}}
			}, w.asked.Ran, rules.Said{State: "failure", Since: came.Add(9 * time.Minute),
				Description: "Degraded; Deployment demo/api is Degraded: exceeded its progress deadline"}},
			"rolling out": {func(a *healthd.Application) { a.Health = "Progressing" }, w.asked.Ran,
				rules.Said{State: "pending", Since: came.Add(9 * time.Minute), Description: "Progressing"}},
			"without health": {func(a *healthd.Application) { a.Health = "" }, w.asked.Ran,
				rules.Said{State: "failure", Since: came.Add(9 * time.Minute)}},
			"other pods": {func(a *healthd.Application) { a.Images = a.Images[:1] }, w.asked.Ran,
				rules.Said{State: "pending", Description: "no pod runs " + demo(2).Short()}},
			"since nobody knows when": {func(a *healthd.Application) { a.HealthSince = time.Time{} }, w.asked.Ran,
				rules.Said{State: "pending", Description: "Argo CD does not say since when it is healthy: update it"}},
		} {
			a := good
			test.change(&a)
			w.d.SetApplication(a)
			w.asked.Ran = test.ran
			got, err := w.fresh("hushhush").Said(t.Context(), w.asked)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
			}
		}
	})
}

// However many revisions Argo CD lists, few are looked up.
func TestManyRevisions(t *testing.T) {
	t.Parallel()
	r := configrepotest.GitHub(t, configrepotest.Files("demo-api"))
	w := newWorld(t, r, argo)
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	w.asked.Ran = w.ran(t, demo(1))
	a := healthd.Application{Name: "demo-api-dev", Sync: "Synced", Health: "Healthy"}
	for n := range 500 {
		a.Revisions = append(a.Revisions, fmt.Sprintf("%040d", n))
	}
	w.d.SetApplication(a)
	r.Requests.Take()
	got, err := w.sources.Said(t.Context(), w.asked)
	if n, _ := r.Requests.Take(); err != nil || got.State != "pending" || n > 100 {
		t.Errorf("%d requests, %+v %v", n, got, err)
	}
}

// Trouble is an error, and what cannot be asked is not healthy.
func TestArgoCDThatCannotTell(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	w := newWorld(t, r, argo)
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	w.asked.Ran = w.ran(t, demo(1))
	if got, err := w.sources.Said(t.Context(), w.asked); err == nil || !strings.Contains(err.Error(), "or no Application has this name") {
		t.Errorf("no Application: %+v %v", got, err)
	}
	w.d.SetApplication(healthd.Application{Name: "demo-api-dev", Sync: "Synced", Health: "Healthy"})
	if got, err := w.fresh("wrong").Said(t.Context(), w.asked); err == nil || got.State != "" {
		t.Errorf("a wrong token: %+v %v", got, err)
	}
	if got, err := w.fresh("").Said(t.Context(), w.asked); err != nil || got.State != "" ||
		!strings.Contains(got.Description, "the environment variable WAYBILL_ARGOCD_TOKEN is empty") {
		t.Errorf("no token: %+v %v", got, err)
	}
	w.d.Fail(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	if got, err := w.fresh("hushhush").Said(t.Context(), w.asked); err == nil || got.State != "" {
		t.Errorf("trouble: %+v %v", got, err)
	}
}

// No token goes where the branch of the deployments sends none.
func TestOnlyWhatIsNamedIsAsked(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	w := newWorld(t, r, argo)
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	w.asked.Ran = w.ran(t, demo(1))
	for _, other := range []config.Health{
		{ArgoCD: config.ArgoCD{URL: w.source.ArgoCD.URL, Application: "other", Token: w.source.ArgoCD.Token}},
		{Prometheus: config.Prometheus{URL: w.source.ArgoCD.URL, Query: "up == 1"}},
	} {
		w.asked.Source = other
		got, err := w.fresh("hushhush").Said(t.Context(), w.asked)
		if err != nil || got.State != "" || !strings.Contains(got.Description, "once it stands in the waybill.yaml") {
			t.Errorf("%+v %v", got, err)
		}
	}
	if asked := w.d.Asked(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}

// The time in which a query held without a break is what soaks.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	w := newWorld(t, r, `{prometheus: {url: "URL", query: 'min(up{job="{app}-{env}"}) == 1', token: "env:WAYBILL_PROMETHEUS"}}`)
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	w.asked.Ran = w.ran(t, demo(1))
	came := w.asked.Ran.Since
	r.Clock.Pass(90 * time.Minute)
	now := r.Clock.Now()
	always := func(time.Time) bool { return true }
	for what, test := range map[string]struct {
		holds func(at time.Time) bool
		soak  time.Duration
		until time.Time
		want  rules.Said
	}{
		"all the time": {always, 2 * time.Hour, time.Time{}, rules.Said{State: "success", Since: came, Throughout: true}},
		"long enough":  {always, time.Hour, time.Time{}, rules.Said{State: "success", Since: now.Add(-time.Hour), Throughout: true}},
		"while it ran": {always, time.Hour, now.Add(-80 * time.Minute), rules.Said{State: "success", Since: came, Throughout: true}},
		"without soak": {always, 0, time.Time{}, rules.Said{State: "success", Since: now, Throughout: true}},
		"before it ran": {func(at time.Time) bool { return at.Before(came) }, 2 * time.Hour, time.Time{},
			rules.Said{State: "failure", Description: "the query yields nothing"}},
		"since a break": {func(at time.Time) bool { return !at.Equal(now.Add(-10 * time.Minute)) }, time.Hour, time.Time{},
			rules.Said{State: "success", Since: now.Add(-10*time.Minute + 15*time.Second)}},
		"a break before it matters": {func(at time.Time) bool { return at.After(now.Add(-61 * time.Minute)) }, time.Hour, time.Time{},
			rules.Said{State: "success", Since: now.Add(-time.Hour), Throughout: true}},
		"no longer": {func(at time.Time) bool { return at.Before(now) }, time.Hour, time.Time{},
			rules.Said{State: "failure", Description: "the query yields nothing since 2026-11-20 13:29 UTC"}},
	} {
		w.d.Yields(func(query string, at time.Time) bool {
			if query != `min(up{job="demo-api-dev"}) == 1` {
				t.Errorf("asked for %s", query)
			}
			return test.holds(at)
		})
		w.asked.Soak, w.asked.Ran.Until = test.soak, test.until
		got, err := w.fresh("hushhush").Said(t.Context(), w.asked)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
		}
	}
	w.asked.Ran.Until = now.Add(-time.Hour)
	for scraped, want := range map[bool]rules.Said{
		true: {State: "failure", Description: "the query yields nothing"}, false: {Description: "there are no samples of that time"},
	} {
		w.d.Yields(func(query string, _ time.Time) bool { return scraped && query == "up" })
		if got, err := w.fresh("hushhush").Said(t.Context(), w.asked); err != nil || got != want {
			t.Errorf("long ago: %+v %v, want %+v", got, err, want)
		}
	}
	w.d.Fail(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if got, err := w.fresh("hushhush").Said(t.Context(), w.asked); err == nil || got.State != "" {
		t.Errorf("trouble: %+v %v", got, err)
	}
	// A quarter of a year is evaluated at as many points as Prometheus takes.
	w.d.Fail(nil)
	w.d.Yields(func(string, time.Time) bool { return true })
	r.Clock.Pass(90 * 24 * time.Hour)
	w.asked.Soak, w.asked.Ran.Until = 89*24*time.Hour, time.Time{}
	if got, err := w.fresh("hushhush").Said(t.Context(), w.asked); err != nil || !got.Throughout {
		t.Errorf("a long time: %+v %v", got, err)
	}
}

// The same is asked once, however many ask.
func TestAskedOnce(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	w := newWorld(t, r, argo)
	commit := r.Deploy(t, "main", "dev", "demo-api", demo(1))
	w.asked.Ran = w.ran(t, demo(1))
	w.d.SetApplication(healthd.Application{
		Name: "demo-api-dev", Sync: "Synced", Health: "Healthy", HealthSince: r.Clock.Now(), Revision: commit,
		Images: []string{demo(1).String()},
	})
	for range 3 {
		if got, err := w.sources.Said(t.Context(), w.asked); err != nil || got.State != "success" {
			t.Errorf("%+v %v", got, err)
		}
	}
	if asked := w.d.Asked(); len(asked) != 1 {
		t.Errorf("asked %v", asked)
	}
}

// A server that gives no answer is not asked for one application after the other. One that
// answers is, whatever it answers.
func TestAServerThatIsDownIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	for _, source := range []string{argo, `{prometheus: {url: "URL", query: "up{job='{app}'} == 1", token: "env:WAYBILL_PROMETHEUS"}}`} {
		for what, test := range map[string]struct {
			fail http.HandlerFunc
			want int32
		}{
			"no answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 3},
			"trouble":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, 9},
		} {
			w := newWorld(t, r, source)
			w.asked.Ran = w.ran(t, demo(1))
			var asked atomic.Int32
			w.d.Fail(func(rw http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				test.fail(rw, r)
			})
			for _, app := range []string{"a", "b", "c"} {
				w.asked.App.Name = app
				if got, err := w.sources.Said(t.Context(), w.asked); err == nil || got.State != "" {
					t.Errorf("%s: %+v", what, got)
				}
			}
			if asked.Load() != test.want {
				t.Errorf("%s: asked %d times, want %d", what, asked.Load(), test.want)
			}
		}
	}
}
