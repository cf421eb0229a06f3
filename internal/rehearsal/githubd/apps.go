package githubd

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// App is a GitHub App: it shows who it is by its key, and gets tokens for the
// repositories it is installed on.
type App struct {
	Slug         string            // its tokens act as SLUG[bot]
	Permissions  map[string]string // that it was given, as in a workflow file
	Repositories []string          // OWNER/NAME that it is installed on

	ID        int64  // given by CreateApp
	ClientID  string // likewise
	PublicKey []byte // DER; likewise
}

// CreateApp registers an App and gives its client ID and private key in PEM
// form.
func (s *Server) CreateApp(app App) (clientID, key string, err error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", "", fmt.Errorf("make the key of the App %s: %w", app.Slug, err)
	}
	app.PublicKey = x509.MarshalPKCS1PublicKey(&private.PublicKey)
	app.ClientID = "Iv23" + randomHex(8)
	s.change(func(st *state) {
		app.ID = st.next()
		st.Apps = append(st.Apps, &app)
	})
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})
	return app.ClientID, string(text), nil
}

// appOf finds the App that a request shows itself as.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
func (s *Server) appOf(r *http.Request) (*App, error) {
	unauthorized := func(message string) error {
		return &apiError{Status: http.StatusUnauthorized, Message: message}
	}
	kind, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "bearer") {
		return nil, unauthorized("A JSON web token could not be decoded")
	}
	var found *App
	var claims jwt.RegisteredClaims
	now := s.o.Now()
	_, err := jwt.NewParser(
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	).
		ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, app := range s.state.Apps {
				if claims.Issuer == app.ClientID || claims.Issuer == strconv.FormatInt(app.ID, 10) {
					found = app
					return x509.ParsePKCS1PublicKey(app.PublicKey)
				}
			}
			return nil, errors.New("no such App")
		})
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, unauthorized("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the " +
			"assertion expires")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, unauthorized("A JSON web token could not be decoded")
	case err != nil && found == nil:
		return nil, &apiError{Status: http.StatusNotFound, Message: "Integration not found"}
	case err != nil:
		return nil, unauthorized("A JSON web token could not be decoded")
	case claims.ExpiresAt.Sub(now) > 10*time.Minute:
		return nil, unauthorized("'Expiration time' claim ('exp') is too far in the future")
	}
	return found, nil
}

// installation serves GET /repos/{owner}/{repo}/installation.
// https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app
func (s *Server) installation(w http.ResponseWriter, r *http.Request) {
	app, err := s.appOf(r)
	name := r.PathValue("owner") + "/" + r.PathValue("repo")
	repo := s.lookup(name)
	if err == nil && (repo == nil || !app.on(name)) {
		err = notFound()
	}
	if err != nil {
		s.write(w, nil, err)
		return
	}
	result, err := ok(s.installationJSON(app, repo))
	s.write(w, result, err)
}

// accessToken serves POST /app/installations/{id}/access_tokens.
// https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
func (s *Server) accessToken(w http.ResponseWriter, r *http.Request) {
	app, err := s.appOf(r)
	if err == nil && r.PathValue("id") != strconv.FormatInt(app.ID, 10) {
		err = notFound()
	}
	if err != nil {
		s.write(w, nil, err)
		return
	}
	var in struct {
		Repositories []string
		Permissions  map[string]string
	}
	if err := (&call{Request: r}).decode(&in); err != nil {
		s.write(w, nil, err)
		return
	}
	token := Token{User: app.Slug + "[bot]", App: app.Slug, Permissions: app.Permissions, Repositories: app.Repositories}
	if in.Repositories != nil {
		token.Repositories = nil
		for _, name := range app.Repositories {
			if _, short, _ := strings.Cut(name, "/"); slices.Contains(in.Repositories, short) {
				token.Repositories = append(token.Repositories, name)
			}
		}
		if len(token.Repositories) != len(in.Repositories) {
			s.write(
				w, nil,
				unprocessable("There is at least one repository that does not exist or is not accessible to the parent installation."),
			)
			return
		}
	}
	if in.Permissions != nil {
		token.Permissions = map[string]string{}
		for scope, access := range in.Permissions {
			scope = strings.ReplaceAll(scope, "_", "-")
			if has := app.Permissions[scope]; has != access && has != "write" {
				s.write(w, nil, unprocessable("The permissions requested are not granted to this installation."))
				return
			}
			token.Permissions[scope] = access
		}
	}
	text := "ghs_" + randomHex(18)
	s.change(func(st *state) { st.Tokens[text] = &token })
	result, err := created(map[string]any{
		"token": text, "expires_at": s.now().Add(time.Hour), "permissions": underscored(token.Permissions),
		"repository_selection": "selected",
	})
	s.write(w, result, err)
}

func (a *App) on(repository string) bool {
	return slices.ContainsFunc(a.Repositories, func(name string) bool { return strings.EqualFold(name, repository) })
}

func underscored(permissions map[string]string) map[string]string {
	named := map[string]string{}
	for scope, access := range permissions {
		named[strings.ReplaceAll(scope, "-", "_")] = access
	}
	return named
}

// rulesRefuse reports whether the ruleset of the repository keeps the token from
// moving the ref by itself. Job tokens can be on no bypass list.
// https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/about-rulesets
func rulesRefuse(repo *repository, token *Token, ref string) bool {
	return repo.Protected && ref == "refs/heads/"+repo.DefaultBranch && (token.App == "" || !slices.Contains(repo.Bypass, token.App))
}

// rulesMessage is GitHub's own.
const rulesMessage = "Repository rule violations found\n\nChanges must be made through a pull request.\n\n"

// Protect lets the default branch of a repository move by merging pull requests
// only, and by what the Apps of these slugs do.
func (s *Server) Protect(repository string, bypass ...string) error {
	repo := s.lookup(repository)
	if repo == nil {
		return fmt.Errorf("protect %s: there is no such repository", repository)
	}
	s.change(func(*state) { repo.Protected, repo.Bypass = true, bypass })
	return nil
}
