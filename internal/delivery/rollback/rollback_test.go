package rollback_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/pulls"
	"github.com/waybill-dev/waybill/internal/delivery/rollback"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

const branch = "waybill/rollback/prod/demo-api"

var overlay = configrepotest.Overlay("demo-api", "prod")

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

func image(n int) evidencetest.Image {
	return evidencetest.Image{App: "demo-api", N: n, At: configrepotest.Start}
}

func registry() *evidencetest.Registry {
	return evidencetest.NewRegistry(image(1), image(2), image(3), image(9))
}

func roller(r *configrepotest.Repo, store rollback.Repository, images *evidencetest.Registry) *rollback.Roller {
	roller := &rollback.Roller{Repo: store, Judge: &rules.Judge{Collect: images.Collect, Now: r.Clock.Now}}
	if r.API != nil {
		roller.Forge = pulls.Forge{
			API: r.API, Repository: r.Name, Branch: "main", CheckWorkflow: "check.yml", StatusContext: "waybill/check",
			Now: r.Clock.Now,
		}
	}
	return roller
}

func request(change func(*rollback.Request)) rollback.Request {
	req := rollback.Request{App: "demo-api", Env: "prod", Steps: 1, Branch: "main"}
	if change != nil {
		change(&req)
	}
	return req
}

func files() map[string]string {
	return configrepotest.With(configrepotest.Files("demo-api"), map[string]string{
		".github/workflows/check.yml": "name: check\non:\n  workflow_dispatch:\n    inputs:\n      pull_request: {type: " +
			"string}\njobs: {}\n",
	})
}

// A digest that the overlay named before it was a place is nothing to return to.
func TestNothingRanBeforeThePlace(t *testing.T) {
	t.Parallel()
	files := files()
	declared := files["waybill.yaml"]
	files["waybill.yaml"] = configrepotest.Config("demo-web")
	r := configrepotest.Local(t, files)
	deployed(t, r, 1)
	r.Clock.Pass(time.Hour)
	r.Write(t, "main", "the place", map[string]string{
		"waybill.yaml": declared, overlay: configrepotest.OverlayText("demo-api", demo(2).Digest()),
	})
	for _, allowed := range []bool{false, true} { // in this order: the second one rolls back
		req := request(func(r *rollback.Request) { r.Direct, r.AllowNew = true, allowed })
		_, err := roller(r, r, registry()).Run(t.Context(), req)
		const want = "its overlay named it only before waybill.yaml had the place"
		if (err == nil) != allowed || err != nil && (outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), want)) {
			t.Errorf("allowed %v: %v", allowed, err)
		}
	}
}

// deployed runs images in prod, one after the other.
func deployed(t *testing.T, r *configrepotest.Repo, images ...int) {
	t.Helper()
	for _, n := range images {
		r.Clock.Pass(time.Hour)
		r.Deploy(t, "main", "prod", "demo-api", demo(n))
	}
}

