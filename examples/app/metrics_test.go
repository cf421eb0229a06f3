package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := new(metrics)
	clock := start
	now := func() time.Time { clock = clock.Add(20 * time.Millisecond); return clock }
	handler := m.observe(newAPI("", fixed), now)
	for _, r := range []struct{ method, path string }{
		{"GET", "/api/health"}, {"GET", "/api/health"}, {"GET", "/nothing"}, {"BREW", "/api"},
	} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), r.method, r.path, nil))
	}
	recorder := httptest.NewRecorder()
	m.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`http_requests_total{method="GET",code="200"} 2`,
		`http_requests_total{method="GET",code="404"} 1`,
		`http_requests_total{method="other",code="405"} 1`,
		`http_request_duration_seconds_bucket{le="0.01"} 0`,
		`http_request_duration_seconds_bucket{le="0.025"} 4`,
		`http_request_duration_seconds_bucket{le="+Inf"} 4`,
		`http_request_duration_seconds_sum 0.08`,
		`http_request_duration_seconds_count 4`,
	} {
		if !strings.Contains(recorder.Body.String(), want+"\n") {
			t.Errorf("no %s in\n%s", want, recorder.Body)
		}
	}
}
