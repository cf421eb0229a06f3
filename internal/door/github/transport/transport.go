// Package transport carries requests to the GitHub API: it adds the token for the
// API's host alone, waits out rate limits within bounds, and repeats a request only
// where repeating cannot do the thing twice.
package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/retry"
)

// Bounds of one call. GitHub asks that clients wait at least a minute at a
// secondary limit that names no time, and wait longer each time.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately
const (
	maxAttempts    = 5
	maxWait        = 3 * time.Minute         // over all waits of one call
	firstWait      = 1120 * time.Millisecond // a second at least, with its spread
	secondaryWait  = time.Minute
	attemptTimeout = 90 * time.Second
	peekBytes      = 64 << 10
)

// Headers of an answer that are ours, for those who make an error of it.
const (
	HeaderLimitEnds = "X-Waybill-Limit-Ends" // when the rate limit ends
	HeaderNoToken   = "X-Waybill-No-Token"   // that no token was sent
)

// TypeRateLimited is the type of a GraphQL error.
const TypeRateLimited = "RATE_LIMITED"

type repeatable struct{}

// MayRepeat marks a write that gives the same result when it is sent twice.
func MayRepeat(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatable{}, true)
}

// Transport adds the token for the API's host and repeats requests: those that
// GitHub did not process because of a limit always, those whose fate is unknown
// only when they may be repeated.
type Transport struct {
	Inner http.RoundTripper
	Host  string
	Token string                                     // empty sends none
	Sleep func(context.Context, time.Duration) error // nil is package time's
	Now   func() time.Time
}

// RoundTrip sends a request, again where that is needed and may be done.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	waited := time.Duration(0)
	var resp *http.Response
	var err error
	policy := retry.Policy{First: firstWait, Factor: 2, Most: maxWait, Spread: 0.1, Sleep: t.Sleep}
	ended := policy.Do(req.Context(), func(attempt int, delay time.Duration) (time.Duration, bool) {
		resp, err = t.once(req, body)
		wait, again := t.judge(req, resp, err, attempt, delay)
		if again && (attempt == maxAttempts || waited+wait > maxWait) {
			again = false
			if resp != nil && limited(resp) {
				resp.Header.Set(HeaderLimitEnds, t.Now().Add(wait).UTC().Format(http.TimeFormat))
			}
		}
		switch {
		case resp == nil:
		case again:
			resp.Body.Close()
		default:
			hideLimits(resp)
		}
		waited += wait
		return wait, again
	})
	if ended != nil {
		return nil, ended
	}
	return resp, err
}

func (t *Transport) once(req *http.Request, body []byte) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), attemptTimeout)
	out := req.Clone(ctx)
	if body != nil {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		out.GetBody = nil
	}
	out.Header.Del("Authorization")
	if t.Token != "" && out.URL.Host == t.Host {
		out.Header.Set("Authorization", "Bearer "+t.Token)
	}
	resp, err := t.Inner.RoundTrip(out)
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &closer{resp.Body, cancel}
	if t.Token == "" {
		resp.Header.Set(HeaderNoToken, "true")
	}
	return resp, nil
}

type closer struct {
	io.ReadCloser
	cancel func()
}

func (c *closer) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

// judge reports whether to send the request again, and after which wait.
func (t *Transport) judge(req *http.Request, resp *http.Response, err error, attempt int, delay time.Duration) (time.Duration, bool) {
	if err != nil {
		if req.Context().Err() != nil {
			return 0, false
		}
		var dial *net.OpError
		unsent := errors.As(err, &dial) && dial.Op == "dial"
		return delay, unsent || safe(req)
	}
	if limited(resp) {
		return t.limitWait(resp, delay, attempt), true
	}
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, http.StatusRequestTimeout:
		if after, ok := retry.After(resp.Header, t.Now()); ok {
			delay = max(after, delay)
		}
		return delay, safe(req)
	}
	return 0, false
}

func safe(req *http.Request) bool {
	switch req.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return req.Context().Value(repeatable{}) != nil
}

// limited tells a rate limit from a permission that is missing, both of which
// may be 403; GraphQL says it with 200.
// https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
func limited(resp *http.Response) bool {
	spent := resp.Header.Get("X-Ratelimit-Remaining") == "0"
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return true
	case resp.StatusCode == http.StatusOK && spent && strings.HasSuffix(resp.Request.URL.Path, "/graphql"):
		return bodySays(resp, TypeRateLimited)
	case resp.StatusCode != http.StatusForbidden:
		return false
	case resp.Header.Get("Retry-After") != "" || spent:
		return true
	}
	return bodySays(resp, "secondary rate limit", "rate limit exceeded", "abuse detection")
}

// bodySays looks for texts in an answer without taking it away.
func bodySays(resp *http.Response, texts ...string) bool {
	head, err := io.ReadAll(io.LimitReader(resp.Body, peekBytes))
	if err != nil {
		return false
	}
	rest := resp.Body
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), rest}
	said := strings.ToLower(string(head))
	for _, text := range texts {
		if strings.Contains(said, strings.ToLower(text)) {
			return true
		}
	}
	return false
}

func (t *Transport) limitWait(resp *http.Response, delay time.Duration, attempt int) time.Duration {
	if after, ok := retry.After(resp.Header, t.Now()); ok {
		return after
	}
	if resp.Header.Get("X-Ratelimit-Remaining") == "0" {
		if seconds, err := strconv.ParseInt(resp.Header.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
			return max(time.Unix(seconds, 0).Sub(t.Now())+time.Second, time.Second)
		}
	}
	if resp.StatusCode == http.StatusForbidden {
		return secondaryWait << (attempt - 1)
	}
	return delay
}

// hideLimits keeps the library from refusing later requests by itself: when to
// send again is decided here, where the waits are bounded.
func hideLimits(resp *http.Response) {
	for _, name := range []string{"Retry-After", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Ratelimit-Limit"} {
		resp.Header.Del(name)
	}
}
