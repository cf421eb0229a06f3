package registry_test

import (
	"testing"

	"github.com/waybill-dev/waybill/internal/door/registry"
)

func TestOfGitHub(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		host, server string
		want         bool
	}{
		{"ghcr.io", "", true}, {"GHCR.io", "https://github.com", true}, {"ghcr.io:443", "https://github.com", true},
		{"docker.pkg.github.com", "", true},
		{"index.docker.io", "", false}, {"docker.io", "", false}, {"ghcr.io.evil.example", "", false}, {"evil.example", "", false},
		{"xghcr.io", "", false},
		{"ghcr.io:8443", "https://github.com", false}, {"127.0.0.1:5000", "https://github.com", false}, {"127.0.0.1:5000", "", false},
		{"127.0.0.1:5000", "http://127.0.0.1:41234", true}, {"localhost:5000", "http://127.0.0.1:41234", false},
		{"containers.ghe.acme.example", "https://ghe.acme.example", true}, {"docker.ghe.acme.example", "https://ghe.acme.example", true},
		{"containers.acme.ghe.com", "https://acme.ghe.com", true}, {"ghcr.io", "https://ghe.acme.example", false},
		{"evil.ghe.acme.example", "https://ghe.acme.example", false},
		{"ghcr.io", "://", true},
	} {
		if got := registry.OfGitHub(test.host, test.server); got != test.want {
			t.Errorf("%s of %q: %t, want %t", test.host, test.server, got, test.want)
		}
	}
}

func TestIsGitHubToken(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"ghs_0123": true, "github_pat_11A": true, "ghp_x": true, "gho_x": true, "ghu_x": true, "ghr_x": true, "dckr_pat_x": false,
		"": false, "hunter2": false, "xghs_": false,
	} {
		if got := registry.IsGitHubToken(text); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}