func TestWhereItLeads(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		ran    []int // 0 is the placeholder
		change func(*rollback.Request)
		want   int // 0: an error
		code   int
		err    string
	}{
		"one step":  {ran: []int{1, 2, 3}, want: 2},
		"two steps": {ran: []int{1, 2, 3}, change: func(r *rollback.Request) { r.Steps = 2 }, want: 1},
		"further than it goes": {
			ran: []int{1, 2}, change: func(r *rollback.Request) { r.Steps = 2 }, code: outcome.Usage,
			err: "demo-api has no deployment 2 back in prod: there ran " + demo(2).Short(),
		},
		"no steps": {
			ran: []int{1, 2}, change: func(r *rollback.Request) { r.Steps = 0 }, code: outcome.Usage, err: "1 or more",
		},
		"the first one":               {ran: []int{1}, code: outcome.Usage, err: "no deployment 1 back"},
		"nothing":                     {code: outcome.Usage, err: "nothing ran there yet"},
		"past a rollback":             {ran: []int{1, 2, 3, 2}, want: 1},
		"past a rollback and forward": {ran: []int{1, 2, 3, 2, 9}, want: 2},
		"from a placeholder":          {ran: []int{1, 2, 0}, want: 2},
		"by name":                     {ran: []int{1, 2, 3}, change: func(r *rollback.Request) { r.To = []imageref.Ref{demo(1)} }, want: 1},
		"to what never ran": {
			ran: []int{1, 2}, change: func(r *rollback.Request) { r.To = []imageref.Ref{demo(9)} }, code: outcome.Refused,
			err: "never ran in prod: there ran " + demo(2).Short() + " since 2026-11-20 14:00 UTC, " + demo(1).Short(),
		},
		"to what never ran, allowed": {
			ran: []int{1, 2}, change: func(r *rollback.Request) { r.To, r.AllowNew = []imageref.Ref{demo(9)}, true }, want: 9,
		},
		"to the placeholder": {
			ran: []int{1},
			change: func(r *rollback.Request) {
				none, _ := demo(1).At(configrepotest.Placeholder)
				r.To, r.AllowNew = []imageref.Ref{none}, true
			},
			code: outcome.Usage, err: "is a placeholder",
		},
		"to an image of another": {
			ran: []int{1}, change: func(r *rollback.Request) { r.To, r.AllowNew = []imageref.Ref{evidencetest.Ref("demo-web", 1)}, true },
			code: outcome.Usage, err: "is not in ghcr.io/acme/demo-api",
		},
		"of an unknown application": {
			change: func(r *rollback.Request) { r.App = "nothing" }, code: outcome.Usage, err: "it has: demo-api",
		},
		"in an unknown environment": {
			change: func(r *rollback.Request) { r.Env = "test" }, code: outcome.Usage, err: "it has: dev, staging, prod",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := configrepotest.Local(t, configrepotest.Files("demo-api"))
			for _, n := range test.ran {
				if n == 0 {
					r.Clock.Pass(time.Hour)
					r.Write(
						t, "main", "none",
						map[string]string{overlay: configrepotest.OverlayText("demo-api", configrepotest.Placeholder)},
					)
					continue
				}
				deployed(t, r, n)
			}
			req := request(test.change)
			req.Direct = true
			result, err := roller(r, r, registry()).Run(t.Context(), req)
			if test.want == 0 {
				if outcome.Code(err) != test.code || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got code %d, %v; want %d, %q", outcome.Code(err), err, test.code, test.err)
				}
				return
			}
			if err != nil || !result.Changed || result.Image != demo(test.want) ||
				!strings.Contains(r.Text(t, "main", overlay), demo(test.want).Digest()) {
				t.Errorf("got %+v, %v, want image %d", result, err, test.want)
			}
		})
	}
}

// Going back leads to the last digest that was good, and a source that is in trouble
// holds it up for nobody.
func TestTheLastGoodOne(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		sick   map[int]string
		failed int
		broken bool
		steps  int
		want   int
		note   string
		err    string
	}{
		"the one before": {steps: 1, want: 3},
		"it was sick": {sick: map[int]string{3: "failure"}, steps: 1, want: 2,
			note: "passed over " + demo(3).Short() + ": ok says failure"},
		"it was never said":   {sick: map[int]string{3: ""}, steps: 1, want: 3},
		"it waited":           {sick: map[int]string{3: "pending"}, steps: 1, want: 3},
		"two steps":           {sick: map[int]string{3: "error"}, steps: 2, want: 1, note: "passed over " + demo(3).Short()},
		"it failed its tests": {failed: 3, steps: 1, want: 2, note: "passed over " + demo(3).Short() + ": smoke.yml has failed in prod"},
		"none was good": {sick: map[int]string{3: "failure", 2: "failure", 1: "failure"}, steps: 1,
			err: "no deployment 1 back in prod: there ran " + demo(9).Short()},
		"nobody can say": {broken: true, steps: 1, want: 3,
			note: "nobody could say whether " + demo(3).Short() + " was good: ask the status ok: 502"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files := configrepotest.Files("demo-api")
			files["waybill.yaml"] = strings.Replace(files["waybill.yaml"], "name: prod,", "name: prod, health: [{status: ok}], verify: "+
				"[{workflow: smoke.yml}],", 1)
			r := configrepotest.Local(t, files)
			deployed(t, r, 1, 2, 3, 9)
			roller := roller(r, r, registry())
			commits := map[string]int{}
			for i, c := range strings.Fields(r.Git(t, "log", "--reverse", "--format=%H", "main", "--", r.Path(overlay))) {
				commits[c] = []int{0, 1, 2, 3, 9}[i]
			}
			roller.Judge.Health = func(_ context.Context, _ string, p history.Period) (rules.Said, error) {
				if test.broken {
					return rules.Said{}, errors.New("502")
				}
				state, is := test.sick[commits[p.Commit]]
				if !is {
					state = "success"
				}
				return rules.Said{State: state, Since: p.Since}, nil
			}
			roller.Judge.Verified = func(
				_ context.Context, _ config.Verification, _, _ string, p history.Period,
			) (rules.Verification, error) {
				if commits[p.Commit] == test.failed {
					return rules.Verification{State: rules.VerifyFailed}, nil
				}
				return rules.Verification{State: rules.VerifyPassed}, nil
			}
			result, err := roller.Run(t.Context(), request(func(r *rollback.Request) { r.Direct, r.Steps = true, test.steps }))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil || result.Image != demo(test.want) || !strings.HasPrefix(result.Note, test.note) ||
				test.note == "" && result.Note != "" {
				t.Errorf("got %+v, %v, want image %d, %s", result.Image, err, test.want, test.note+" but "+result.Note)
			}
		})
	}
}

