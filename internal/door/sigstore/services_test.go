package sigstore

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-openapi/runtime"
	"github.com/sigstore/cosign/v2/pkg/cosign"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// server is Rekor v1's API, as far as signers use it: it has each entry once, and gives by
// its name what it has.
// https://github.com/sigstore/rekor/blob/main/openapi.yaml
type server struct {
	rekor1
	mu     sync.Mutex
	before func(w http.ResponseWriter, nth int) bool // answers in its place; nil does not
	nth    int
	has    map[string]bool
	last   models.LogEntry
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	s.nth++
	w.Header().Set("Content-Type", "application/json")
	if s.before != nil && s.before(w, s.nth) {
		return
	}
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(s.last)
		return
	}
	if s.has[string(body)] {
		w.Header().Set("Location", "/api/v1/log/entries/a")
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"code":409,"message":"an equivalent entry already exists"}`)
		return
	}
	proposed, err := models.UnmarshalProposedEntry(strings.NewReader(string(body)), runtime.JSONConsumer())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	created, err := s.CreateLogEntry(entries.NewCreateLogEntryParams().WithContext(r.Context()).WithProposedEntry(proposed))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.has[string(body)], s.last = true, created.Payload
	if s.before != nil && s.before(w, -s.nth) {
		return
	}
	w.Header().Set("ETag", created.ETag)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(created.Payload)
}

// answers gives one answer in place of the log's.
func answers(status int, body string, headers ...string) func(http.ResponseWriter, int) bool {
	return func(w http.ResponseWriter, nth int) bool {
		if nth < 0 {
			return false
		}
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

// Whatever a log of Rekor v1 answers: an error that names it, what came and what to do, and
// no crash; and then, or where it passes, an entry.
func TestRekor1ThatFails(t *testing.T) {
	t.Parallel()
	const incomplete = `{"a":{"body":"e30=","integratedTime":1,"logIndex":1,"logID":"` +
		"c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d" + `"}}`
	key := newTestKey(t)
	for what, tc := range map[string]struct {
		before func(w http.ResponseWriter, nth int) bool
		says   string // nothing where it has to pass
	}{
		"500":             {answers(500, "no"), "answered 500 Internal Server Error"},
		"503 until later": {answers(503, "", "Retry-After", "3600"), "and asks to wait 1h0m0s; asked 1 time; run it again later"},
		"400":             {answers(400, `{"code":400,"message":"no"}`), "answered 400 Bad Request"},
		"HTML": {answers(201, "<html>", "Content-Type", "text/html", "ETag", "a"),
			`cannot be used (201 Created, "text/html": "<html>")`},
		"an empty body":   {answers(201, "", "ETag", "a"), "cannot be used (201 Created"},
		"an empty object": {answers(201, "{}", "ETag", "a"), "it holds no entry of the name that it gives"},
		"an empty entry":  {answers(201, `{"a":{}}`, "ETag", "a"), "it lacks the log, the time or the place"},
		"no proof":        {answers(201, incomplete, "ETag", "a"), "it lacks the proof that the log has the entry"},
		"an empty proof": {answers(201, strings.Replace(incomplete, `"}}`, `","verification":{"inclusionProof":{}}}}`, 1), "ETag", "a"),
			"it lacks a part of the proof"},
		"a conflict, alone": {answers(409, `{}`), "cannot be used (409 Conflict"},
		"a conflict with nothing": {func(w http.ResponseWriter, nth int) bool {
			if nth == 1 {
				return answers(409, `{}`, "Location", "/api/v1/log/entries/a")(w, 1)
			}
			return answers(200, "{}")(w, 1)
		}, "it holds 0 entries, not one"},
		"a conflict with an empty entry": {func(w http.ResponseWriter, nth int) bool {
			if nth == 1 {
				return answers(409, `{}`, "Location", "/api/v1/log/entries/a")(w, 1)
			}
			return answers(200, `{"a":{}}`)(w, 1)
		}, "it lacks the log, the time or the place"},
		"429, once": {func(w http.ResponseWriter, nth int) bool {
			return nth == 1 && answers(429, "", "Retry-After", "2")(w, 1)
		}, ""},
		"a lost answer": {func(_ http.ResponseWriter, nth int) bool {
			if nth == -1 {
				panic(http.ErrAbortHandler)
			}
			return false
		}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			log, signer := newServer(t, key)
			log.before = tc.before
			if tc.says != "" {
				_, err := signer.Statement(t.Context(), []byte(`{"_type":"https://in-toto.io/Statement/v1"}`))
				if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), tc.says) ||
					!strings.Contains(err.Error(), "the transparency log "+signer.logs[0].url) {
					t.Fatalf("got %v, want %s", err, tc.says)
				}
				log.before = nil
			}
			if _, err := signer.Statement(t.Context(), []byte(`{"_type":"https://in-toto.io/Statement/v1"}`)); err != nil {
				t.Error(err)
			}
		})
	}
}

// An older entry of the log is none of another signature.
func TestRekor1ThatReplays(t *testing.T) {
	t.Parallel()
	log, signer := newServer(t, newTestKey(t))
	if _, err := signer.Statement(t.Context(), []byte(`{"_type":"https://in-toto.io/Statement/v1"}`)); err != nil {
		t.Fatal(err)
	}
	older, err := json.Marshal(log.last)
	if err != nil {
		t.Fatal(err)
	}
	log.before = answers(201, string(older), "ETag", "a")
	_, err = signer.Statement(t.Context(), []byte(`{"_type":"https://in-toto.io/Statement/v1"}`))
	if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "gave a log entry of another signature than it was asked for") {
		t.Errorf("got %v", err)
	}
}

func newTestKey(t *testing.T) *Key {
	t.Helper()
	private, err := cosign.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := newKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newServer(t *testing.T, key *Key) (*server, *Signer) {
	t.Helper()
	instance, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{rekor1: rekor1{instance}, has: make(map[string]bool)}
	served := httptest.NewServer(s)
	t.Cleanup(served.Close)
	config, err := Instance{LogURL: served.URL, Since: time.Now().Add(-time.Hour)}.SigningConfig()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(t.Context(), SignerOptions{
		Key: key, SigningConfig: strings.Replace(string(config), `"majorApiVersion": 2`, `"majorApiVersion": 1`, 1),
		Sleep: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, signer
}
