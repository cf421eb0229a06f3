package rules_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

var now = configrepotest.Start

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

func image(n int) evidencetest.Image {
	return evidencetest.Image{App: "demo-api", N: n, At: now.Add(-time.Hour)}
}

func judge(r *evidencetest.Registry) *rules.Judge {
	return &rules.Judge{Collect: r.Collect, Now: func() time.Time { return now }}
}

func parse(t *testing.T) *config.Config {
	t.Helper()
	cfg, err := config.Parse("waybill.yaml", []byte(configrepotest.Config("demo-api")))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestOrder(t *testing.T) {
	t.Parallel()
	dev, prod := config.Environment{Name: "dev"}, config.Environment{Name: "prod", Soak: 24 * time.Hour}
	ran := func(since, until time.Duration) history.Period {
		p := history.Period{Ref: demo(1), Since: now.Add(-since)}
		if until > 0 {
			p.Until = now.Add(-until)
		}
		return p
	}
	for what, test := range map[string]struct {
		ran    history.Period
		env    config.Environment
		states []evidence.State
		detail string // of the last reason
		until  time.Time
	}{
		"never": {
			history.Period{}, prod, []evidence.State{evidence.Refused}, "has not run in dev, the environment before prod",
			time.Time{},
		},
		"no soak asked": {
			ran(time.Minute, 0), config.Environment{Name: "staging"}, []evidence.State{evidence.Met},
			"runs in dev since 2026-11-20 11:59 UTC", time.Time{},
		},
		"long enough": {
			ran(26*time.Hour, 0), prod, []evidence.State{evidence.Met, evidence.Met}, "26 h in dev, 24 h asked", time.Time{},
		},
		"exactly": {
			ran(24*time.Hour, 0), prod, []evidence.State{evidence.Met, evidence.Met}, "24 h in dev, 24 h asked", time.Time{},
		},
		"not yet": {
			ran(190*time.Minute, 0), prod, []evidence.State{evidence.Met, evidence.Pending}, "3 h 10 m in dev, 24 h asked",
			now.Add(24*time.Hour - 190*time.Minute),
		},
		"replaced too early": {
			ran(30*time.Hour, 29*time.Hour), prod, []evidence.State{evidence.Met, evidence.Refused}, "1 h in dev, 24 h asked",
			time.Time{},
		},
		"replaced, but long enough": {
			ran(60*time.Hour, 30*time.Hour), prod, []evidence.State{evidence.Met, evidence.Met}, "30 h in dev, 24 h asked",
			time.Time{},
		},
		"a commit from times to come": {
			ran(-time.Hour, 0), prod, []evidence.State{evidence.Met, evidence.Pending}, "0 s in dev, 24 h asked",
			now.Add(25 * time.Hour),
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			reasons := judge(nil).Order(dev, test.env, test.ran)
			last := reasons[len(reasons)-1]
			for i, state := range test.states {
				if len(reasons) != len(test.states) || reasons[i].State != state {
					t.Fatalf("got %+v, want states %v", reasons, test.states)
				}
			}
			if last.Detail != test.detail || !last.Until.Equal(test.until) {
				t.Errorf("got %q until %v, want %q until %v", last.Detail, last.Until, test.detail, test.until)
			}
			if last.State != evidence.Met && last.Remedy == "" {
				t.Error("nothing says what would make it pass")
			}
		})
	}
}

func TestFreeze(t *testing.T) {
	t.Parallel()
	env := config.Environment{
		Name: "prod", Freeze: []config.Freeze{{From: now.Add(-time.Hour), Until: now.Add(time.Hour), Reason: "holidays"}},
	}
	j := judge(nil)
	reasons := j.Closed(env)
	if len(reasons) != 1 || reasons[0].State != evidence.Pending || reasons[0].Detail != "prod is frozen: holidays" ||
		!reasons[0].Until.Equal(now.Add(time.Hour)) {
		t.Errorf("frozen: got %+v", reasons)
	}
	j.Now = func() time.Time { return now.Add(time.Hour) }
	if reasons := j.Closed(env); len(reasons) != 0 {
		t.Errorf("over: got %+v", reasons)
	}
}

