package sigstore

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func TestAttach(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	requests := make(map[string]int)
	server := registrytest.New(t, func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		requests[r.Method+" "+r.URL.Path]++
		return false
	})
	c := registry.New(registry.Options{})
	index, platform := pushRandom(t, c, server.Host), pushRandom(t, c, server.Host)
	bundles := []registry.Attachment{
		{MediaType: MediaTypeBundle, Data: []byte("one"), Annotations: map[string]string{"who": "me"}},
		{MediaType: MediaTypeBundle, Data: []byte("two")},
	}
	for _, uploads := range []int{3, 0} { // the two bundles and the configuration; again changes nothing
		clear(requests)
		if err := Attach(t.Context(), c, []imageref.Ref{index, platform}, bundles); err != nil {
			t.Fatal(err)
		}
		if n := requests["GET /v2/"]; n != 2 {
			t.Errorf("asked %d times how to log in, want once to read and once to write", n)
		}
		if n := requests["POST /v2/acme/app/blobs/uploads/"]; n != uploads {
			t.Errorf("sent %d blobs, want %d", n, uploads)
		}
		for _, subject := range []imageref.Ref{index, platform} {
			listed, err := c.Attached(t.Context(), subject, MediaTypeBundle)
			if err != nil || len(listed) != 2 {
				t.Errorf("listed %d of the type, %v, want 2", len(listed), err)
			}
		}
	}
	found, err := c.Attached(t.Context(), index, MediaTypeBundlePrefix)
	if err != nil || len(found) != 2 {
		t.Fatalf("got %+v, %v, want each bundle once", found, err)
	}
	for _, a := range found {
		if string(a.Data) == "one" && a.Annotations["who"] != "me" {
			t.Errorf("got %+v", a)
		}
	}
}

// Where the registry lists referrers, a subject's are written at the same time. Where
// a tag does, one after the other: each writes the whole list anew.
func TestReferrersAtTheSameTime(t *testing.T) {
	t.Parallel()
	for what, want := range map[string]int32{"referrers API": 2, "fallback tag": 1} {
		var attaching atomic.Bool
		var writing, most atomic.Int32
		together, gone := make(chan struct{}), make(chan struct{})
		server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
			if want == 1 && strings.Contains(r.URL.Path, "/referrers/") {
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			if !attaching.Load() || r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/sha256:") {
				return false
			}
			defer writing.Add(-1)
			now := writing.Add(1)
			most.Store(max(most.Load(), now))
			if now == 2 {
				close(together)
			}
			if want == 2 {
				select { // of two, nobody goes on alone
				case <-together:
				case <-gone:
				}
			}
			return false
		})
		client := registry.New(registry.Options{})
		subject := pushRandom(t, client, server.Host)
		session, err := client.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := session.Attached(t.Context(), subject, MediaTypeBundle); err != nil {
			t.Fatal(err)
		}
		attaching.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a write that nothing is written beside never ends
		context.AfterFunc(ctx, func() { close(gone) })
		bundles := []registry.Attachment{
			{MediaType: MediaTypeBundle, Data: []byte("one")}, {MediaType: MediaTypeBundle, Data: []byte("two")},
		}
		if err := Attach(ctx, session, []imageref.Ref{subject}, bundles); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		cancel()
		if most.Load() != want {
			t.Errorf("%s: at most %d were written at the same time, want %d", what, most.Load(), want)
		}
		if found, err := client.Attached(t.Context(), subject, MediaTypeBundle); err != nil || len(found) != 2 {
			t.Errorf("%s: %d are listed, %v", what, len(found), err)
		}
	}
}

// Kyverno and others choose by artifact type: the fallback tag has to carry
// the real one, not that of the empty configuration.
func TestFallbackTagCarriesTheType(t *testing.T) {
	t.Parallel()
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/referrers/") {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	c := registry.New(registry.Options{})
	ref := pushRandom(t, c, server.Host)
	bundles := []registry.Attachment{{MediaType: MediaTypeBundle, Data: []byte("one")}, {MediaType: MediaTypeBundle, Data: []byte("two")}}
	for range 2 {
		if err := Attach(t.Context(), c, []imageref.Ref{ref}, bundles); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := http.Get("http://" + server.Host + "/v2/acme/app/manifests/" + strings.Replace(ref.Digest(), ":", "-", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(body, &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 2 {
		t.Fatalf("the tag lists %d referrers, want 2", len(index.Manifests))
	}
	for _, m := range index.Manifests {
		if m.ArtifactType != MediaTypeBundle {
			t.Errorf("listed as %q, want %q", m.ArtifactType, MediaTypeBundle)
		}
	}
	if found, err := c.Attached(t.Context(), ref, MediaTypeBundle); err != nil || len(found) != 2 {
		t.Errorf("read back %d, %v", len(found), err)
	}
}
