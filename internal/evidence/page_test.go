package evidence

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func page(t *testing.T, e Evidence, p Policy) string {
	t.Helper()
	var out strings.Builder
	if err := NewWaybill(e, p, now).HTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// The page says what was decided and why, and where a waiver or a VEX document
// took effect.
func TestPage(t *testing.T) {
	t.Parallel()
	e, p := good(), goodPolicy()
	p.VEX = true
	p.Threshold.Waivers = []Waiver{{ID: "CVE-2026-1", Reason: "not reachable", Expires: now.Add(24 * time.Hour)}}
	e.Problems = []Problem{{Kind: Scan, Detail: "signed by a stranger"}}
	rescan(&e, func(r *ScanReport) {
		r.Platforms[0].Findings = []Finding{
			{ID: "CVE-2026-1", Package: "openssl", Severity: High},
			{ID: "CVE-2026-2", Package: "zlib", Severity: Critical, Waived: VEXPrefix + "not_affected"},
			{ID: "CVE-2026-3", Package: "musl", Severity: Low, Waived: VEXPrefix + "fixed"},
		}
	})
	text := page(t, e, p)
	for _, want := range []string{
		"<h1 class=\"ok\">", "ghcr.io/acme/demo-api", amdDigest, "waived until 2026-11-21: not reachable", "VEX: not_affected",
		"signed by a stranger", "https://cosign.sigstore.dev/attestation/vuln/v1", "gcr.io/distroless/static:nonroot",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	excused := text[strings.Index(text, "<h2>Excused"):strings.Index(text, "<h2>Findings")]
	if n := strings.Count(excused, "<tr><td>"); n != 2 {
		t.Errorf("%d findings are excused, want the two that would refuse", n)
	}
	if refused := page(t, Evidence{Image: e.Image}, p); !strings.Contains(refused, "<h1 class=\"refused\">") ||
		!strings.Contains(refused, "To pass: sign it with waybill sign") {
		t.Error("a refused image is not shown as refused, with a remedy")
	}
}

// Nothing that others write becomes markup, and nothing is fetched.
func TestPageIsClosed(t *testing.T) {
	t.Parallel()
	const hostile = `</title><script>alert(1)</script><img src=x onerror=alert(1)>" javascript:alert(1)`
	e, p := good(), goodPolicy()
	e.Problems = []Problem{{Kind: hostile, Detail: hostile}}
	e.Unread = hostile
	e.Records[0].PredicateType, e.Records[0].Signer.RunURL = hostile, "javascript:alert(1)"
	rescan(&e, func(r *ScanReport) {
		r.Platforms[0].Findings = []Finding{{ID: hostile, Package: hostile, Version: hostile, Severity: High, URL: "javascript:alert(1)"}}
	})
	text := page(t, e, p)
	for _, bad := range []string{"<script", "<img", `href="javascript:`} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if outside := regexp.MustCompile(`<link|@import|url\(`).FindString(text); outside != "" {
		t.Errorf("the page fetches something: %q", outside)
	}
	if !strings.Contains(text, "default-src 'none'") {
		t.Error("the page has no policy that keeps others out")
	}
}
