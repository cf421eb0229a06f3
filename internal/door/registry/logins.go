package registry

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Logins are a keychain of several registries.
type Logins struct {
	byHost  map[string]authn.AuthConfig
	invalid error // why the text holds no logins
}

// ParseLogins reads the JSON of Docker's config.json, of which only "auths"
// counts. It runs no credential helper. A text that is wrong is reported when a
// login is needed.
// https://docs.docker.com/reference/cli/docker/#environment-variables
func ParseLogins(text string) Logins {
	if strings.TrimSpace(text) == "" {
		return Logins{}
	}
	var config struct {
		Auths map[string]authn.AuthConfig `json:"auths"`
	}
	// The error of the decoder may quote what it read.
	if json.Unmarshal([]byte(text), &config) != nil || len(config.Auths) == 0 {
		return Logins{invalid: outcome.Usagef(`DOCKER_AUTH_CONFIG holds no logins: want {"auths": {"HOST": {"auth": "…"}}}, ` +
			"where auth is USER:PASSWORD in base64, as docker login writes it into config.json")}
	}
	logins := Logins{byHost: map[string]authn.AuthConfig{}}
	for address, login := range config.Auths {
		host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(address, "https://"), "http://"), "/")
		registry, err := name.NewRegistry(host)
		if err != nil || login == (authn.AuthConfig{}) {
			return Logins{invalid: outcome.Usagef("DOCKER_AUTH_CONFIG holds no login for %q: want the name of a registry, and auth", address)}
		}
		logins.byHost[registry.RegistryStr()] = login
	}
	return logins
}

// Resolve finds the login for a registry.
func (l Logins) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if login, has := l.byHost[r.RegistryStr()]; has {
		return authn.FromConfig(login), nil
	}
	return authn.Anonymous, l.invalid
}

// Secrets are what must not be shown.
func (l Logins) Secrets() (secrets []string) {
	for _, login := range l.byHost {
		secrets = append(secrets, login.Password, login.Auth, login.IdentityToken, login.RegistryToken)
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
}
