package registry

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Each login goes to its own registry, by whichever name Docker writes it, and
// the image's own password comes first.
func TestLoginsOfSeveralRegistries(t *testing.T) {
	t.Parallel()
	logins := ParseLogins(`{"auths": {
		"https://index.docker.io/v1/": {"auth": "bWU6aHVi"}, "harbor.acme.example": {"username": "robot", "password": "harbor"},
		"ghcr.io": {"auth": "bWU6Z2hjcg=="}, "acr.example": {"identitytoken": "refresh"}}, "credsStore": "no-such-helper"}`)
	client := New(Options{Logins: logins, Registry: "ghcr.io", Username: "x", Password: "own"})
	for host, want := range map[string][2]string{
		"docker.io": {"me", "hub"}, "index.docker.io": {"me", "hub"}, "harbor.acme.example": {"robot", "harbor"},
		"ghcr.io": {"x", "own"}, "acr.example": {"", "refresh"}, "harbor.acme.example.evil": {}, "evil-ghcr.io": {},
	} {
		username, password, err := client.Credentials(host)
		if err != nil || [2]string{username, password} != want {
			t.Errorf("%s gets %q, %q, %v, want %q", host, username, password, err, want)
		}
	}
	if secrets := strings.Join(logins.Secrets(), " "); !strings.Contains(secrets, "hub") || !strings.Contains(secrets, "bWU6aHVi") ||
		!strings.Contains(secrets, "harbor") || !strings.Contains(secrets, "refresh") {
		t.Errorf("the secrets are %q", secrets)
	}
}

// A text that holds no logins is an error that shows nothing of it.
func TestLoginsThatAreNone(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"auths": {"ghcr.io": {"auth": "secret"}}}`: "holds no logins: want", `secret`: "holds no logins: want",
		`{"ghcr.io": {"auth": "secret"}}`:                      "holds no logins: want",
		`{"auths": {"a b": {"auth": "c2VjcmV0OnNlY3JldA=="}}}`: `no login for "a b"`,
		`{"auths": {"ghcr.io": {}}}`:                           `no login for "ghcr.io"`,
	} {
		_, _, err := New(Options{Logins: ParseLogins(text)}).Credentials("ghcr.io")
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, password, err := New(Options{Logins: ParseLogins(" ")}).Credentials("harbor.acme.example"); err != nil || password != "" {
		t.Errorf("without any: %q, %v", password, err)
	}
}
