package sigstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/retry"
	"github.com/waybill-dev/waybill/internal/text"
)

// Bounds of one call to Fulcio, a timestamp authority or a log: how long one attempt may
// take, how many there are, and how many of them may end without any answer.
const (
	serviceTimeout = 30 * time.Second
	logTimeout     = 90 * time.Second // Rekor v2 answers when the entry is in the tree
	attempts       = 4
	silences       = 2
	longestWait    = time.Minute // that a service may ask for by Retry-After
	maxAnswer      = 1 << 20     // certificates, timestamps and entries have some kilobytes
	quoted         = 120         // characters of an answer that an error shows
	mostOfCause    = 400         // characters of what a library says of it
)

// service is one of Sigstore's services that signing asks.
type service struct {
	what    string // as errors name it
	url     string
	isLog   bool
	timeout time.Duration // of one attempt
	inner   http.RoundTripper
	sleep   func(ctx context.Context, d time.Duration) error
}

func (o SignerOptions) service(what, url string, timeout time.Duration) service {
	s := service{what: what, url: url, timeout: timeout, inner: o.Transport, sleep: o.Sleep}
	if s.inner == nil {
		s.inner = http.DefaultTransport
	}
	if o.Timeout > 0 {
		s.timeout = o.Timeout
	}
	return s
}

// shown is the address without a password that may be in it.
func (s service) shown() string {
	at, err := url.Parse(s.url)
	if err != nil {
		return "of an address that cannot be read"
	}
	return at.Redacted()
}

// call begins one call. The libraries' clients carry no context, give up without saying
// which service they asked, and some never try again: so all of that is done here, below
// them. It follows no redirect: the identity token goes where the signing config says.
func (s service) call(ctx context.Context) *exchange { return &exchange{service: s, ctx: ctx} }

// exchange carries the requests of one call. It is not safe for concurrent use.
type exchange struct {
	service
	ctx  context.Context
	came string // what the last answer was
}

// serviceError says which service failed, and how.
type serviceError struct {
	service
	status int // 0 without an answer
	how    string
	cause  error // may be nil
}

func (e *serviceError) Error() string {
	words := fmt.Sprintf("%s %s %s", e.what, e.shown(), e.how)
	if e.cause != nil {
		words += ": " + text.Cut(text.OneLine(e.cause.Error()), mostOfCause, "…") // a library may repeat the answer
	}
	return words
}

// Unwrap keeps the cause reachable.
func (e *serviceError) Unwrap() error { return e.cause }

// failed tells why a call did not give what was asked for, where its answer was none.
func (e *exchange) failed(err error) error {
	var told *serviceError
	if err == nil || errors.As(err, &told) {
		return err
	}
	if e.came == "" {
		return fmt.Errorf("%s %s was not asked: %w", e.what, e.shown(), err)
	}
	return &serviceError{service: e.service, how: "gave an answer that cannot be used (" + e.came +
		"): see that the signing config has its address, and run it again later", cause: err}
}

func (e *exchange) client() *http.Client { return &http.Client{Transport: e} }

// RoundTrip gives an answer that can be one, and an error otherwise.
func (e *exchange) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		var err error
		body, err = io.ReadAll(request.Body)
		request.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	var response *http.Response
	var failed *serviceError
	silent := 0
	policy := retry.Policy{First: 300 * time.Millisecond, Factor: 3, Most: 10 * time.Second, Spread: 0.1, Sleep: e.sleep}
	ended := policy.Do(e.ctx, func(attempt int, delay time.Duration) (wait time.Duration, again bool) {
		response, failed = e.once(request, body)
		if failed == nil {
			return 0, false
		}
		if failed.status == 0 && failed.timedOut() {
			silent++
		}
		again = attempt < attempts && silent < silences && failed.passes() && e.ctx.Err() == nil
		if response != nil {
			if asked, ok := retry.After(response.Header, time.Now()); ok {
				delay = max(delay, asked)
			}
		}
		if again && delay > longestWait {
			failed.how += fmt.Sprintf(", and asks to wait %s", delay.Round(time.Second))
			again = false
		}
		if !again && failed.passes() {
			failed.how += "; asked " + text.Count(attempt, "time") + "; run it again later"
		}
		return delay, again
	})
	if ended != nil {
		return nil, ended
	}
	if failed != nil {
		return nil, failed
	}
	return response, nil
}

// once makes one attempt. The response of a failed one has been read.
func (e *exchange) once(request *http.Request, body []byte) (*http.Response, *serviceError) {
	ctx, cancel := context.WithTimeout(e.ctx, e.timeout)
	defer cancel()
	out := request.Clone(ctx)
	out.GetBody = nil
	if body != nil {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	response, err := e.inner.RoundTrip(out)
	if err != nil {
		return nil, &serviceError{service: e.service, how: "does not answer", cause: err}
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	response.Body.Close()
	e.came = describe(response, answer, request.Header.Get("Authorization"))
	switch {
	case err != nil:
		return nil, &serviceError{service: e.service, how: "broke off its answer (" + e.came + ")", cause: err}
	case len(answer) > maxAnswer:
		return nil, &serviceError{service: e.service, status: response.StatusCode, how: fmt.Sprintf(
			"gave an answer of more than %d KiB (%s): see that the signing config has its address", maxAnswer>>10, e.came)}
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(answer)), int64(len(answer))
	switch response.StatusCode {
	case http.StatusOK, http.StatusCreated:
		return response, nil
	case http.StatusConflict: // a log has such an entry already, which its client has to see
		if e.isLog {
			return response, nil
		}
	}
	failed := &serviceError{service: e.service, status: response.StatusCode, how: "answered " + e.came}
	if !failed.passes() {
		failed.how += ": see that the signing config has its address, and that the service takes what it is sent"
	}
	return response, failed
}

// timedOut reports whether an attempt came to the end of its time.
func (e *serviceError) timedOut() bool {
	var timeout net.Error
	return errors.As(e.cause, &timeout) && timeout.Timeout()
}

// passes reports whether the next attempt may go better. A request that came through
// without its answer may be made again: a second certificate or timestamp is not used, and
// a log has each entry once.
func (e *serviceError) passes() bool {
	switch e.status {
	case 0:
		var name *net.DNSError
		var certificate *tls.CertificateVerificationError
		return !errors.As(e.cause, &certificate) && !(errors.As(e.cause, &name) && name.IsNotFound)
	case http.StatusRequestTimeout, canceled, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// canceled is what Rekor v2 answers where another client left, whose entry was to enter the
// tree together with this one.
// https://github.com/grpc-ecosystem/grpc-gateway/blob/main/runtime/errors.go
const canceled = 499

// describe says what an answer was. What an intermediary repeats of the token is left out.
func describe(response *http.Response, answer []byte, authorization string) string {
	said := text.OneLine(string(answer))
	if _, token, ok := strings.Cut(authorization, " "); ok && token != "" {
		said = strings.ReplaceAll(said, token, "***")
	}
	return fmt.Sprintf("%d %s, %.60q: %.*q", response.StatusCode, http.StatusText(response.StatusCode),
		response.Header.Get("Content-Type"), quoted, said)
}
