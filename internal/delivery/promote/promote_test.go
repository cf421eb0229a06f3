package promote_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/delivery/pulls"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

const (
	branch  = "waybill/staging/demo-api"
	started = "POST /api/v3/repos/acme/config/actions/workflows/check.yml/dispatches"
)

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

func image(n int) evidencetest.Image {
	return evidencetest.Image{App: "demo-api", N: n, At: configrepotest.Start.Add(time.Duration(n) * time.Minute)}
}

// world is a config repository on the stand-in, with demo-api 1 in dev for an
// hour, and the images 1 to 3.
type world struct {
	*configrepotest.Repo
	images *evidencetest.Registry
	forge  pulls.Forge
}

func files() map[string]string {
	return configrepotest.With(configrepotest.Files("demo-api"), map[string]string{
		".github/workflows/check.yml": "name: check\non:\n  workflow_dispatch:\n    inputs:\n      pull_request: {type: " +
			"string}\njobs: {}\n",
	})
}

func newWorld(t *testing.T) *world { return worldOf(t, files()) }

// worldOf is a world whose repository begins with other files.
func worldOf(t *testing.T, files map[string]string) *world {
	t.Helper()
	w := &world{Repo: configrepotest.GitHub(t, files), images: evidencetest.NewRegistry(image(1), image(2), image(3))}
	w.forge = pulls.Forge{
		API: w.API, Repository: w.Name, Branch: "main", CheckWorkflow: "check.yml", StatusContext: "waybill/check",
		Now: w.Clock.Now,
	}
	w.Deploy(t, "main", "dev", "demo-api", demo(1))
	w.Clock.Pass(time.Hour)
	return w
}

func (w *world) promoter() *promote.Promoter {
	return &promote.Promoter{Repo: w.Repo, Forge: w.forge, Judge: &rules.Judge{Collect: w.images.Collect, Now: w.Clock.Now,
		Relate: func(_ context.Context, _, base, head string) (rules.Relation, error) {
			if head[:7] < base[:7] {
				return rules.Older, nil
			}
			return rules.Newer, nil
		}}}
}

