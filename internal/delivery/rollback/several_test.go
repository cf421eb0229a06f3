package rollback_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/rollback"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func api(n int) imageref.Ref    { return evidencetest.Ref("shop-api", n) }
func worker(n int) imageref.Ref { return evidencetest.Ref("shop-worker", n) }

// An application of several images goes back to a set that ran, and to no other mixture.
func TestSeveralImagesGoBack(t *testing.T) {
	t.Parallel()
	images := evidencetest.NewRegistry()
	for n := 1; n <= 3; n++ {
		for _, app := range []string{"shop-api", "shop-worker"} {
			image := evidencetest.Image{App: app, N: n, Source: "acme/shop", At: configrepotest.Start}
			if app == "shop-worker" && n == 3 {
				image.Without = []evidence.Kind{evidence.Signature}
			}
			images.Push(image)
		}
	}
	overlay := configrepotest.Overlay("shop", "prod")
	for what, test := range map[string]struct {
		ran   [][2]int // of both images
		to    []imageref.Ref
		steps int
		new   bool
		want  [2]int
		moved []string // parts
		err   string
	}{
		"one step": {
			ran: [][2]int{{1, 1}, {2, 1}, {2, 2}}, steps: 1, want: [2]int{2, 1}, moved: []string{"worker"},
		},
		"two steps": {
			ran: [][2]int{{1, 1}, {2, 1}, {2, 2}}, steps: 2, want: [2]int{1, 1}, moved: []string{"api", "worker"},
		},
		"past a rollback": {
			ran: [][2]int{{1, 1}, {2, 2}, {1, 1}}, steps: 1, err: "has no deployment 1 back in prod: there ran ",
		},
		"to a set": {
			ran: [][2]int{{1, 1}, {2, 1}, {2, 2}}, to: []imageref.Ref{worker(1), api(1)}, want: [2]int{1, 1},
		},
		"to the newest with one": {
			ran: [][2]int{{1, 1}, {2, 1}, {2, 2}}, to: []imageref.Ref{worker(1)}, want: [2]int{2, 1},
		},
		"to a mixture": {
			ran: [][2]int{{1, 1}, {2, 2}}, to: []imageref.Ref{api(1), worker(2)},
			err: "the set of " + api(1).String() + ", " + worker(2).String() + " never ran in prod",
		},
		"to a mixture, allowed": {
			ran: [][2]int{{1, 1}, {2, 2}}, to: []imageref.Ref{api(1)}, new: true, want: [2]int{1, 1},
		},
		"to what is new, allowed": {
			ran: [][2]int{{1, 1}, {2, 2}}, to: []imageref.Ref{api(3)}, new: true, want: [2]int{3, 2}, moved: []string{"api"},
		},
		"to what is not signed": {
			ran: [][2]int{{1, 3}, {2, 2}}, steps: 1, err: worker(3).Short() + " may not enter prod",
		},
		"to an image of another": {
			ran: [][2]int{{1, 1}}, to: []imageref.Ref{demo(1)}, err: "is not in ghcr.io/acme/shop-api, ghcr.io/acme/shop-worker",
		},
		"what was not whole is no set": {ran: [][2]int{{1, 1}, {2, 0}, {2, 2}}, steps: 1, want: [2]int{1, 1}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := configrepotest.Local(t, configrepotest.Several())
			for _, n := range test.ran {
				r.Clock.Pass(time.Hour)
				text := configrepotest.SeveralText(api(n[0]).Digest(), worker(n[1]).Digest())
				if n[1] == 0 {
					text = configrepotest.SeveralText(api(n[0]).Digest(), configrepotest.Placeholder)
				}
				r.Write(t, "main", "deploy", map[string]string{overlay: text})
			}
			now := test.ran[len(test.ran)-1]
			req := rollback.Request{
				App: "shop", Env: "prod", Steps: test.steps, To: test.to, AllowNew: test.new, Direct: true, Branch: "main",
			}
			result, err := roller(r, r, images).Run(t.Context(), req)
			if test.err != "" {
				code := outcome.Code(err)
				if code != outcome.Refused && code != outcome.Usage || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := configrepotest.SeveralText(api(test.want[0]).Digest(), worker(test.want[1]).Digest())
			set := history.Set{api(test.want[0]), worker(test.want[1])}
			if got := r.Text(t, "main", overlay) + "\n"; got != want || !result.Set.Equal(set) {
				t.Errorf("%+v\n%s", result, got)
			}
			for i, part := range test.moved {
				if i >= len(result.Parts) || result.Parts[i].Part != part || len(result.Parts) != len(test.moved) {
					t.Errorf("%+v", result.Parts)
				}
			}
			held := hold.Parse(hold.Path("shop", "prod"), []byte(r.Text(t, "main", hold.Path("shop", "prod"))), "shop", "prod")
			for _, left := range []imageref.Ref{api(now[0]), worker(now[1])} {
				stays := left == result.Set[0] || left == result.Set[1]
				if kept := strings.Contains(strings.Join(held.Digests, " "), left.Digest()); kept == stays {
					t.Errorf("%s: kept out is %v, and it stays: %v", left.Short(), kept, stays)
				}
			}
		})
	}
}