func TestForward(t *testing.T) {
	t.Parallel()
	relate := func(relation rules.Relation, err error) func(context.Context, string, string, string) (rules.Relation, error) {
		return func(_ context.Context, repository, base, head string) (rules.Relation, error) {
			if repository != "acme/demo-api" || base != evidencetest.Commit(1) || head != evidencetest.Commit(2) {
				t.Errorf("compared %s...%s of %s", base, head, repository)
			}
			return relation, err
		}
	}
	at := func(n int, age time.Duration, change func(*evidencetest.Image)) evidencetest.Image {
		i := image(n)
		i.At = now.Add(-age)
		if change != nil {
			change(&i)
		}
		return i
	}
	run := func(text string) func(*evidencetest.Image) { return func(i *evidencetest.Image) { i.Run = text } }
	same := func(i *evidencetest.Image) { i.Commit = evidencetest.Commit(1) }
	key := func(committedAgo int) func(*evidencetest.Image) { // a key, and nobody who vouches for a time
		return func(i *evidencetest.Image) {
			i.Key = "sha256:key"
			if committedAgo > 0 {
				i.Committed = now.Add(-time.Duration(committedAgo) * time.Hour)
			}
		}
	}
	bare := func(i *evidencetest.Image) { i.Key, i.Without = "sha256:key", []evidence.Kind{evidence.Provenance} }
	for what, test := range map[string]struct {
		deployed, candidate evidencetest.Image
		relate              func(context.Context, string, string, string) (rules.Relation, error)
		older               bool // allowed
		refused             string
	}{
		// The sources cannot be read, or have no order: what is signed decides.
		"diverged, a later run": {at(1, time.Hour, nil), at(2, 2*time.Hour, nil), relate(rules.Diverged, nil), false, ""},
		"diverged, an older run": {
			at(1, time.Hour, run("9001")), at(2, time.Minute, nil), relate(rules.Diverged, nil), false,
			"c0ffee2 and the deployed c0ffee1 have diverged: it was signed by run 7002, the deployed one by run 9001",
		},
		"unknown, a later run": {at(1, time.Hour, nil), at(2, 2*time.Hour, nil), relate(rules.Unknown, nil), false, ""},
		"an old delivery, run again": {at(
			1, 2*time.Hour, run("7009/attempts/1"),
		), at(2, time.Minute, run("7002/attempts/5")), relate(rules.Unknown, nil), false,
			"https://github.com/acme/demo-api cannot be read with this token: it was signed by run 7002 (attempt 5), the deployed " +
				"one by run 7009"},
		"the newest delivery, run again": {
			at(1, time.Hour, run("7009/attempts/1")), at(2, 2*time.Hour, run("7009/attempts/2")), nil, false, "",
		},
		"the first attempt after the second": {
			at(1, time.Hour, run("7009/attempts/2")), at(2, time.Minute, run("7009/attempts/1")), nil, false,
			"by run 7009, the deployed one by run 7009 (attempt 2)",
		},
		"a longer number is a later run":   {at(1, time.Hour, run("999")), at(2, 2*time.Hour, run("1000")), nil, false, ""},
		"one commit, built by a later run": {at(1, time.Hour, nil), at(2, 2*time.Hour, same), nil, false, ""},
		"one commit, built by an older run": {
			at(1, time.Hour, run("9001")), at(2, time.Minute, same), nil, false,
			"both are built from c0ffee1: it was signed by run 7002, the deployed one by run 9001",
		},
		"another source, a later run": {
			at(1, time.Hour, func(i *evidencetest.Image) { i.Source = "acme/old" }), at(2, 2*time.Hour, nil), nil, false, "",
		},
		"another source, an older run": {
			at(1, time.Hour, func(i *evidencetest.Image) { i.Source, i.Run = "acme/old", "9001" }), at(2, time.Minute, nil), nil,
			false,
			"the source moved from https://github.com/acme/old to https://github.com/acme/demo-api: it was signed by run 7002",
		},
		"keys, a later commit": {at(1, time.Hour, key(5)), at(2, 2*time.Hour, key(4)), nil, false, ""},
		"keys, an old commit built again": {
			at(1, time.Hour, key(4)), at(2, time.Minute, key(5)), nil, false,
			"its commit is of 2026-11-20 07:00 UTC, the deployed one's of 2026-11-20 08:00 UTC",
		},
		"keys, built before, commits without time": {
			at(1, time.Hour, key(0)), at(2, 2*time.Hour, key(0)), nil, false,
			"it was built 2026-11-20 10:00 UTC, the deployed one 2026-11-20 11:00 UTC",
		},
		"keys, one commit, nothing tells": {
			at(1, time.Hour, key(4)), at(2, time.Hour, func(i *evidencetest.Image) { key(4)(i); same(i) }), nil, false, "",
		},
		"keys, nothing tells": {
			at(1, time.Hour, key(0)), at(2, time.Hour, key(0)), nil, false,
			"order unknown: https://github.com/acme/demo-api is not asked here, and nothing that is signed says which of the two is older",
		},
		"keys, nothing tells, allowed": {at(1, time.Hour, key(0)), at(2, time.Hour, key(0)), nil, true, ""},
		"keys, no provenance": {
			at(1, time.Hour, bare), at(2, 2*time.Hour, bare), nil, false, "order unknown: not both have a proven source commit",
		},
		"signed before, by what has no run": {
			at(1, time.Hour, run("x")), at(2, 2*time.Hour, run("x")), relate(rules.Unknown, nil), false,
			"it was signed 2026-11-20 10:00 UTC, the deployed one 2026-11-20 11:00 UTC",
		},
		"signed later, by what has no run": {
			at(1, 2*time.Hour, run("x")), at(2, time.Hour, run("x")), relate(rules.Unknown, nil), false, "",
		},

		"ahead": {at(1, 2*time.Hour, nil), at(2, time.Hour, nil), relate(rules.Newer, nil), false, ""},
		"an ancestor": {
			at(1, 2*time.Hour, nil), at(2, time.Hour, nil), relate(rules.Older, nil), false, "an ancestor of the deployed",
		},
		"an ancestor that is allowed": {at(1, 2*time.Hour, nil), at(2, time.Hour, nil), nil, true, ""},
		"nothing proven deployed": {
			at(1, time.Hour, func(i *evidencetest.Image) { i.Without = evidence.Kinds() }), at(2, 2*time.Hour, nil), nil, false, "",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := evidencetest.NewRegistry(test.deployed, test.candidate)
			j := judge(r)
			j.Relate = test.relate
			policy := evidence.Policy{
				Keys:    []string{"sha256:key"},
				Signers: []evidence.SignerRule{{Issuer: evidencetest.Issuer, Workflow: evidencetest.Workflow, Source: "acme/*"}},
			}
			by := func(ref imageref.Ref) evidence.Waybill {
				w, err := j.By(t.Context(), policy, "demo-api", "dev", ref)
				if err != nil {
					t.Fatal(err)
				}
				return w
			}
			reason, err := j.Forward(t.Context(), by(demo(1)), by(demo(2)), test.older)
			if err != nil {
				t.Fatal(err)
			}
			if (reason.State == evidence.Refused) != (test.refused != "") || !strings.Contains(reason.Detail, test.refused) {
				t.Errorf("got %s: %s, want refused %q", reason.State, reason.Detail, test.refused)
			}
			if reason.State == evidence.Refused && !strings.Contains(reason.Remedy, "--allow-older") {
				t.Errorf("remedy: %q", reason.Remedy)
			}
		})
	}
	t.Run("trouble is no reason", func(t *testing.T) {
		t.Parallel()
		r := evidencetest.NewRegistry(image(1), image(2))
		j := judge(r)
		j.Relate = relate("", errors.New("GitHub is away"))
		cfg := parse(t)
		one, _ := j.Image(t.Context(), cfg, "demo-api", "dev", demo(1))
		two, _ := j.Image(t.Context(), cfg, "demo-api", "dev", demo(2))
		if _, err := j.Forward(t.Context(), one, two, false); err == nil || !strings.Contains(err.Error(), "GitHub is away") {
			t.Errorf("got %v", err)
		}
	})
}