// run promotes from dev to staging and expects the state.
func (w *world) run(t *testing.T, state string) promote.Promotion {
	t.Helper()
	promotions, err := w.promoter().Run(t.Context(), promote.Request{
		App: "demo-api", To: "staging", Branch: "main", Run: "https://github.com/acme/config/actions/runs/9",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(promotions) != 1 || promotions[0].State != state {
		t.Fatalf("got %+v, want %s", promotions, state)
	}
	return promotions[0]
}

// checked is the answer of the check.
func (w *world) checked(t *testing.T, state string) {
	t.Helper()
	pulls := w.Server.Pulls("acme/config")
	head := pulls[len(pulls)-1].HeadSHA
	client := w.Client(t, sandbox.Token{Job: true, Permissions: map[string]string{"statuses": "write"}})
	f := w.forge
	f.API = client
	if err := setStatus(t, f, head, state); err != nil {
		t.Fatal(err)
	}
	w.Requests.Writes()
}

func (w *world) pull(t *testing.T, n int) sandbox.PullRequest {
	t.Helper()
	pulls := w.Server.Pulls("acme/config")
	if len(pulls) < n {
		t.Fatalf("there are %d pull requests, want number %d", len(pulls), n)
	}
	return pulls[n-1]
}

// updateBranch does what the button "Update branch" does; adds also changes a file.
func (w *world) updateBranch(t *testing.T, head string, rebase, adds bool) {
	t.Helper()
	w.updateBranchOf(t, branch, head, rebase, adds)
}

func (w *world) updateBranchOf(t *testing.T, branch, head string, rebase, adds bool) {
	t.Helper()
	main := w.Git(t, "rev-parse", "main")
	onto := main
	if adds {
		onto = w.Write(t, "more", "more", map[string]string{"apps/demo-api/base/more.yaml": "kind: ConfigMap\n"})
	}
	tree := w.Git(t, "merge-tree", "--write-tree", onto, head)
	message, parents := "Merge branch 'main' into "+branch, []string{head, main}
	if rebase {
		message, parents = w.Git(t, "log", "-1", "--format=%B", head), []string{main}
	}
	sha, err := w.API.CreateCommit(t.Context(), w.Name, message, tree, parents...)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.API.UpdateRef(t.Context(), w.Name, branch, head, sha); err != nil {
		t.Fatal(err)
	}
}

func TestOpensAndThenLeavesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.run(t, promote.Opened)
	pull := w.pull(t, 1)
	if pull.HeadRef != branch || pull.BaseRef != "main" || p.Number != 1 || p.URL != pull.URL || p.Commit != pull.HeadSHA || p.Waiting {
		t.Errorf("got %+v and %+v", p, pull)
	}
	if want := "demo-api: dev → staging (" + demo(1).Short() + ")"; pull.Title != want {
		t.Errorf("title %q, want %q", pull.Title, want)
	}
	if got := w.Git(t, "diff", "--numstat", "main", branch); got != "1\t1\t"+configrepotest.Overlay("demo-api", "staging") {
		t.Errorf("the branch changes %q", got)
	}
	status := w.Server.Statuses("acme/config", pull.HeadSHA)
	writes := w.Requests.Writes()
	if len(status) != 1 || status[0].Context != "waybill/check" || status[0].State != "pending" || writes[len(writes)-1] != started {
		t.Errorf("the check: status %+v, last request %s", status, writes[len(writes)-1])
	}
	for _, state := range []string{"pending", "success", "failure"} {
		w.checked(t, state)
		w.run(t, promote.Unchanged)
		if writes := w.Requests.Writes(); len(writes) != 0 {
			t.Errorf("a second run, check %s, sends %v", state, writes)
		}
	}
}

// An interrupted run leaves its work to the next one, wherever it ended.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		fault sandbox.Fault
		state string
	}{
		"before the pull request": {sandbox.Fault{Method: "POST", Path: "/pulls$", Status: 403}, promote.Opened},
		"before the status":       {sandbox.Fault{Method: "POST", Path: "/statuses/", Status: 403}, promote.Unchanged},
		"answer of opening lost":  {sandbox.Fault{Method: "POST", Path: "/pulls$", Processed: true, Drop: true}, ""},
		"GitHub says it is there": {
			sandbox.Fault{
				Method: "POST", Path: "/pulls$", Processed: true, Status: 422,
				Body: `{"message":"Validation Failed","errors":[{"message":"A pull request already exists for acme:waybill/staging/demo-api."}]}`,
			},
			"",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if err := w.Server.AddFault(test.fault); err != nil {
				t.Fatal(err)
			}
			_, err := w.promoter().Run(t.Context(), promote.Request{App: "demo-api", To: "staging", Branch: "main"})
			if (err == nil) != (test.state == "") {
				t.Fatalf("the first run: %v", err)
			}
			w.Requests.Writes()
			if test.state != "" {
				w.run(t, test.state)
				writes := w.Requests.Writes()
				if len(writes) == 0 || writes[len(writes)-1] != started {
					t.Errorf("the second run started no check: %v", writes)
				}
			}
			if pulls := w.Server.Pulls("acme/config"); len(pulls) != 1 || len(w.Server.Statuses("acme/config", pulls[0].HeadSHA)) != 1 {
				t.Errorf("got pull requests %+v", pulls)
			}
		})
	}
	t.Run("a check that ended in trouble, or never answered", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.run(t, promote.Opened)
		w.checked(t, "error")
		w.run(t, promote.Unchanged)
		if writes := w.Requests.Writes(); len(writes) != 2 || writes[1] != started {
			t.Errorf("after an error: %v", writes)
		}
		w.Clock.Pass(19 * time.Minute)
		w.run(t, promote.Unchanged)
		if writes := w.Requests.Writes(); len(writes) != 0 {
			t.Errorf("one that may still answer: %v", writes)
		}
		w.Clock.Pass(time.Minute)
		w.run(t, promote.Unchanged)
		if writes := w.Requests.Writes(); len(writes) != 2 || writes[1] != started {
			t.Errorf("one that never answered: %v", writes)
		}
	})
}

func TestNewerDigestUpdatesTheSamePullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, promote.Opened)
	w.Deploy(t, "main", "dev", "demo-api", demo(2))
	w.Clock.Pass(time.Hour)
	p := w.run(t, promote.Updated)
	pull := w.pull(t, 1)
	if len(w.Server.Pulls("acme/config")) != 1 || p.Number != 1 || !strings.Contains(pull.Title, demo(2).Short()) ||
		!strings.Contains(pull.Body, demo(2).Digest()) {
		t.Errorf("got %+v", pull)
	}
	if got := w.Git(t, "rev-list", "--count", "main.."+branch); got != "1" ||
		!strings.Contains(w.Text(t, branch, configrepotest.Overlay("demo-api", "staging")), demo(2).Digest()) {
		t.Errorf("the branch is %s commits ahead", got)
	}
}

func TestForeignBranchIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, promote.Opened)
	mine := w.Write(t, branch, "my own", map[string]string{"README.md": "mine\n"})
	w.Deploy(t, "main", "dev", "demo-api", demo(2))
	w.Clock.Pass(time.Hour)
	p := w.run(t, promote.Foreign)
	pull := w.pull(t, 1)
	if !strings.Contains(p.Reason, "somebody else has pushed to "+branch) || pull.HeadSHA != mine ||
		strings.Contains(pull.Body, demo(2).Digest()) {
		t.Errorf("got %+v, %+v", p, pull)
	}
	if len(pull.Comments) != 1 || !strings.Contains(pull.Comments[0], "leaves this branch alone") {
		t.Errorf("comments: %q", pull.Comments)
	}
	w.Requests.Writes()
	w.run(t, promote.Foreign)
	if writes := w.Requests.Writes(); len(writes) != 0 {
		t.Errorf("again: %v", writes)
	}
}

func TestClosedIsDeclined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, promote.Opened)
	if err := w.forge.ClosePull(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	p := w.run(t, promote.Declined)
	if !strings.Contains(p.Reason, "delete the branch "+branch) || len(w.Server.Pulls("acme/config")) != 1 {
		t.Errorf("got %+v", p)
	}
	// Whatever else changes meanwhile, this digest was declined.
	w.Write(
		t, "main", "replicas",
		map[string]string{configrepotest.Overlay("demo-api", "staging"): configrepotest.OverlayText(
			"demo-api", configrepotest.Placeholder,
		) + "# edited\n"},
	)
	w.run(t, promote.Declined)
	w.Deploy(t, "main", "dev", "demo-api", demo(2))
	w.Clock.Pass(time.Hour)
	if p := w.run(t, promote.Opened); p.Number != 2 {
		t.Errorf("the next digest: %+v", p)
	}
}

// The branch of a merged pull request may be left over; what it held may come
// again after a rollback.
func TestBranchOfAMergedPullRequestIsReused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, promote.Opened)
	merge := func(n int) {
		t.Helper()
		if _, err := w.Server.MergePull(t.Context(), "acme/config", n, "ada", "merge"); err != nil {
			t.Fatal(err)
		}
	}
	merge(1)
	w.run(t, promote.Current)
	w.Write(
		t, "main", "back",
		map[string]string{configrepotest.Overlay("demo-api", "staging"): configrepotest.OverlayText(
			"demo-api", configrepotest.Placeholder,
		)},
	)
	if p := w.run(t, promote.Opened); p.Number != 2 {
		t.Errorf("the same digest again: %+v", p)
	}
	merge(2)
	w.Deploy(t, "main", "dev", "demo-api", demo(2))
	w.Clock.Pass(time.Hour)
	if p := w.run(t, promote.Opened); p.Number != 3 || p.Previous != demo(1) {
		t.Errorf("the next digest: %+v", p)
	}
}

