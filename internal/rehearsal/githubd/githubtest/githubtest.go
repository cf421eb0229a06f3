// Package githubtest starts the stand-in for GitHub for a test, and ends it
// with the test.
package githubtest

import (
	"testing"

	"github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

// Start starts a server on a random port of loopback; without a directory, in
// one of the test's own.
func Start(t testing.TB, o githubd.Options) *githubd.Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	server, err := githubd.New(o)
	if err != nil {
		t.Fatal(err)
	}
	stop, err := server.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return server
}
