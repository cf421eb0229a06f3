//go:build goexperiment.jsonv2

package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func TestFindingOfAnotherPlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fixed, vulnerable := alpine("openssl=3.5.4-r0"), alpine("openssl=3.5.1-r0")
	ref := w.push(t, "acme/app",
		platform{"linux/amd64", []map[string]string{fixed}},
		platform{"linux/arm64", []map[string]string{vulnerable}},
	)
	result := w.scan(t, scan.Options{Image: ref, Threshold: evidence.Threshold{Severity: evidence.Critical}})
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
}

func TestBaseline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	older := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{alpine("openssl=3.5.1-r0", "busybox=1-r0")}})
	newer := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{alpine("openssl=3.5.4-r0", "musl=1.2.5-r10")}})
	result := w.scan(t, scan.Options{Image: newer, Baseline: older, Threshold: evidence.Threshold{Severity: "none"}})
	if c := result.Baseline; c == nil || keys(c.New) != "CVE-1990-0011 musl" || keys(c.Fixed) != "CVE-1990-0010 openssl" {
		t.Errorf("got %+v", result.Baseline)
	}
	if result.Report.Image != newer.String() || len(result.Report.Platforms) != 1 {
		t.Errorf("the report is about %s", result.Report.Image)
	}
}

func TestEveryLayerIsReadOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shared := debian("openssl=3.5.1-1")
	base := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{shared, {"a": "base"}}})
	ref := w.push(t, "acme/app",
		platform{"linux/amd64", []map[string]string{shared, {"a": "amd64"}}},
		platform{"linux/arm64", []map[string]string{shared, {"a": "arm64"}}},
	)
	var mu sync.Mutex
	reads := make(map[string]int)
	w.server.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		if _, blob, ok := strings.Cut(r.URL.Path, "/blobs/"); ok && r.Method == http.MethodGet {
			mu.Lock()
			reads[blob]++
			mu.Unlock()
		}
		return false
	}
	w.scan(t, scan.Options{Image: ref, Baseline: base})
	mu.Lock()
	defer mu.Unlock()
	if len(reads) != 7 {
		t.Errorf("read %d blobs, want 3 configurations and 4 layers", len(reads))
	}
	for blob, n := range reads {
		if n != 1 {
			t.Errorf("read %s %d times", blob, n)
		}
	}
}

