package githubd

import (
	"fmt"
	"net/http"
	"strings"
)

// BotLogin is who a job token acts as.
const BotLogin = "github-actions[bot]"

// Token says what its holder may do. Permissions are as in a workflow file:
// contents: read, pull-requests: write; with Permissions nil everything.
type Token struct {
	User         string
	Permissions  map[string]string
	Repositories []string // OWNER/NAME; empty is all
	Job          bool     // a job's GITHUB_TOKEN: what it does starts no workflow, but dispatches do
	Run          int64    // of the job
	App          string   // slug of the App whose token it is
}

// CreateToken makes a token.
func (s *Server) CreateToken(t Token) string {
	prefix := "ghp_"
	if t.Job {
		prefix, t.User = "ghs_", BotLogin
	}
	text := prefix + randomHex(18)
	s.change(func(st *state) { st.Tokens[text] = &t })
	return text
}

// RevokeToken makes a token invalid, as the end of a job does.
func (s *Server) RevokeToken(text string) {
	s.change(func(st *state) { delete(st.Tokens, text) })
}

var anonymous = &Token{Permissions: map[string]string{}}

// authenticate finds the token of a request: bearer, or the password of basic
// authentication as git sends it.
func (s *Server) authenticate(r *http.Request) (*Token, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return anonymous, nil
	}
	text := ""
	if _, password, ok := r.BasicAuth(); ok {
		text = password
	} else if kind, rest, ok := strings.Cut(header, " "); ok && (strings.EqualFold(kind, "bearer") || strings.EqualFold(kind, "token")) {
		text = rest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.state.Tokens[text]; t != nil {
		return t, nil
	}
	return nil, &apiError{Status: http.StatusUnauthorized, Message: "Bad credentials"}
}

// sees reports whether the token may know that the repository exists.
func (t *Token) sees(r *repository) bool {
	return !r.Private || t.member(r)
}

func (t *Token) member(r *repository) bool {
	if t == anonymous {
		return false
	}
	if len(t.Repositories) == 0 {
		return true
	}
	for _, name := range t.Repositories {
		if strings.EqualFold(name, r.fullName()) {
			return true
		}
	}
	return false
}

// settings are scopes of what nobody sees without the permission, whether the
// repository is public or not: of their endpoints GitHub does not say that they can be
// used without it "if only public resources are requested".
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
var settings = map[string]bool{
	"administration": true, "secrets": true, "actions_variables": true, "environments": true,
}

// may reports whether the token has the permission, "contents", "write", on the
// repository. What is public anybody may read.
func (t *Token) may(r *repository, scope, access string) bool {
	if access == "read" && !r.Private && !settings[scope] {
		return true
	}
	if !t.member(r) {
		return false
	}
	if t.Permissions == nil || scope == "metadata" {
		return true
	}
	has := t.Permissions[strings.ReplaceAll(scope, "_", "-")]
	return has == access || has == "write"
}

// require gives GitHub's refusal, with the header that names the permission.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#insufficient-permissions-for-the-token
func (t *Token) require(r *repository, scope, access string) error {
	if !t.sees(r) {
		return notFound()
	}
	if t.may(r, scope, access) {
		return nil
	}
	header := http.Header{"X-Accepted-Github-Permissions": {fmt.Sprintf("%s=%s", scope, access)}}
	if t == anonymous {
		return &apiError{Status: http.StatusUnauthorized, Message: "Requires authentication", Header: header}
	}
	message := "Resource not accessible by personal access token"
	if t.Job || t.App != "" {
		message = "Resource not accessible by integration"
	}
	return &apiError{Status: http.StatusForbidden, Message: message, Header: header}
}
