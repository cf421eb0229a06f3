// Package registrytest serves a registry for tests, in-process and on
// loopback.
package registrytest

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	rehearsal "github.com/waybill-dev/waybill/internal/rehearsal/registry"
)

// Server is a registry with the referrers API.
type Server struct {
	Host string // 127.0.0.1:PORT
	// Before, when set, sees every request first and answers it by returning
	// true: how tests make the registry slow, forbidding or broken.
	Before func(w http.ResponseWriter, r *http.Request) bool
}

// New starts a registry that ends with the test. before may be nil.
func New(t testing.TB, before func(w http.ResponseWriter, r *http.Request) bool) *Server {
	t.Helper()
	handler := rehearsal.Referrers(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
	s := &Server{Before: before}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Before != nil && s.Before(w, r) {
			return
		}
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && !wholeManifest(w, r) {
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.Host = strings.TrimPrefix(server.URL, "http://")
	return s
}

// wholeManifest reads a manifest before the registry sees it. It answers, and
// reports false, when the client went away or when the content is not what the
// digest in the path names: the library's registry would store both. The
// distribution specification asks for DIGEST_INVALID.
func wholeManifest(w http.ResponseWriter, r *http.Request) bool {
	content, err := io.ReadAll(r.Body)
	reference := path.Base(r.URL.Path)
	if err != nil || (strings.HasPrefix(reference, "sha256:") && reference != Digest(content)) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}`)
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
	return true
}
