package registry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Bounds of one request. Together with backoff they bound every call: a
// registry that accepts connections and says nothing costs at most
// attempts × responseTimeout.
const (
	dialTimeout     = 10 * time.Second
	responseTimeout = 30 * time.Second
)

var backoff = remote.Backoff{Duration: 500 * time.Millisecond, Factor: 3, Jitter: 0.2, Steps: 4}

var retryStatusCodes = []int{
	http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

func newTransport() http.RoundTripper {
	t := remote.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	t.ResponseHeaderTimeout = responseTimeout
	return t
}

// Error is a request to a registry that failed after its retries.
type Error struct {
	Host   string
	Doing  string
	Status int // HTTP status, 0 when there was no answer
	Cause  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("registry %s: %s: %v%s", e.Host, e.Doing, e.Cause, e.hint())
}

// Unwrap keeps the cause reachable.
func (e *Error) Unwrap() error { return e.Cause }

func (e *Error) hint() string {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return " (log in with docker login or set WAYBILL_REGISTRY_USERNAME and WAYBILL_REGISTRY_PASSWORD; ghcr.io needs packages: write to push)"
	case http.StatusTooManyRequests:
		return " (the registry limits requests: log in, or try again later)"
	case 0:
		return " (is the host right, and reachable from here?)"
	}
	return ""
}

func wrap(repository name.Repository, doing string, err error) error {
	e := &Error{Host: repository.RegistryStr(), Doing: doing, Cause: err}
	var answer *transport.Error
	if errors.As(err, &answer) {
		e.Status = answer.StatusCode
	}
	return e
}
