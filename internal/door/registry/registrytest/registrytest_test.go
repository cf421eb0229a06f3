package registrytest

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestManifestsAreWhatTheirDigestSays: a manifest that a client broke off, or
// that another digest names, is not stored; a later client would find it.
func TestManifestsAreWhatTheirDigestSays(t *testing.T) {
	t.Parallel()
	server := New(t, nil)
	url := "http://" + server.Host + "/v2/acme/app/manifests/" + Digest([]byte("{}"))
	put := func(content string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		said, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(said)
	}
	if status, said := put(""); status != http.StatusBadRequest || !strings.Contains(said, "DIGEST_INVALID") {
		t.Errorf("a manifest of another digest: %d %s", status, said)
	}
	if response, err := http.Get(url); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("it is there: %v %v", response, err)
	}
	if status, said := put("{}"); status != http.StatusCreated {
		t.Errorf("the right manifest: %d %s", status, said)
	}
}
