package sigstore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// services are those of a signing config that keep what they are sent.
type services struct {
	authorities []string // URLs of Fulcio
	logs        []string // URLs of transparency logs
}

func publicServices() services {
	return services{authorities: []string{"https://fulcio.sigstore.dev"}, logs: []string{"https://rekor.sigstore.dev"}}
}

func servicesOf(config *root.SigningConfig) services {
	var s services
	for _, service := range config.FulcioCertificateAuthorityURLs() {
		s.authorities = append(s.authorities, service.URL)
	}
	for _, service := range config.RekorLogURLs() {
		s.logs = append(s.logs, service.URL)
	}
	return s
}

// publish lists the hosts that publish what they are sent. The public Fulcio
// writes every certificate into a certificate log that anybody may read. A
// transparency log is there to be read: only one on this machine or in a private
// network is known not to be.
// https://docs.sigstore.dev/certificate_authority/overview/
func (s services) publish() []string {
	var hosts []string
	for _, text := range s.authorities {
		if host := hostOf(text); host == "sigstore.dev" || strings.HasSuffix(host, ".sigstore.dev") {
			hosts = append(hosts, host)
		}
	}
	for _, text := range s.logs {
		if host := hostOf(text); !private(host) && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

func private(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && (address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast())
}

// mayPublish refuses to sign for a repository that is not public where its name
// would become so, unless that is allowed; then it says where the name goes.
func mayPublish(token string, s services, o SignerOptions) (string, error) {
	name, visibility := repositoryOf(token)
	if visibility == "" {
		visibility = o.Visibility
	}
	hosts := s.publish()
	if visibility == "" || visibility == "public" || len(hosts) == 0 {
		return "", nil
	}
	if name == "" {
		name = "the repository"
	}
	where := strings.Join(hosts, ", ")
	if o.AllowPublicLog {
		return name + " is " + visibility + ", and its name becomes public: " + where, nil
	}
	return "", outcome.Usagef("%s is %s, and signing would publish its name, workflow and commit for ever: %s. Nothing was signed. "+
		"Give --allow-public-log if these may be public; else use --signing-config with a Fulcio and a timestamp authority of your "+
		"own and no transparency log, or --key",
		name, visibility, where)
}

// CheckDisclosure says before anything is done what NewSigner would refuse
// because of what becomes public.
func CheckDisclosure(ctx context.Context, o SignerOptions) error {
	token, err := identityToken(ctx, o)
	if err != nil || o.Key != nil || o.SigningConfig == "" {
		return err
	}
	config, err := signingConfig(o)
	if err != nil {
		return err
	}
	_, err = mayPublish(token, servicesOf(config), o)
	return err
}

// repositoryOf reads which repository a token speaks for, and who may see it.
// The token is the job's own and is not verified here. The names are those of
// GitHub and GitLab.
// https://docs.github.com/en/actions/reference/security/oidc
// https://docs.gitlab.com/ci/secrets/id_token_authentication/
func repositoryOf(token string) (name, visibility string) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", ""
	}
	var claims struct {
		Repository        string `json:"repository"`
		Visibility        string `json:"repository_visibility"`
		ProjectPath       string `json:"project_path"`
		ProjectVisibility string `json:"project_visibility"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return "", ""
	}
	if claims.Repository == "" {
		return claims.ProjectPath, claims.ProjectVisibility
	}
	return claims.Repository, claims.Visibility
}