// What ran before may come back with an old scan, never without a signature;
// what never ran needs everything.
func TestEvidence(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		image   func(*evidencetest.Image)
		change  func(*rollback.Request)
		refused string
	}{
		"an old scan": {image: func(i *evidencetest.Image) { i.At = i.At.AddDate(0, -2, 0) }},
		"an old scan of what never ran": {
			image:  func(i *evidencetest.Image) { i.N, i.At = 9, i.At.AddDate(0, -2, 0) },
			change: func(r *rollback.Request) { r.To, r.AllowNew = []imageref.Ref{demo(9)}, true }, refused: "scan",
		},
		"no signature": {image: func(i *evidencetest.Image) { i.Without = []evidence.Kind{evidence.Signature} }, refused: "signature"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := configrepotest.Local(t, configrepotest.Files("demo-api"))
			deployed(t, r, 1, 2)
			images, i := registry(), image(1)
			test.image(&i)
			images.Push(i)
			req := request(test.change)
			req.Direct = true
			_, err := roller(r, r, images).Run(t.Context(), req)
			if test.refused == "" && err != nil || test.refused != "" && (outcome.Code(err) != outcome.Refused ||
				!strings.Contains(err.Error(), test.refused)) {
				t.Errorf("got %v, want refused %q", err, test.refused)
			}
		})
	}
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	deployed(t, r, 1, 2)
	images := registry()
	images.Break(errors.New("registry is away"))
	if _, err := roller(r, r, images).Run(t.Context(), request(nil)); outcome.Code(err) != outcome.Broken {
		t.Errorf("a broken registry: %v", err)
	}
}

func TestFreezeDoesNotHoldItUp(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	deployed(t, r, 1, 2)
	r.Clock.Pass(31 * 24 * time.Hour)
	if _, err := roller(r, r, registry()).Run(t.Context(), request(func(r *rollback.Request) { r.Direct = true })); err != nil {
		t.Error(err)
	}
}

// racing does something before the first commit is made.
type racing struct {
	configrepotest.Store
	once sync.Once
	do   func()
}

func (r *racing) Commit(ctx context.Context, req configrepo.Request) (string, error) {
	r.once.Do(r.do)
	return r.Store.Commit(ctx, req)
}

func TestDirect(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, files(), func(t *testing.T, r *configrepotest.Repo) {
		deployed(t, r, 1, 2, 3)
		req := request(func(r *rollback.Request) {
			r.Direct, r.Run, r.Reason = true, "https://github.com/acme/config/actions/runs/5", "errors since noon"
		})
		store := &racing{Store: r.Open(t), do: func() { r.Write(t, "main", "elsewhere", map[string]string{"README.md": "x\n"}) }}
		result, err := roller(r, store, registry()).Run(t.Context(), req)
		if err != nil || !result.Changed || result.Image != demo(2) || result.Commit != r.Git(t, "rev-parse", "main") ||
			r.Text(t, "main", "README.md") != "x" {
			t.Fatalf("a lost race: got %+v, %v", result, err)
		}
		if message := r.Git(t, "log", "-1", "--format=%B", "main"); !strings.Contains(
			message, "roll back demo-api in prod to "+demo(2).Short()+"\n\nerrors since noon\n",
		) {
			t.Errorf("message:\n%s", message)
		}
		again, err := roller(r, r.Open(t), registry()).Run(t.Context(), req)
		if err != nil || again.Changed || again.Image != demo(2) {
			t.Errorf("the same run again: got %+v, %v", again, err)
		}
		req.Run = "https://github.com/acme/config/actions/runs/6"
		further, err := roller(r, r.Open(t), registry()).Run(t.Context(), req)
		if err != nil || further.Image != demo(1) {
			t.Errorf("another run: got %+v, %v", further, err)
		}
		named, err := roller(r, r.Open(t), registry()).Run(
			t.Context(), request(func(r *rollback.Request) { r.Direct, r.To = true, []imageref.Ref{demo(1)} }),
		)
		if err != nil || named.Changed {
			t.Errorf("to what runs: got %+v, %v", named, err)
		}
	})
}

