package overlay

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// The guard after every edit: an edit that went elsewhere, or further, is
// refused whatever located it.
func TestGuardRefusesMoreThanTheDigest(t *testing.T) {
	t.Parallel()
	ref, err := imageref.Parse("ghcr.io/acme/api@sha256:" + strings.Repeat("2", 64))
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Path: "x", Image: ref.Name()}
	before := "namespace: a\nimages:\n- name: ghcr.io/acme/api\n  digest: sha256:" + strings.Repeat("1", 64) + "\n"
	right := strings.ReplaceAll(before, strings.Repeat("1", 64), ref.Hex())
	for name, c := range map[string]struct{ after, want string }{
		"the digest alone":     {right, ""},
		"another field too":    {strings.Replace(right, "namespace: a", "namespace: b", 1), "more than the digest would differ"},
		"a field more":         {right + "extra: 1\n", "more than the digest would differ"},
		"not the digest":       {before, "it names ghcr.io/acme/api@sha256:1111"},
		"no longer YAML":       {right + "[", "cannot be changed byte by byte"},
		"the image disappears": {"namespace: a\n", "cannot be changed byte by byte"},
	} {
		err := onlyDigest(one(before), one(c.after), Place{File: "kustomization.yaml", Form: Kustomize}, target, ref)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	if _, err := Set(
		map[string][]byte{
			"x/kustomization.yaml": []byte("images:\n- {name: ghcr.io/acme/api, digest: &d sha256:" + strings.Repeat("1", 64) + "}\n"),
		},
		target, ref,
	); err != nil {
		t.Errorf("an edit that is right: %v", err)
	}
}

// A list that is written as ~ is taken for one without a value, so the entry would
// follow what is no list: the guard is what keeps such a file from being written.
func TestSetAsksTheGuard(t *testing.T) {
	t.Parallel()
	ref, err := imageref.Parse("ghcr.io/acme/api@sha256:" + strings.Repeat("2", 64))
	if err != nil {
		t.Fatal(err)
	}
	target := Target{Path: "x", Image: ref.Name(), Names: []string{"ghcr.io/acme/api"}}
	result, err := Set(map[string][]byte{"x/kustomization.yaml": []byte("namespace: a\nimages: ~\n")}, target, ref)
	if err == nil || !strings.Contains(err.Error(), "cannot be changed byte by byte") {
		t.Errorf("error %v, file\n%s", err, result.After)
	}
}

func one(text string) map[string][]byte { return map[string][]byte{"kustomization.yaml": []byte(text)} }