func TestWaiverAndVEX(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{alpine("openssl=3.5.1-r0", "musl=1.2.5-r10")}})
	platforms, err := w.client.Platforms(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	statement := `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/1", "author": "acme", "timestamp": "2026-11-20T06:12:00Z", "version": 1,
  "statements": [{"vulnerability": {"name": "CVE-1990-0011"}, "products": [{"@id": "pkg:apk/alpine/musl"}], "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path"}]}`
	cyclone := `{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "vulnerabilities": [{"id": "CVE-1990-0010",
  "analysis": {"state": "not_affected", "justification": "code_not_reachable"}, "affects": [{"ref": "pkg:apk/alpine/openssl@3.5.1-r0?arch=x86_64&distro=3.22.1"}]}]}`
	about := func(product string) string {
		return strings.Replace(
			statement, `{"@id": "pkg:apk/alpine/musl"}`,
			`{"@id": "`+product+`", "subcomponents": [{"@id": "pkg:apk/alpine/musl@1.2.5-r10"}]}`, 1,
		)
	}
	oci := func(digest string) string {
		return about("pkg:oci/app@" + url.QueryEscape(digest) + "?repository_url=" + url.QueryEscape(ref.Repository()))
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	vex, cyclonedx := file("vex.json"), file("vex.cdx.json")
	for path, content := range map[string]string{
		vex: statement, cyclonedx: cyclone, file("index.json"): oci(ref.Digest()), file("platform.json"): oci(platforms[0].Ref.Digest()),
		file("other.json"):      oci("sha256:" + strings.Repeat("0", 64)),
		file("repository.json"): about("pkg:oci/app?repository_url=" + url.QueryEscape(ref.Repository())),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	waiver := evidence.Waiver{ID: "CVE-1990-0010", Reason: "not reachable", Expires: time.Now().Add(time.Hour)}
	expired := waiver
	expired.Expires = time.Now().Add(-time.Hour)
	medium := evidence.Threshold{Severity: evidence.Medium}
	with := func(t evidence.Threshold, w evidence.Waiver) evidence.Threshold {
		t.Waivers = []evidence.Waiver{w}
		return t
	}
	for name, test := range map[string]struct {
		options  scan.Options
		blocking string
	}{
		"nothing waived":               {scan.Options{Threshold: medium}, "CVE-1990-0010 openssl,CVE-1990-0011 musl"},
		"OpenVEX":                      {scan.Options{Threshold: medium, VEX: []string{vex}}, "CVE-1990-0010 openssl"},
		"OpenVEX about the index":      {scan.Options{Threshold: medium, VEX: []string{file("index.json")}}, "CVE-1990-0010 openssl"},
		"OpenVEX about the platform":   {scan.Options{Threshold: medium, VEX: []string{file("platform.json")}}, "CVE-1990-0010 openssl"},
		"OpenVEX about the repository": {scan.Options{Threshold: medium, VEX: []string{file("repository.json")}}, "CVE-1990-0010 openssl"},
		"OpenVEX about another image": {
			scan.Options{Threshold: medium, VEX: []string{file("other.json")}}, "CVE-1990-0010 openssl,CVE-1990-0011 musl",
		},
		"CycloneDX VEX":      {scan.Options{Threshold: medium, VEX: []string{cyclonedx}}, "CVE-1990-0011 musl"},
		"OpenVEX and waiver": {scan.Options{Threshold: with(medium, waiver), VEX: []string{vex}}, ""},
		"waiver":             {scan.Options{Threshold: with(medium, waiver)}, "CVE-1990-0011 musl"},
		"expired waiver":     {scan.Options{Threshold: with(medium, expired)}, "CVE-1990-0010 openssl,CVE-1990-0011 musl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.options.Image = ref
			result := w.scan(t, test.options)
			if got := keys(result.Blocking); got != test.blocking {
				t.Errorf("%q block, want %q", got, test.blocking)
			}
			if got := ids(result.Report.Platforms[0]); !slices.Equal(got, []string{"CVE-1990-0010", "CVE-1990-0011"}) {
				t.Errorf("the report has %q: what is waived has to stay in it", got)
			}
			for _, f := range result.Report.Platforms[0].Findings {
				if waived := !strings.Contains(test.blocking, f.ID); waived != (f.Waived != "") {
					t.Errorf("%s is waived by %q", f.ID, f.Waived)
				}
			}
		})
	}
}

// A statement that could excuse a finding and excuses none is named.
func TestUnusedVEXIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{alpine("musl=1.2.5-r10")}})
	document := func(id, product string) string {
		path := filepath.Join(t.TempDir(), "vex.json")
		text := `{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.com/vex/1", "author": "acme", "timestamp": "2026-11-20T06:12:00Z", "version": 1,
  "statements": [{"vulnerability": {"name": "` + id + `"}, "products": [{"@id": "` + product + `"}], "status": "not_affected", "justification": "component_not_present"}]}`
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct{ id, product, want string }{
		"another product": {
			"CVE-1990-0011", "pkg:oci/other",
			"says of CVE-1990-0011 that not_affected, and this excuses no finding of " + ref.String() + ": it names pkg:oci/other",
		},
		"the package":       {"CVE-1990-0011", "pkg:apk/alpine/musl", ""},
		"what is not found": {"CVE-1990-9999", "pkg:oci/other", ""},
	} {
		var words strings.Builder
		c := child(t)
		c.Words = &words
		if _, err := scan.Scan(
			t.Context(), w.client, w.database, c,
			scan.Options{Image: ref, VEX: []string{document(test.id, test.product)}, Now: time.Now},
		); err != nil {
			t.Fatal(err)
		}
		if got := words.String(); (test.want == "") != !strings.Contains(got, "VEX") || !strings.Contains(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestImageThatUnpacksToTooMuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{{"zeroes": strings.Repeat("\x00", 2<<20)}}})
	request := w.request(t, ref)
	request.Limits.ImageBytes = 1 << 20
	// The whole error, without the names of Trivy's functions.
	want := regexp.MustCompile(`^scan linux/amd64 of \S+: read the layers: the layer sha256:[0-9a-f]{64}: ` +
		`it unpacks to more than is read: 1 MiB for all layers of an image$`)
	if _, err := child(t).Run(t.Context(), request); err == nil || !want.MatchString(err.Error()) {
		t.Errorf("got %v, want the limit", err)
	}
	shared := map[string]string{"zeroes": strings.Repeat("\x00", 2<<20)}
	both := w.request(t, w.push(t, "acme/app",
		platform{"linux/amd64", []map[string]string{shared, {"a": "amd64"}}},
		platform{"linux/arm64", []map[string]string{shared, {"a": "arm64"}}},
	))
	both.Limits.ImageBytes = 1 << 20
	if _, err := child(t).Run(t.Context(), both); err == nil || !strings.Contains(err.Error(), "1 MiB for all layers of an image") {
		t.Errorf("a layer that two platforms share: got %v, want the limit", err)
	}
	request.Limits.ImageBytes = 4 << 20
	request.Limits.Ratio, request.Limits.RatioFree = 100, 1<<20
	if _, err := child(t).Run(t.Context(), request); err == nil ||
		!strings.Contains(err.Error(), "it unpacks to more than is read: 100 times its size, or 1 MiB where that is more") {
		t.Errorf("a layer of zeroes: got %v, want the limit", err)
	}
	request.Limits.RatioFree = 3 << 20
	if _, err := child(t).Run(t.Context(), request); err != nil {
		t.Errorf("below the limit: %v", err)
	}
}

