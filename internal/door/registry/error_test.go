package registry

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// What a registry answers seldom is said with what to do about it. Reading does not
// get the advice of a push.
func TestUnusualAnswersOfRegistries(t *testing.T) {
	t.Parallel()
	repository, err := name.NewRepository("harbor.example/shop/app")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		doing  string
		status int
		code   transport.ErrorCode
		says   string
	}{
		{"push x", 404, transport.BlobUnknownErrorCode, "does not find a layer that it has taken"},
		{"push x", 400, transport.ManifestBlobUnknownErrorCode, "does not find a layer that it has taken"},
		{"push x", 404, transport.NameUnknownErrorCode, "it has no place for shop/app"},
		{"push x", 405, transport.UnsupportedErrorCode, "it takes no pushes there"},
		{"push x", 405, "", "it takes no pushes there"}, {"push x", 400, transport.UnsupportedErrorCode, "it takes no pushes there"},
		{"push x", 413, "", "limits the size of a request"}, {"read x", 413, "", "limits the size of a request"},
		{"push x", 200, "", "what answers is no registry"}, {"read x", 302, "", "what answers is no registry"},
		{"read x", 404, transport.NameUnknownErrorCode, ""}, {"read x", 404, transport.ManifestUnknownErrorCode, ""},
	} {
		answer := &transport.Error{StatusCode: c.status}
		if c.code != "" {
			answer.Errors = []transport.Diagnostic{{Code: c.code}}
		}
		var e *Error
		if err := wrap(repository, c.doing, answer); !errors.As(err, &e) {
			t.Fatal(err)
		}
		if hint := e.hint(); !strings.Contains(hint, c.says) || c.says == "" && hint != "" {
			t.Errorf("%s, %d %s: %q, want %q", c.doing, c.status, c.code, hint, c.says)
		}
	}
}
