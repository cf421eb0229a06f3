package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// buckets are the upper bounds, in seconds, of the histogram of durations.
var buckets = [...]float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// metrics counts requests in Prometheus's text format. Paths are no label:
// clients choose them, and every one would be a series.
type metrics struct {
	mu       sync.Mutex
	requests map[request]int
	counts   [len(buckets)]int // of durations up to buckets[i]
	count    int
	sum      float64
}

type request struct{ method, code string }

// observe wraps a handler.
func (m *metrics) observe(next http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started, recorder := now(), &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		m.add(r.Method, recorder.status, now().Sub(started))
	})
}

func (m *metrics) add(method string, status int, took time.Duration) {
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method) {
		method = "other"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests == nil {
		m.requests = make(map[request]int)
	}
	m.requests[request{method, strconv.Itoa(status)}]++
	m.count++
	m.sum += took.Seconds()
	for i, bound := range buckets {
		if took.Seconds() <= bound {
			m.counts[i]++
		}
	}
}

// ServeHTTP answers what Prometheus asks for, whatever the path.
func (m *metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprint(w, "# TYPE http_requests_total counter\n")
	keys := make([]request, 0, len(m.requests))
	for k := range m.requests {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b request) int {
		if a.method+a.code < b.method+b.code {
			return -1
		}
		return 1
	})
	for _, k := range keys {
		fmt.Fprintf(w, "http_requests_total{method=%q,code=%q} %d\n", k.method, k.code, m.requests[k])
	}
	fmt.Fprint(w, "# TYPE http_request_duration_seconds histogram\n")
	for i, bound := range buckets {
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{le=\"%g\"} %d\n", bound, m.counts[i])
	}
	fmt.Fprintf(w, "http_request_duration_seconds_bucket{le=\"+Inf\"} %d\n", m.count)
	fmt.Fprintf(w, "http_request_duration_seconds_sum %g\nhttp_request_duration_seconds_count %d\n", m.sum, m.count)
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
