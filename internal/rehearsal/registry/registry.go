// Package registry is the rehearsal's image registry: go-containerregistry's,
// with the referrers API, its blobs on disk and its manifests in memory. It asks
// nobody who they are.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Server is a registry on loopback.
type Server struct {
	Host   string // 127.0.0.1:PORT
	server *http.Server
	done   chan struct{}
}

// Start serves a registry whose blobs are in dir, on a random port.
func Start(ctx context.Context, dir string) (*Server, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the registry: %w", err)
	}
	handler := Referrers(registry.New(
		registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true),
		registry.WithBlobHandler(registry.NewDiskBlobHandler(dir)),
	))
	s := &Server{
		Host: listener.Addr().String(), server: &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("the registry of the rehearsal ended: %v", err)
		}
	}()
	return s, nil
}

// Stop ends the registry.
func (s *Server) Stop() {
	_ = s.server.Close()
	<-s.done
}
