package registry_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// pushed is an image of one layer with that content.
func pushed(t *testing.T, client *registry.Client, repository, content string) imageref.Ref {
	t.Helper()
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(content), types.DockerLayer))
	if err != nil {
		t.Fatal(err)
	}
	name, err := imageref.ParseRepository(repository)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := client.PushImage(t.Context(), name, image)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// A gateway gives the images that it was made for, to who has its ticket, and no login: not
// what else is in their repositories, no tag, and nothing that is written.
func TestGateway(t *testing.T) {
	t.Parallel()
	server := registrytest.New(t, nil)
	owner := registry.New(registry.Options{Registry: server.Host, Username: "reader", Password: "s3cret"})
	image, other := pushed(t, owner, server.Host+"/acme/app", "layer"), pushed(t, owner, server.Host+"/acme/app", "other")
	var leaked atomic.Int64
	server.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if username, password, ok := r.BasicAuth(); ok && username == "reader" && password == "s3cret" {
			return false
		}
		leaked.Add(1)
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	address, stop, err := owner.Gateway(t.Context(), []imageref.Ref{image})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	guest, err := registry.NewGuest(address, "guest")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := guest.Image(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened.ConfigFile(); err != nil {
		t.Error(err)
	}
	layers, err := opened.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(content); err != nil || string(data) != "layer" {
		t.Errorf("the layer is %q, %v", data, err)
	}
	if _, err := guest.Image(t.Context(), other); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("another image of the repository: %v", err)
	}
	digest, _ := layers[0].Digest()
	base := address + "/" + server.Host + "/v2/acme/app/"
	without, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	_, without.Path, _ = strings.Cut(strings.TrimPrefix(without.Path, "/"), "/")
	for _, c := range []struct {
		method, at string
		status     int
	}{
		{"HEAD", base + "blobs/" + digest.String(), 200}, {"GET", base + "blobs/" + other.Digest(), 404},
		{"GET", base + "manifests/latest", 404}, {"GET", base + "tags/list", 404}, {"PUT", base + "manifests/" + image.Digest(), 404},
		{"DELETE", base + "manifests/" + image.Digest(), 404}, {"POST", base + "blobs/uploads/", 404},
		{"GET", base + "blobs/../manifests/" + image.Digest(), 404},
		{"GET", strings.Replace(base, "acme/app", "acme/web", 1) + "manifests/" + image.Digest(), 404},
		{"GET", without.String() + "manifests/" + image.Digest(), 404},
		{"GET", address[:len(address)-1] + "x/" + server.Host + "/v2/", 404},
	} {
		if got := status(t, c.method, c.at); got != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, strings.TrimPrefix(c.at, address), got, c.status)
		}
	}
	if leaked.Load() > 1 { // the first request of a login asks how
		t.Errorf("%d requests without the login", leaked.Load())
	}
	stop()
	if _, err := guest.Image(t.Context(), image); err == nil {
		t.Error("it still answers")
	}
}

func status(t *testing.T, method, at string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// What goes wrong behind a gateway is told as if there were none, and tried again there
// alone; a layer that breaks off does so for who reads it.
func TestGatewayInTrouble(t *testing.T) {
	t.Parallel()
	server := registrytest.New(t, nil)
	client := registry.New(registry.Options{})
	image := pushed(t, client, server.Host+"/acme/app", strings.Repeat("layer", 1000))
	var asked atomic.Int64
	var cut atomic.Bool
	server.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		if cut.Load() {
			w.Header().Set("Transfer-Encoding", "chunked")
			_, _ = io.WriteString(w, "lay")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		asked.Add(1)
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	address, stop, err := client.Gateway(t.Context(), []imageref.Ref{image})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	guest, err := registry.NewGuest(address, "guest")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := guest.Image(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := opened.Layers()
	if err != nil {
		t.Fatal(err)
	}
	_, err = layers[0].Compressed()
	at, _, _ := strings.Cut(strings.TrimPrefix(address, "http://"), "/")
	want := "registry " + server.Host + ": read a layer of " + server.Host + "/acme/app: "
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), at) {
		t.Errorf("got %v, want %s", err, want)
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	cut.Store(true)
	content, err := layers[0].Compressed()
	if err == nil {
		_, err = io.ReadAll(content)
	}
	if err == nil {
		t.Error("a layer that breaks off is whole")
	}
}

func TestNoGateway(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "x", "https://127.0.0.1:1/t", "http:///t", "http://%zz"} {
		if _, err := registry.NewGuest(address, "guest"); err == nil || !strings.Contains(err.Error(), "is not the address of a gateway") {
			t.Errorf("%q: %v", address, err)
		}
	}
}