// The pull request of a rollback says what becomes of each image, and running it again
// changes nothing.
func TestPullRequestOfSeveral(t *testing.T) {
	t.Parallel()
	images := evidencetest.NewRegistry()
	for n := 1; n <= 2; n++ {
		for _, app := range []string{"shop-api", "shop-worker"} {
			images.Push(evidencetest.Image{App: app, N: n, Source: "acme/shop", At: configrepotest.Start})
		}
	}
	r := configrepotest.GitHub(t, configrepotest.With(configrepotest.Several(), files()))
	r.Write(t, "main", "config", map[string]string{"waybill.yaml": configrepotest.Several()["waybill.yaml"]})
	for n := 1; n <= 2; n++ {
		r.Clock.Pass(time.Hour)
		r.DeploySeveral(t, "main", "prod", api(n), worker(n))
	}
	req := rollback.Request{App: "shop", Env: "prod", Steps: 1, Reason: "orders fail", Branch: "main"}
	first, err := roller(r, r.Open(t), images).Run(t.Context(), req)
	if err != nil || first.Number != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	pull := r.Server.Pulls("acme/config")[0]
	for _, want := range []string{
		"**Roll back** `shop` in **prod**\n- api from `" + api(2).Digest() + "` to `" + api(1).Digest() + "`\n- worker from `" +
			worker(2).Digest() + "`", "> orders fail\n",
	} {
		if !strings.Contains(pull.Body, want) {
			t.Errorf("no %q in\n%s", want, pull.Body)
		}
	}
	again, err := roller(r, r.Open(t), images).Run(t.Context(), req)
	if err != nil || again.Changed || again.Commit != first.Commit {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := r.Server.MergePull(t.Context(), "acme/config", 1, "ada", "squash"); err != nil {
		t.Fatal(err)
	}
	want := configrepotest.SeveralText(api(1).Digest(), worker(1).Digest())
	if got := r.Text(t, "main", configrepotest.Overlay("shop", "prod")) + "\n"; got != want {
		t.Errorf("prod has\n%s", got)
	}
}

// Going back by steps passes over a set that was not healthy.
func TestSetsThatWereBadArePassedOver(t *testing.T) {
	t.Parallel()
	images := evidencetest.NewRegistry()
	for n := 1; n <= 3; n++ {
		for _, app := range []string{"shop-api", "shop-worker"} {
			images.Push(evidencetest.Image{App: app, N: n, Source: "acme/shop", At: configrepotest.Start})
		}
	}
	files := configrepotest.Several()
	files["waybill.yaml"] = strings.Replace(files["waybill.yaml"], "soak: 24h,", "soak: 24h, health: [{status: ok}],", 1)
	r := configrepotest.Local(t, files)
	for _, n := range [][2]int{{1, 1}, {2, 1}, {3, 1}} {
		r.Clock.Pass(time.Hour)
		r.DeploySeveral(t, "main", "prod", api(n[0]), worker(n[1]))
	}
	roll := roller(r, r, images)
	roll.Judge.Health = func(_ context.Context, _ string, p history.Period) (rules.Said, error) {
		if p.Set.Equal(history.Set{api(2), worker(1)}) && !p.Ref.IsZero() {
			return rules.Said{State: "failure", Since: p.Since}, nil
		}
		return rules.Said{State: "success", Since: p.Since}, nil
	}
	result, err := roll.Run(t.Context(), rollback.Request{App: "shop", Env: "prod", Steps: 1, Direct: true, Branch: "main"})
	if err != nil || !result.Set.Equal(history.Set{api(1), worker(1)}) ||
		!strings.Contains(result.Note, "passed over "+api(2).Short()+", "+worker(1).Short()+": ok says failure") {
		t.Errorf("%+v, %v", result, err)
	}
}
