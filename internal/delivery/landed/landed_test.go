package landed_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/landed"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// Each digest that comes to a place gets one deployment, and ends the one before it of
// its own application alone.
func TestRecord(t *testing.T) {
	t.Parallel()
	r := configrepotest.GitHub(t, configrepotest.Files("api", "web"))
	record := func() string {
		t.Helper()
		tip, err := history.ReadTip(t.Context(), r, "main")
		if err != nil {
			t.Fatal(err)
		}
		list, err := landed.Record(t.Context(), r.API, r.Name, tip)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, l := range list {
			first := "first "
			if !l.Previous.IsZero() {
				first = ""
			}
			said = append(said, first+l.App+" in "+l.Env)
		}
		return strings.Join(said, ", ")
	}
	if got := record(); got != "" {
		t.Errorf("before anything runs: %s", got)
	}
	r.Deploy(t, "main", "dev", "api", evidencetest.Ref("api", 1))
	r.Deploy(t, "main", "dev", "web", evidencetest.Ref("web", 1))
	if got := record(); got != "first api in dev, first web in dev" {
		t.Errorf("got %s", got)
	}
	if got := record(); got != "" {
		t.Errorf("again: %s", got)
	}
	r.Deploy(t, "main", "dev", "api", evidencetest.Ref("api", 2))
	if got := record(); got != "api in dev" {
		t.Errorf("another digest: %s", got)
	}
	r.Deploy(t, "main", "dev", "api", evidencetest.Ref("api", 1))
	if got := record(); got != "api in dev" {
		t.Errorf("back again: %s", got)
	}
	// Another directory of the repository has deployments of its own.
	tip, err := history.ReadTip(t.Context(), r, "main")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := *tip.Snapshot
	elsewhere.Dir = "deploy/other"
	for _, want := range []int{2, 0} {
		made, err := landed.Record(t.Context(), r.API, r.Name, history.Tip{Snapshot: &elsewhere, Config: tip.Config})
		if err != nil || len(made) != want {
			t.Errorf("in another directory: %d, want %d, %v", len(made), want, err)
		}
	}
	if got := record(); got != "" {
		t.Errorf("after the other directory's: %s", got)
	}
	list, err := r.API.Deployments(t.Context(), r.Name, landed.Task, "dev")
	if err != nil || len(list) != 6 {
		t.Fatal(len(list), err)
	}
	var states []string
	for _, d := range list {
		statuses, err := r.API.DeploymentStatuses(t.Context(), r.Name, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, statuses[0].State)
	}
	// Two elsewhere, then api, api, web, api.
	if got := strings.Join(states, " "); got != "success success success inactive success inactive" {
		t.Errorf("the states are %s", got)
	}
}

// The organisation is told by digest what is stored and deployed, under a name that
// another repository or directory does not have. What it does not take is an error.
func TestArtifacts(t *testing.T) {
	t.Parallel()
	r := configrepotest.GitHub(t, configrepotest.Files("api"))
	permissions := configrepotest.JobPermissions()
	permissions["artifact-metadata"] = "write"
	api := r.Client(t, sandbox.Token{Job: true, Permissions: permissions})
	r.Deploy(t, "main", "dev", "api", evidencetest.Ref("api", 1))
	land := func(dir string) landed.Landing {
		t.Helper()
		tip, err := history.ReadTip(t.Context(), r, "main")
		if err != nil {
			t.Fatal(err)
		}
		at := *tip.Snapshot
		at.Dir = dir
		list, err := landed.Record(t.Context(), r.API, r.Name, history.Tip{Snapshot: &at, Config: tip.Config})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	top, below := land(""), land("deploy/shop")
	for _, told := range []struct {
		landing landed.Landing
		source  string
	}{{top, "acme/api"}, {top, "Acme/api"}, {below, "elsewhere/api"}, {below, ""}} {
		if err := told.landing.Artifacts(t.Context(), api, r.Name, told.source); err != nil {
			t.Fatal(err)
		}
	}
	digest := evidencetest.Ref("api", 1).Digest()
	want := []string{
		"ghcr.io/acme/api@" + digest + " deployed in dev as config/api of api",
		"ghcr.io/acme/api@" + digest + " active in https://ghcr.io/ acme/api of config",
		"ghcr.io/acme/api@" + digest + " deployed in dev as config/deploy/shop/api of config",
	}
	if got := r.Server.Artifacts("acme"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := top.Artifacts(t.Context(), r.API, r.Name, ""); err == nil || !strings.Contains(err.Error(), "artifact-metadata: write") {
		t.Errorf("without the right: %v", err)
	}
}
