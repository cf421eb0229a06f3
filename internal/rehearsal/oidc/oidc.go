// Package oidc is an OpenID Connect issuer shaped like that of GitHub Actions,
// for rehearsals and tests: discovery, keys, and the endpoint at which a job
// asks for its token.
//
// Invariant: a request token is good for one set of claims, those of the job it
// was granted to, until it is revoked; the job chooses the audience alone. The
// issuer's key exists only in its process. It knows no users and no clients.
//
// https://docs.github.com/en/actions/reference/security/oidc
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// lifetime of a token, as GitHub's.
const lifetime = 5 * time.Minute

// Issuer is a running issuer.
type Issuer struct {
	url    string
	key    jose.JSONWebKey
	signer jose.Signer
	server *http.Server

	mu     sync.Mutex
	grants map[string]Claims // by request token
}

// New makes an issuer that is served at url by its ServeHTTP.
func New(url string) (*Issuer, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the issuer's key: %w", err)
	}
	sum := sha256.Sum256(private.N.Bytes())
	key := jose.JSONWebKey{Key: private, KeyID: hex.EncodeToString(sum[:8]), Algorithm: string(jose.RS256), Use: "sig"}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, fmt.Errorf("make the issuer's signer: %w", err)
	}
	return &Issuer{url: strings.TrimSuffix(url, "/"), key: key, signer: signer, grants: make(map[string]Claims)}, nil
}

// Start serves an issuer on a free port of loopback. Stop ends it.
func Start(ctx context.Context) (*Issuer, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the issuer: %w", err)
	}
	i, err := New("http://" + listener.Addr().String())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	i.server = &http.Server{Handler: i, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = i.server.Serve(listener) }() // ends with Stop
	return i, nil
}

// Stop ends an issuer that Start began.
func (i *Issuer) Stop() {
	if i.server != nil {
		_ = i.server.Close()
	}
}

// URL is the issuer, as tokens and verifiers name it.
func (i *Issuer) URL() string { return i.url }

// Grant lets a job ask for tokens with these claims: the values are those of
// ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN.
func (i *Issuer) Grant(c Claims) (requestURL, requestToken string) {
	token := rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.grants[token] = c
	return i.url + requestPath + "?api-version=2.0", token
}

// Revoke ends a grant, as the end of the job does.
func (i *Issuer) Revoke(requestToken string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.grants, requestToken)
}

// Token signs a token directly.
func (i *Issuer) Token(c Claims, audience string) (string, error) {
	if audience == "" {
		audience = "https://github.com/" + c.owner()
	}
	now := time.Now()
	token, err := jwt.Signed(i.signer).Claims(jwt.Claims{
		Issuer: i.url, Subject: c.Subject(), Audience: jwt.Audience{audience}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)),
		Expiry: jwt.NewNumericDate(now.Add(lifetime)),
	}).Claims(c.private()).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}

const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/.well-known/jwks"
	requestPath   = "/_apis/pipelines/oidc/token"
)

// ServeHTTP answers discovery, keys and token requests.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet:
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	case strings.HasSuffix(r.URL.Path, discoveryPath):
		answer(w, map[string]any{
			"issuer": i.url, "jwks_uri": i.url + keysPath,
			"subject_types_supported": []string{"public", "pairwise"}, "response_types_supported": []string{"id_token"},
			"id_token_signing_alg_values_supported": []string{"RS256"}, "scopes_supported": []string{"openid"},
			"claims_supported": claimNames(),
		})
	case strings.HasSuffix(r.URL.Path, keysPath):
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key.Public()}})
	case strings.HasSuffix(r.URL.Path, requestPath):
		i.request(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (i *Issuer) request(w http.ResponseWriter, r *http.Request) {
	requestToken, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	i.mu.Lock()
	claims, granted := i.grants[requestToken]
	i.mu.Unlock()
	if !ok || !granted {
		http.Error(w, "this request token is not, or no longer, that of a job", http.StatusUnauthorized)
		return
	}
	token, err := i.Token(claims, r.URL.Query().Get("audience"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{"count": len(token), "value": token})
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the client is gone
}
