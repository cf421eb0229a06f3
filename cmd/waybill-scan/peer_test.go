//go:build goexperiment.jsonv2

package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the Java database is keyed by it
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	javadb "github.com/aquasecurity/trivy-java-db/pkg/db"
	javatypes "github.com/aquasecurity/trivy-java-db/pkg/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/rehearsal/vulndb"
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
			{"usr/lib/node_modules/left/package.json": `{"name": "left", "version": "1.0.0", "license": "MIT"}`,
				"app/vendor/composer/installed.json": `{"packages": [{"name": "acme/used", "version": "1.0.0"}], "packages-dev": [{"name": "acme/for-tests", "version": "1.0.0"}]}`}}},
		platform{"linux/ppc64le", []map[string]string{rocky(t), {"app/lib.jar": jar(t)}}},
		platform{"linux/arm/v7", []map[string]string{alpine("openssl=3.5.1-r0", "musl=1.2.5-r10", "busybox=1.37.0-r18")}},
	)
	result := w.scan(t, scan.Options{
		Image: ref, Threshold: evidence.Threshold{Severity: evidence.Critical}, JavaDatabase: w.javaDatabase(t),
	})
	for i, want := range []int{7, 9, 131, 3} { // one way of storing packages that is not read shows here
		if n := len(result.Report.Platforms[i].Packages); n != want {
			t.Errorf("%d packages in %s, want %d", n, result.Report.Platforms[i].Platform, want)
		}
	}
	cache := t.TempDir()
	for _, p := range result.Report.Platforms {
		packages, findings := peer(t, trivy, cache, w.host, ref.Repository()+"@"+p.Digest, p.Platform)
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
func peer(t *testing.T, trivy, cache, host, image, platform string) (packages, findings []pair) {
	t.Helper()
	out, err := process.Command{
		Path: trivy, Env: []string{"HOME=" + cache, "PATH=/usr/bin:/bin"},
		Args: []string{
			"image", "--quiet", "--cache-dir", cache, "--db-repository", host + "/trivy-db:2",
			"--java-db-repository", host + "/trivy-java-db:1", "--scanners", "vuln", "--list-all-pkgs", "--format", "json",
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
		"go.mod": "module example.com/server\n\ngo 1.26\n\nrequire (\n\texample.com/vulnerable/critical " +
			"v1.2.3\n\texample.com/vulnerable/unfixed v0.1.0\n)\n",
		"main.go": "package main\n\nimport (\n\t_ \"example.com/vulnerable/critical\"\n\t_ " +
			"\"example.com/vulnerable/unfixed\"\n)\n\nfunc main() { println(\"hello\") }\n",
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

// rocky is the part of a Rocky Linux image that a scanner reads. The package
// database is an example of the module that reads it.
func rocky(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(
		moduleDir(t, "github.com/knqyf263/go-rpmdb"), "pkg", "testdata", "cbl-mariner-2.0", "rpmdb.sqlite",
	))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"etc/os-release":           "ID=rocky\nVERSION_ID=\"9.6\"\n",
		"etc/rocky-release":        "Rocky Linux release 9.6 (Blue Onyx)\n",
		"var/lib/rpm/rpmdb.sqlite": string(data),
	}
}

// jar is a library with an advisory that says what it is, and in it one that
// the Java database alone knows.
func jar(t *testing.T) string {
	t.Helper()
	return zipped(t, "META-INF/maven/com.example/vulnerable/pom.properties", "groupId=com.example\nartifactId=vulnerable\nversion=1.0.0\n",
		"lib/nameless.jar", zipped(t, "a.txt", "nameless"))
}

func zipped(t *testing.T, files ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i+1 < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// javaDatabase pushes a Java database that knows the library without a name.
func (w world) javaDatabase(t *testing.T) func(context.Context) (string, error) {
	t.Helper()
	dir := t.TempDir()
	database, err := javadb.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := database.Init(); err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum([]byte(zipped(t, "a.txt", "nameless"))) //nolint:gosec // the database is keyed by it
	if err := database.InsertIndexes([]javatypes.Index{{
		GroupID: "com.example", ArtifactID: "nameless", Version: "2.0.0", SHA1: sum[:], ArchiveType: javatypes.JarType,
	}}); err != nil {
		t.Fatal(err)
	}
	if err := database.Close(); err != nil {
		t.Fatal(err)
	}
	metadata := javadb.NewMetadata(dir)
	if err := metadata.Update(javadb.Metadata{
		Version: javadb.SchemaVersion, UpdatedAt: time.Now(), NextUpdate: time.Now().Add(time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	image, err := vulndb.JavaArtifact(dir)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := w.client.PushImage(t.Context(), w.repository(t, "trivy-java-db"), image)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.client.Tag(t.Context(), ref, "1"); err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	return func(ctx context.Context) (string, error) {
		return scan.OpenJavaDatabase(ctx, w.client, scan.DatabaseOptions{
			Repository: w.host + "/trivy-java-db:1", CacheDir: cache, Now: time.Now(),
		})
	}
}
