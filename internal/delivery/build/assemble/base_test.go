package assemble

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
)

// TestBaseLayers counts what is read from and sent to registries.
func TestBaseLayers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, instruction string
		elsewhere         bool // the image goes to another registry than the base's
		read, mounted     int
	}{
		{"files on top", "COPY a /a", false, 1, 1}, // read once, to know where links lead
		{"files on top, elsewhere", "COPY a /a", true, 1, 0},
		{"linked on top", "COPY --link a /a", false, 0, 1},
		{"metadata alone", "ENV A=1", false, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			counting, layer := false, ""
			read, mounted := 0, 0
			server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case !counting:
				case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/base/blobs/"+layer):
					read++
				case r.Method == http.MethodPost && r.URL.Query().Get("mount") == layer:
					mounted++
					w.WriteHeader(http.StatusCreated)
					return true
				case r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/app/blobs/"+layer):
					http.NotFound(w, r) // this registry keeps blobs in one place; others keep them by repository
					return true
				}
				return false
			})
			client := registry.New(registry.Options{})
			base, err := random.Image(2000, 1)
			if err != nil {
				t.Fatal(err)
			}
			repository := func(host, path string) name.Repository {
				r, err := name.NewRepository(host + "/" + path)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			ref, err := client.PushImage(t.Context(), repository(server.Host, "base"), base)
			if err != nil {
				t.Fatal(err)
			}
			layers, err := base.Layers()
			if err != nil {
				t.Fatal(err)
			}
			digest, err := layers[0].Digest()
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			counting, layer = true, digest.String()
			mu.Unlock()

			dir := write(t, map[string]string{"Dockerfile": "FROM " + ref.String() + "\n" + c.instruction + "\n", "a": "a"})
			built := assembled(t, client, dir)
			index, _, err := build.Index(built.Images, build.Everywhere(map[string]string{"k": "v"}))
			if err != nil {
				t.Fatal(err)
			}
			host := server.Host
			if c.elsewhere {
				host = registrytest.New(t, nil).Host
			}
			if _, err := client.PushIndex(t.Context(), repository(host, "app"), index); err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if read != c.read || (mounted > 0) != (c.mounted > 0) {
				t.Errorf("the base layer was read %d times and mounted %d times, want %d and %d", read, mounted, c.read, c.mounted)
			}
		})
	}
}

// A build asks for the index of a base image when its name is resolved and when its
// platforms are, and once for each manifest, configuration and layer.
func TestBasesAreReadOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	server := registrytest.New(t, func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v2/base/") {
			asked[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]++
		}
		return false
	})
	var images []build.Image
	for _, p := range both {
		image, err := random.Image(200, 1)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config.OS, config.Architecture = p.OS, p.Architecture
		if image, err = mutate.ConfigFile(image, config); err != nil {
			t.Fatal(err)
		}
		images = append(images, build.Image{Platform: p, Image: image})
	}
	index, _, err := build.Index(images, nil)
	if err != nil {
		t.Fatal(err)
	}
	repository, err := name.NewRepository(server.Host + "/base")
	if err != nil {
		t.Fatal(err)
	}
	client := registry.New(registry.Options{})
	ref, err := client.PushIndex(t.Context(), repository, index)
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{"Dockerfile": "FROM " + ref.String() + "\nCOPY a /\n", "a": "a"})
	assembled(t, client, dir)
	want := map[string]int{ref.Digest(): 2}
	for _, i := range images {
		manifest, err := i.Image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		config, err := i.Image.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		layers, err := i.Image.Layers()
		if err != nil {
			t.Fatal(err)
		}
		layer, err := layers[0].Digest()
		if err != nil {
			t.Fatal(err)
		}
		want[manifest.String()], want[config.String()], want[layer.String()] = 1, 1, 1
	}
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("what was asked for (-want +got):\n%s", diff)
	}
}

// assembled is the image of a directory's Dockerfile for both platforms, whose base
// images client reads.
func assembled(t *testing.T, client *registry.Client, dir string) build.Built {
	t.Helper()
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	built, err := Engine{Images: client, Dir: t.TempDir()}.Build(
		t.Context(), build.Request{Context: dir, Platforms: both, Epoch: epoch}, file,
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = built.Close() })
	return built
}