func TestPullRequest(t *testing.T) {
	t.Parallel()
	r := configrepotest.GitHub(t, files())
	deployed(t, r, 1, 2, 3)
	run := func(change func(*rollback.Request)) rollback.Result {
		t.Helper()
		result, err := roller(r, r, registry()).Run(t.Context(), request(change))
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	pull := func(n int) sandbox.PullRequest { return r.Server.Pulls("acme/config")[n-1] }
	result := run(func(r *rollback.Request) { r.Reason = "errors <b>since</b> noon @acme/all" })
	if result.Number != 1 || !result.Changed || pull(1).HeadRef != branch ||
		pull(1).Title != "demo-api: roll back prod to "+demo(2).Short() ||
		!strings.Contains(result.Note, "the reviewers could not be asked: request reviewers platform") {
		t.Errorf("got %+v, %+v", result, pull(1))
	}
	for _, want := range []string{
		"**Roll back** `demo-api` in **prod** from `" + demo(3).Digest() + "` to `" + demo(2).Digest() + "`",
		"> errors &lt;b&gt;since", "**signature**", "```diff",
	} {
		if !strings.Contains(pull(1).Body, want) {
			t.Errorf("the body lacks %q:\n%s", want, pull(1).Body)
		}
	}
	if status := r.Server.Statuses("acme/config", pull(1).HeadSHA); len(status) != 1 || status[0].State != "pending" {
		t.Errorf("the check: %+v", status)
	}
	r.Requests.Writes()
	if again := run(nil); again.Changed || again.Number != 1 || len(r.Requests.Writes()) != 0 {
		t.Errorf("again: %+v", again)
	}
	if other := run(func(r *rollback.Request) { r.Steps = 2 }); !other.Changed || other.Number != 1 ||
		!strings.Contains(pull(1).Title, demo(1).Short()) || len(r.Server.Pulls("acme/config")) != 1 {
		t.Errorf("to another digest: %+v, %+v", other, pull(1))
	}
	if _, err := r.Server.MergePull(t.Context(), "acme/config", 1, "ada", "merge"); err != nil {
		t.Fatal(err)
	}
	deployed(t, r, 3)
	if next := run(func(r *rollback.Request) { r.To = []imageref.Ref{demo(1)} }); next.Number != 2 {
		t.Errorf("after the merge, with the branch left over: %+v", next)
	}
	r.Write(t, branch, "mine", map[string]string{"README.md": "mine\n"})
	head := r.Git(t, "rev-parse", branch)
	_, err := roller(r, r, registry()).Run(t.Context(), request(func(r *rollback.Request) { r.To = []imageref.Ref{demo(2)} }))
	if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "somebody else has pushed to the branch "+branch) ||
		r.Git(t, "rev-parse", branch) != head {
		t.Errorf("a foreign branch: %v", err)
	}
}

func TestInterruptedBeforeTheCheck(t *testing.T) {
	t.Parallel()
	r := configrepotest.GitHub(t, files())
	deployed(t, r, 1, 2)
	if err := r.Server.AddFault(sandbox.Fault{Method: "POST", Path: "/statuses/", Status: 403}); err != nil {
		t.Fatal(err)
	}
	if _, err := roller(r, r, registry()).Run(t.Context(), request(nil)); err == nil {
		t.Fatal("nothing went wrong")
	}
	result, err := roller(r, r, registry()).Run(t.Context(), request(nil))
	if err != nil || result.Changed || len(r.Server.Statuses("acme/config", result.Commit)) != 1 {
		t.Errorf("got %+v, %v", result, err)
	}
}

func TestWithoutForge(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	deployed(t, r, 1, 2)
	for _, changed := range []bool{true, false} {
		result, err := roller(r, r, registry()).Run(t.Context(), request(nil))
		if err != nil || result.Changed != changed || result.Commit != r.Git(t, "rev-parse", branch) || result.Branch != branch {
			t.Errorf("got %+v, %v, want changed %v", result, err, changed)
		}
	}
}
