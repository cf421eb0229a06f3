package sigstore

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

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

// readLegacy reads a legacy tag, as verify does.
func readLegacy(t *testing.T, c *registry.Client, ref imageref.Ref, tag LegacyTag) (layers []Legacy, junk []string, err error) {
	t.Helper()
	beside, err := c.Beside(t.Context(), ref, registry.Bounds{})
	if err != nil {
		return nil, nil, err
	}
	blobs, err := beside.Tagged(t.Context(), string(tag), tag.LayerType())
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	err = beside.Read(t.Context(), blobs, func(listed []registry.Blob, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range listed {
			layers = append(layers, NewLegacy(tag, bytes.Clone(data), l.Annotations))
		}
		return nil
	})
	return layers, beside.Junk(), err
}

func layer(t *testing.T, text string, mediaType types.MediaType) Legacy {
	t.Helper()
	sig, err := static.NewSignature(
		[]byte(text), "AA==", static.WithLayerMediaType(mediaType), static.WithAnnotations(map[string]string{"n": text}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return Legacy{sig}
}

// What is there stays, and what is no signature is left out.
func TestLegacyTag(t *testing.T) {
	t.Parallel()
	c := registry.New(registry.Options{})
	ref := pushRandom(t, c, registrytest.New(t, nil).Host)
	if layers, _, err := readLegacy(t, c, ref, LegacySignatures); err != nil || layers != nil {
		t.Fatalf("without the tag: %+v, %v", layers, err)
	}
	for _, l := range [][]Legacy{
		{layer(t, "one", ctypes.SimpleSigningMediaType), layer(t, "note", "text/plain")},
		{layer(t, "two", ctypes.SimpleSigningMediaType)},
	} {
		if err := AppendLegacy(t.Context(), c, ref, LegacySignatures, l); err != nil {
			t.Fatal(err)
		}
	}
	layers, _, err := readLegacy(t, c, ref, LegacySignatures)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, l := range layers {
		payload, err := l.layer.Payload()
		if err != nil {
			t.Fatal(err)
		}
		annotations, err := l.layer.Annotations()
		if err != nil {
			t.Fatal(err)
		}
		found[annotations["n"]] = string(payload)
	}
	if !maps.Equal(found, map[string]string{"one": "one", "two": "two"}) {
		t.Errorf("got %v, want the two signatures", slices.Sorted(maps.Keys(found)))
	}
	if layers, _, err := readLegacy(t, c, ref, LegacyAttestations); err != nil || layers != nil {
		t.Errorf("attestations: %+v, %v", layers, err)
	}
	want := ref.Repository() + ":" + strings.Replace(ref.Digest(), ":", "-", 1) + ".sig"
	if tag, err := LegacySignatures.Beside(ref); err != nil || tag.String() != want {
		t.Errorf("got tag %s, %v, want %s", tag, err, want)
	}
}

// Trouble names the host, whichever request it hits; and reading within a
// session does not log in again.
func TestLegacyTagTrouble(t *testing.T) {
	t.Parallel()
	var failing atomic.Value
	failing.Store("nothing")
	var pings atomic.Int32
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v2/" {
			pings.Add(1)
		}
		method, path, _ := strings.Cut(failing.Load().(string), " ")
		if r.Method != method || !strings.Contains(r.URL.Path, path) {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	c := registry.New(registry.Options{})
	ref := pushRandom(t, c, server.Host)
	if err := AppendLegacy(t.Context(), c, ref, LegacySignatures, []Legacy{layer(t, "one", ctypes.SimpleSigningMediaType)}); err != nil {
		t.Fatal(err)
	}
	session, err := c.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pings.Store(0)
	for range 3 {
		if layers, _, err := readLegacy(t, session, ref, LegacySignatures); err != nil || len(layers) != 1 {
			t.Fatalf("got %d, %v", len(layers), err)
		}
	}
	if got := pings.Load(); got != 1 {
		t.Errorf("asked %d times how to log in, want once", got)
	}
	for _, request := range []string{"GET .sig", "GET /blobs/"} {
		failing.Store(request)
		if layers, _, err := readLegacy(t, c, ref, LegacySignatures); err == nil ||
			!strings.HasPrefix(err.Error(), "registry "+server.Host+": ") || layers != nil {
			t.Errorf("read, %s fails: got %d, %v", request, len(layers), err)
		}
	}
	for _, request := range []string{"GET .sig", "PUT .sig", "POST /blobs/"} {
		failing.Store(request)
		err := AppendLegacy(t.Context(), c, ref, LegacySignatures, []Legacy{layer(t, request, ctypes.SimpleSigningMediaType)})
		if err == nil || !strings.HasPrefix(err.Error(), "registry "+server.Host+": append to ") ||
			!strings.Contains(err.Error(), "not allowed to") {
			t.Errorf("append, %s fails: got %v", request, err)
		}
	}
}
