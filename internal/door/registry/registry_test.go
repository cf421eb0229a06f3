package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/rehearsal/dockerregistry"
	"github.com/waybill-dev/waybill/internal/retry"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// hurried is a client that remembers how long it would have waited.
func hurried(o Options) (*Client, *waits) {
	w := &waits{}
	c := New(o)
	c.transport.(*patient).Sleep = w.sleep
	return c, w
}

type waits struct {
	mu   sync.Mutex
	list []time.Duration
}

func (w *waits) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, d)
	return ctx.Err()
}

func repository(t *testing.T, host string) name.Repository {
	t.Helper()
	r, err := imageref.ParseRepository(host + "/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// index makes an index of two platforms, each with a layer of its own.
func index(t *testing.T) v1.ImageIndex {
	t.Helper()
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := mutate.AppendLayers(
			mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer([]byte(arch), types.OCIUncompressedLayer),
		)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.OS, config.Architecture = "linux", arch
		if image, err = mutate.ConfigFile(image, config); err != nil {
			t.Fatal(err)
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return idx
}

func isManifestPut(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/")
}

func TestIndexIsPushedLast(t *testing.T) {
	t.Parallel()
	idx := index(t)
	digest, err := idx.Digest()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	manifests, broken := 0, true
	var order []string
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if !isManifestPut(r) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		order = append(order, r.URL.Path)
		if manifests++; broken && manifests > 1 {
			http.Error(w, "disk full", http.StatusInsufficientStorage)
			return true
		}
		return false
	})
	client, _ := hurried(Options{})
	_, err = client.PushIndex(t.Context(), repository(t, server.Host), idx)
	var failed *Error
	if !errors.As(err, &failed) || failed.Status != http.StatusInsufficientStorage || failed.Host != server.Host {
		t.Fatalf("push to a registry that fails on the second manifest: %v", err)
	}
	ref, err := imageref.New(repository(t, server.Host), digest.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Manifest(t.Context(), ref); !IsNotFound(err) {
		t.Errorf("an interrupted push has left an index: %v", err)
	}

	mu.Lock()
	broken = false
	mu.Unlock()
	got, err := client.PushIndex(t.Context(), repository(t, server.Host), idx)
	if err != nil || got != ref {
		t.Fatalf("the same push again: %v, %v", got, err)
	}
	if last := order[len(order)-1]; !strings.HasSuffix(last, digest.String()) {
		t.Errorf("the last manifest put is %s, want the index %s", last, digest)
	}
	platforms, err := client.Platforms(t.Context(), ref)
	if err != nil || len(platforms) != 2 {
		t.Errorf("platforms are %v, %v", platforms, err)
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	fail := func(status int, header ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if len(header) > 0 {
				w.Header().Set("Retry-After", header[0])
			}
			http.Error(w, http.StatusText(status), status)
		}
	}
	drop := func(w http.ResponseWriter) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	cases := []struct {
		name     string
		failures int
		answer   func(http.ResponseWriter)
		status   int // 0 when it ends well
		requests int
		longest  time.Duration // wait asked for by Retry-After
		says     string
	}{
		{"passes", 2, fail(503), 0, 3, 0, ""},
		{"connection lost", 2, drop, 0, 3, 0, ""},
		{"asked to wait", 1, fail(429, "7"), 0, 2, 7 * time.Second, ""},
		{"asked to wait too long", 1, fail(429, "3600"), 429, 1, 0, "limits requests"},
		{"never passes", 99, fail(503), 503, 4, 0, "has trouble"},
		{"429 for ever", 99, fail(429), 429, 4, 0, "limits requests"},
		{"not logged in", 99, fail(401), 401, 1, 0, "not logged in"},
		{"not allowed", 99, fail(403), 403, 1, 0, "needs the right to pull"},
		{"server error", 99, fail(500), 500, 4, 0, "has trouble"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			requests := 0
			server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/manifests/") {
					return false
				}
				mu.Lock()
				defer mu.Unlock()
				if requests++; requests > c.failures {
					w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
					http.Error(w, "{}", http.StatusNotFound)
					return true
				}
				c.answer(w)
				return true
			})
			client, waited := hurried(Options{})
			_, err := client.Resolve(t.Context(), server.Host+"/acme/app:1")
			var failed *Error
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want an Error", err)
			}
			want := c.status
			if want == 0 {
				want = http.StatusNotFound // what the registry says once it works
			}
			if failed.Status != want {
				t.Errorf("status is %d, want %d: %v", failed.Status, want, err)
			}
			if requests != c.requests {
				t.Errorf("%d requests, want %d", requests, c.requests)
			}
			if !strings.HasPrefix(err.Error(), "registry "+server.Host+": ") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not name host %s and %q", err, server.Host, c.says)
			}
			if c.longest > 0 && (len(waited.list) != 1 || waited.list[0] < c.longest) {
				t.Errorf("waited %v, want %v", waited.list, c.longest)
			}
		})
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	quick := http.DefaultTransport.(*http.Transport).Clone()
	quick.ResponseHeaderTimeout = 20 * time.Millisecond
	client, _ := hurried(Options{Transport: quick})
	_, err := client.Resolve(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/acme/app:1")
	if err == nil || !strings.Contains(err.Error(), "it does not answer") {
		t.Errorf("a registry that says nothing: %v", err)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests were sent into the silence, want 2", n)
	}
}

