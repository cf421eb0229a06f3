package scan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/evidence"
)

func testResult() Result {
	at := time.Date(2026, 11, 20, 6, 12, 0, 0, time.UTC)
	openssl := evidence.Finding{
		ID: "CVE-2026-1234", Package: "openssl", Version: "3.3.1", FixedVersion: "3.3.2", Severity: evidence.Critical,
		Title: "overflow [here](https://evil.example)", URL: "https://avd.aquasec.com/nvd/cve-2026-1234",
	}
	text := evidence.Finding{
		ID: "CVE-2026-2", Package: "golang.org/x/text", Version: "v0.3.6", Severity: evidence.Medium, Target: "app/ser ver",
		URL: "javascript:alert(1)",
	}
	waived := evidence.Finding{
		ID: "CVE-2026-3", Package: "zlib", Version: "1.3", Severity: evidence.High,
		Waived: "waived until 2026-12-31: not reachable",
	}
	report := evidence.ScanReport{
		Schema: evidence.ScanSchema, Image: "registry.example/acme/app@sha256:" + strings.Repeat("1", 64),
		Scanner: evidence.Scanner{Name: "trivy", Version: "0.72.0"}, Database: evidence.Database{UpdatedAt: at},
		Platforms: []evidence.PlatformScan{
			{
				Platform: "linux/amd64", Digest: "sha256:" + strings.Repeat("2", 64), OS: "debian 13.1",
				Findings: []evidence.Finding{openssl, text},
			},
			{Platform: "linux/arm64", Digest: "sha256:" + strings.Repeat("3", 64), Findings: []evidence.Finding{openssl, waived}},
		},
	}
	return Result{Report: report, Blocking: evidence.Threshold{Severity: evidence.High}.Blocking(report, at)}
}

