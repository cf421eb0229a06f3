// Package dockerregistry starts a real registry, the CNCF Distribution that
// Debian packages as docker-registry, on a free port of loopback: for tests and
// benchmarks. It has no referrers API, as ghcr.io has none.
package dockerregistry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// Registry is a running registry.
type Registry struct {
	Host   string // 127.0.0.1:PORT, plain HTTP
	server *process.Server
}

const startWithin = 30 * time.Second

// Login is the one user of a private registry.
type Login struct{ Username, Password string }

// Start starts the program with its storage in dir and waits until it listens.
// With a login, nobody else is let in. Stop ends it.
func Start(ctx context.Context, program, dir string, logins ...Login) (*Registry, error) {
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf(
		"version: 0.1\nlog: {level: info, formatter: text}\nstorage:\n  filesystem: {rootdirectory: %q}\n  delete: {enabled: "+
			"true}\nhttp: {addr: '127.0.0.1:0'}\n",
		filepath.Join(dir, "data"),
	)
	if len(logins) > 0 {
		users := filepath.Join(dir, "htpasswd")
		if err := writeUsers(users, logins); err != nil {
			return nil, fmt.Errorf("start a registry: %w", err)
		}
		text += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", users)
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("start a registry: %w", err)
	}
	listening := &watcher{found: make(chan struct{})}
	server, err := process.Command{
		Path: program, Args: []string{"serve", config}, Env: []string{"OTEL_TRACES_EXPORTER=none"}, Stdout: listening,
		Stderr: listening,
	}.Start(context.WithoutCancel(ctx))
	if err != nil {
		return nil, fmt.Errorf("start a registry: %w", err)
	}
	r := &Registry{server: server}
	select {
	case <-listening.found:
		r.Host = listening.host
		return r, nil
	case <-server.Done():
		return nil, fmt.Errorf("start a registry: it ended: %w", server.Err())
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(startWithin):
		err = errors.New("it does not say where it listens")
	}
	r.Stop()
	return nil, fmt.Errorf("start a registry: %w", err)
}

func writeUsers(file string, logins []Login) error {
	var lines []byte
	for _, l := range logins {
		hash, err := bcrypt.GenerateFromPassword([]byte(l.Password), bcrypt.MinCost)
		if err != nil {
			return err
		}
		lines = fmt.Appendf(lines, "%s:%s\n", l.Username, hash)
	}
	return os.WriteFile(file, lines, 0o600)
}

// Stop ends the registry and waits for its end.
func (r *Registry) Stop() { r.server.Stop() }

var listeningOn = regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)

// watcher reads the log until it says where the registry listens.
type watcher struct {
	mu    sync.Mutex
	seen  bytes.Buffer
	host  string
	found chan struct{}
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.host != "" {
		return len(p), nil
	}
	w.seen.Write(p)
	if m := listeningOn.FindSubmatch(w.seen.Bytes()); m != nil {
		w.host = string(m[1])
		close(w.found)
	}
	return len(p), nil
}
