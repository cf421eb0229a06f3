package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestSendSigns(t *testing.T) {
	t.Parallel()
	var got atomic.Pointer[http.Request]
	var body atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		body.Store(string(data))
		got.Store(r)
	}))
	defer server.Close()
	m := Message{URL: server.URL + "/hook", Secret: "s3cret", Event: "deployed", ID: "id1", Body: []byte(`{"a":1}`)}
	if err := Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte("s3cret"))
	mac.Write([]byte(`{"a":1}`))
	h := got.Load().Header
	if h.Get("X-Hub-Signature-256") != "sha256="+hex.EncodeToString(mac.Sum(nil)) || body.Load() != `{"a":1}` ||
		h.Get("X-Waybill-Event") != "deployed" || h.Get("X-Waybill-Delivery") != "id1" || h.Get("Content-Type") != "application/json" {
		t.Errorf("%v %v", h, body.Load())
	}
	m.Secret = ""
	if err := Send(t.Context(), m); err != nil || got.Load().Header.Get("X-Hub-Signature-256") != "" {
		t.Errorf("without a key: %v %v", err, got.Load().Header)
	}
}

// A notification goes to the address and nowhere else, and no error holds the address.
func TestSendGoesNowhereElse(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Store(true) }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect-hushhush" {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "hushhush")
	}))
	defer server.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for address, says := range map[string]string{
		server.URL + "/redirect-hushhush": "redirects are not followed", server.URL + "/hushhush": "the answer is 403",
		gone.URL + "/hushhush": "cannot be reached", "http://example.com/hushhush": "https://", "hushhush": "no URL",
		"file:///hushhush": "no URL", "ftp://127.0.0.1/hushhush": "https://", "https://%zz/hushhush": "no URL",
	} {
		err := Send(t.Context(), Message{URL: address, Body: []byte("{}")})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hushhush") {
			t.Errorf("%s: got %v, want %s", address, err, says)
		}
	}
	if elsewhere.Load() {
		t.Error("the redirect was followed")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Send(ended, Message{URL: server.URL}); err == nil || !strings.Contains(err.Error(), "no answer within") {
		t.Errorf("interrupted: %v", err)
	}
}
