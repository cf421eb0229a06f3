package status_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/delivery/report"
	"github.com/waybill-dev/waybill/internal/delivery/status"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func demo(n int) imageref.Ref { return evidencetest.Ref("demo-api", n) }

func TestStatus(t *testing.T) {
	t.Parallel()
	files := configrepotest.Files("demo-api", "demo-web", "extra")
	files["waybill.yaml"] = strings.Replace(files["waybill.yaml"], "source: acme/extra}", "source: acme/extra, environments: [dev]}", 1)
	configrepotest.Both(t, files, func(t *testing.T, r *configrepotest.Repo) {
		r.Deploy(t, "main", "prod", "demo-api", demo(1))
		r.Deploy(t, "main", "staging", "demo-api", demo(1))
		r.Deploy(t, "main", "dev", "demo-api", demo(1))
		r.Clock.Pass(12 * 24 * time.Hour)
		r.Deploy(t, "main", "staging", "demo-api", demo(2))
		r.Clock.Pass(26 * time.Hour)
		r.Deploy(t, "main", "staging", "demo-api", demo(3))
		r.Deploy(t, "main", "dev", "demo-api", demo(3))
		r.Deploy(t, "main", "dev", "demo-web", evidencetest.Ref("demo-web", 1))
		r.Write(t, "main", "broken", map[string]string{configrepotest.Overlay("demo-web", "staging"): "images: [\n"})
		r.Write(
			t, "main", "tag",
			map[string]string{configrepotest.Overlay("demo-web", "prod"): "images:\n  - name: ghcr.io/acme/demo-web\n    newTag: v1\n"},
		)
		r.Clock.Pass(4 * time.Minute)
		own := "waybill/"
		if r.Dir != "" {
			own = "waybill/+deploy+shop/"
		}
		open := []status.Open{
			{Number: 212, URL: "https://github.com/acme/config/pull/212", Branch: own + "prod/demo-api"},
			{Number: 213, Branch: own + "rollback/prod/demo-api"}, {Number: 214, Branch: own + "prod/demo-api-more"},
		}
		table, err := status.Read(t.Context(), r, status.Request{Branch: "main", Open: open, Now: r.Clock.Now()})
		if err != nil {
			t.Fatal(err)
		}
		api := table.Rows[0].Cells
		if api[1].Behind != 0 || api[2].Behind != 2 || api[2].Pending == nil || api[2].Pending.Number != 212 ||
			api[2].Back == nil || api[2].Back.Number != 213 || api[1].Pending != nil {
			t.Errorf("demo-api: %+v", api)
		}
		if !api[2].Since.Equal(configrepotest.Start) || table.Commit != r.Git(t, "rev-parse", "main") {
			t.Errorf("since %v at %s", api[2].Since, table.Commit)
		}
		if problem := table.Rows[1].Cells[1].Problem; !strings.Contains(problem, "demo-web/overlays/staging/kustomization.yaml") {
			t.Errorf("the broken overlay: %q", problem)
		}
		var out strings.Builder
		if err := table.Text(&out); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(out.String()) {
			lines = append(lines, strings.TrimRight(line, " \n"))
		}
		short := func(ref imageref.Ref) string { return ref.Hex()[:8] }
		want := []string{
			"           dev              staging          prod",
			"demo-api   " + short(demo(3)) + "  4 m   " + short(demo(3)) + "  4 m   " + short(demo(1)) + "  13 d 2 h  (2 behind)   " +
				"⏳ #212 waits to enter prod  ↩ #213 would roll back prod",
			"demo-web   " + short(evidencetest.Ref("demo-web", 1)) + "  4 m   unreadable      tag v1",
			"extra      —",
		}
		if diff := cmp.Diff(want[1:], lines[1:]); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
		if got := strings.Fields(lines[0]); strings.Join(got, " ") != "dev staging prod" {
			t.Errorf("heading: %q", lines[0])
		}
	})
}

// People look for app-2 before app-10.
func TestOrderOfApplications(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("app-10", "app-2", "app-1"))
	table, err := status.Read(t.Context(), r, status.Request{Branch: "main", Now: r.Clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range table.Rows {
		got = append(got, row.App)
	}
	if diff := cmp.Diff([]string{"app-1", "app-2", "app-10"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBranchThatIsNotThere(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	if _, err := status.Read(t.Context(), r, status.Request{Branch: "none", Now: r.Clock.Now()}); err == nil ||
		!strings.Contains(err.Error(), "read the head of none") {
		t.Errorf("got %v", err)
	}
}

// The placeholder of the starter files was no deployment.
func TestBehindWhereNothingRanYet(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Files("demo-api"))
	r.Deploy(t, "main", "dev", "demo-api", demo(1))
	r.Deploy(t, "main", "dev", "demo-api", demo(2))
	table, err := status.Read(t.Context(), r, status.Request{Branch: "main", Now: r.Clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if cells := table.Rows[0].Cells; cells[1].Behind != 2 || cells[2].Behind != 0 || !cells[1].Image.IsZero() {
		t.Errorf("got %+v", cells)
	}
}

// On GitHub, a table takes a few requests however many places it has: a job's token
// may send a thousand an hour.
func TestRequests(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	r := configrepotest.GitHub(t, configrepotest.Files(names...))
	for _, app := range names {
		for n := range 3 {
			for _, env := range []string{"dev", "staging", "prod"}[:3-n] {
				r.Deploy(t, "main", env, app, evidencetest.Ref(app, n+1))
				r.Clock.Pass(time.Hour)
			}
		}
	}
	request := status.Request{Branch: "main", Now: r.Clock.Now(), Recent: 5}
	want, err := status.Read(t.Context(), r.InPlace(t), request)
	if err != nil {
		t.Fatal(err)
	}
	r.Requests.Take()
	store := r.Open(t)
	got, err := status.Read(t.Context(), store, request)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(document(t, want), document(t, got)); diff != "" {
		t.Errorf("(-in the clone +through the API):\n%s", diff)
	}
	n, asked := r.Requests.Take()
	if n > 10 || n == 0 {
		t.Errorf("%d requests for ten applications in three environments, want at most 10:\n%s", n, asked)
	}
	// The report of the page finds the histories read.
	_, err = report.Measure(t.Context(), store, report.Request{Branch: "main", Now: r.Clock.Now(), Period: 90 * 24 * time.Hour})
	if n, asked := r.Requests.Take(); err != nil || n > 1 {
		t.Errorf("%d more requests for the report, want the branch's head alone: %v\n%s", n, err, asked)
	}
}

func document(t *testing.T, table status.Table) string {
	t.Helper()
	data, err := json.MarshalIndent(table, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