// Where main takes only what is built on its head, a promotion that could be merged is
// built anew when main has moved. One that waits is left alone, and so is every one
// where main does not ask for it.
func TestPromotionsAreBroughtUpToDate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		required string
		reviewed bool // soaked, so that it may be merged
		want     string
	}{
		"strict":  {"waybill/check@acme-waybill", true, promote.Updated},
		"waits":   {"waybill/check@acme-waybill", false, promote.Unchanged},
		"relaxed": {"other", true, promote.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Deploy(t, "main", "staging", "demo-api", demo(1))
			if test.reviewed {
				w.Clock.Pass(25 * time.Hour)
			}
			run := func() promote.Promotion {
				t.Helper()
				got, err := w.promoter().Run(t.Context(), promote.Request{From: "staging", Branch: "main"})
				if err != nil || len(got) != 1 {
					t.Fatalf("got %+v, %v", got, err)
				}
				return got[0]
			}
			if err := w.Server.SetRequired("acme/config", test.required); err != nil {
				t.Fatal(err)
			}
			run()
			before := w.pull(t, 1).HeadSHA
			w.Write(t, "main", "another application", map[string]string{"apps/other/README.md": "other\n"})
			if got := run(); got.State != test.want {
				t.Fatalf("got %+v", got)
			}
			head, main := w.pull(t, 1).HeadSHA, w.Git(t, "rev-parse", "main")
			entries, err := w.Log(t.Context(), head, "", 1)
			if err != nil || (head != before) != (test.want == promote.Updated) ||
				head != before && !slices.Equal(entries[0].Parents, []string{main}) {
				t.Errorf("from %s to %s on %s: %+v, %v", before, head, main, entries, err)
			}
			w.Requests.Writes()
			if got := run(); got.State != promote.Unchanged {
				t.Errorf("again: %+v", got)
			}
		})
	}
}

// "Update branch" merges main into the branch, or puts it on top of main: it stays
// Waybill's own, and a newer digest goes on. What somebody adds with that does not.
func TestUpdateBranchKeepsItOurs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rebase, adds bool
		want         string
	}{
		"merge": {false, false, promote.Updated}, "rebase": {true, false, promote.Updated},
		"merge that adds": {false, true, promote.Foreign}, "rebase that adds": {true, true, promote.Foreign},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(t, promote.Opened)
			head := w.pull(t, 1).HeadSHA
			w.Write(t, "main", "another application", map[string]string{"apps/other/README.md": "other\n"})
			w.updateBranch(t, head, test.rebase, test.adds)
			if test.want != promote.Foreign {
				w.run(t, promote.Unchanged)
			}
			w.Deploy(t, "main", "dev", "demo-api", demo(2))
			w.Clock.Pass(time.Hour)
			w.run(t, test.want)
		})
	}
}

// What came about otherwise needs no pull request any more.
func TestCurrentClosesThePullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, promote.Opened)
	w.Deploy(t, "main", "staging", "demo-api", demo(1))
	w.run(t, promote.Current)
	pull := w.pull(t, 1)
	if pull.State != "closed" || pull.Merged || len(pull.Comments) != 1 || !strings.Contains(pull.Comments[0], "nothing left to promote") {
		t.Errorf("got %+v", pull)
	}
	w.Requests.Writes()
	w.run(t, promote.Current)
	if writes := w.Requests.Writes(); len(writes) != 0 {
		t.Errorf("again: %v", writes)
	}
	// Nobody declined it.
	w.Write(
		t, "main", "back",
		map[string]string{configrepotest.Overlay("demo-api", "staging"): configrepotest.OverlayText(
			"demo-api", configrepotest.Placeholder,
		)},
	)
	w.run(t, promote.Opened)
}

// Places where nothing is to be done cost no request each: GitHub allows a job
// token a thousand an hour.
func TestCurrentCostsNoRequestEach(t *testing.T) {
	t.Parallel()
	apps := []string{"a", "b", "c"}
	all := configrepotest.Files(apps...)
	for _, app := range apps {
		for _, env := range []string{"dev", "staging", "prod"} {
			all[configrepotest.Overlay(app, env)] = configrepotest.OverlayText(app, evidencetest.Ref(app, 1).Digest())
		}
	}
	w := &world{Repo: configrepotest.GitHub(t, all), images: evidencetest.NewRegistry()}
	w.forge = pulls.Forge{API: w.API, Repository: w.Name, Branch: "main"}
	promotions, err := w.promoter().Run(t.Context(), promote.Request{Branch: "main"})
	if err != nil || len(promotions) != 6 {
		t.Fatalf("got %+v, %v", promotions, err)
	}
	if n := w.Requests.Reads("/api/v3/repos/acme/config/pulls"); n != 1 {
		t.Errorf("pull requests were listed %d times", n)
	}
}