func TestCancelEndsTheWait(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	server := registrytest.New(t, func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "", http.StatusServiceUnavailable)
		return true
	})
	client := New(Options{})
	client.transport.(*patient).Sleep = func(ctx context.Context, d time.Duration) error {
		cancel(why) // while it waits
		return retry.Wait(ctx, d)
	}
	_, err := client.Resolve(ctx, server.Host+"/acme/app:1")
	if !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the wait to end with the context", err)
	}
}

func TestNoRegistryThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	l.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for address, says := range map[string]string{
		host:               "is the host right, and reachable from here?",
		"registry.invalid": "is the host right, and reachable from here?",
		strings.TrimPrefix(secure.URL, "https://"): "certificate is not trusted",
	} {
		client, _ := hurried(Options{})
		_, err := client.Resolve(t.Context(), address+"/acme/app:1")
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "registry "+address) {
			t.Errorf("%s: error %q does not say %q", address, err, says)
		}
	}
}

func TestErrorsHoldNoCredentials(t *testing.T) {
	t.Parallel()
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "http://user:hunter2@127.0.0.1:1/blob?X-Amz-Signature=hunter2", http.StatusTemporaryRedirect)
		return true
	})
	client, _ := hurried(Options{Registry: server.Host, Username: "me", Password: "hunter2"})
	_, err := client.Resolve(t.Context(), server.Host+"/acme/app:1")
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error holds a credential or is missing: %v", err)
	}
	text := tidy("Get \"https://a:b@h/p?token=c\": failed\n::add-mask::x https://h/q?d=e: no")
	if want := `Get "https://h/p?…": failed ::add-mask::x https://h/q?…: no`; text != want {
		t.Errorf("tidy gives %q, want %q", text, want)
	}
}

func TestLoginGoesToItsHostAlone(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]string{}
	serve := func(label string) string {
		s := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if user, password, ok := r.BasicAuth(); ok {
				seen[label] = user + ":" + password
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			http.Error(w, "{}", http.StatusUnauthorized)
			return true
		})
		return s.Host
	}
	mine, other := serve("mine"), serve("other")
	client, _ := hurried(Options{Registry: mine, Username: "me", Password: "secret"})
	for _, host := range []string{mine, other} {
		if _, err := client.Resolve(t.Context(), host+"/acme/app:1"); err == nil {
			t.Errorf("%s let us in", host)
		}
	}
	if diff := cmp.Diff(map[string]string{"mine": "me:secret"}, seen); diff != "" {
		t.Error(diff)
	}
	user, password, err := client.Credentials(mine)
	if err != nil || user != "me" || password != "secret" {
		t.Errorf("credentials of %s are %q, %q, %v", mine, user, password, err)
	}
	if _, password, _ := client.Credentials(other); password != "" {
		t.Error("the password is given for another host")
	}
}

