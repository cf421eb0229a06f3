package sigstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// A password in a service's address is in no error.
func TestErrorsShowNoPassword(t *testing.T) {
	t.Parallel()
	o := SignerOptions{Sleep: func(context.Context, time.Duration) error { return nil }}
	a := authority{o.service("the timestamp authority", "http://waybill:secret@127.0.0.1:1/stamp", time.Second)}
	_, err := a.stamp(t.Context(), []byte("signature"))
	var told *serviceError
	if !errors.As(err, &told) || strings.Contains(err.Error(), "secret") ||
		!strings.Contains(err.Error(), "127.0.0.1:1/stamp does not answer") {
		t.Errorf("got %v", err)
	}
}
