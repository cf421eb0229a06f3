package registry

import (
	"net"
	"net/url"
	"strings"
)

// gitHubTokens are how GitHub's tokens begin: of people, of OAuth Apps, of
// GitHub Apps and of jobs.
// https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats
var gitHubTokens = []string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}

// IsGitHubToken reports whether a password is a token of GitHub's.
func IsGitHubToken(password string) bool {
	for _, prefix := range gitHubTokens {
		if strings.HasPrefix(password, prefix) {
			return true
		}
	}
	return false
}

// OfGitHub reports whether a registry host belongs to the GitHub at serverURL
// (https://github.com if empty): ghcr.io for github.com, containers.HOST and
// docker.HOST for a GitHub Enterprise Server, and the server's own host on
// another port, as on one machine.
// https://docs.github.com/en/packages/working-with-a-github-packages-registry/working-with-the-container-registry
func OfGitHub(host, serverURL string) bool {
	server, err := url.Parse(serverURL)
	if serverURL == "" || err != nil || server.Hostname() == "" {
		server = &url.URL{Scheme: "https", Host: "github.com"}
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		if strings.EqualFold(name, server.Hostname()) {
			return true
		}
		host = strings.TrimSuffix(host, ":443")
	}
	of := strings.ToLower(server.Hostname())
	host = strings.ToLower(host)
	if of == "github.com" {
		return host == "ghcr.io" || host == "docker.pkg.github.com"
	}
	// Data residency: SUBDOMAIN.ghe.com has containers.SUBDOMAIN.ghe.com.
	return host == of || host == "containers."+of || host == "docker."+of
}
