package sigstored_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored"
	"github.com/waybill-dev/waybill/internal/rehearsal/sigstored/sigstoretest"
)

// Two at once: each on ports of its own.
func TestStartTwice(t *testing.T) {
	t.Parallel()
	a, b := sigstoretest.Start(t), sigstoretest.Start(t)
	if a.Instance.FulcioURL == b.Instance.FulcioURL || a.Instance.LogURL == b.Instance.LogURL ||
		a.Instance.TimestampURL == b.Instance.TimestampURL {
		t.Errorf("both at %+v", a.Instance)
	}
	for _, file := range []string{a.SigningConfig, a.TrustedRoot, a.TimestampChain} {
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestStartSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := sigstored.Start(t.Context(), sigstored.Options{Tools: t.TempDir(), State: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "start Sigstore: ") || !strings.Contains(err.Error(), "fulcio") {
		t.Errorf("got %v", err)
	}
}

// A program that ends at once is told with its last words, not waited for.
func TestStartSaysWhyAProgramEnded(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	if err := os.WriteFile(filepath.Join(tools, "fulcio"), []byte("#!/bin/sh\necho no such config >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := sigstored.Start(t.Context(), sigstored.Options{Tools: tools, State: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "start fulcio: it ended") || !strings.Contains(err.Error(), "no such config") {
		t.Errorf("got %v", err)
	}
}

// A program that says nothing is given up with the context, and ended.
func TestStartGivesUp(t *testing.T) {
	t.Parallel()
	sleep, err := process.LookPath("sleep")
	if err != nil {
		t.Skip("needs sleep")
	}
	tools := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	if err := os.WriteFile(filepath.Join(tools, "fulcio"), []byte("#!/bin/sh\ntouch started\nexec "+sleep+" 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			if _, err := os.Stat(filepath.Join(state, "started")); err == nil {
				cancel()
			}
		}
	}()
	if _, err := sigstored.Start(ctx, sigstored.Options{Tools: tools, State: state}); err == nil ||
		!strings.Contains(err.Error(), "start fulcio: no answer") {
		t.Errorf("got %v", err)
	}
	cancel()
}
