package bump_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

func image(n int) evidencetest.Image {
	return evidencetest.Image{App: "demo-api", N: n, At: configrepotest.Start.Add(time.Duration(n) * time.Minute)}
}

// judge takes image numbers for the order of commits.
func judge(r *configrepotest.Repo, images *evidencetest.Registry) *rules.Judge {
	return &rules.Judge{Collect: images.Collect, Now: r.Clock.Now,
		Relate: func(_ context.Context, _, base, head string) (rules.Relation, error) {
			if head[:7] < base[:7] {
				return rules.Older, nil
			}
			return rules.Newer, nil
		}}
}

func request(n int) bump.Request {
	return bump.Request{
		Images: []imageref.Ref{demo(n)}, App: "demo-api", Env: "dev", Branch: "main", Run: "https://github.com/acme/config/actions/runs/7",
	}
}

func TestBump(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api", "demo-web"), func(t *testing.T, r *configrepotest.Repo) {
		images := evidencetest.NewRegistry(image(1), image(2))
		if _, err := bump.Run(t.Context(), r, judge(r, images), request(1)); err != nil {
			t.Fatal(err)
		}
		first := r.Git(t, "rev-parse", "main")
		result, err := bump.Run(t.Context(), r, judge(r, images), request(2))
		if err != nil {
			t.Fatal(err)
		}
		head := r.Git(t, "rev-parse", "main")
		if !result.Changed || result.Commit != head || result.Previous != demo(1) ||
			result.File != r.Path(configrepotest.Overlay("demo-api", "dev")) || result.Attempts != 1 {
			t.Errorf("got %+v, main is at %s", result, head)
		}
		if got := r.Git(t, "diff", "--numstat", first, head); got != "1\t1\t"+r.Path(configrepotest.Overlay("demo-api", "dev")) {
			t.Errorf("the commit changes %q", got)
		}
		message := r.Git(t, "log", "-1", "--format=%B", "main")
		for name, want := range map[string]string{
			history.TrailerApp: "demo-api", history.TrailerEnvironment: "dev", history.TrailerImage: demo(2).String(),
			history.TrailerPrevious: demo(1).String(),
			history.TrailerSource:   "acme/demo-api@" + evidencetest.Commit(2),
			history.TrailerRun:      "https://github.com/acme/config/actions/runs/7",
		} {
			if got := history.Trailer(message, name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		want := "Order: " + evidencetest.Commit(2)[:7] + " is ahead of " + evidencetest.Commit(1)[:7] + "."
		if !strings.Contains(message, want) {
			t.Errorf("the message does not say %q:\n%s", want, message)
		}
		again, err := bump.Run(t.Context(), r, judge(r, images), request(2))
		if err != nil || again.Changed || again.Commit != head || r.Git(t, "rev-parse", "main") != head {
			t.Errorf("again: got %+v, %v", again, err)
		}
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	frozen := strings.ReplaceAll(
		configrepotest.Config("demo-api"), "{name: dev, promotion: auto}",
		"{name: dev, promotion: auto, freeze: [{from: 2026-11-01, until: 2026-12-01, reason: audit}]}",
	)
	for what, test := range map[string]struct {
		files  map[string]string
		change func(*bump.Request)
		push   func(*evidencetest.Image)
		code   int
		want   string
	}{
		"an unsigned image": {
			push: func(i *evidencetest.Image) { i.Without = []evidence.Kind{evidence.Signature} }, code: outcome.Refused,
			want: "signature",
		},
		"an image with nothing": {
			push: func(i *evidencetest.Image) { i.Without = evidence.Kinds() }, code: outcome.Refused, want: "no scan record",
		},
		"signed by another workflow": {
			push: func(i *evidencetest.Image) { i.Workflow = "acme/demo-api/.github/workflows/ci.yml@refs/heads/main" },
			code: outcome.Refused, want: "its workflow is not",
		},
		"of another source": {
			push: func(i *evidencetest.Image) { i.Source = "acme/other" }, code: outcome.Refused,
			want: "the application is built from acme/demo-api",
		},
		"in a freeze": {files: map[string]string{"waybill.yaml": frozen}, code: outcome.Pending, want: "dev is frozen: audit"},
		"into a reviewed environment": {change: func(r *bump.Request) { r.Env = "staging" }, code: outcome.Refused,
			want: "staging takes changes by pull request only: use waybill promote"},
		"an unknown application": {
			change: func(r *bump.Request) { r.App = "nothing" }, code: outcome.Usage,
			want: `no application "nothing"; it has: demo-api`,
		},
		"an unknown environment": {
			change: func(r *bump.Request) { r.Env = "test" }, code: outcome.Usage,
			want: `no environment "test"; it has: dev, staging, prod`,
		},
		"another repository": {
			change: func(r *bump.Request) { r.Images = []imageref.Ref{evidencetest.Ref("demo-web", 1)} }, code: outcome.Usage,
			want: "is not in ghcr.io/acme/demo-api",
		},
		"an overlay without image": {
			files: map[string]string{configrepotest.Overlay("demo-api", "dev"): "resources:\n  - ../../base\n"},
			code:  outcome.Usage, want: configrepotest.Overlay("demo-api", "dev"),
		},
		"no overlay": {
			files: map[string]string{configrepotest.Overlay("demo-api", "dev"): "", "apps/demo-api/overlays/dev/other.yaml": "a: 1\n"},
			code:  outcome.Usage, want: "no overlay there: looked for kustomization.yaml",
		},
		"a branch that is not there": {
			change: func(r *bump.Request) { r.Branch = "none" }, code: outcome.Broken, want: "read the head of none",
		},
		"a broken waybill.yaml": {
			files: map[string]string{"waybill.yaml": "apiVersion: waybill.dev/v1\nenvironments: 3\n"}, code: outcome.Broken,
			want: "waybill.yaml:2:",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files := configrepotest.With(configrepotest.Files("demo-api"), test.files)
			for name, text := range files {
				if text == "" {
					delete(files, name)
				}
			}
			r := configrepotest.Local(t, files)
			i, req := image(1), request(1)
			if test.push != nil {
				test.push(&i)
			}
			if test.change != nil {
				test.change(&req)
			}
			before := r.Git(t, "rev-parse", "main")
			_, err := bump.Run(t.Context(), r, judge(r, evidencetest.NewRegistry(i)), req)
			if outcome.Code(err) != test.code || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got code %d: %v\nwant code %d: %q", outcome.Code(err), err, test.code, test.want)
			}
			if r.Git(t, "rev-parse", "main") != before {
				t.Error("something was committed")
			}
		})
	}
}