// TestUploadBeginsAnew breaks the connection in the middle of a blob.
func TestUploadBeginsAnew(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	broken := 0
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodPatch || broken > 0 {
			return false
		}
		broken++
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
		return true
	})
	client, _ := hurried(Options{})
	if _, err := client.PushIndex(t.Context(), repository(t, server.Host), index(t)); err != nil {
		t.Errorf("push with one broken upload: %v", err)
	}
	if broken != 1 {
		t.Errorf("no upload was broken")
	}
}

// TestRegistries runs the door against the in-process registry and a real one.
func TestRegistries(t *testing.T) {
	t.Parallel()
	t.Run("in-process", func(t *testing.T) {
		t.Parallel()
		testRegistry(t, registrytest.New(t, nil).Host)
	})
	t.Run("docker-registry", func(t *testing.T) {
		t.Parallel()
		server, err := dockerregistry.Start(t.Context(), tooltest.Find(t, "docker-registry"), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Stop)
		testRegistry(t, server.Host)
		tag := strings.Replace(testReferrers(t, server.Host).Digest(), ":", "-", 1)
		if _, err := New(Options{}).Resolve(t.Context(), repository(t, server.Host).Name()+":"+tag); err != nil {
			t.Errorf("the real registry has no referrers API, and there is no fallback tag: %v", err)
		}
	})
}

func testRegistry(t *testing.T, host string) {
	ctx, client, repo := t.Context(), New(Options{}), repository(t, host)
	ref, err := client.PushIndex(ctx, repo, index(t))
	if err != nil {
		t.Fatal(err)
	}
	tags, err := remote.List(repo, client.RemoteOptions(ctx)...)
	if err == nil && len(tags) > 0 {
		t.Errorf("a push by digest has left the tags %v", tags)
	}
	platforms, err := client.Platforms(ctx, ref)
	if err != nil || len(platforms) != 2 || platforms[0].Platform != "linux/amd64" || platforms[1].Platform != "linux/arm64" {
		t.Errorf("platforms are %v, %v", platforms, err)
	}
	if err := client.Tag(ctx, ref, "v1"); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Resolve(ctx, repo.Name()+":v1"); err != nil || got != ref {
		t.Errorf("v1 is %v, %v, want %v", got, err, ref)
	}
	if _, err := client.Resolve(ctx, repo.Name()+":v2"); !IsNotFound(err) {
		t.Errorf("a tag that is not there: %v", err)
	}
	plain, err := client.PushImage(ctx, repo, mutate.MediaType(empty.Image, types.OCIManifestSchema1))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := client.Platforms(ctx, plain); err != nil || len(list) != 1 || list[0].Platform != "" || list[0].Ref != plain {
		t.Errorf("platforms of an image that names none are %v, %v", list, err)
	}
	image, err := client.Image(ctx, platforms[1].Ref)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("layers are %v, %v", layers, err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if data, err := io.ReadAll(content); err != nil || string(data) != "arm64" {
		t.Errorf("the layer holds %q, %v", data, err)
	}

	want := []Document{
		{"a.json", "application/json", []byte(`{"a":1}`)}, {"big.json", "application/json", bytes.Repeat([]byte("x"), 3<<20)},
	}
	stored, err := client.PushDocuments(ctx, repo, "application/vnd.waybill.test.v1", want)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := client.PushDocuments(ctx, repo, "application/vnd.waybill.test.v1", want); err != nil || again != stored {
		t.Errorf("the same documents again: %v, %v, want %v", again, err, stored)
	}
	got, err := client.Documents(ctx, stored, "application/vnd.waybill.test.v1")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d documents, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i].Name != want[i].Name || got[i].MediaType != want[i].MediaType || !bytes.Equal(got[i].Data, want[i].Data) {
			t.Errorf(
				"document %d is %s (%s) of %d bytes, want %s (%s) of %d", i, got[i].Name, got[i].MediaType, len(got[i].Data),
				want[i].Name, want[i].MediaType, len(want[i].Data),
			)
		}
	}
	if _, err := client.Documents(ctx, stored, "application/vnd.waybill.other.v1"); err == nil ||
		!strings.Contains(err.Error(), `its artifact type is "application/vnd.waybill.test.v1"`) {
		t.Errorf("documents of another type: %v", err)
	}
	if _, err := client.Documents(ctx, ref, "application/vnd.waybill.test.v1"); err == nil {
		t.Error("an image was read as documents")
	}
	testReferrers(t, host)
}

