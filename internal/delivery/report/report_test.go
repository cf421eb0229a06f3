package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

var refs = cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

// made is a history with known answers: of demo-api, dev gets 1, 2, 3 and staging
// gets 1, 2, back to 1, 2 again, 3, and by hand back over both to 1.
func made(t *testing.T, r *configrepotest.Repo) {
	t.Helper()
	write := func(verb, env string, n int, committed time.Duration, first string) {
		t.Helper()
		m := history.Message{
			Verb: verb, Apps: []string{"demo-api"}, Env: env, Images: history.Set{demo(n)},
			Sources: []string{"acme/demo-api@" + strings.Repeat("a", 39) + "1"},
		}
		if committed != 0 {
			m.Committed = r.Clock.Now().Add(-committed)
		}
		text := first
		if verb != "" {
			text = m.String()
		}
		r.Write(t, "main", text, map[string]string{
			configrepotest.Overlay("demo-api", env): configrepotest.OverlayText("demo-api", demo(n).Digest()),
		})
	}
	write(history.Bump, "dev", 1, 10*time.Minute, "")
	r.Clock.Pass(time.Hour)
	write("", "staging", 1, 0, "Merge pull request #7 from acme/waybill/staging/demo-api\n\ndemo-api")
	r.Clock.Pass(24 * time.Hour)
	write(history.Bump, "dev", 2, 20*time.Minute, "")
	r.Clock.Pass(time.Hour)
	write(history.Promote, "staging", 2, 0, "") // lead: 1 h 20 m
	r.Clock.Pass(30 * time.Minute)
	write(history.RollBack, "staging", 1, 0, "") // after 30 m
	r.Clock.Pass(7 * 24 * time.Hour)
	write("", "staging", 2, 0, "Try it again (#9)") // another deployment
	r.Clock.Pass(time.Hour)
	write(history.Bump, "dev", 3, 0, "") // nobody says when it was committed
	write(history.Promote, "staging", 3, 0, "")
	r.Clock.Pass(2 * time.Hour)
	write("", "staging", 2, 0, "Revert \"promote\"") // from 3, which was bad
	r.Clock.Pass(time.Hour)
	write("", "staging", 1, 0, "and further back") // 2 was bad too
	r.Clock.Pass(time.Hour)
}

func TestHistory(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api"), func(t *testing.T, r *configrepotest.Repo) {
		made(t, r)
		place, err := report.Read(t.Context(), r, report.Query{Branch: "main", App: "demo-api", Env: "staging", Now: r.Clock.Now()})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(place.Text()), "\n") {
			got = append(got, strings.Replace(strings.Join(strings.Fields(line), " "), "github-actions[bot]", "Ada", 1))
		}
		source := " acme/demo-api@" + strings.Repeat("a", 39) + "1"
		hex := func(n int) string { return demo(n).Hex()[:12] }
		want := []string{
			"2026-11-28 18:30 UTC " + hex(1) + " 1 h back Ada" + source, "2026-11-28 17:30 UTC " + hex(2) + " 1 h back Ada" + source,
			"2026-11-28 15:30 UTC " + hex(3) + " 2 h promote, taken back Ada" + source,
			"2026-11-28 14:30 UTC " + hex(2) + " 1 h Ada by #9" + source,
			"2026-11-21 14:30 UTC " + hex(1) + " 7 d rollback, back Ada" + source,
			"2026-11-21 14:00 UTC " + hex(2) + " 30 m promote, taken back Ada" + source,
			"2026-11-20 13:00 UTC " + hex(1) + " 25 h Ada by #7" + source,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if two, err := report.Read(t.Context(), r, report.Query{
			Branch: "main", App: "demo-api", Env: "staging", Limit: 2, Now: r.Clock.Now(),
		}); err != nil || cmp.Diff(place.Steps[:2], two.Steps, refs) != "" {
			t.Errorf("the newest two: %+v %v", two, err)
		}
	})
}

func TestReport(t *testing.T) {
	t.Parallel()
	configrepotest.Both(t, configrepotest.Files("demo-api", "idle"), func(t *testing.T, r *configrepotest.Repo) {
		made(t, r)
		request := report.Request{Branch: "main", Period: 14 * 24 * time.Hour, Now: r.Clock.Now()}
		got, err := report.Measure(t.Context(), r, request)
		if err != nil {
			t.Fatal(err)
		}
		day := func(month time.Month, d int) time.Time { return time.Date(2026, month, d, 0, 0, 0, 0, time.UTC) }
		minutes := func(known, median, p90 int64) report.Spread {
			return report.Spread{Known: int(known), Median: median * 60, P90: p90 * 60}
		}
		dev := report.Figures{Deployments: 3, PerWeek: 1.5, Lead: minutes(2, 10, 20)}
		// 1 after 70 m, 2 after 80 m and again 8 days later; 2 back after 30 m, 3 after 3 h.
		staging := report.Figures{
			Deployments: 4, PerWeek: 2, Lead: minutes(3, 80, 7*24*60+80+30), TakenBack: 2, Restore: minutes(2, 30, 180),
		}
		weeks := func(first, second, third [2]int) (list []report.Week) {
			for i, w := range [][2]int{first, second, third} {
				list = append(list, report.Week{Begin: day(11, 9+7*i), Deployments: w[0], TakenBack: w[1]})
			}
			return list
		}
		want := report.Report{
			Commit: r.Git(t, "rev-parse", "main"), From: request.Now.Add(-request.Period), Until: request.Now,
			Environments: []report.Row{
				{Env: "dev", Figures: dev, Weeks: weeks([2]int{}, [2]int{2, 0}, [2]int{1, 0})},
				{Env: "staging", Figures: staging, Weeks: weeks([2]int{}, [2]int{2, 1}, [2]int{2, 1})},
				{Env: "prod", Weeks: weeks([2]int{}, [2]int{}, [2]int{})},
			},
			Applications: []report.Row{
				{App: "demo-api", Env: "dev", Figures: dev}, {App: "demo-api", Env: "staging", Figures: staging},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, line := range []string{
			"all        staging   4             2.0      1 h 20 m / 7 d 1 h   50 %         30 m / 3 h",
			"The lead time of 2 of 7 deployments is unknown",
		} {
			if !strings.Contains(got.Text(), line) {
				t.Errorf("no %q in\n%s", line, got.Text())
			}
		}
		request.Period = 2 * time.Hour // after every deployment
		if none, err := report.Measure(t.Context(), r, request); err != nil || len(none.Applications) != 0 ||
			none.Environments[1].Deployments != 0 || none.Environments[1].Rate() != "–" {
			t.Errorf("nothing moved: %+v %v", none, err)
		}
	})
}