func TestReturningForgivesTheScanAlone(t *testing.T) {
	t.Parallel()
	old := image(1)
	old.At = now.AddDate(0, -1, 0)
	r := evidencetest.NewRegistry(old)
	cfg := parse(t)
	w, err := judge(r).Image(t.Context(), cfg, "demo-api", "prod", demo(1))
	if err != nil || w.Decision.State() != evidence.Refused {
		t.Fatalf("an old scan: got %v, %v", w.Decision, err)
	}
	if back := rules.Returning(w); back.Decision.State() != evidence.Met || w.Decision.State() != evidence.Refused {
		t.Errorf("going back: got %+v", back.Decision)
	}
	old.Without = []evidence.Kind{evidence.Signature}
	r.Push(old)
	w, _ = judge(r).Image(t.Context(), cfg, "demo-api", "prod", demo(1))
	back := rules.Returning(w)
	if back.Decision.State() != evidence.Refused {
		t.Error("an unsigned image may go back")
	}
}

func TestEvidenceIsCollectedOnce(t *testing.T) {
	t.Parallel()
	r := evidencetest.NewRegistry(image(1))
	j, cfg := judge(r), parse(t)
	for _, env := range []string{"dev", "staging", "prod"} {
		if _, err := j.Image(t.Context(), cfg, "demo-api", env, demo(1)); err != nil {
			t.Fatal(err)
		}
	}
	if times, _ := r.Asked(demo(1)); times != 1 {
		t.Errorf("collected %d times", times)
	}
}

