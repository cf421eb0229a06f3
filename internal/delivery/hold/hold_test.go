package hold_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func demo(n int) string { return evidencetest.Ref("demo-api", n).Digest() }

func app(t *testing.T) config.App {
	t.Helper()
	cfg, err := config.Parse("waybill.yaml", []byte(configrepotest.Config("demo-api")))
	if err != nil {
		t.Fatal(err)
	}
	a, err := cfg.App("demo-api")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Single digests are kept out of every environment; a whole
// hold keeps everything out of its own place, but what goes back.
func TestReasons(t *testing.T) {
	t.Parallel()
	one := hold.Hold{App: "demo-api", Env: "staging", Reason: "errors", Digests: []string{demo(2)}}
	whole := hold.Hold{App: "demo-api", Env: "staging", Reason: "a migration"}
	held := "held since it was taken out of staging: errors"
	for what, test := range map[string]struct {
		file      string
		env       string
		n         int
		returning bool
		want      string
	}{
		"in the place":             {string(one.File()), "staging", 2, false, held},
		"in a later one":           {string(one.File()), "prod", 2, false, held},
		"back in the place":        {string(one.File()), "staging", 2, true, held},
		"in an earlier one":        {string(one.File()), "dev", 2, false, held},
		"in a new one":             {string(one.File()), "canary", 2, false, held},
		"another digest":           {string(one.File()), "staging", 3, false, ""},
		"a whole hold":             {string(whole.File()), "staging", 3, false, "staging is held at the digest that it has: a migration"},
		"a whole hold, later":      {string(whole.File()), "prod", 3, false, ""},
		"a whole hold, going back": {string(whole.File()), "staging", 3, true, ""},
		"no hold":                  {"", "staging", 2, false, ""},
		"one that cannot be read":  {"app: [", "staging", 3, false, "cannot be read, so everything is kept out"},
		"one of something else": {
			strings.Replace(string(one.File()), "env: staging", "env: dev", 1), "staging", 3, false,
			`cannot be read, so everything is kept out: it is of "demo-api" in "dev"`,
		},
		"one with a key of its own": {
			string(one.File()) + "except: [x]\n", "staging", 3, false, "cannot be read, so everything is kept out",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files := configrepotest.Files("demo-api")
			if test.file != "" {
				files[hold.Path("demo-api", "staging")] = test.file
			}
			r := configrepotest.Local(t, files)
			reasons, err := hold.Reasons(t.Context(), r, hold.Entry{
				Rev: "main", App: app(t), Env: test.env, Image: evidencetest.Ref("demo-api", test.n), Returning: test.returning,
			})
			if err != nil {
				t.Fatal(err)
			}
			if test.want == "" {
				if len(reasons) != 0 {
					t.Errorf("got %+v", reasons)
				}
				return
			}
			if len(reasons) != 1 || reasons[0].State != "refused" || !strings.Contains(reasons[0].Detail, test.want) ||
				reasons[0].Remedy != "lift it with waybill hold --lift --app demo-api --env staging" {
				t.Errorf("got %+v, want %s", reasons, test.want)
			}
		})
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api"), func(t *testing.T, r *configrepotest.Repo) {
		run := func(change func(*hold.Request)) (hold.Result, error) {
			req := hold.Request{App: "demo-api", Env: "prod", Branch: "main", Reason: "a\nmigration: {x}"}
			change(&req)
			return hold.Run(t.Context(), r, req)
		}
		result, err := run(func(*hold.Request) {})
		if err != nil || !result.Changed || result.Commit != r.Git(t, "rev-parse", "main") {
			t.Fatalf("got %+v, %v", result, err)
		}
		if h := hold.Parse(
			"f", []byte(r.Text(t, "main", hold.Path("demo-api", "prod"))), "demo-api", "prod",
		); h.Reason != "a migration: {x}" || len(h.Digests) != 0 {
			t.Errorf("written: %+v", h)
		}
		if again, err := run(func(*hold.Request) {}); err != nil || again.Changed {
			t.Errorf("again: %+v, %v", again, err)
		}
		if _, err := run(func(r *hold.Request) { r.Reason = "\u200b \u3164" }); outcome.Code(err) != outcome.Usage ||
			!strings.Contains(err.Error(), "a hold needs a reason") {
			t.Errorf("a reason that nobody sees: %v", err)
		}
		for want, change := range map[string]func(*hold.Request){
			"a hold needs a reason":     func(r *hold.Request) { r.Reason = " " },
			`no application "demo-web"`: func(r *hold.Request) { r.App = "demo-web" },
			`no environment "../../x"`:  func(r *hold.Request) { r.Env = "../../x" },
		} {
			if _, err := run(change); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		lift := func(r *hold.Request) { r.Lift, r.Reason = true, "" }
		if lifted, err := run(lift); err != nil || !lifted.Changed || lifted.Hold.Reason != "a migration: {x}" ||
			!strings.Contains(r.Git(t, "log", "-1", "--format=%B", "main"), "It was held because: a migration") {
			t.Errorf("lifted: %+v, %v", lifted, err)
		}
		if again, err := run(lift); err != nil || again.Changed {
			t.Errorf("lifted again: %+v, %v", again, err)
		}
	})
}
