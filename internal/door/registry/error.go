package registry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Error is a request to a registry that failed after its retries.
type Error struct {
	Host   string
	Doing  string
	Status int // HTTP status, 0 when there was no answer
	Cause  error
}

// maxCause bounds what a registry can put into an error.
const maxCause = 600

func (e *Error) Error() string {
	return fmt.Sprintf("registry %s: %s: %s%s", e.Host, e.Doing, tidy(e.Cause.Error()), e.hint())
}

// Unwrap keeps the cause reachable.
func (e *Error) Unwrap() error { return e.Cause }

func (e *Error) hint() string {
	// A loopback address is tried with TLS and without: both causes are there.
	var wrongCertificate *tls.CertificateVerificationError
	text := e.Cause.Error()
	switch {
	case errors.As(e.Cause, &wrongCertificate):
		return " (its certificate is not trusted here: add the registry's authority to the system's, or see that the host is the right one)"
	case strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return " (it speaks HTTP without TLS, which is accepted from loopback addresses alone)"
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		return " (not logged in, or with a wrong password: docker login, or WAYBILL_REGISTRY_USERNAME and WAYBILL_REGISTRY_PASSWORD)"
	case e.Status == http.StatusForbidden:
		return " (the login is not allowed to: ghcr.io needs the permission packages, read to pull and write to push, and the " +
			"package must grant it to this repository)"
	case e.Status == http.StatusTooManyRequests:
		return " (the registry limits requests: log in, or try again later)"
	case e.Status >= http.StatusInternalServerError:
		return " (the registry itself has trouble: try again later)"
	case e.Status != 0:
		return ""
	case isSilence(e.Cause), strings.Contains(text, "timeout awaiting response headers"):
		return " (it does not answer)"
	case passes(e.Cause), strings.Contains(text, "no such host"):
		return " (is the host right, and reachable from here?)"
	}
	return ""
}

var urls = regexp.MustCompile(`https?://[^\s"'<>]+`)

// tidy takes out of a message what may be a secret, the user and the query of
// URLs, and what would break out of the line.
func tidy(text string) string {
	text = urls.ReplaceAllStringFunc(text, func(s string) string {
		u, err := url.Parse(strings.TrimRight(s, ":,;.)"))
		if err != nil {
			return "URL"
		}
		tail := s[len(strings.TrimRight(s, ":,;.)")):]
		u.User = nil
		if u.RawQuery != "" {
			u.RawQuery = ""
			return u.String() + "?…" + tail
		}
		return u.String() + tail
	})
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxCause {
		text = strings.ToValidUTF8(text[:maxCause], "") + "…"
	}
	return text
}

func wrap(repository name.Repository, doing string, err error) error {
	e := &Error{Host: repository.RegistryStr(), Doing: doing, Cause: err}
	var answer *transport.Error
	if errors.As(err, &answer) {
		e.Status = answer.StatusCode
	}
	return e
}

// Trouble makes an Error of what another library says that works with this
// client's RemoteOptions.
func Trouble(ref imageref.Ref, doing string, err error) error { return wrap(ref.Name(), doing, err) }

// IsNotFound reports whether the registry answered that there is no such thing.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}
