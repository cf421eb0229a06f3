package running_test

import (
	"context"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/running"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/evidence/evidencetest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Each image of an application is scanned; what both have is found once.
func TestLookAtSeveral(t *testing.T) {
	t.Parallel()
	r := configrepotest.Local(t, configrepotest.Several())
	r.DeploySeveral(t, "main", "prod", evidencetest.Ref("shop-api", 1), evidencetest.Ref("shop-worker", 1))
	scans := make(map[imageref.Ref]int)
	got, err := running.Look(t.Context(), r, running.Request{
		Branch: "main", Now: r.Clock.Now(),
		Bases: func(context.Context, imageref.Ref, evidence.Policy, [][]byte) ([]running.Base, error) {
			return nil, nil
		},
		Scan: func(_ context.Context, image imageref.Ref, _ string, _ []byte) (evidence.ScanReport, error) {
			scans[image]++
			found := evidence.Finding{ID: "CVE-1", Package: "openssl", Version: "3.0", FixedVersion: "3.1", Severity: evidence.High}
			return report(found), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	app := got.Apps[0]
	if len(scans) != 2 || len(app.Images) != 2 || len(app.Findings) != 1 || len(app.Findings[0].Environments) != 1 ||
		len(app.Problems) > 0 {
		t.Errorf("%d scans: %+v", len(scans), app)
	}
}