// Open pull requests to which nothing is to be done cost no request of their own.
func TestIdleRequests(t *testing.T) {
	t.Parallel()
	apps := []string{"a", "b", "c", "d", "e", "f"}
	const workflow = ".github/workflows/check.yml"
	all := configrepotest.With(configrepotest.Files(apps...), map[string]string{workflow: files()[workflow]})
	w := &world{Repo: configrepotest.GitHub(t, all)}
	var images []evidencetest.Image
	for _, app := range apps {
		images = append(images, evidencetest.Image{App: app, N: 1, At: configrepotest.Start})
		w.Deploy(t, "main", "dev", app, evidencetest.Ref(app, 1))
	}
	w.images = evidencetest.NewRegistry(images...)
	w.Clock.Pass(time.Hour)
	w.forge = pulls.Forge{
		API: w.API, Repository: w.Name, Branch: "main", CheckWorkflow: "check.yml", StatusContext: "waybill/check", Now: w.Clock.Now,
	}
	promoted := func(state string) {
		t.Helper()
		w.Store = w.Open(t)
		w.Requests.Take()
		promotions, err := w.promoter().Run(t.Context(), promote.Request{Branch: "main", To: "staging"})
		if err != nil || len(promotions) != len(apps) {
			t.Fatalf("got %+v, %v", promotions, err)
		}
		for _, p := range promotions {
			if p.State != state {
				t.Fatalf("%+v", p)
			}
		}
	}
	promoted(promote.Opened)
	promoted(promote.Unchanged)
	// Head, files (3), histories (2), the branch and when it moved (3), open pull requests,
	// their heads (2), their checks, the files of the commit that they are built on.
	const common = 14
	n, asked := w.Requests.Take()
	if n > common {
		t.Errorf("%d requests for %d pull requests, want at most %d:\n%s", n, len(apps), common, asked)
	}
	// One that somebody has changed is no longer Waybill's.
	w.Write(t, "waybill/staging/a", "mine", map[string]string{"README.md": "mine\n"})
	w.Store = w.Open(t)
	promotions, err := w.promoter().Run(t.Context(), promote.Request{Branch: "main", To: "staging"})
	if err != nil || promotions[0].State != promote.Foreign || promotions[1].State != promote.Unchanged {
		t.Errorf("%+v %v", promotions, err)
	}
}

func TestCurrentLeavesAForeignPullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, promote.Opened)
	w.Write(t, branch, "my own", map[string]string{"README.md": "mine\n"})
	w.Deploy(t, "main", "staging", "demo-api", demo(1))
	w.run(t, promote.Current)
	if pull := w.pull(t, 1); pull.State != "open" {
		t.Errorf("got %+v", pull)
	}
}

func TestBaseThatMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	head := w.run(t, promote.Opened).Commit
	w.checked(t, "success")
	w.Write(t, "main", "elsewhere", map[string]string{"README.md": "x\n"})
	w.run(t, promote.Unchanged)
	if writes := w.Requests.Writes(); len(writes) != 0 || w.pull(t, 1).HeadSHA != head {
		t.Errorf("a base that changed elsewhere: %v", writes)
	}
	w.Write(
		t, "main", "replicas",
		map[string]string{configrepotest.Overlay("demo-api", "staging"): configrepotest.OverlayText(
			"demo-api", configrepotest.Placeholder,
		) + "replicas: [{name: demo-api, count: 2}]\n"},
	)
	w.run(t, promote.Updated)
	if text := w.Text(t, branch, configrepotest.Overlay("demo-api", "staging")); !strings.Contains(text, "count: 2") ||
		!strings.Contains(text, demo(1).Digest()) {
		t.Errorf("a base that changed the overlay:\n%s", text)
	}
}

