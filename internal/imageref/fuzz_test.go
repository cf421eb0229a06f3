package imageref_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/imageref"
)

var wholeDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// FuzzParse looks for references that are no digest of a repository, or that
// read back as another one.
func FuzzParse(f *testing.F) {
	hex := strings.Repeat("0123456789abcdef", 4)
	for _, seed := range []string{
		"ghcr.io/acme/demo-api@sha256:" + hex, "ghcr.io/acme/demo-api:v1@sha256:" + hex,
		"localhost:5000/a@sha256:" + hex,
		"alpine@sha256:" + hex, "ghcr.io/acme/demo-api:v1", "a@sha512:" + hex, "a@sha256:" + strings.ToUpper(hex),
		"@sha256:" + hex,
		"a@b@sha256:" + hex, "[::1]:5000/a@sha256:" + hex, " a/b@sha256:" + hex + "\n",
		"https://ghcr.io/a@sha256:" + hex, "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ref, err := imageref.Parse(text)
		if err != nil {
			if !ref.IsZero() {
				t.Errorf("%q is refused, and gives %s", text, ref)
			}
			return
		}
		if !wholeDigest.MatchString(ref.Digest()) || !strings.HasSuffix(strings.TrimSpace(text), "@"+ref.Digest()) {
			t.Errorf("%q gives the digest %q", text, ref.Digest())
		}
		if ref.Registry() == "" || strings.ContainsAny(ref.Repository(), "@ \t\r\n") {
			t.Errorf("%q is of registry %q and repository %q", text, ref.Registry(), ref.Repository())
		}
		for _, again := range []string{ref.String(), ref.GoName().String()} {
			if second, err := imageref.Parse(again); err != nil || second != ref {
				t.Errorf("%q is %s, which reads back as %s, %v", text, ref, second, err)
			}
		}
		if moved, err := ref.At(ref.Digest()); err != nil || moved != ref || ref.In(ref.Name()) != ref {
			t.Errorf("%s at its own digest is %s, %v", ref, moved, err)
		}
	})
}
