package health_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/health"
	"github.com/waybill-dev/waybill/internal/rehearsal/healthd"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const secret = "hushhush"

func stand(t *testing.T) (*healthd.Server, health.Server) {
	t.Helper()
	d := &healthd.Server{Token: secret}
	web := httptest.NewServer(d)
	t.Cleanup(web.Close)
	return d, health.Server{URL: web.URL, Token: secret, Sleep: func(context.Context, time.Duration) error { return nil }}
}

func TestApplication(t *testing.T) {
	t.Parallel()
	d, s := stand(t)
	d.SetApplication(healthd.Application{
		Name: "api-dev", Namespace: "team", Sync: "Synced", Health: "Degraded", HealthSince: now, Revisions: []string{"1.2.3", "abc"},
		Images: []string{"x@sha256:1"}, History: []healthd.Deployment{{Revision: "a", At: now.Add(-time.Hour)}, {Revision: "b", At: now}},
		Phase: "Succeeded", Message: "done", Nodes: []healthd.Node{
			{Kind: "ConfigMap", Name: "c"}, {Kind: "Pod", Namespace: "n", Name: "p", Health: "Progressing"},
			{Kind: "Service", Name: "s", Health: "Healthy"},
			{Kind: "Deployment", Namespace: "n", Name: "d", Health: "Degraded", Message: "a\nb " + secret},
		},
	})
	got, err := s.Application(t.Context(), "api-dev", "team")
	want := health.Application{
		Sync: "Synced", Health: "Degraded", Since: now, Revisions: []string{"1.2.3", "abc"}, Images: []string{"x@sha256:1"},
		Deployed:  []health.Deployed{{Revisions: []string{"b"}, At: now}, {Revisions: []string{"a"}, At: now.Add(-time.Hour)}},
		Operation: health.Operation{Phase: "Succeeded", Message: "done"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	objects, err := s.Unhealthy(t.Context(), "api-dev", "team")
	if diff := cmp.Diff([]health.Object{
		{Kind: "Deployment", Namespace: "n", Name: "d", Health: "Degraded", Message: `a\nb …`},
		{Kind: "Pod", Namespace: "n", Name: "p", Health: "Progressing"},
	}, objects); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := s.Application(t.Context(), "api-dev", ""); !health.IsDenied(err) {
		t.Errorf("in another namespace: %v", err)
	}
}

// No word of an Application holds the token, whatever field a server says it back in.
func TestNoFieldHoldsTheToken(t *testing.T) {
	t.Parallel()
	d, s := stand(t)
	d.SetApplication(healthd.Application{
		Name: "x", Sync: "a " + secret, Health: secret + strings.Repeat("x", 1000), Revisions: []string{secret},
		Phase: secret, Message: secret,
	})
	got, err := s.Application(t.Context(), "x", "")
	if said := fmt.Sprint(got); err != nil || strings.Contains(said, secret) || got.Sync != "a …" || len(said) > 400 {
		t.Errorf("%v, %v", said, err)
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	d, s := stand(t)
	d.Yields(func(query string, at time.Time) bool {
		return query == "up == 1" && at.After(now.Add(-2*time.Minute))
	})
	r := health.Range{From: now.Add(-4 * time.Minute), Until: now, Step: time.Minute}
	got, err := s.Holds(t.Context(), "up == 1", r)
	if diff := cmp.Diff([]time.Time{now.Add(-time.Minute), now}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := s.Holds(t.Context(), "absent(up)", r); err != nil || len(got) > 0 {
		t.Errorf("nothing yielded: %v, %v", got, err)
	}
	d.Yields(func(string, time.Time) bool { return true }, "remote read failed")
	const part = "the answer is not whole: remote read failed"
	if _, err := s.Holds(t.Context(), "up == 1", r); err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("a part was taken for all: %v", err)
	}
	if _, err := s.Holds(t.Context(), "(up == 1", r); err == nil || !strings.Contains(err.Error(), "unclosed left parenthesis") {
		t.Errorf("a query that is none: %v", err)
	}
	r.Step = time.Millisecond
	if _, err := s.Holds(t.Context(), "up == 1", r); err == nil || !strings.Contains(err.Error(), "more than Prometheus evaluates") {
		t.Errorf("too many points: %v", err)
	}
}

// A token goes to its server and nowhere else, no error holds it, and what is no answer
// is trouble.
func TestTrouble(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Store(true) }))
	t.Cleanup(other.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for what, test := range map[string]struct {
		url  string
		fail http.HandlerFunc
		want string
	}{
		"a redirect": {"", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}, "the answer is 307: redirects are not followed"},
		"its own words": {"", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message":"bad `+r.Header.Get("Authorization")+`\n::error::x"}`)
		}, "the answer is 400: bad Bearer …"},
		"a login page":        {"", write("<html>"), "not the JSON that is documented"},
		"another API":         {"", write(`{"ok":true}`), "not that of Prometheus"},
		"no vector":           {"", write(`{"status":"success","data":{"resultType":"scalar"}}`), "not that of Prometheus"},
		"a strange time":      {"", write(`{"status":"success","data":{"resultType":"matrix","result":[{"values":[["x","1"]]}]}}`), "a time that cannot be read"},
		"several series":      {"", write(`{"status":"success","data":{"resultType":"matrix","result":[{},{}]}}`), "ends its own brackets"},
		"an endless answer":   {"", endless, "larger than 32 MiB"},
		"in clear":            {"http://example.com", nil, "does not begin with https://"},
		"in clear, by a name": {"http://127.0.0.1.example.com", nil, "does not begin with https://"},
		"no URL":              {"example.com", nil, "no URL"},
		"with a password":     {"https://a:hushhush@example.com", nil, "no URL"},
		"nobody there":        {gone.URL, nil, "cannot be reached"},
		"not trusted":         {untrusted.URL, nil, "SSL_CERT_FILE"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d, s := stand(t)
			if d.Fail(test.fail); test.url != "" {
				s.URL = test.url
			}
			_, err := s.Holds(t.Context(), "up == 1", health.Range{From: now, Until: now, Step: time.Minute})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	t.Cleanup(func() {
		if elsewhere.Load() {
			t.Error("the redirect was followed")
		}
	})
}

func endless(w http.ResponseWriter, _ *http.Request) {
	block := strings.Repeat(" ", 1<<20)
	for range 33 {
		_, _ = io.WriteString(w, block)
	}
}

// A server that is in trouble is asked again, and one that says no is not.
func TestAgain(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int32{http.StatusBadGateway: 3, http.StatusTooManyRequests: 3, http.StatusForbidden: 1} {
		d, s := stand(t)
		var asked atomic.Int32
		d.Fail(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		})
		if _, err := s.Application(t.Context(), "x", ""); err == nil || asked.Load() != want {
			t.Errorf("%d: asked %d times, %v", status, asked.Load(), err)
		}
	}
}
