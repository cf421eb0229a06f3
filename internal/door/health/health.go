// Package health asks Argo CD and Prometheus over HTTP what they know of a deployment.
//
// Invariant: a token goes to the server that waybill.yaml names and nowhere else: no
// redirect is followed, and nothing is sent in clear over a network. No error holds the
// token. Answers are bounded, and one that cannot be understood is trouble, never
// health.
package health

import (
	"context"
	"crypto/tls"
	"encoding/json"
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

// Bounds of one answer.
const (
	timeout   = 20 * time.Second
	maxAnswer = 32 << 20 // an Application lists every object that it has
	maxSaid   = 200      // of the server's own words
)

// attempts is how often a server that is in trouble is asked.
const attempts = 3

// Server is a server and who asks it.
type Server struct {
	URL   string // without a slash at its end
	Token string // empty asks without one
	// Transport is http.DefaultTransport if nil.
	Transport http.RoundTripper
	// Sleep waits between two attempts; time passes if nil.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Error is an answer that says no.
type Error struct {
	Status int
	Said   string // the server's words, on one line
}

func (e *Error) Error() string {
	said := fmt.Sprintf("the answer is %d", e.Status)
	if e.Said != "" {
		said += ": " + e.Said
	}
	return said
}

// IsDenied reports whether the server does not let the token see what was asked for.
func IsDenied(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// down is that there was no answer at all.
type down string

func (d down) Error() string { return string(d) }

// IsDown reports whether the server gave no answer at all, whatever it was asked.
func IsDown(err error) bool {
	var d down
	return errors.As(err, &d)
}

// call asks once or more, and decodes the JSON of the answer. form, if not nil, is
// posted.
func (s Server) call(ctx context.Context, path string, form url.Values, into any) error {
	if err := s.safe(); err != nil {
		return err
	}
	var err error
	policy := retry.Policy{First: time.Second, Factor: 2, Most: 5 * time.Second, Spread: 0.3, Sleep: s.Sleep}
	ended := policy.Do(ctx, func(attempt int, delay time.Duration) (time.Duration, bool) {
		var again bool
		again, err = s.once(ctx, path, form, into)
		return delay, again && attempt < attempts && ctx.Err() == nil
	})
	if err == nil {
		err = ended
	}
	return err
}

// safe refuses an address that would carry the token, or an answer that a promotion
// rests on, in clear over a network.
func (s Server) safe() error {
	u, err := url.Parse(s.URL)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return errors.New("the address is no URL of a server")
	}
	if loopback := net.ParseIP(u.Hostname()).IsLoopback(); u.Scheme != "https" && (u.Scheme != "http" || !loopback) {
		return errors.New("the address does not begin with https://")
	}
	return nil
}

// once reports whether to ask again, too.
func (s Server) once(ctx context.Context, path string, form url.Values, into any) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := s.request(ctx, path, form)
	if err != nil {
		return false, errors.New("the address is no URL of a server")
	}
	client := http.Client{
		Transport:     s.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return true, s.unreachable(ctx, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return true, s.unreachable(ctx, err)
	case len(body) > maxAnswer:
		return false, fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return false, fmt.Errorf("the answer is %d: redirects are not followed, because the token would go along; name the address "+
			"that it leads to", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		again := resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests
		return again, &Error{Status: resp.StatusCode, Said: s.words(body)}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return false, errors.New("the answer is not the JSON that is documented: is this the address of its API, and not of a login page?")
	}
	return false, nil
}

func (s Server) request(ctx context.Context, path string, form url.Values) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "waybill")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if s.Token != "" {
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(s.Token))
	}
	return req, nil
}

// unreachable says why there is no answer.
func (s Server) unreachable(ctx context.Context, err error) error {
	var certificate *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return down(fmt.Sprintf("there was no whole answer within %s", timeout))
	case errors.As(err, &certificate):
		return down(fmt.Sprintf("its certificate is not trusted here (%s): name the file of its authority in SSL_CERT_FILE",
			s.clean(certificate.Error())))
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return down("the server cannot be reached")
	}
	return down("the request failed")
}

// words are the message in an answer that says no. Argo CD has it in message, Prometheus
// in error.
func (s Server) words(body []byte) string {
	var said struct {
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	if said.Message == "" {
		said.Message = said.Error
	}
	return s.clean(said.Message)
}

// clean keeps a server's words on one line, short, and without the token: a server can
// say back what it was told.
func (s Server) clean(said string) string {
	if token := strings.TrimSpace(s.Token); token != "" {
		said = strings.ReplaceAll(said, token, "…")
	}
	return text.Cut(text.Line(said), maxSaid, "…")
}