func TestText(t *testing.T) {
	t.Parallel()
	text := testResult().Text()
	for _, want := range []string{
		"is refused: 1 finding(s) at or above the threshold\n",
		"critical 1  high 0  medium 1  low 0  unknown 0   database of 2026-11-20 06:12 UTC   trivy 0.72.0\n",
		"critical  CVE-2026-1234  openssl            3.3.1    3.3.2     all          overflow",
		"medium    CVE-2026-2     golang.org/x/text  v0.3.6   -         linux/amd64",
		"(high)    CVE-2026-3     zlib               1.3      -         linux/arm64  waived until 2026-12-31: not reachable\n",
		" linux/arm64  sha256:333333333333  no distribution  0 packages  2 findings\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestTextCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	r := testResult()
	evil := "\x1b]0;owned\x07\x1b[2J\u202eabc\nrefused: nothing"
	for i := range r.Report.Platforms {
		p := &r.Report.Platforms[i]
		p.OS = evil
		for j := range p.Findings {
			f := &p.Findings[j]
			f.ID, f.Package, f.Version, f.FixedVersion, f.Title, f.Waived = evil, evil, evil, evil, evil, ""
		}
	}
	r.Blocking = r.Report.Distinct()
	for _, text := range []string{r.Text(), r.Refusal(), Annotation(r.Blocking[0])} {
		for _, bad := range []string{"\x1b", "\x07", "\u202e", "\nrefused"} {
			if strings.Contains(text, bad) {
				t.Errorf("%q gets through in %q", bad, text)
			}
		}
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	r := testResult()
	want := r.Report.Image + ` has 1 finding(s) at or above the threshold
  critical  CVE-2026-1234  openssl 3.3.1, fixed in 3.3.2
  update to the fixed version (or the base image that has it), or add a waiver with reason and expiry`
	if got := r.Refusal(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	r.Blocking = nil
	for i := range 13 {
		r.Blocking = append(r.Blocking, evidence.Finding{ID: fmt.Sprintf("CVE-%d", i), Package: "p", Version: "1", Severity: evidence.High})
	}
	got := r.Refusal()
	if !strings.Contains(got, "… and 3 more\n") || strings.Contains(got, "CVE-10 ") || strings.Contains(got, "update to the fixed") {
		t.Errorf("got:\n%s", got)
	}
	r.Blocking = nil
	if got := r.Refusal(); got != "" {
		t.Errorf("nothing blocks, and still: %s", got)
	}
}

func TestSummaryEscapes(t *testing.T) {
	t.Parallel()
	r := testResult()
	r.Report.Platforms[0].Findings[0].Title = "</details> @acme/platform | <img src=x>"
	summary := r.Summary()
	for _, bad := range []string{"</details> @", "<img", "javascript:", "@acme/platform |"} {
		if strings.Contains(summary, bad) {
			t.Errorf("%q gets through:\n%s", bad, summary)
		}
	}
	if !strings.Contains(summary, "[CVE\\-2026\\-1234]") && !strings.Contains(summary, "[CVE-2026-1234]") {
		t.Errorf("no link to the finding:\n%s", summary)
	}
}

// Code scanning rejects more than twenty runs, and shows the 5,000 worst results.
func TestSARIFStaysWithinTheLimits(t *testing.T) {
	t.Parallel()
	r := testResult()
	many := evidence.PlatformScan{Platform: "linux/amd64"}
	for i := range sarifResults + 10 {
		many.Findings = append(many.Findings, evidence.Finding{ID: fmt.Sprintf("CVE-%d", i), Package: "p", Severity: evidence.Low})
	}
	many.Findings = append(many.Findings, evidence.Finding{ID: "CVE-WORST", Package: "p", Severity: evidence.Critical})
	for n, runs := range map[int]int{1: 1, sarifRuns: sarifRuns, sarifRuns + 1: 1} {
		r.Report.Platforms = nil
		for i := range n {
			r.Report.Platforms = append(r.Report.Platforms, evidence.PlatformScan{Platform: fmt.Sprintf("linux/p%d", i)})
		}
		r.Report.Platforms[0].Findings = many.Findings
		data, err := r.SARIF("docker/Docker file")
		if err != nil {
			t.Fatal(err)
		}
		var log sarifLog
		if err := json.Unmarshal(data, &log); err != nil {
			t.Fatal(err)
		}
		if len(log.Runs) != runs || len(log.Runs[0].Results) != sarifResults || log.Runs[0].Results[0].RuleID != "CVE-WORST" {
			t.Errorf("%d platforms: %d runs, the first with %d results", n, len(log.Runs), len(log.Runs[0].Results))
		}
		if got := log.Runs[0].Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI; got != "docker/Docker%20file" {
			t.Errorf("the alert points at %s", got)
		}
	}
}

// Code scanning rejects two runs of one category, and an index may name a platform twice.
func TestSARIFHasACategoryOnce(t *testing.T) {
	t.Parallel()
	r := testResult()
	r.Report.Platforms[1].Platform = r.Report.Platforms[0].Platform
	data, err := r.SARIF("")
	if err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(data, &log); err != nil {
		t.Fatal(err)
	}
	if len(log.Runs) != 1 || len(log.Runs[0].Results) != 2 {
		t.Errorf("%d runs: %s", len(log.Runs), data)
	}
}

func TestSARIF(t *testing.T) {
	t.Parallel()
	data, err := testResult().SARIF("")
	if err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	if err := json.Unmarshal(data, &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 2 || len(log.Runs[0].Results) != 2 || len(log.Runs[0].Tool.Driver.Rules) != 2 {
		t.Fatalf("got %s", data)
	}
	run := log.Runs[0]
	first := run.Results[0]
	if first.RuleID != "CVE-2026-1234" || run.Tool.Driver.Rules[first.RuleIndex].ID != first.RuleID || first.Level != "error" {
		t.Errorf("the first result is %+v", first)
	}
	if got := run.Tool.Driver.Rules[0].Properties["security-severity"]; got != "9.5" {
		t.Errorf("the security severity of a critical finding is %v", got)
	}
	if got := run.Tool.Driver.Rules[0].ShortDescription.Text; got != `overflow \[here\](https://evil.example)` {
		t.Errorf("a title became a link: %s", got)
	}
	for _, result := range run.Results {
		uri := result.Locations[0].PhysicalLocation.ArtifactLocation.URI
		if want := map[string]string{
			"CVE-2026-1234": "packages/openssl", "CVE-2026-2": "app/ser%20ver", "CVE-2026-3": "packages/zlib",
		}[result.RuleID]; uri != want {
			t.Errorf("%s is at %q, want %q", result.RuleID, uri, want)
		}
	}
	for i, want := range []string{"waybill/registry.example/acme/app/linux/amd64/", "waybill/registry.example/acme/app/linux/arm64/"} {
		if got := log.Runs[i].AutomationDetails.ID; got != want {
			t.Errorf("category %s, want %s", got, want)
		}
	}
	if arm := log.Runs[1].Results; len(arm) != 1 || arm[0].RuleID != "CVE-2026-1234" { // the other finding is waived
		t.Errorf("on arm64 there is %+v", arm)
	}
	if rule := run.Tool.Driver.Rules[1]; rule.ID == "CVE-2026-2" && rule.HelpURI != "" {
		t.Errorf("help at %s", rule.HelpURI)
	}
}