func TestOlderOnlyWhenAllowed(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	images := evidencetest.NewRegistry(image(1), image(2))
	if _, err := bump.Run(t.Context(), r, judge(r, images), request(2)); err != nil {
		t.Fatal(err)
	}
	req := request(1)
	if _, err := bump.Run(t.Context(), r, judge(r, images), req); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "an ancestor of the deployed") {
		t.Errorf("got %v", err)
	}
	req.AllowOlder = true
	if result, err := bump.Run(t.Context(), r, judge(r, images), req); err != nil || !result.Changed {
		t.Errorf("allowed: got %+v, %v", result, err)
	}
}

// What stands there already is verified all the same: bump answers for it.
func TestCurrentIsVerified(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	i := image(1)
	i.Without = []evidence.Kind{evidence.Signature}
	if _, err := bump.Run(t.Context(), r, judge(r, evidencetest.NewRegistry(i)), request(1)); outcome.Code(err) != outcome.Refused {
		t.Errorf("got %v", err)
	}
}

func TestBrokenRegistryIsNoVerdict(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	images := evidencetest.NewRegistry(image(1))
	images.Break(errors.New("registry is away"))
	if _, err := bump.Run(t.Context(), r, judge(r, images), request(1)); outcome.Code(err) != outcome.Broken ||
		!strings.Contains(err.Error(), "registry is away") {
		t.Errorf("got %v", err)
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

// A digest that lost the race to a newer one is superseded: it is decided again
// and refused. To an older one, or elsewhere, it lands.
func TestLostRaceDecidesAgain(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api"), func(t *testing.T, r *configrepotest.Repo) {
		images := evidencetest.NewRegistry(image(1), image(2), image(3), image(4))
		run := func(mine int, winner func()) (bump.Result, error) {
			return bump.Run(t.Context(), &racing{Store: r.Open(t), do: winner}, judge(r, images), request(mine))
		}
		_, err := run(2, func() { r.Deploy(t, "main", "dev", "demo-api", demo(3)) })
		if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "an ancestor of the deployed") {
			t.Errorf("superseded meanwhile: got %v", err)
		}
		if got := r.Text(t, "main", configrepotest.Overlay("demo-api", "dev")); !strings.Contains(got, demo(3).Digest()) {
			t.Errorf("the newer digest is lost:\n%s", got)
		}
		result, err := run(4, func() { r.Write(t, "main", "elsewhere", map[string]string{"README.md": "x\n"}) })
		if err != nil || result.Attempts != 2 || r.Text(t, "main", "README.md") != "x" {
			t.Errorf("a race with another file: got %+v, %v", result, err)
		}
	})
}