// An image that is gone from the registry proves nothing; trouble is trouble.
func TestDeployed(t *testing.T) {
	t.Parallel()
	r := evidencetest.NewRegistry()
	cfg := parse(t)
	w, err := judge(r).Deployed(t.Context(), cfg, "demo-api", "prod", demo(1))
	if err != nil || w.Image != demo(1) || w.Source.Commit != "" {
		t.Errorf("gone: got %+v, %v", w, err)
	}
	r.Break(errors.New("registry is away"))
	if _, err := judge(r).Deployed(t.Context(), cfg, "demo-api", "prod", demo(1)); err == nil {
		t.Error("trouble was taken for an answer")
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	w := evidence.Waybill{App: "demo-api", Env: "prod", Image: demo(1)}
	for state, code := range map[evidence.State]int{
		evidence.Met: outcome.Done, evidence.Refused: outcome.Refused, evidence.Pending: outcome.Pending,
	} {
		err := rules.Refusal(evidence.Decide(evidence.Reason{Rule: "soak", State: state, Detail: "3 h"}), w)
		if outcome.Code(err) != code {
			t.Errorf("%s: code %d, want %d", state, outcome.Code(err), code)
		}
		if err != nil && !strings.Contains(err.Error(), "enter prod") {
			t.Errorf("%s: %v", state, err)
		}
	}
}

// A branch is Waybill's by what it holds; a message can be kept by anybody.
func TestOwn(t *testing.T) {
	t.Parallel()
	const branch = "waybill/staging/demo-api"
	overlay := configrepotest.Overlay("demo-api", "staging")
	for what, test := range map[string]struct {
		files   map[string]string
		message func(base string) string
		own     bool
	}{
		"Waybill's commit": {
			map[string]string{overlay: configrepotest.OverlayText("demo-api", demo(1).Digest())}, nil, true,
		},
		"its message, the overlay edited further": {
			map[string]string{overlay: configrepotest.OverlayText("demo-api", demo(1).Digest()) + "# mine\n"}, nil, false,
		},
		"its message, another digest": {map[string]string{overlay: configrepotest.OverlayText("demo-api", demo(2).Digest())}, nil, false},
		"its message, another file": {
			map[string]string{overlay: configrepotest.OverlayText("demo-api", demo(1).Digest()), "README.md": "x"}, nil, false,
		},
		"no message of Waybill's": {
			map[string]string{overlay: configrepotest.OverlayText("demo-api", demo(1).Digest())},
			func(string) string { return "by hand" }, false,
		},
		// What it is built on counts, and not what it was built on before a rebase.
		"a base that is gone": {map[string]string{overlay: configrepotest.OverlayText("demo-api", demo(1).Digest())},
			func(string) string {
				return history.Message{
					Verb: "promote", Apps: []string{"demo-api"}, Env: "staging", Images: history.Set{demo(1)},
				}.String() + "Waybill-Base: " + strings.Repeat("1", 40)
			}, true},
		"of another application too": {map[string]string{overlay: configrepotest.OverlayText("demo-api", demo(1).Digest())},
			func(base string) string {
				return history.Message{
					Verb: "promote", Apps: []string{"demo-api", "demo-web"}, Env: "staging", Images: history.Set{demo(1)},
				}.String() + "Waybill-Base: " + base
			}, false},
		"with an image of another application": {map[string]string{overlay: configrepotest.OverlayText("demo-api", demo(1).Digest())},
			func(base string) string {
				return history.Message{
					Verb: "promote", Apps: []string{"demo-api"}, Env: "staging",
					Images: history.Set{demo(1), evidencetest.Ref("demo-web", 1)},
				}.String() + "Waybill-Base: " + base
			}, false},
		"of another environment": {map[string]string{overlay: configrepotest.OverlayText("demo-api", demo(1).Digest())},
			func(base string) string {
				return history.Message{
					Verb: "promote", Apps: []string{"demo-api"}, Env: "prod", Images: history.Set{demo(1)},
				}.String() + "Waybill-Base: " + base
			}, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := configrepotest.Local(t, configrepotest.Files("demo-api"))
			base, err := r.Head(t.Context(), "main")
			if err != nil {
				t.Fatal(err)
			}
			message := history.Message{
				Verb: "promote", Apps: []string{"demo-api"}, Env: "staging", Images: history.Set{demo(1)},
			}.String() + "Waybill-Base: " + base + "\n"
			if test.message != nil {
				message = test.message(base)
			}
			head := r.Write(t, branch, message, test.files)
			app, _, err := parse(t).Place("demo-api", "staging")
			if err != nil {
				t.Fatal(err)
			}
			own, err := rules.Own(t.Context(), r, head, []config.App{app}, "staging")
			if err != nil || (own != nil) != test.own {
				t.Errorf("got %+v, %v, want own %v", own, err, test.own)
			}
			if own != nil && (!own.Images["demo-api"].Equal(history.Set{demo(1)}) || string(own.Files[overlay]) != test.files[overlay]) {
				t.Errorf("got %+v", own)
			}
		})
	}
}

