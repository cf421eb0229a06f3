package imageref_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/imageref"
)

const hex = "9f2c41d0a7be9f2c41d0a7be9f2c41d0a7be9f2c41d0a7be9f2c41d0a7be0123"

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ghcr.io/acme/demo-api@sha256:" + hex:         "ghcr.io/acme/demo-api@sha256:" + hex,
		"ghcr.io/acme/demo-api:v1@sha256:" + hex:      "ghcr.io/acme/demo-api@sha256:" + hex,
		"127.0.0.1:5000/acme/api@sha256:" + hex:       "127.0.0.1:5000/acme/api@sha256:" + hex,
		"registry-1.docker.io/acme/api@sha256:" + hex: "index.docker.io/acme/api@sha256:" + hex,
		"registry-1.docker.io/nginx@sha256:" + hex:    "index.docker.io/library/nginx@sha256:" + hex,
		"registry-1.docker.io/a.b/c@sha256:" + hex:    "registry-1.docker.io/a.b/c@sha256:" + hex,
		" ghcr.io/acme/demo-api@sha256:" + hex + "\n": "ghcr.io/acme/demo-api@sha256:" + hex,
	} {
		ref, err := imageref.Parse(in)
		if err != nil {
			t.Errorf("Parse(%q): %v", in, err)
			continue
		}
		if ref.String() != want {
			t.Errorf("Parse(%q) = %s, want %s", in, ref, want)
		}
		if ref.Hex() != hex || ref.Short() != "sha256:9f2c41d0a7be" {
			t.Errorf("Parse(%q): hex %s short %s", in, ref.Hex(), ref.Short())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for in, reason := range map[string]string{
		"ghcr.io/acme/demo-api":                     "has no digest",
		"ghcr.io/acme/demo-api:latest":              "a tag can be moved",
		"ghcr.io/acme/demo-api@sha256:abc":          "digest length",
		"ghcr.io/acme/demo-api@md5:" + hex[:32]:     "md5",
		"ghcr.io/ACME/demo-api@sha256:" + hex:       "repository can only contain",
		"demo-api@sha256:" + hex:                    "strict validation requires the registry",
		"":                                          "empty image reference",
		"ghcr.io/acme/demo-api@sha256:" + hex + "0": "digest length",
	} {
		_, err := imageref.Parse(in)
		if err == nil {
			t.Errorf("Parse(%q): want an error", in)
			continue
		}
		if !strings.Contains(err.Error(), reason) {
			t.Errorf("Parse(%q): error %q does not say %q", in, err, reason)
		}
	}
	if _, err := imageref.Parse("ghcr.io/acme/demo-api:v1"); !errors.Is(err, imageref.ErrTag) {
		t.Errorf("a tag: error %v is not ErrTag", err)
	}
}

func TestParseRepositoryRefusesTagAndDigest(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"ghcr.io/acme/api:v1", "ghcr.io/acme/api@sha256:" + hex, "api", ""} {
		if got, err := imageref.ParseRepository(in); err == nil {
			t.Errorf("ParseRepository(%q) = %s, want an error", in, got)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	in := `{"image":"ghcr.io/acme/demo-api@sha256:` + hex + `","none":""}`
	var doc struct {
		Image imageref.Ref `json:"image"`
		None  imageref.Ref `json:"none"`
	}
	if err := json.Unmarshal([]byte(in), &doc); err != nil {
		t.Fatal(err)
	}
	if !doc.None.IsZero() || doc.Image.IsZero() {
		t.Errorf("zero: image %v none %v", doc.Image.IsZero(), doc.None.IsZero())
	}
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != in {
		t.Errorf("round trip: %s, want %s", out, in)
	}
}

func TestHost(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{
		"ghcr.io/acme/a:main": "ghcr.io", "docker.io/acme/a:1": "index.docker.io", "127.0.0.1:5000/a": "127.0.0.1:5000",
		"acme/a@sha256:" + strings.Repeat("0", 64): "index.docker.io", "": "", "ghcr.io/Acme:x": "",
	} {
		if got := imageref.Host(reference); got != want {
			t.Errorf("%s: %q, want %q", reference, got, want)
		}
	}
}

// The digest of nothing is in the specification's examples of SHA-256.
func TestDigests(t *testing.T) {
	t.Parallel()
	const empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if got := imageref.DigestOf(nil); got != empty {
		t.Errorf("of nothing: %s", got)
	}
	h := sha256.New()
	h.Write([]byte("abc"))
	if got := imageref.DigestSum(h); got != imageref.DigestOf([]byte("abc")) || got == empty {
		t.Errorf("of a hash: %s", got)
	}
}
