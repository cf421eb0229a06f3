package registry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/waybill-dev/waybill/internal/retry"
)

// Bounds of one request. Together with patience they bound every call: a
// registry that accepts connections and says nothing costs two waits.
const (
	dialTimeout     = 10 * time.Second
	responseTimeout = 30 * time.Second
	// A registry may copy a blob to where it keeps it before it answers to the
	// end of an upload, which takes minutes for a large one.
	commitTimeout = 5 * time.Minute
	// While content is sent, only a standstill ends a request.
	idleTimeout = time.Minute
)

func newTransport(hosts Hosts) http.RoundTripper {
	t := remote.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	t.ResponseHeaderTimeout = 0
	return &watched{inner: hosts.over(t), response: responseTimeout, commit: commitTimeout, idle: idleTimeout}
}

// patience is how long a failing request is tried again.
type patience struct {
	attempts  int           // at most, the first one included
	silences  int           // at most, when the registry says nothing at all
	retryWait time.Duration // longest Retry-After that is waited for
	retry.Policy
}

func defaultPatience() patience {
	return patience{attempts: 4, silences: 2, retryWait: 90 * time.Second, Policy: retry.Policy{
		First: 280 * time.Millisecond, Factor: 3, Most: 10 * time.Second, Spread: 0.1,
	}}
}

// patient repeats requests that fail for a reason that may pass. A request
// whose body cannot be sent twice is left to go-containerregistry, which begins
// the upload anew; see uploadAgain.
type patient struct {
	inner http.RoundTripper
	patience
}

// exhausted marks an error as final: nobody above tries again.
type exhausted struct{ error }

func (e exhausted) Unwrap() error { return e.error }

func (p *patient) RoundTrip(request *http.Request) (response *http.Response, err error) {
	if request.Body != nil && request.Body != http.NoBody && request.GetBody == nil {
		return p.inner.RoundTrip(request)
	}
	silences := 0
	ended := p.Do(request.Context(), func(attempt int, delay time.Duration) (time.Duration, bool) {
		response, err = p.once(request, attempt)
		if err != nil {
			if isSilence(err) {
				silences++
			}
			again := attempt < p.attempts && silences < p.silences && passes(err) && request.Context().Err() == nil
			err = exhausted{err}
			return delay, again
		}
		if attempt >= p.attempts || !(retryable(response.StatusCode) || isLate(request, response)) {
			return 0, false
		}
		if asked, ok := retry.After(response.Header, time.Now()); ok {
			if asked > p.retryWait {
				return 0, false
			}
			delay = max(delay, asked)
		}
		io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
		response.Body.Close()
		return delay, true
	})
	if ended != nil {
		return nil, exhausted{ended}
	}
	return response, err
}

func (p *patient) once(request *http.Request, attempt int) (*http.Response, error) {
	if attempt > 1 && request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.Body = body
	}
	return p.inner.RoundTrip(request)
}

func retryable(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// passes reports whether a failed exchange may go better the next time: a broken
// or refused connection or silence, and not a wrong name or certificate.
func passes(err error) bool {
	return isSilence(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, net.ErrClosed)
}

func isSilence(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Uploads are begun anew at most twice.
var uploadBackoff = remote.Backoff{Duration: 500 * time.Millisecond, Factor: 3, Jitter: 0.2, Steps: 3}

// uploadAgain reports whether go-containerregistry should begin an upload anew:
// when sending the content failed, which patient does not repeat, or when the
// registry has lost the upload.
func uploadAgain(err error) bool {
	var final exhausted
	if err == nil || errors.As(err, &final) || errors.Is(err, context.Canceled) {
		return false
	}
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return passes(err)
	}
	for _, d := range answer.Errors {
		if d.Code == transport.BlobUploadInvalidErrorCode || d.Code == transport.BlobUploadUnknownErrorCode {
			return true
		}
	}
	return answer.Request != nil && answer.Request.Method == http.MethodPatch && retryable(answer.StatusCode)
}
