package cli

import (
	"net/http"
	"net/url"
	"time"
)

// Traced gives the transport of a door, which says every request on stderr if
// --debug is given: method, address, status and duration. It never says a
// header, a body, or the query of an address, where tokens and signatures are.
func (c *Call) Traced(inner http.RoundTripper) http.RoundTripper {
	if !c.debug {
		return inner
	}
	return tracer{inner, c.Sayf}
}

type tracer struct {
	inner http.RoundTripper
	sayf  func(format string, args ...any)
}

// RoundTrip sends the request and says how it ended.
func (t tracer) RoundTrip(request *http.Request) (*http.Response, error) {
	began := time.Now()
	response, err := t.inner.RoundTrip(request)
	took := time.Since(began).Round(time.Millisecond)
	if err != nil {
		t.sayf("debug: %s %s: no answer in %s", request.Method, address(request.URL), took)
		return nil, err
	}
	t.sayf("debug: %s %s: %d in %s", request.Method, address(request.URL), response.StatusCode, took)
	return response, nil
}

// address is a URL without user and fragment, and with the query cut off.
func address(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.RawQuery != "" {
		return shown.String() + "?…"
	}
	return shown.String()
}