func testReferrers(t *testing.T, host string) imageref.Ref {
	ctx, client, repo := t.Context(), New(Options{}), repository(t, host)
	subject, err := client.PushIndex(ctx, repo, index(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		registrytest.Attach(t, client, subject, registrytest.Attachment{
			MediaType: fmt.Sprintf("application/vnd.waybill.test%d", i), Data: []byte{byte(i)},
		})
	}
	for prefix, want := range map[string]int{"application/vnd.waybill.test": 3, "application/vnd.waybill.test1": 1, "text/": 0} {
		if found, err := client.Attached(ctx, subject, prefix); err != nil || len(found) != want {
			t.Errorf("%d referrers of type %s, %v, want %d", len(found), prefix, err, want)
		}
	}
	return subject
}

// TestWrongContent has a registry answer with other bytes than were asked for.
func TestWrongContent(t *testing.T) {
	t.Parallel()
	lie := false
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		if lie && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			fmt.Fprint(w, `{"a":2}`)
			return true
		}
		return false
	})
	client, repo := New(Options{}), repository(t, server.Host)
	ref, err := client.PushDocuments(
		t.Context(), repo, "application/vnd.waybill.test.v1", []Document{{"a.json", "application/json", []byte(`{"a":1}`)}},
	)
	if err != nil {
		t.Fatal(err)
	}
	lie = true
	if _, err := client.Documents(t.Context(), ref, "application/vnd.waybill.test.v1"); err == nil ||
		!strings.Contains(err.Error(), "sha256") {
		t.Errorf("other bytes than the digest's were taken: %v", err)
	}
}

// While an index is pushed, the client tells how far it is, up to the whole.
func TestPushTellsItsProgress(t *testing.T) {
	t.Parallel()
	server := registrytest.New(t, nil)
	repository, err := name.NewRepository(server.Host + "/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	index, err := random.Index(1<<16, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	var most, whole int64
	client := New(Options{Progress: func(done, total int64) { most, whole = max(most, done), max(whole, total) }})
	if _, err := client.PushIndex(t.Context(), repository, index); err != nil {
		t.Fatal(err)
	}
	if whole < 4<<16 || most == 0 {
		t.Errorf("told %d of %d bytes", most, whole)
	}
}

// A login without the right is told which one it needs and where to give it.
func TestRightsByRegistry(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ host, doing, says string }{
		{"ghcr.io", "push ", "`permissions: packages: write`, and the package must grant that to this repository"},
		{"ghcr.io", "read ", "`permissions: packages: read`"},
		{"ghcr.io", "read ", "a person's token needs the scope read:packages, as `gh auth refresh --scopes read:packages` gives it"},
		{"ghcr.io", "tag ", "a person's token needs the scope write:packages"},
		{"111122223333.dkr.ecr.eu-central-1.amazonaws.com", "push ", "ecr:PutImage for this repository"},
		{"111122223333.dkr.ecr.eu-central-1.amazonaws.com", "read ", "ecr:BatchGetImage and ecr:GetDownloadUrlForLayer"},
		{"europe-docker.pkg.dev", "tag ", "roles/artifactregistry.writer"},
		{"europe-docker.pkg.dev", "list ", "roles/artifactregistry.reader"},
		{"acme.azurecr.io", "push ", "AcrPush"}, {"acme.azurecr.io", "read ", "AcrPull"},
		{"index.docker.io", "push ", "Read & Write"}, {"index.docker.io", "read ", "needs Read,"},
		{"harbor.acme.example", "push ", "the right to push"}, {"harbor.acme.example", "read ", "the right to pull"},
	} {
		e := &Error{Host: c.host, Path: "acme/app", Doing: c.doing + "x", Status: http.StatusForbidden, Cause: errors.New("DENIED")}
		if !strings.Contains(e.Error(), "the login is not allowed to: ") || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s%s: %v, want %q", c.doing, c.host, e, c.says)
		}
	}
}
