package registry

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Referrers answers the referrers API of a registry of go-containerregistry as the
// distribution specification has it: each descriptor has the artifact type of its
// manifest, where that names one. The library gives the media type of the
// configuration in any case.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
func Referrers(registry http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before, _, asked := strings.Cut(r.URL.Path, "/referrers/")
		if !asked || r.Method != http.MethodGet {
			registry.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		registry.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		var index v1.IndexManifest
		if answer.Code == http.StatusOK && json.Unmarshal(body, &index) == nil {
			for i := range index.Manifests {
				if named := artifactType(registry, r, before+"/manifests/"+index.Manifests[i].Digest.String()); named != "" {
					index.Manifests[i].ArtifactType = named
				}
			}
			body, _ = json.Marshal(index) // it was JSON
		}
		answer.Header().Del("Content-Length")
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = bytes.NewReader(body).WriteTo(w)
	})
}

func artifactType(registry http.Handler, r *http.Request, path string) string {
	request := r.Clone(r.Context())
	request.URL.Path, request.URL.RawQuery = path, ""
	answer := httptest.NewRecorder()
	registry.ServeHTTP(answer, request)
	var manifest struct{ ArtifactType string }
	_ = json.Unmarshal(answer.Body.Bytes(), &manifest) // what is no JSON has none
	return manifest.ArtifactType
}
