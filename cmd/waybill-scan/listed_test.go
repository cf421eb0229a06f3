//go:build goexperiment.jsonv2

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// What is found by the bill of materials of an image is what is found in its layers,
// which are then not read.
func TestListedIsWhatLayersHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, platforms := range map[string][]platform{
		"distributions that differ by platform": {
			{"linux/amd64", []map[string]string{alpine("openssl=3.5.1-r0", "musl=1.2.5-r10")}},
			{"linux/arm64", []map[string]string{alpine("openssl=3.5.4-r0")}},
		},
		"packages of another source": {{"linux/amd64", []map[string]string{debian("openssl=3.5.1-1", "zlib1g=1:1.3.1-1 (zlib)")}}},
		"rpm":                        {{"linux/amd64", []map[string]string{rocky(t)}}},
		"languages, one package twice": {
			{"linux/amd64", []map[string]string{debian("openssl=3.5.1-1"), {
				"app/server":                       goBinary(t, "amd64"),
				"a/node_modules/left/package.json": `{"name": "left", "version": "1.0.0", "license": "MIT"}`,
				"b/node_modules/left/package.json": `{"name": "left", "version": "1.0.0", "license": "MIT"}`,
			}}},
			{"linux/arm64", []map[string]string{{"app/server": goBinary(t, "arm64")}}},
		},
		"a distribution that ended": {{"linux/amd64", []map[string]string{{
			"etc/alpine-release": "3.10.0\n", "etc/os-release": "ID=alpine\nVERSION_ID=3.10.0\n",
			"lib/apk/db/installed": alpine("openssl=1.1.1-r0")["lib/apk/db/installed"],
		}}}},
		"JAR files": {{"linux/amd64", []map[string]string{alpine("musl=1.2.5-r10"), {"app/lib.jar": jar(t)}}}},
		"nothing":   {{"linux/amd64", []map[string]string{{"app/index.html": "<html>"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			ref := w.push(t, "acme/app", platforms...)
			layers := w.scan(t, scan.Options{Image: ref, Secrets: evidence.Off, JavaDatabase: w.javaDatabase(t)})
			read := 0
			w.server.Before = func(_ http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/blobs/") {
					read++
				}
				return false
			}
			listed := w.scan(t, scan.Options{Image: ref, BOM: keep(t, layers.CycloneDX)})
			w.server.Before = nil
			if read > len(platforms) { // a configuration each, to list the platforms
				t.Errorf("%d blobs were read", read)
			}
			layersAlone := []cmp.Option{
				cmpopts.IgnoreFields(evidence.Package{}, "Licenses"), // named in another way
				cmpopts.IgnoreFields(evidence.PlatformScan{}, "Misconfigurations"),
			}
			if diff := cmp.Diff(layers.Report.Platforms, listed.Report.Platforms, layersAlone...); diff != "" {
				t.Error(diff)
			}
			if listed.CycloneDX != nil || listed.SPDX != nil {
				t.Error("a bill of materials was written from another")
			}
		})
	}
}

// A bill of materials that does not cover every platform hides what is in the others.
func TestListedOfAnotherForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := w.push(t, "acme/app", platform{"linux/amd64", []map[string]string{alpine("openssl=3.5.1-r0")}})
	both := w.push(t, "acme/app",
		platform{"linux/amd64", []map[string]string{alpine("openssl=3.5.1-r0")}},
		platform{"linux/arm64", []map[string]string{alpine("musl=1.2.5-r10")}},
	)
	bom := w.scan(t, scan.Options{Image: ref}).CycloneDX
	for name, c := range map[string]struct {
		image imageref.Ref
		bom   string
		want  string
	}{
		"a platform less": {both, string(bom), "does not say what is in linux/arm64"},
		"another tool's": {ref, `{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [
			{"type": "library", "bom-ref": "a", "name": "a", "version": "1", "purl": "pkg:npm/a@1"}]}`, "does not say what is in linux/amd64"},
		"SPDX":         {ref, `{"spdxVersion": "SPDX-2.3"}`, "does not say what is in linux/amd64"},
		"not JSON":     {ref, `bomFormat: CycloneDX`, "read the bill of materials"},
		"not complete": {ref, string(bom[:len(bom)/2]), "read the bill of materials"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scan.Scan(t.Context(), w.client, w.database, child(t), scan.Options{
				Image: c.image, BOM: keep(t, []byte(c.bom)), Now: time.Now,
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func keep(t *testing.T, bom []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bom.cdx.json")
	if err := os.WriteFile(path, bom, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
