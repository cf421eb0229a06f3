//go:build goexperiment.jsonv2

package trivy

import (
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func TestAffects(t *testing.T) {
	t.Parallel()
	const openssl = "pkg:apk/alpine/openssl@3.5.1-r0?arch=x86_64&distro=3.22.1"
	for ref, want := range map[string]bool{
		openssl:                                  true,
		"pkg:apk/alpine/openssl@3.5.1-r0":        true,
		"linux/arm64#" + openssl:                 true,
		"linux/amd64#" + openssl:                 false,
		"pkg:apk/alpine/openssl@3.5.0-r0":        false,
		"pkg:apk/alpine/openssl":                 false,
		"pkg:apk/alpine/openssl@3.5.1-r0?arch=x": false,
		"":                                       false,
		"urn:cdx:f1681211-6a95-57c3-990e-5c75d627e7b5/1#linux%2Farm64%23pkg:apk%2Falpine%2Fopenssl@3.5.1-r0": true,
		"urn:cdx:f1681211-6a95-57c3-990e-5c75d627e7b5/1#pkg:apk/alpine/openssl@3.5.1-r0":                     true,
		"urn:cdx:f1681211-6a95-57c3-990e-5c75d627e7b5/1#linux%2Famd64%23pkg:apk%2Falpine%2Fopenssl@3.5.1-r0": false,
	} {
		if got := affects([]cdx.Affects{{Ref: ref}}, "linux/arm64", openssl); got != want {
			t.Errorf("%q affects the package: %v, want %v", ref, got, want)
		}
	}
	if affects([]cdx.Affects{{Ref: ""}}, "linux/arm64", "") {
		t.Error("a package without package URL is affected")
	}
}
