package registry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// watched bounds how long a request waits: for an answer, and while content is
// sent for the next byte of it. How long sending takes as a whole is not bounded.
type watched struct {
	inner                  http.RoundTripper
	response, commit, idle time.Duration
}

// silence is the error of a request that nothing happened to.
type silence struct{}

func (silence) Error() string   { return "timeout awaiting response headers" }
func (silence) Timeout() bool   { return true }
func (silence) Temporary() bool { return true }

func (w *watched) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	answer := w.response
	if request.Method == http.MethodPut || request.Method == http.MethodPatch {
		answer = w.commit
	}
	timer := time.AfterFunc(answer, func() { cancel(silence{}) })
	request = request.Clone(ctx)
	if request.Body != nil && request.Body != http.NoBody {
		timer.Reset(w.idle)
		request.Body = &watchedBody{ReadCloser: request.Body, timer: timer, idle: w.idle, answer: answer}
	}
	response, err := w.inner.RoundTrip(request)
	timer.Stop()
	if err != nil {
		if cause := context.Cause(ctx); cause == (silence{}) {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	response.Body = &cancelledBody{ReadCloser: response.Body, cancel: func() { cancel(nil) }}
	return response, nil
}

// watchedBody starts the wait anew with each piece of content that is sent, and
// the wait for the answer with the last one.
type watchedBody struct {
	io.ReadCloser
	timer        *time.Timer
	idle, answer time.Duration
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if wait := b.idle; b.timer.Stop() { // it has not ended the request, nor has the request ended
		if err != nil {
			wait = b.answer
		}
		b.timer.Reset(wait)
	}
	return n, err
}

// cancelledBody frees what a request's context holds when the answer was read.
type cancelledBody struct {
	io.ReadCloser
	cancel func()
}

func (b *cancelledBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// maxRefusal bounds the answer that is looked into for a reason.
const maxRefusal = 64 << 10

// isLate reports whether a registry does not know a blob of a manifest yet that
// it has just taken: where it keeps blobs is not where it looks for them at once.
func isLate(request *http.Request, response *http.Response) bool {
	if request.Method != http.MethodPut || !strings.Contains(request.URL.Path, "/manifests/") ||
		(response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusBadRequest) {
		return false
	}
	start, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), response.Body), response.Body}
	for _, code := range []transport.ErrorCode{transport.BlobUnknownErrorCode, transport.ManifestBlobUnknownErrorCode} {
		if err == nil && bytes.Contains(start, []byte(code)) {
			return true
		}
	}
	return false
}