// A pending promotion is opened and waits; a refused one is not, and an open
// one that comes to be refused says so.
func TestPendingAndRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Deploy(t, "main", "dev", "demo-api", demo(2))
	p := w.run(t, promote.Opened)
	if !p.Waiting || !strings.HasPrefix(w.pull(t, 1).Body, "⏳ **Not yet.** `demo-api` from **dev** to **staging** waits for: soak.") {
		t.Errorf("got %+v:\n%s", p, w.pull(t, 1).Body)
	}
	w.checked(t, "pending")
	w.Clock.Pass(29 * time.Minute)
	w.run(t, promote.Unchanged)
	w.Clock.Pass(time.Minute)
	w.Requests.Writes()
	if p := w.run(t, promote.Updated); p.Waiting {
		t.Errorf("after the soak: %+v", p)
	}
	if writes := w.Requests.Writes(); writes[len(writes)-1] != started {
		t.Errorf("what became ready is not checked again: %v", writes)
	}
	bad := image(2)
	bad.Findings = []evidence.Finding{{
		ID: "CVE-2026-1", Package: "openssl", Version: "3.3.1", FixedVersion: "3.3.2", Severity: evidence.High,
	}}
	w.images.Push(bad)
	w.run(t, promote.Refused)
	if body := w.pull(t, 1).Body; !strings.HasPrefix(body, "❌ **Refused.**") ||
		!strings.Contains(body, "must not be merged as it stands: scan.") || !strings.Contains(body, "CVE-2026-1") {
		t.Errorf("an open one that is refused says:\n%s", body)
	}
	w.Requests.Writes()
	w.Clock.Pass(time.Hour)
	w.run(t, promote.Refused)
	if writes := w.Requests.Writes(); len(writes) != 0 {
		t.Errorf("again: %v", writes)
	}
	w.Deploy(t, "main", "dev", "demo-api", demo(1)) // by hand, older than what staging will run
	w.Deploy(t, "main", "staging", "demo-api", demo(3))
	if p := w.run(t, promote.Refused); !strings.Contains(p.Reason, "an ancestor of the deployed") {
		t.Errorf("backwards: %+v", p)
	}
}

// An old scan's age is told as a date: the text is the same an hour later.
// When a window closes, the check of an open promotion is started again, so that a
// green status does not outlast it.
func TestAWindowCloses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := configrepotest.Config("demo-api")
	windows := strings.Replace(text, "soak: 30m}", `soak: 30m, windows: [{from: "12:00", until: "14:00"}]}`, 1)
	w.Write(t, "main", "windows", map[string]string{"waybill.yaml": windows})
	opened := w.run(t, promote.Opened)
	if opened.Waiting {
		t.Fatalf("in the window: %+v", opened)
	}
	if err := setStatus(t, w.forge, w.pull(t, opened.Number).HeadSHA, "success"); err != nil {
		t.Fatal(err)
	}
	w.run(t, promote.Unchanged)
	w.Clock.Pass(time.Hour)
	w.Requests.Writes()
	if closed := w.run(t, promote.Updated); !closed.Waiting {
		t.Errorf("after the window: %+v", closed)
	}
	if writes := w.Requests.Writes(); !slices.Contains(writes, started) {
		t.Errorf("no check was started: %v", writes)
	}
}

func TestRefusedTextDoesNotAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(t, promote.Opened)
	w.Clock.Pass(200 * time.Hour)
	w.run(t, promote.Refused)
	if body := w.pull(t, 1).Body; !strings.Contains(body, "scanned 2026-11-20 12:01 UTC, longer ago than the 7 d allowed") {
		t.Errorf("body:\n%s", body)
	}
	w.Requests.Writes()
	w.Clock.Pass(3 * time.Hour)
	w.run(t, promote.Refused)
	if writes := w.Requests.Writes(); len(writes) != 0 {
		t.Errorf("hours later: %v", writes)
	}
}

// An App that may read members asks the team. A job's token may not: that is said.
func TestReviewersAreAsked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		token  sandbox.Token
		teams  int
		reason string
	}{
		{sandbox.Token{App: "acme-waybill", User: "acme-waybill[bot]", Permissions: map[string]string{
			"contents": "write", "pull-requests": "write", "statuses": "write", "actions": "write", "members": "read"}}, 1, ""},
		{sandbox.Token{Job: true, Permissions: configrepotest.JobPermissions()}, 0,
			"the reviewers could not be asked: request reviewers platform"},
	} {
		w := newWorld(t)
		w.Deploy(t, "main", "staging", "demo-api", demo(1))
		w.Clock.Pass(25 * time.Hour)
		w.forge.API = w.Client(t, test.token)
		promotions, err := w.promoter().Run(t.Context(), promote.Request{From: "staging", Branch: "main"})
		if err != nil || len(promotions) != 1 || promotions[0].To != "prod" || promotions[0].State != promote.Opened ||
			!strings.HasPrefix(promotions[0].Reason, test.reason) || test.reason == "" && promotions[0].Reason != "" {
			t.Fatalf("got %+v, %v", promotions, err)
		}
		if pull := w.pull(t, 1); len(pull.Teams) != test.teams {
			t.Errorf("asked %+v %+v", pull.Teams, pull.Reviewers)
		}
	}
}

