package main

import (
	"context"
	"strings"
	"testing"
)

func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestRunEndsWhenToldTo(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := run(ctx, environment(map[string]string{"PORT": "0", "METRICS_PORT": "0", "LOG_LEVEL": "error"})); err != nil {
		t.Error(err)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for want, vars := range map[string]map[string]string{
		"LOG_LEVEL":    {"LOG_LEVEL": "loud"},
		"invalid port": {"PORT": "99999"},
		"address":      {"PORT": "0", "METRICS_PORT": "99999"},
	} {
		if err := run(t.Context(), environment(vars)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
