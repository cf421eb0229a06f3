package sigstore

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// A log that refuses what is too large is told as one, and as something to
// change in the call.
func TestLogThatRefusesLargeEntries(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	t.Cleanup(server.Close)
	key := freshKey(t)
	config, err := Instance{LogURL: server.URL, Since: time.Now().Add(-time.Hour)}.SigningConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1", "2"} {
		text := strings.Replace(string(config), `"majorApiVersion": 2`, `"majorApiVersion": `+version, 1)
		signer, err := NewSigner(t.Context(), SignerOptions{Key: key, SigningConfig: text})
		if err != nil {
			t.Fatal(err)
		}
		_, err = signer.Statement(t.Context(), []byte(`{"_type":"https://in-toto.io/Statement/v1"}`))
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "refuses an entry this large, with status 413") {
			t.Errorf("Rekor v%s: got %v", version, err)
		}
	}
}

// What fits a statement fits what readers read of an attachment.
func TestLimitsOfWriterAndReaderAreOne(t *testing.T) {
	t.Parallel()
	if written := (MaxStatement+2)/3*4 + maxBesidePayload; written > registry.MaxAttachment {
		t.Errorf("a statement of %d bytes makes a bundle of %d, and %d are read", MaxStatement, written, registry.MaxAttachment)
	}
}
