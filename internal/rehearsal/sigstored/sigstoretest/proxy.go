package sigstoretest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Proxy stands in front of one service of a Sigstore and does wrong what it is told to.
type Proxy struct {
	URL    string
	target *url.URL

	mu       sync.Mutex
	requests int
	from     int   // the first request that meets the fault; 0 is none
	fault    Fault // nil is none
}

// Fault answers a request in place of the service, which ask gives the answer of. The
// request is the nth that meets it.
type Fault func(w http.ResponseWriter, r *http.Request, nth int, ask func() Answer)

// Answer is what a service answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Write gives the answer.
func (a Answer) Write(w http.ResponseWriter) {
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// NewProxy starts a proxy for the service at a URL, whose path stays.
func NewProxy(t testing.TB, service string) *Proxy {
	t.Helper()
	target, err := url.Parse(service)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.URL = server.URL + target.Path
	return p
}

// Break lets requests from the nth on, counted from 1, meet the fault; nil ends that.
func (p *Proxy) Break(nth int, fault Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests, p.from, p.fault = 0, nth, fault
}

// Requests counts what came since Break.
func (p *Proxy) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// ServeHTTP passes a request on.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests++
	nth, fault := p.requests-p.from+1, p.fault
	p.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	ask := func() Answer { return p.ask(r, body) }
	if fault == nil || nth < 1 {
		ask().Write(w)
		return
	}
	fault(w, r, nth, ask)
}

// ask does not end with the client's request: for a second, Rekor v2 tells every client that
// it is gone when one is.
// https://github.com/transparency-dev/tessera/blob/main/await.go
func (p *Proxy) ask(r *http.Request, body []byte) Answer {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host = p.target.Scheme, p.target.Host
	out.RequestURI, out.Host = "", p.target.Host
	out.Body = io.NopCloser(bytes.NewReader(body))
	response, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		return Answer{Status: http.StatusBadGateway, Body: []byte(err.Error())}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{Status: http.StatusBadGateway, Body: []byte(err.Error())}
	}
	return Answer{response.StatusCode, response.Header, answer}
}

// Says answers with a status and a body, and with headers that are given as pairs.
func Says(status int, body string, headers ...string) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ int, _ func() Answer) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Times meets a fault so often, and then no more.
func Times(count int, fault Fault) Fault {
	return func(w http.ResponseWriter, r *http.Request, nth int, ask func() Answer) {
		if nth > count {
			ask().Write(w)
			return
		}
		fault(w, r, nth, ask)
	}
}

// CutsOff ends the connection in the middle of the service's answer.
func CutsOff(w http.ResponseWriter, _ *http.Request, _ int, ask func() Answer) {
	answer := ask()
	w.Header().Set("Content-Length", fmt.Sprint(len(answer.Body)))
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body[:len(answer.Body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// IsEndless answers without an end.
func IsEndless(w http.ResponseWriter, r *http.Request, _ int, ask func() Answer) {
	w.WriteHeader(ask().Status)
	for part := []byte(strings.Repeat(" ", 1<<20)); r.Context().Err() == nil; {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// Hangs gives no answer.
func Hangs(_ http.ResponseWriter, r *http.Request, _ int, _ func() Answer) { <-r.Context().Done() }

// Drips sends the service's answer so slowly that it does not come to its end.
func Drips(w http.ResponseWriter, r *http.Request, _ int, ask func() Answer) {
	answer := ask()
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body[:1])
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// Loses has the service do what it is asked, and gives no answer.
func Loses(_ http.ResponseWriter, _ *http.Request, _ int, ask func() Answer) {
	ask()
	panic(http.ErrAbortHandler)
}

// Replays gives an older answer.
func Replays(older Answer) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ int, _ func() Answer) { older.Write(w) }
}

// Keeps gives each request its answer, and keeps the last one.
func Keeps(last *Answer) Fault {
	var mu sync.Mutex
	return func(w http.ResponseWriter, _ *http.Request, _ int, ask func() Answer) {
		answer := ask()
		mu.Lock()
		*last = answer
		mu.Unlock()
		answer.Write(w)
	}
}
