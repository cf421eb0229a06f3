package status_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/delivery/status"
)

// hostile stands wherever others write.
const hostile = `</script><script>alert(1)</script><img src=x onerror=alert(1)>" javascript:alert(1)`

func page(t *testing.T, p status.Table) string {
	t.Helper()
	var out strings.Builder
	if err := p.HTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPageShowsEveryPlace(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	text := page(t, status.Table{
		Title: "acme/config", Server: "https://github.com",
		Commit: strings.Repeat("a", 40), At: at, Environments: []string{"dev", "prod"},
		Rows: []status.Row{
			{App: "demo-api", Cells: []status.Cell{
				{Env: "dev", Image: demo(2), Since: at.Add(-4 * time.Minute), Recent: []status.Deployment{
					{Image: demo(2), Since: at, Source: "acme/demo-api@0123456", Run: "https://github.com/acme/config/actions/runs/9"},
				}},
				{Env: "prod", Image: demo(1), Since: at.Add(-26 * time.Hour), Behind: 3, Waits: []string{"soak: 4 m in dev, 24 h asked"},
					Pending: &status.Open{Number: 212, URL: "https://github.com/acme/config/pull/212"}},
			}},
			{App: "demo-web", Cells: []status.Cell{{Env: "prod", Held: &hold.Hold{Reason: "a migration"}}}},
			{App: "extra", Cells: []status.Cell{{Env: "dev", Tag: "v1"}, {Env: "prod", Problem: "no overlay there"}}},
		},
	})
	for _, want := range []string{
		"3 applications, 2 environments", `data-behind="3"`, "3 behind", `href="https://github.com/acme/config/pull/212"`, "4 m", "26 h",
		`href="https://github.com/acme/demo-api/commit/0123456"`, "soak: 4 m in dev, 24 h asked", "a migration", "tag v1",
		"not deployed there",
		`data-mark="broken"`, `data-mark="tag"`, `data-mark="held"`, `data-mark="waits"`, `data-mark="current"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	urgent := text[strings.Index(text, "What needs somebody"):strings.Index(text, "<label")]
	if broken, tag, held, waits := strings.Index(urgent, "extra</b> in <b>prod"), strings.Index(urgent, "extra</b> in <b>dev"),
		strings.Index(urgent, "demo-web"), strings.Index(urgent, "demo-api"); broken < 0 || broken > tag || tag > held || held > waits {
		t.Errorf("what needs somebody is not worst first:\n%s", urgent)
	}
}

func TestPageDrawsTheReport(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
	text := page(t, status.Table{Commit: strings.Repeat("a", 40), Report: &report.Report{Environments: []report.Row{{
		Env:     "prod",
		Figures: report.Figures{Deployments: 6, PerWeek: 3, TakenBack: 1, Lead: report.Spread{Known: 6, Median: 3600, P90: 7200}},
		Weeks:   []report.Week{{Begin: begin, Deployments: 4}, {Begin: begin.AddDate(0, 0, 7), Deployments: 2, TakenBack: 1}},
	}}}})
	for _, want := range []string{
		`<th scope="row">prod</th>`, "<td>6</td><td>3.0</td><td>1 h / 2 h</td><td>17 %</td><td>–</td>",
		`<title>week of 2026-11-23: 2, 1 taken back</title><rect class="all" x="10" y="24" width="8" height="24"/>` +
			`<rect class="back" x="10" y="36" width="8" height="12"/>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// Nothing that others write becomes markup, and nothing is fetched.
func TestPageIsClosed(t *testing.T) {
	t.Parallel()
	text := page(t, status.Table{
		Title: hostile, Server: "https://github.com",
		Commit: strings.Repeat("a", 40), Environments: []string{hostile},
		Rows: []status.Row{{App: hostile, Cells: []status.Cell{{
			Env: hostile, Image: demo(1), Problem: hostile, Waits: []string{hostile}, Held: &hold.Hold{Reason: hostile},
			Pending: &status.Open{Number: 1, URL: "javascript:alert(1)"},
			Recent:  []status.Deployment{{Image: demo(1), Source: hostile, Run: "javascript:alert(1)"}},
		}}}},
	})
	if n := strings.Count(text, "<script"); n != 1 {
		t.Errorf("%d scripts, want the page's own", n)
	}
	for _, bad := range []string{"<img", `href="javascript:`, "alert(1)>\""} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if outside := regexp.MustCompile(`\ssrc=|<link|@import|url\(`).FindString(strings.ReplaceAll(text, " src=x", "")); outside != "" {
		t.Errorf("the page fetches something: %q", outside)
	}
	if !strings.Contains(text, "default-src 'none'") {
		t.Error("the page has no policy that keeps others out")
	}
}
