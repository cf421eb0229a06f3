//go:build goexperiment.jsonv2

package main

import (
	"slices"
	"testing"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/scan"
)

func TestFindingOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fixed, vulnerable := alpine("openssl=3.5.4-r0"), alpine("openssl=3.5.1-r0")
	ref := w.push(t, "acme/app",
		platform{"linux/amd64", []map[string]string{fixed}},
		platform{"linux/arm64", []map[string]string{vulnerable}},
	)
	result := w.scan(t, scan.Options{Image: ref, Threshold: evidence.Threshold{Severity: evidence.High}})
	if n := len(result.Report.Platforms); n != 2 {
		t.Fatalf("%d platforms in the report, want 2", n)
	}
	if found := ids(result.Report.Platforms[0]); len(found) != 0 {
		t.Errorf("found %q in linux/amd64, which has the fix", found)
	}
	if found := ids(result.Report.Platforms[1]); !slices.Equal(found, []string{"CVE-1990-0010"}) {
		t.Errorf("found %q in linux/arm64, want CVE-1990-0010", found)
	}
	if !result.Refused() {
		t.Error("a critical finding in linux/arm64 alone does not refuse the image")
	}
	t.Logf("%s", result.Text())
	t.Logf("%s", result.Refusal())
}

func ids(p evidence.PlatformScan) []string {
	var found []string
	for _, f := range p.Findings {
		found = append(found, f.ID)
	}
	return found
}