// Environments that take commits get them, one after the other in one run, and
// a lost race is run again.
func TestAutomaticEnvironments(t *testing.T) {
	t.Parallel()
	all := configrepotest.Files("demo-api", "demo-web")
	all["waybill.yaml"] = strings.ReplaceAll(
		strings.ReplaceAll(all["waybill.yaml"], "promotion: pull-request", "promotion: auto"), ", soak: 30m", "",
	)
	configrepotest.Both(t, all, func(t *testing.T, r *configrepotest.Repo) {
		images := evidencetest.NewRegistry(image(1), evidencetest.Image{App: "demo-web", N: 1, At: configrepotest.Start})
		r.Deploy(t, "main", "dev", "demo-api", demo(1))
		r.Deploy(t, "main", "dev", "demo-web", evidencetest.Ref("demo-web", 1))
		p := promote.Promoter{
			Repo:  &racing{Store: r.Open(t), do: func() { r.Write(t, "main", "meanwhile", map[string]string{"README.md": "x\n"}) }},
			Judge: &rules.Judge{Collect: images.Collect, Now: r.Clock.Now},
		}
		promotions, err := p.Run(t.Context(), promote.Request{Branch: "main"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range promotions {
			got = append(got, p.App+" "+p.To+" "+p.State)
		}
		want := "demo-api staging committed, demo-api prod pending, demo-web staging committed, demo-web prod pending"
		if strings.Join(got, ", ") != want {
			t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
		}
		for _, app := range []string{"demo-api", "demo-web"} {
			if text := r.Text(t, "main", configrepotest.Overlay(app, "staging")); !strings.Contains(
				text, evidencetest.Ref(app, 1).Digest(),
			) {
				t.Errorf("%s:\n%s", app, text)
			}
		}
	})
}

func TestWithoutForge(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, files())
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	r.Clock.Pass(time.Hour)
	p := promote.Promoter{Repo: r, Judge: &rules.Judge{Collect: evidencetest.NewRegistry(image(1)).Collect, Now: r.Clock.Now}}
	for _, want := range []string{promote.Updated, promote.Unchanged} {
		promotions, err := p.Run(t.Context(), promote.Request{To: "staging", Branch: "main"})
		if err != nil || promotions[0].State != want || promotions[0].Commit != r.Git(t, "rev-parse", branch) {
			t.Errorf("got %+v, %v, want %s", promotions, err, want)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, req := range map[string]promote.Request{
		`no application "nothing"`: {App: "nothing"}, `no environment "a"`: {From: "a"}, `no environment "b"`: {To: "b"},
	} {
		req.Branch = "main"
		if _, err := w.promoter().Run(t.Context(), req); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// One application's trouble does not hold up the others.
func TestTroubleIsTheApplicationsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Write(t, "main", "break", map[string]string{configrepotest.Overlay("demo-api", "prod"): "images: [\n"})
	promotions, err := w.promoter().Run(t.Context(), promote.Request{Branch: "main"})
	if err == nil || !strings.Contains(err.Error(), "promote demo-api from staging to prod: ") || len(promotions) != 1 ||
		promotions[0].State != promote.Opened {
		t.Errorf("got %+v, %v", promotions, err)
	}
	w.images.Break(errors.New("registry is away"))
	if _, err := w.promoter().Run(t.Context(), promote.Request{
		To: "staging", Branch: "main",
	}); outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "registry is away") {
		t.Errorf("a broken registry: %v", err)
	}
}

// A first environment that takes pull requests gets one for the image itself.
func TestFirstEnvironmentByPullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Write(
		t, "main", "Review dev",
		map[string]string{"waybill.yaml": strings.Replace(files()["waybill.yaml"], "promotion: auto", "promotion: pull-request", 1)},
	)
	propose := func(image imageref.Ref, env string) (promote.Promotion, error) {
		promotions, err := w.promoter().Run(t.Context(), promote.Request{
			App: "demo-api", To: env, Images: []imageref.Ref{image}, Branch: "main",
		})
		if err != nil {
			return promote.Promotion{}, err
		}
		if len(promotions) != 1 {
			t.Fatalf("%d promotions, want 1", len(promotions))
		}
		return promotions[0], nil
	}
	opened, err := propose(demo(2), "dev")
	if err != nil || opened.State != promote.Opened || opened.Branch != "waybill/dev/demo-api" || opened.From != "build" {
		t.Fatalf("got %+v %v, want a pull request from waybill/dev/demo-api", opened, err)
	}
	pull := w.pull(t, opened.Number)
	if !strings.HasPrefix(pull.Title, "demo-api: build → dev") || !strings.Contains(pull.Body, "from **build** to **dev**") {
		t.Errorf("title %q, body:\n%s", pull.Title, pull.Body)
	}
	if again, err := propose(demo(2), "dev"); err != nil || again.State != promote.Unchanged {
		t.Errorf("again: %+v %v, want unchanged", again, err)
	}
	if newer, err := propose(demo(3), "dev"); err != nil || newer.State != promote.Updated || newer.Number != opened.Number {
		t.Errorf("a newer image: %+v %v, want #%d updated", newer, err, opened.Number)
	}
	if _, err := propose(demo(3), "staging"); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "use waybill promote") {
		t.Errorf("into a later environment: %v, want a refusal", err)
	}
}

// A branch whose edit depends on what renders, such as an entry that the overlay
// did not have, is still known as Waybill's own.
func TestAnInsertedEntryIsItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const file = "apps/demo-api/overlays/staging/kustomization.yaml"
	w.Write(t, "main", "Leave the image to the base", map[string]string{
		file: "resources: [deploy.yaml]\n",
		"apps/demo-api/overlays/staging/deploy.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: demo-api}\nspec: {containers: " +
			"[{name: demo-api, image: \"" + demo(1).Repository() + ":v1\"}]}\n",
	})
	opened := w.run(t, promote.Opened)
	want := "resources: [deploy.yaml]\nimages:\n- name: " + demo(1).Repository() + "\n  digest: " + demo(1).Digest()
	if text := w.Text(t, opened.Branch, file); text != want {
		t.Errorf("the overlay:\n%s", text)
	}
	w.run(t, promote.Unchanged)
}

