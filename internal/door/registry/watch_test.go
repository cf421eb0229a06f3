package registry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
)

// slowReader gives a piece at a time, and waits before each.
type slowReader struct {
	pieces int
	wait   time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	if r.pieces == 0 {
		return 0, io.EOF
	}
	time.Sleep(r.wait)
	r.pieces--
	return copy(p, "x"), nil
}

// A slow commit is waited for, as long as a slow answer to a question is not.
func TestWaits(t *testing.T) {
	t.Parallel()
	const answer = time.Second
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/slow" {
			select {
			case <-time.After(answer):
			case <-r.Context().Done():
			}
		}
		io.WriteString(w, "body")
	}))
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		method, path string
		body         io.Reader
		waits        watched
		fails        bool
	}{
		"a commit takes longer than an answer may": {
			http.MethodPut, "/slow", strings.NewReader("x"), watched{response: answer / 3, commit: answer * 10, idle: answer / 3},
			false,
		},
		"a commit without content": {
			http.MethodPut, "/slow", nil, watched{response: answer / 3, commit: answer * 10, idle: answer / 3}, false,
		},
		"a commit that never ends": {
			http.MethodPut, "/slow", strings.NewReader("x"), watched{response: answer * 10, commit: answer / 3, idle: answer * 10},
			true,
		},
		"a question that is not answered": {
			http.MethodGet, "/slow", nil, watched{response: answer / 3, commit: answer * 10, idle: answer * 10}, true,
		},
		"the start of an upload that is not answered": {
			http.MethodPost, "/slow", nil, watched{response: answer / 3, commit: answer * 10, idle: answer * 10}, true,
		},
		"content that is sent slowly, longer than idle": {
			http.MethodPatch, "/", &slowReader{6, answer / 4}, watched{response: answer, commit: answer, idle: answer}, false,
		},
		"content that stands still": {
			http.MethodPatch, "/", &slowReader{2, answer * 2},
			watched{response: answer * 10, commit: answer * 10, idle: answer / 2}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, c.body)
			if err != nil {
				t.Fatal(err)
			}
			c.waits.inner = http.DefaultTransport
			response, err := c.waits.RoundTrip(request)
			if c.fails {
				if err == nil || !isSilence(err) {
					t.Errorf("ended with %v, want a timeout", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if data, err := io.ReadAll(response.Body); err != nil || string(data) != "body" {
				t.Errorf("the answer is %q, %v", data, err)
			}
		})
	}
}

// A registry that does not see at once what it took is asked again; one that
// goes on refusing is believed, with its reason.
func TestLateBlobs(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID"} {
		for _, times := range []int32{2, 100} {
			var asked atomic.Int32
			server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
				if !isManifestPut(r) || asked.Add(1) > times {
					return false
				}
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, `{"errors":[{"code":"`+code+`","message":"blob unknown to registry"}]}`)
				return true
			})
			client, _ := hurried(Options{})
			_, err := client.PushIndex(t.Context(), repository(t, server.Host), index(t))
			if late := code != "MANIFEST_INVALID" && times == 2; late != (err == nil) {
				t.Errorf("%s %d times: %v", code, times, err)
			}
			if err != nil && !strings.Contains(err.Error(), code) {
				t.Errorf("the reason is lost: %v", err)
			}
		}
	}
}