// Enter asks every rule between environments, and never about what is not
// proven: trouble comes back as an error.
func TestEnter(t *testing.T) {
	t.Parallel()
	files := configrepotest.Files("demo-api")
	r := configrepotest.Local(t, files)
	r.Deploy(t, "main", "staging", "demo-api", demo(2))
	r.Deploy(t, "main", "prod", "demo-api", demo(1))
	registry := evidencetest.NewRegistry(image(1), image(2))
	cfg := parse(t)
	app, env, err := cfg.Place("demo-api", "prod")
	if err != nil {
		t.Fatal(err)
	}
	enter := func(change func(*rules.Judge, *rules.Move)) ([]evidence.Reason, error) {
		j := judge(registry)
		candidate, err := j.Image(t.Context(), cfg, "demo-api", "prod", demo(2))
		if err != nil {
			t.Fatal(err)
		}
		m := rules.Move{Config: cfg, Rev: "main", App: app, Env: env, Candidate: candidate, Deployed: demo(1)}
		change(j, &m)
		return j.Enter(t.Context(), r, m)
	}
	ruleNames := func(reasons []evidence.Reason) string {
		var list []string
		for _, r := range reasons {
			list = append(list, r.Rule+" "+string(r.State))
		}
		return strings.Join(list, ", ")
	}
	for what, test := range map[string]struct {
		change func(*rules.Judge, *rules.Move)
		want   string
	}{
		"too early": {func(*rules.Judge, *rules.Move) {}, "order ok, soak pending, forward ok"},
		"in a freeze": {func(j *rules.Judge, _ *rules.Move) {
			j.Now = func() time.Time { return time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC) }
		}, "order ok, soak ok, forward ok, freeze pending"},
		"the first": {func(_ *rules.Judge, m *rules.Move) {
			m.Env, _ = cfg.Environment("dev")
			m.Deployed = imageref.Ref{}
		}, "forward ok"},
		"not in the one before": {
			func(_ *rules.Judge, m *rules.Move) { m.Env, _ = cfg.Environment("staging") }, "order refused, forward ok",
		},
		"backwards": {func(j *rules.Judge, _ *rules.Move) {
			j.Relate = func(context.Context, string, string, string) (rules.Relation, error) { return rules.Older, nil }
		}, "order ok, soak pending, forward refused"},
	} {
		reasons, err := enter(test.change)
		if err != nil || ruleNames(reasons) != test.want {
			t.Errorf("%s: got %s, %v, want %s", what, ruleNames(reasons), err, test.want)
		}
	}
	if _, err := enter(func(_ *rules.Judge, m *rules.Move) { m.Rev = "nothing" }); err == nil {
		t.Errorf("a repository that cannot be read: got %v", err)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://github.com/acme/demo-api": "acme/demo-api", "https://ghe.acme.example/a/b.git": "a/b", "acme/x": "acme/x",
	} {
		if got := rules.RepositoryPath(url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	cfg, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nenvironments:\n  - {name: prod, windows: "+
		"[{days: mon-thu, from: \"08:00\", until: \"17:00\"}]}\napps: {a: {image: ghcr.io/acme/a}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	j := judge(nil)
	friday := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	j.Now = func() time.Time { return friday }
	reasons := j.Closed(cfg.Environments[0])
	if len(reasons) != 1 || reasons[0].Rule != rules.RuleWindow || reasons[0].State != evidence.Pending ||
		reasons[0].Detail != "prod takes promotions mon-thu 08:00-17:00 UTC" || reasons[0].Remedy != "passes 2026-11-30 08:00 UTC" {
		t.Errorf("on Friday: %+v", reasons)
	}
	j.Now = func() time.Time { return friday.AddDate(0, 0, 3) }
	if reasons := j.Closed(cfg.Environments[0]); len(reasons) != 0 {
		t.Errorf("on Monday: %+v", reasons)
	}
}