// Executables are written out to be read; what they need together is bounded.
func TestImageThatNeedsTooMuchDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	random := make([]byte, 64<<20)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	ref := w.push(t, "acme/app", platform{
		"linux/amd64", []map[string]string{{"app": "\x7fELF" + string(random) + strings.Repeat("\x00", 64<<20)}},
	})
	request := w.request(t, ref)
	request.Limits.DiskBytes = 32 << 20
	if _, err := child(t).Run(t.Context(), request); err == nil ||
		!strings.Contains(err.Error(), "more than the 32 MiB of temporary files that one scan may write") {
		t.Errorf("got %v, want the limit", err)
	}
	request.Limits.DiskBytes = 1 << 30
	if _, err := child(t).Run(t.Context(), request); err != nil {
		t.Errorf("below the limit: %v", err)
	}
}

// A layer of some kilobytes may hold an archive of an archive of gigabytes.
func TestArchiveThatUnpacksToTooMuch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	jar := zipped(t, "WEB-INF/lib/inner.jar", strings.Repeat("\x00", 256<<20))
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{{"app/a.jar": jar}}})
	request := w.request(t, ref)
	java, err := w.javaDatabase(t)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request.JavaDatabaseDir = java
	request.Limits.DiskBytes, request.Limits.Ratio, request.Limits.RatioFree = 4<<30, 100, 16<<20
	if _, err := child(t).Run(t.Context(), request); err == nil ||
		!strings.Contains(
			err.Error(),
			`the archives in "app/a.jar" of the image unpack to more than 100 times its size, and to more than 16 MiB`,
		) {
		t.Errorf("got %v, want the limit", err)
	}
}

func TestChildOutOfMemoryIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	random := make([]byte, 24<<20)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	file := `{"name": "` + base64.StdEncoding.EncodeToString(random) + `", "version": "1"}`
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{{"node_modules/a/package.json": file}}})
	request := w.request(t, ref)
	request.Limits.MemoryBytes = 64 << 20
	if _, err := child(t).Run(t.Context(), request); err == nil ||
		!strings.Contains(err.Error(), "the image needs more than the 64 MiB of memory that one scan may use") ||
		strings.Contains(err.Error(), "goroutine") {
		t.Errorf("got %v, want the limit and no page of Go's runtime", err)
	}
}

func TestChildReadsAPrivateRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{alpine("openssl=3.5.1-r0")}})
	w.server.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		if username, password, ok := r.BasicAuth(); ok && username == "reader" && password == "s3cret" {
			return false
		}
		rw.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		rw.WriteHeader(http.StatusUnauthorized)
		return true
	}
	w.client = registry.New(registry.Options{Registry: w.host, Username: "reader", Password: "s3cret"})
	request := w.request(t, ref)
	c := child(t)
	if _, err := c.Run(t.Context(), request); err == nil || !strings.Contains(err.Error(), "registry "+w.host) ||
		!strings.Contains(err.Error(), "401") {
		t.Errorf("without credentials: %v, want 401 of %s", err, w.host)
	}
	c.Username, c.Password = "reader", "s3cret"
	if _, err := c.Run(t.Context(), request); err != nil {
		t.Errorf("with credentials: %v", err)
	}
}

// How registries are reached can stand in a file, and name others: they are read before
// the child confines itself.
func TestChildReadsHowRegistriesAreReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{alpine("openssl=3.5.1-r0")}})
	authority := httptest.NewTLSServer(http.NotFoundHandler())
	defer authority.Close()
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"ca.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw}),
		"registries.yaml": []byte("'" + w.host + "': {http: true}\n" +
			"registry.acme.example: {ca: " + filepath.Join(dir, "ca.pem") + "}\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := child(t)
	inner := c.Getenv
	c.Getenv = func(name string) string {
		if name == contract.EnvRegistries.Name {
			return filepath.Join(dir, "registries.yaml")
		}
		return inner(name)
	}
	if _, err := c.Run(t.Context(), w.request(t, ref)); err != nil {
		t.Error(err)
	}
}

func (w world) request(t *testing.T, ref imageref.Ref) exchange.Request {
	t.Helper()
	platforms, err := w.client.Platforms(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	request := exchange.Request{
		Version: exchange.Version, Registry: ref.Registry(), DatabaseDir: w.database.Dir,
		At:     time.Date(2026, 11, 20, 6, 12, 0, 0, time.UTC),
		Limits: exchange.Limits{ImageBytes: 1 << 30}, Images: []exchange.Image{{Ref: ref, SBOM: true}},
	}
	for _, p := range platforms {
		request.Images[0].Platforms = append(request.Images[0].Platforms, exchange.Platform{Platform: p.Platform, Ref: p.Ref})
	}
	return request
}

func ids(p evidence.PlatformScan) []string {
	var found []string
	for _, f := range p.Findings {
		found = append(found, f.ID)
	}
	return found
}

func keys(findings []evidence.Finding) string {
	var list []string
	for _, f := range findings {
		list = append(list, f.Key())
	}
	return strings.Join(list, ",")
}
