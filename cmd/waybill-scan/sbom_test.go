//go:build goexperiment.jsonv2

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"

	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// sbomImage has the same packages on two platforms, one of them twice on one. A file in
// it says what else it holds, as images of Bitnami do.
func sbomImage(t *testing.T, w world) imageref.Ref {
	t.Helper()
	node := `{"name": "left", "version": "1.0.0", "license": "MIT"}`
	shared := debian("openssl=3.5.1-1", "zlib1g=1:1.3.1-1 (zlib)")
	shared["opt/right/right.cdx.json"] = `{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [
		{"type": "library", "bom-ref": "the-right-one", "name": "right", "version": "2.0.0", "purl": "pkg:npm/right@2.0.0"}]}`
	return w.push(t, "acme/app",
		platform{"linux/amd64", []map[string]string{shared, {
			"a/node_modules/left/package.json": node, "b/node_modules/left/package.json": node,
		}}},
		platform{"linux/arm64", []map[string]string{shared, {"a/node_modules/left/package.json": node}}},
	)
}

func TestCycloneDXCoversEveryPlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := sbomImage(t, w)
	result := w.scan(t, scan.Options{Image: ref})
	validateCycloneDX(t, result.CycloneDX)
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(result.CycloneDX), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if root := bom.Metadata.Component; root.Version != ref.Digest() ||
		!strings.HasPrefix(root.PackageURL, "pkg:oci/app@"+ref.Digest()) &&
			!strings.HasPrefix(root.PackageURL, "pkg:oci/app@"+strings.Replace(ref.Digest(), ":", "%3A", 1)) {
		t.Errorf("the root is %+v, not the index", root)
	}
	refs := map[string]int{bom.Metadata.Component.BOMRef: 1}
	for _, c := range *bom.Components {
		refs[c.BOMRef]++
	}
	for name, n := range refs {
		if n != 1 {
			t.Errorf("%d components are called %s", n, name)
		}
	}
	depends := make(map[string][]string)
	for _, d := range *bom.Dependencies {
		for _, to := range append(*d.Dependencies, d.Ref) {
			if refs[to] == 0 {
				t.Errorf("a dependency names %s, which is no component", to)
			}
		}
		depends[d.Ref] = *d.Dependencies
	}
	if got := depends[bom.Metadata.Component.BOMRef]; !slices.Equal(got, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("the root has %q below it, want both platforms", got)
	}
	for _, want := range []string{
		"linux/amd64#pkg:npm/left@1.0.0", "linux/amd64#pkg:npm/left@1.0.0#2", "linux/arm64#pkg:npm/left@1.0.0",
		"linux/arm64#os:debian@13.1", "linux/amd64#pkg:npm/right@2.0.0", "linux/arm64#pkg:npm/right@2.0.0",
	} {
		if refs[want] == 0 {
			t.Errorf("no component %s", want)
		}
	}
	if refs["linux/arm64#pkg:npm/left@1.0.0#2"] != 0 {
		t.Error("linux/arm64 has a package of linux/amd64")
	}
}

func TestSPDXCoversEveryPlatform(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := sbomImage(t, w)
	result := w.scan(t, scan.Options{Image: ref})
	document, err := spdxjson.Read(bytes.NewReader(result.SPDX))
	if err != nil {
		t.Fatal(err)
	}
	if err := spdxlib.ValidateDocument(document); err != nil {
		t.Error(err)
	}
	valid := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.-]*$`)
	seen := make(map[string]bool)
	containers := 0
	for _, p := range document.Packages {
		id := string(p.PackageSPDXIdentifier)
		if seen[id] || !valid.MatchString(id) {
			t.Errorf("identifier %q is not unique or not valid", id)
		}
		seen[id] = true
		if p.PrimaryPackagePurpose == "CONTAINER" {
			containers++
		}
	}
	if strings.Contains(string(result.SPDX), "SECURITY") || len(result.Report.Distinct()) == 0 {
		t.Error("findings are in the bill of materials, or there are none: they age, it does not")
	}
	if containers != 3 {
		t.Errorf("%d containers, want the index and two platforms", containers)
	}
	if n := strings.Count(string(result.SPDX), `"name":"left"`); n != 3 {
		t.Errorf("left occurs %d times, want 3", n)
	}
	if !strings.HasSuffix(document.DocumentNamespace, ref.String()) {
		t.Errorf("the namespace is %s", document.DocumentNamespace)
	}
}

func TestSBOMIsTheSameTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := sbomImage(t, w)
	request := w.request(t, ref)
	var first exchange.Answer
	for i := range 5 {
		answer, err := child(t).Run(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = answer
			continue
		}
		if !bytes.Equal(first.Images[0].CycloneDX, answer.Images[0].CycloneDX) {
			t.Errorf("CycloneDX differs:\n%s\n%s", first.Images[0].CycloneDX, answer.Images[0].CycloneDX)
		}
		if !bytes.Equal(first.Images[0].SPDX, answer.Images[0].SPDX) {
			t.Errorf("SPDX differs:\n%s\n%s", first.Images[0].SPDX, answer.Images[0].SPDX)
		}
	}
}

// validateCycloneDX holds the document against the schema that its standard
// publishes, which comes with the Go module.
func validateCycloneDX(t *testing.T, document []byte) {
	t.Helper()
	dir := filepath.Join(moduleDir(t, "github.com/CycloneDX/cyclonedx-go"), "schema")
	compiler := jsonschema.NewCompiler()
	files, err := filepath.Glob(filepath.Join(dir, "*.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(dir, "*.schemax.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, more...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		name := strings.Replace(filepath.Base(file), ".schemax.", ".schema.", 1)
		if err := compiler.AddResource("http://cyclonedx.org/schema/"+name, schema); err != nil {
			t.Fatal(err)
		}
	}
	// The module lacks the lists of algorithms, which no package needs.
	anything := map[string]any{"definitions": map[string]any{"algorithmFamiliesEnum": true, "ellipticCurvesEnum": true}}
	if err := compiler.AddResource("http://cyclonedx.org/schema/cryptography-defs.schema.json", anything); err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(value.(map[string]any)["$schema"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("CycloneDX: %v", err)
	}
}

// moduleDir is where a module of the build is unpacked.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	out, err := process.Command{Path: "go", Args: []string{"list", "-m", "-f", "{{.Dir}}", module}, Env: os.Environ()}.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// docs/evidence.md says how large a statement may be, and how many packages fit.
func TestDocumentedPackagesFitAStatement(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "evidence.md"))
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`A statement may have (\d+) MiB.* an SBOM of some (\d+),000 packages, those of each platform counted`).
		FindStringSubmatch(string(text))
	if said == nil {
		t.Fatal("docs/evidence.md does not say how large a statement may be, and how many packages fit")
	}
	mebibytes, _ := strconv.Atoi(said[1])
	thousands, _ := strconv.Atoi(said[2])
	var packages []string
	for i := range 500 {
		packages = append(packages, fmt.Sprintf("some-package-%d=1.2.%d-r0", i, i))
	}
	files := []map[string]string{alpine(packages...)}
	w := newWorld(t)
	ref := w.push(t, "acme/app", platform{"linux/amd64", files}, platform{"linux/arm64", files})
	result := w.scan(t, scan.Options{Image: ref})
	for form, document := range map[string][]byte{"CycloneDX": result.CycloneDX, "SPDX": result.SPDX} {
		if all := len(document) * thousands; all > mebibytes<<20 { // the document has a thousand
			t.Errorf("%d,000 packages make %d MiB of %s, and a statement may have %d", thousands, all>>20, form, mebibytes)
		}
	}
}
