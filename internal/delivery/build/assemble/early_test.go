package assemble

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/layercache"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
)

// outbox collects the layers that a build sends.
type outbox struct {
	mu      sync.Mutex
	digests []string
	err     error // of each sending
}

func (o *outbox) send(_ context.Context, _ name.Repository, layer v1.Layer) error {
	digest, err := layer.Digest()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.digests = append(o.digests, digest.String())
	return errors.Join(err, o.err)
}

func newRepository(t *testing.T, text string) name.Repository {
	t.Helper()
	repository, err := name.NewRepository(text)
	if err != nil {
		t.Fatal(err)
	}
	return repository
}

func buildAndSend(t *testing.T, dir string, e Engine, to ...name.Repository) (build.Built, error) {
	t.Helper()
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	e.Dir = t.TempDir()
	built, err := e.Build(t.Context(), build.Request{Context: dir, Platforms: both, Epoch: epoch, Push: to}, file)
	if err == nil {
		t.Cleanup(func() { _ = built.Close() })
	}
	return built, err
}

// blobsOf lists the digests of layers and configurations.
func blobsOf(t *testing.T, b build.Built) (digests []string) {
	t.Helper()
	for _, i := range b.Images {
		manifest, err := i.Image.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, manifest.Config.Digest.String())
		for _, l := range manifest.Layers {
			digests = append(digests, l.Digest.String())
		}
	}
	slices.Sort(digests)
	return slices.Compact(digests)
}

// When the build ends, each layer that it compressed was sent, and the
// configurations with them. What the cache has was compressed before: the registry is
// likely to have it.
func TestLayersAreSentWhileOthersAreCompressed(t *testing.T) {
	t.Parallel()
	dir := cacheTexts(t)
	cache := layercache.Options{Dir: filepath.Join(t.TempDir(), "layers"), Key: filepath.Join(t.TempDir(), "key")}
	to := newRepository(t, "ghcr.io/acme/shop")
	for run, want := range []int{6, 0} { // the directory, each platform's binary and configuration, the text
		var sent outbox
		built, err := buildAndSend(t, dir, Engine{Cache: cache, Send: sent.send}, to)
		if err != nil {
			t.Fatal(err)
		}
		blobs := blobsOf(t, built)
		slices.Sort(sent.digests)
		got := slices.Compact(sent.digests) // two platforms can make the same layer: a session pushes it once
		if len(got) != want || (want > 0 && !slices.Equal(got, blobs)) {
			t.Errorf("build %d sent %v, want %d of %v", run+1, got, want, blobs)
		}
		if err := built.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// cacheTexts has a layer that platforms share before and after one of their own.
func cacheTexts(t *testing.T) string {
	t.Helper()
	return write(t, map[string]string{
		"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY shared /shared/\nCOPY bin-$TARGETARCH /bin\nCOPY text /\n",
		"shared/a":   "a", "bin-amd64": "amd", "bin-arm64": "arm", "text": "text",
	})
}

// Without a repository nothing is sent: the image goes to a file, or nowhere.
func TestNothingIsSentWhereNothingIsPushed(t *testing.T) {
	t.Parallel()
	var sent outbox
	if _, err := buildAndSend(t, cacheTexts(t), Engine{Send: sent.send}); err != nil || len(sent.digests) > 0 {
		t.Errorf("sent %v, %v", sent.digests, err)
	}
}

// A layer that cannot be pushed ends the build: so would the push after it.
func TestALayerThatCannotBeSent(t *testing.T) {
	t.Parallel()
	server := registrytest.New(t, nil)
	to := newRepository(t, server.Host+"/acme/shop")
	session, err := registry.New(registry.Options{}).Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sent := outbox{err: errors.New("denied")}
	if _, err := buildAndSend(t, cacheTexts(t), Engine{Send: sent.send}, to); err == nil || !strings.Contains(err.Error(), "denied") {
		t.Errorf("got %v, want what the registry said", err)
	}
	built, err := buildAndSend(t, cacheTexts(t), Engine{Send: session.PushLayer}, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, digest := range blobsOf(t, built) {
		answer, err := http.Head("http://" + server.Host + "/v2/acme/shop/blobs/" + digest)
		if err != nil {
			t.Fatal(err)
		}
		if _ = answer.Body.Close(); answer.StatusCode != http.StatusOK {
			t.Errorf("the registry answers %s for %s after the build", answer.Status, digest)
		}
	}
}
