package registry_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/imageref"
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
	image := pushRandom(t, c, host)
	registrytest.Attach(t, c, image, registrytest.Attachment{
		MediaType: bundleType, Data: []byte("one"), Annotations: map[string]string{"who": "me"},
	})
	registrytest.Attach(t, c, image, registrytest.Attachment{MediaType: "text/plain", Data: []byte("two")})
	found, err := c.Attached(t.Context(), image, "application/vnd.example")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || string(found[0].Data) != "one" || found[0].Annotations["who"] != "me" {
		t.Errorf("got %+v, want the one bundle", found)
	}
	if found, err := c.Attached(t.Context(), image, ""); err != nil || len(found) != 2 {
		t.Errorf("of any type: %+v, %v", found, err)
	}
	if found, err := c.Attached(t.Context(), pushRandom(t, c, host), ""); err != nil || len(found) != 0 {
		t.Errorf("beside another image: %+v, %v", found, err)
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
		if _, err := session.Attached(t.Context(), ref, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := pings.Load(); got != 1 {
		t.Errorf("asked %d times, want once", got)
	}
}