// Many writers share what GitHub lets one client ask: after another application was
// faster, a writer asks for the head and its files, and commits.
func TestRequestsAfterALostRace(t *testing.T) {
	t.Parallel()
	r := configrepotest.GitHub(t, configrepotest.Files("demo-api", "web"))
	faster := func() {
		r.Deploy(t, "main", "dev", "web", demo(3))
		r.Requests.Take()
		r.Requests.Writes()
	}
	result, err := bump.Run(t.Context(), &racing{Store: r.Open(t), do: faster}, judge(r, evidencetest.NewRegistry(image(1))), request(1))
	if err != nil || result.Attempts != 2 {
		t.Fatalf("got %+v, %v", result, err)
	}
	if n, asked := r.Requests.Take(); n != 2 {
		t.Errorf("%d reads, want 2:\n%s", n, asked)
	}
	if writes := r.Requests.Writes(); len(writes) != 2 {
		t.Errorf("%d writes, want the one that was too late and the one that landed: %s", len(writes), writes)
	}
}

// interrupted is a process that ends between its commit and the answer.
type interrupted struct{ configrepotest.Store }

func (i interrupted) Commit(ctx context.Context, req configrepo.Request) (string, error) {
	if _, err := i.Store.Commit(ctx, req); err != nil {
		return "", err
	}
	return "", context.Canceled
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api"), func(t *testing.T, r *configrepotest.Repo) {
		images := evidencetest.NewRegistry(image(1))
		if _, err := bump.Run(t.Context(), interrupted{r}, judge(r, images), request(1)); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		result, err := bump.Run(t.Context(), r, judge(r, images), request(1))
		if err != nil || result.Changed || result.Commit != r.Git(t, "rev-parse", "main") ||
			r.Git(t, "rev-list", "--count", "main") != "2" {
			t.Errorf("again: got %+v, %v", result, err)
		}
	})
}

func TestMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	r := configrepotest.GitHub(t, configrepotest.Files("demo-api"))
	reader := r.Client(t, sandbox.Token{Job: true, Permissions: map[string]string{"contents": "read"}})
	store := configrepo.NewGitHub(reader, r.Name)
	_, err := bump.Run(t.Context(), store, judge(r, evidencetest.NewRegistry(image(1))), request(1))
	if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "contents: write") {
		t.Errorf("got %v", err)
	}
}

