//go:build goexperiment.jsonv2

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/process"
	"github.com/waybill-dev/waybill/internal/scan"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// pair is a vulnerability in a version of a package, or a package alone.
type pair struct{ ID, Package, Version, Fixed, Severity string }

func TestAgreesWithTrivy(t *testing.T) {
	t.Parallel()
	trivy := tooltest.Find(t, "trivy")
	w := newWorld(t)
	shared := debian("openssl=3.5.1-1", "zlib1g=1:1.3.1-1 (zlib)", "tzdata=2025b-4")
	ref := w.push(t, "acme/app",
		platform{"linux/amd64", []map[string]string{shared, {"app/server": goBinary(t, "amd64")}}},
		platform{"linux/arm64", []map[string]string{shared, {"app/server": goBinary(t, "arm64")},
			{"usr/lib/node_modules/left/package.json": `{"name": "left", "version": "1.0.0", "license": "MIT"}`}}},
		platform{"linux/arm/v7", []map[string]string{alpine("openssl=3.5.1-r0", "musl=1.2.5-r10", "busybox=1.37.0-r18")}},
	)
	result := w.scan(t, scan.Options{Image: ref, Threshold: evidence.Threshold{Severity: evidence.Critical}})
	cache := t.TempDir()
	for _, p := range result.Report.Platforms {
		packages, findings := peer(t, trivy, cache, w.host+"/trivy-db:2", ref.Repository()+"@"+p.Digest, p.Platform)
		if len(findings) == 0 {
			t.Errorf("trivy finds nothing in %s: the test compares nothing", p.Platform)
		}
		var ours, ourPackages []pair
		for _, f := range p.Findings {
			ours = append(ours, pair{f.ID, f.Package, f.Version, f.FixedVersion, string(f.Severity)})
		}
		for _, q := range p.Packages {
			ourPackages = append(ourPackages, pair{Package: q.Name})
		}
		sorted := cmpopts.SortSlices(func(a, b pair) bool { return a.ID+a.Package+a.Version < b.ID+b.Package+b.Version })
		if diff := cmp.Diff(findings, ours, sorted); diff != "" {
			t.Errorf("findings in %s differ, -trivy +waybill:\n%s", p.Platform, diff)
		}
		if diff := cmp.Diff(packages, ourPackages, sorted); diff != "" {
			t.Errorf("packages in %s differ, -trivy +waybill:\n%s", p.Platform, diff)
		}
	}
}

// peer asks the stock trivy command line.
func peer(t *testing.T, trivy, cache, database, image, platform string) (packages, findings []pair) {
	t.Helper()
	out, err := process.Command{
		Path: trivy, Env: []string{"HOME=" + cache, "PATH=/usr/bin:/bin"},
		Args: []string{
			"image", "--quiet", "--cache-dir", cache, "--db-repository", database, "--scanners", "vuln", "--list-all-pkgs", "--format", "json",
			"--skip-version-check", "--disable-telemetry", "--offline-scan", "--image-src", "remote", "--platform", platform, image,
		},
	}.Output(t.Context())
	if err != nil {
		t.Fatalf("run trivy: %v", err)
	}
	var report struct {
		Results []struct {
			Packages        []struct{ Name string }
			Vulnerabilities []struct{ VulnerabilityID, PkgName, InstalledVersion, FixedVersion, Severity string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("read trivy's report: %v", err)
	}
	for _, r := range report.Results {
		for _, p := range r.Packages {
			packages = append(packages, pair{Package: p.Name})
		}
		for _, v := range r.Vulnerabilities {
			findings = append(findings, pair{v.VulnerabilityID, v.PkgName, v.InstalledVersion, v.FixedVersion, severityOf(v.Severity)})
		}
	}
	return packages, findings
}

func severityOf(trivys string) string {
	return map[string]string{"CRITICAL": "critical", "HIGH": "high", "MEDIUM": "medium", "LOW": "low", "UNKNOWN": "unknown"}[trivys]
}

// goBinary builds a program that depends on modules with advisories.
func goBinary(t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range map[string]string{
		"go.mod":  "module example.com/server\n\ngo 1.26\n\nrequire (\n\texample.com/vulnerable/critical v1.2.3\n\texample.com/vulnerable/unfixed v0.1.0\n)\n",
		"main.go": "package main\n\nimport (\n\t_ \"example.com/vulnerable/critical\"\n\t_ \"example.com/vulnerable/unfixed\"\n)\n\nfunc main() { println(\"hello\") }\n",
		"vendor/modules.txt": "# example.com/vulnerable/critical v1.2.3\n## explicit; go 1.26\nexample.com/vulnerable/critical\n" +
			"# example.com/vulnerable/unfixed v0.1.0\n## explicit; go 1.26\nexample.com/vulnerable/unfixed\n",
		"vendor/example.com/vulnerable/critical/critical.go": "package critical\n",
		"vendor/example.com/vulnerable/unfixed/unfixed.go":   "package unfixed\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=-mod=vendor", "GOWORK=off")
	if err := (process.Command{Path: "go", Args: []string{"build", "-o", "server", "."}, Dir: dir, Env: env}).Run(t.Context()); err != nil {
		t.Fatalf("build the program to scan: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "server"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
