package health_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/waybill-dev/waybill/internal/door/health"
)

// answers is a server that gives one answer to everything.
type answers struct {
	status int
	body   string
}

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	recorder.WriteHeader(a.status)
	_, _ = recorder.WriteString(strings.ReplaceAll(a.body, "TOKEN", r.Header.Get("Authorization")))
	return recorder.Result(), nil
}

// Whatever a server answers, nothing that is said of it holds the token or a control
// character, and an answer that is no success is an error.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"status":{"sync":{"status":"Synced","revision":"a"},"health":{"status":"Healthy","lastTransitionTime":"2026-11-20T12:00:00Z"}}}`,
		`{"nodes":[{"kind":"Pod","name":"TOKEN\u001b","health":{"status":"Degraded","message":"TOKEN\n::error::x"}}]}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1.5,"1"],[1e300,"x"]]}]},"warnings":["TOKEN"]}`,
		`{"error":"TOKEN","code":7,"message":"TOKEN"}`, `{"status":"error","error":"\u202eTOKEN"}`, `[]`, ``, `{"status":null}`,
	} {
		f.Add(200, body)
		f.Add(403, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status >= 300 && status < 400 {
			return // no answer, or a redirect
		}
		s := health.Server{URL: "https://x.example", Token: secret, Transport: answers{status, body}}
		s.Sleep = func(context.Context, time.Duration) error { return nil }
		clean := func(texts ...string) {
			for _, text := range texts {
				if strings.Contains(text, secret) || strings.ContainsFunc(text, unicode.IsControl) {
					t.Errorf("%q", text)
				}
			}
		}
		app, err := s.Application(t.Context(), "x", "")
		clean(app.Operation.Message)
		if (err == nil) && status != http.StatusOK {
			t.Errorf("%d is no error", status)
		}
		said(clean, err)
		objects, err := s.Unhealthy(t.Context(), "x", "")
		for _, o := range objects {
			clean(o.Kind, o.Namespace, o.Name, o.Message)
		}
		said(clean, err)
		_, err = s.Holds(t.Context(), "x == 1", health.Range{From: now, Until: now.Add(time.Hour), Step: time.Minute})
		said(clean, err)
	})
}

func said(clean func(...string), err error) {
	if err != nil {
		clean(err.Error())
	}
}