// Twenty writers at once, half of them of one application: every application
// ends at its newest digest, no commit is lost, each changes one line.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	const writers = 20
	apps := []string{"demo-api"}
	for i := range writers / 2 {
		apps = append(apps, fmt.Sprintf("web-%d", i))
	}
	configrepotest.Both(t, configrepotest.Files(apps...), func(t *testing.T, r *configrepotest.Repo) {
		images := evidencetest.NewRegistry()
		requests := make([]bump.Request, writers)
		for i := range requests {
			app, n := "demo-api", i+1
			if i%2 == 1 {
				app, n = apps[1+i/2], 1
			}
			ref := images.Push(evidencetest.Image{App: app, N: n, At: configrepotest.Start})
			requests[i] = bump.Request{Images: []imageref.Ref{ref}, App: app, Env: "dev", Branch: "main"}
		}
		first := r.Git(t, "rev-parse", "main")
		errs, results := make([]error, writers), make([]bump.Result, writers)
		var wg sync.WaitGroup
		for i, req := range requests {
			store := r.Open(t)
			wg.Go(func() { results[i], errs[i] = bump.Run(t.Context(), store, judge(r, images), req) })
		}
		wg.Wait()
		landed := 0
		for i, err := range errs {
			switch {
			case err == nil && results[i].Changed:
				landed++
			case requests[i].App == "demo-api" && outcome.Code(err) == outcome.Refused &&
				strings.Contains(err.Error(), "an ancestor of the deployed"):
			default:
				t.Errorf("writer %d of %s: %+v, %v", i, requests[i].App, results[i].Changed, err)
			}
		}
		commits := strings.Fields(r.Git(t, "rev-list", first+"..main"))
		if len(commits) != landed {
			t.Errorf("%d commits for %d writers that landed", len(commits), landed)
		}
		for _, sha := range commits {
			if got := r.Git(t, "diff-tree", "-r", "--numstat", "--no-commit-id", sha); !strings.HasPrefix(got, "1\t1\t") ||
				strings.Contains(got, "\n") {
				t.Errorf("%s changes %q", sha, got)
			}
		}
		for i, req := range requests {
			if req.App != "demo-api" || i == writers-2 {
				if got := r.Text(t, "main", configrepotest.Overlay(req.App, "dev")); !strings.Contains(got, req.Images[0].Digest()) {
					t.Errorf("%s does not run %s:\n%s", req.App, req.Images, got)
				}
			}
		}
	})
}

// An image that was built from a commit of Waybill's own does not enter: its commit
// would start the next build.
func TestABumpStartsNoOther(t *testing.T) {
	t.Parallel()
	r := configrepotest.Directory(t, configrepotest.Files("demo-api"))
	images := evidencetest.NewRegistry(image(1))
	rulesOf := judge(r, images)
	rulesOf.Relate = func(context.Context, string, string, string) (rules.Relation, error) { return rules.Newer, nil }
	req := request(1)
	req.Repository = "acme/demo-api" // source and configuration are in one
	ours, err := bump.Run(t.Context(), r, rulesOf, req)
	if err != nil {
		t.Fatal(err)
	}
	built := image(2)
	built.Commit = ours.Commit
	images.Push(built)
	req.Images = []imageref.Ref{demo(2)}
	_, err = bump.Run(t.Context(), r, rulesOf, req)
	if outcome.Code(err) != outcome.Refused || !strings.Contains(err.Error(), "by which Waybill itself deployed") ||
		!strings.Contains(err.Error(), `paths-ignore: ["deploy/shop/**"]`) {
		t.Errorf("got %v", err)
	}
	for what, commit := range map[string]string{
		"a person's": r.Write(t, "main", "change", map[string]string{"x.yaml": "1\n"}), "one that is not known": evidencetest.Commit(3),
	} {
		built.N, built.Commit = built.N+1, commit
		images.Push(built)
		req.Images = []imageref.Ref{demo(built.N)}
		if result, err := bump.Run(t.Context(), r, rulesOf, req); err != nil || !result.Changed {
			t.Errorf("%s: %v", what, err)
		}
	}
	built.N, built.Commit = built.N+1, ours.Commit
	images.Push(built)
	req.Images, req.Repository = []imageref.Ref{demo(built.N)}, "acme/config"
	if result, err := bump.Run(t.Context(), r, rulesOf, req); err != nil || !result.Changed {
		t.Errorf("of another repository: %v", err)
	}
}