// Environments can be a graph. One that needs all of those before it takes what
// has run in each, one that needs any takes the newest.
func TestPromotesAlongAGraph(t *testing.T) {
	t.Parallel()
	const environments = "environments:\n  - {name: dev, promotion: auto}\n  - {name: staging, promotion: auto, after: []}\n  - " +
		"{name: prod, after: [dev, staging]%s}\n"
	for needs, test := range map[string]struct {
		image int
		state string
		from  string
	}{
		"":             {1, promote.Opened, "staging"}, // 1 ran in both, 2 in dev alone
		", needs: all": {1, promote.Opened, "staging"},
		", needs: any": {2, promote.Opened, "dev"},
	} {
		t.Run(needs, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			text := files()["waybill.yaml"]
			a, b := strings.Index(text, "environments:"), strings.Index(text, "apps:")
			w.Write(t, "main", "A graph", map[string]string{"waybill.yaml": text[:a] + fmt.Sprintf(environments, needs) + text[b:]})
			w.Clock.Pass(time.Minute)
			w.Deploy(t, "main", "staging", "demo-api", demo(1))
			w.Clock.Pass(time.Hour)
			w.Deploy(t, "main", "dev", "demo-api", demo(2))
			w.Clock.Pass(time.Hour)
			promotions, err := w.promoter().Run(t.Context(), promote.Request{App: "demo-api", To: "prod", Branch: "main"})
			if err != nil || len(promotions) != 1 {
				t.Fatalf("%+v, %v", promotions, err)
			}
			if p := promotions[0]; p.State != test.state || p.Image != demo(test.image) || p.From != test.from {
				t.Errorf(
					"%s of %s from %s (%s), want %s of %s from %s", p.State, p.Image.Short(), p.From, p.Reason, test.state,
					demo(test.image).Short(), test.from,
				)
			}
		})
	}
}
