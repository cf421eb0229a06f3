package registry_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/registry"
	"github.com/waybill-dev/waybill/internal/registry/registrytest"
)

const bundleType = "application/vnd.example.bundle+json"

func pushRandom(t *testing.T, c *registry.Client, host string) imageref.Ref {
	t.Helper()
	image, err := random.Image(16, 1)
	if err != nil {
		t.Fatal(err)
	}
	repository, err := name.NewRepository(host + "/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := c.PushImage(t.Context(), repository, image)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestAttached(t *testing.T) {
	t.Parallel()
	c := registry.New(registry.Options{})
	host := registrytest.New(t, nil).Host
	index, platform := pushRandom(t, c, host), pushRandom(t, c, host)
	for _, subject := range []imageref.Ref{index, platform} {
		registrytest.Attach(t, c, subject, bundleType, []byte("one"), map[string]string{"who": "me"})
		registrytest.Attach(t, c, subject, "text/plain", []byte("two"), nil)
	}
	found, err := c.Attached(t.Context(), []imageref.Ref{index, platform}, "application/vnd.example")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || string(found[0].Data) != "one" || found[0].Annotations["who"] != "me" || found[0].Subject != index {
		t.Errorf("got %+v, want the one bundle, once", found)
	}
	if found, err := c.Attached(t.Context(), []imageref.Ref{platform}, ""); err != nil || len(found) != 2 {
		t.Errorf("beside the platform: %+v, %v", found, err)
	}
	if found, err := c.Attached(t.Context(), []imageref.Ref{pushRandom(t, c, host)}, ""); err != nil || len(found) != 0 {
		t.Errorf("beside another image: %+v, %v", found, err)
	}
}

func TestListedAndGone(t *testing.T) {
	t.Parallel()
	var gone atomic.Value
	gone.Store("nothing")
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, gone.Load().(string)) {
			w.WriteHeader(http.StatusNotFound)
			return true
		}
		return false
	})
	c := registry.New(registry.Options{})
	ref := pushRandom(t, c, server.Host)
	registrytest.Attach(t, c, ref, bundleType, []byte("one"), nil)
	listed, err := c.Referrers(t.Context(), ref, "")
	if err != nil || len(listed) != 1 {
		t.Fatalf("listed: %+v, %v", listed, err)
	}
	gone.Store("/manifests/" + listed[0].Digest.String())
	found, err := c.Attached(t.Context(), []imageref.Ref{ref}, bundleType)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Gone, "and does not have it") {
		t.Errorf("manifest: got %+v, %v", found, err)
	}
	gone.Store("/blobs/")
	found, err = c.Attached(t.Context(), []imageref.Ref{ref}, bundleType)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Gone, "which the registry does not have") {
		t.Errorf("got %+v, %v", found, err)
	}
}

// A session asks a repository how to log in once, however much it reads.
func TestSessionLogsInOnce(t *testing.T) {
	t.Parallel()
	var pings atomic.Int32
	server := registrytest.New(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v2/" {
			pings.Add(1)
		}
		return false
	})
	c := registry.New(registry.Options{})
	ref := pushRandom(t, c, server.Host)
	session, err := c.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pings.Store(0)
	for range 3 {
		if _, err := session.Manifest(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		if _, err := session.Attached(t.Context(), []imageref.Ref{ref}, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := pings.Load(); got != 1 {
		t.Errorf("asked %d times, want once", got)
	}
}
