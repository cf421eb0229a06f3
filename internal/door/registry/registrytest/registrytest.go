// Package registrytest serves a registry for tests, in-process and on
// loopback.
package registrytest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
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
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true))
	s := &Server{Before: before}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Before != nil && s.Before(w, r) {
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.Host = strings.TrimPrefix(server.URL, "http://")
	return s
}
