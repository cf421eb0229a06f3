// Command backend is a small HTTP service to deliver with Waybill.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const shutdownTimeout = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("backend stops", "error", err)
		os.Exit(1)
	}
}

// run serves the API and, on a port of their own that the Ingress does not
// reach, the metrics.
func run(ctx context.Context, getenv func(string) string) error {
	var level slog.Level
	if text := getenv("LOG_LEVEL"); text != "" {
		if err := level.UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("LOG_LEVEL: %w", err)
		}
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	listener, err := listen(getenv("PORT"), "8080")
	if err != nil {
		return err
	}
	defer listener.Close()
	scrapes, err := listen(getenv("METRICS_PORT"), "9090")
	if err != nil {
		return err
	}
	m := new(metrics)
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { defer stop(); done <- serve(ctx, log, scrapes, m) }()
	err = serve(ctx, log, listener, m.observe(newAPI(getenv("API_KEY"), time.Now), time.Now))
	stop()
	return errors.Join(err, <-done)
}

func listen(port, otherwise string) (net.Listener, error) {
	if port == "" {
		port = otherwise
	}
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}

// serve answers requests until ctx ends, then lets the open ones finish.
func serve(ctx context.Context, log *slog.Logger, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	log.Info("backend listens", "address", listener.Addr().String())
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("backend shuts down")
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
