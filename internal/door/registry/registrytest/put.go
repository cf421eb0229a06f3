package registrytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Repository writes to one repository of a registry what no client would write.
type Repository struct {
	T    testing.TB
	Host string
	Name string // acme/app
}

// Blob stores content and gives its descriptor, to be changed at will.
func (r Repository) Blob(content []byte, mediaType string) map[string]any {
	r.T.Helper()
	digest := Digest(content)
	response := r.do(http.MethodPost, "/blobs/uploads/", nil, "")
	location := response.Header.Get("Location")
	if strings.HasPrefix(location, "/") {
		location = "http://" + r.Host + location
	}
	separator := "?"
	if strings.Contains(location, "?") {
		separator = "&"
	}
	request, err := http.NewRequestWithContext(r.T.Context(), http.MethodPut, location+separator+"digest="+digest, bytes.NewReader(content))
	if err != nil {
		r.T.Fatal(err)
	}
	if answer, err := http.DefaultClient.Do(request); err != nil || answer.StatusCode != http.StatusCreated {
		r.T.Fatal(answer, err)
	}
	return map[string]any{"mediaType": mediaType, "digest": digest, "size": len(content)}
}

// Manifest stores a document as a manifest, by tag or, if reference is empty, by
// digest, and gives its descriptor.
func (r Repository) Manifest(document any, mediaType, reference string) map[string]any {
	r.T.Helper()
	content, ok := document.([]byte)
	if !ok {
		var err error
		if content, err = json.Marshal(document); err != nil {
			r.T.Fatal(err)
		}
	}
	digest := Digest(content)
	if reference == "" {
		reference = digest
	}
	if answer := r.do(http.MethodPut, "/manifests/"+reference, content, mediaType); answer.StatusCode != http.StatusCreated {
		r.T.Fatalf("PUT %s: %s", reference, answer.Status)
	}
	return map[string]any{"mediaType": mediaType, "digest": digest, "size": len(content)}
}

func (r Repository) do(method, path string, content []byte, mediaType string) *http.Response {
	r.T.Helper()
	request, err := http.NewRequestWithContext(r.T.Context(), method, "http://"+r.Host+"/v2/"+r.Name+path, bytes.NewReader(content))
	if err != nil {
		r.T.Fatal(err)
	}
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.T.Fatal(err)
	}
	response.Body.Close()
	return response
}

// Digest is the sha256 digest of content.
func Digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
