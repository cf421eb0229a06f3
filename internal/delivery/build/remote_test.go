package build_test

import (
	"archive/tar"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// wire stands between this process and a daemon or a registry, as the network
// does, and counts what comes in.
type wire struct {
	address string
	in      atomic.Int64 // bytes from the daemon
	mu      sync.Mutex
	open    []net.Conn
}

// cut ends every connection.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		c.Close()
	}
}

// remoteDaemon makes the daemon of a unix socket one of another machine.
func remoteDaemon(t *testing.T, socket string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := &wire{address: "tcp://" + l.Addr().String()}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", strings.TrimPrefix(socket, "unix://"))
			if err != nil {
				from.Close()
				continue
			}
			w.mu.Lock()
			w.open = append(w.open, from, to)
			w.mu.Unlock()
			go func() {
				_, _ = io.Copy(to, from)
				to.Close()
			}()
			go func() {
				_, _ = io.Copy(io.MultiWriter(from, (*counter)(&w.in)), to)
				from.Close()
			}()
		}
	}()
	return w
}

type counter atomic.Int64

func (c *counter) Write(p []byte) (int, error) {
	(*atomic.Int64)(c).Add(int64(len(p)))
	return len(p), nil
}

// sent counts the bytes that this process sends to registries.
type sent struct{ bytes atomic.Int64 }

func (s *sent) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, (*counter)(&s.bytes)), r.Body}
	}
	return http.DefaultTransport.RoundTrip(r)
}

const layerSize = 4 << 20

// testRemote: a remote daemon pushes its layers to every repository by itself, and
// the image is the one that passes through this machine otherwise.
func testRemote(t *testing.T, l *lab) {
	daemon, traffic := remoteDaemon(t, l.buildkit.Builders.Default), &sent{}
	client := registry.New(registry.Options{Transport: traffic})
	var words said
	engine := buildkit.Engine{
		Builders: buildkit.Builders{Default: daemon.address}, Dir: t.TempDir(), Registry: client, Progress: io.Discard,
		Container: buildkit.Container{Say: words.say},
	}
	order := l.largeOrder(t, "remote")
	result := deliver(t, client, engine, order)
	if in, out := daemon.in.Load(), traffic.bytes.Load(); in > layerSize/4 || out > layerSize/4 {
		t.Errorf("%d bytes came from the daemon and %d went to the registry: a layer of %d passed through here", in, out, layerSize)
	}
	if !strings.Contains(words.String(), "pushes to the registry: no layer passes through this machine") {
		t.Errorf("it says %s", words.String())
	}
	local := l.largeOrder(t, "local")
	local.Context, local.Recipe, local.Also = order.Context, order.Recipe, nil
	through := deliver(t, l.client, l.buildkit, local)
	if result.Build.Digest != through.Build.Digest || result.Build.Digest == "" {
		t.Errorf("the daemon pushed %s, and through this machine it is %s", result.Build.Digest, through.Build.Digest)
	}
	order.Compression, local.Compression = build.Compression{Zstd: true}, build.Compression{Zstd: true}
	order.Plain, local.Plain, order.Platforms, local.Platforms = true, true, []build.Platform{arm64}, []build.Platform{arm64}
	if a, b := deliver(t, client, engine, order), deliver(t, l.client, l.buildkit, local); a.Build.Digest != b.Build.Digest ||
		a.Build.Digest != a.Build.Platforms["linux/arm64"] {
		t.Errorf("plain it is %s, and through this machine %s", a.Build.Digest, b.Build.Digest)
	}
	if len(result.Build.BaseImages) != 1 || len(result.Steps) == 0 || result.Images[0].Size < layerSize {
		t.Errorf("the record says less: %+v", result)
	}
	for _, pushed := range result.Pushed() {
		ref, err := imageref.Parse(pushed.Image)
		if err != nil {
			t.Fatal(err)
		}
		if tags, err := l.client.Tags(t.Context(), ref.Name()); err != nil || len(tags) > 0 {
			t.Errorf("%s has the tags %v, %v", ref.Repository(), tags, err)
		}
		index, err := l.client.Index(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		whole(t, index)
	}
}

// testRemoteCannotPush: what a registry does not take from the daemon comes
// through this machine. Trouble that this machine has too is said as ever.
func testRemoteCannotPush(t *testing.T, l *lab) {
	daemon := remoteDaemon(t, l.buildkit.Builders.Default)
	var all atomic.Bool
	server := registrytest.New(t, func(w http.ResponseWriter, r *http.Request) bool {
		write := r.Method != http.MethodGet && r.Method != http.MethodHead
		if write && (all.Load() || strings.HasPrefix(r.UserAgent(), "buildkit")) {
			http.Error(w, `{"errors":[{"code":"DENIED"}]}`, http.StatusForbidden)
			return true
		}
		return false
	})
	var words said
	engine := buildkit.Engine{
		Builders: buildkit.Builders{Default: daemon.address}, Dir: t.TempDir(), Registry: l.client, Progress: io.Discard,
		Container: buildkit.Container{Say: words.say},
	}
	order := l.largeOrder(t, "denied")
	order.Repository, order.Also = repository(t, server.Host+"/acme/app"), nil
	result := deliver(t, l.client, engine, order)
	if says := "cannot push to the registry, so the image comes through this machine: failed to push " + server.Host; !strings.Contains(
		words.String(), says,
	) {
		t.Errorf("it says %s", words.String())
	}
	if len(result.Steps) == 0 || result.Steps[len(result.Steps)-1].Cached {
		t.Errorf("the steps are of the second solve: %+v", result.Steps)
	}
	all.Store(true)
	order.Recipe = dockerfileIn(t, order.Context)
	order.Args = map[string]string{"OTHER": "1"}
	_, err := build.Deliver(t.Context(), shop(l.client, engine), order)
	if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "registry "+server.Host+": push ") {
		t.Errorf("a token that may not push: %v", err)
	}
}

// testRemoteThatFails: a warning that refuses the image leaves no index of ours.
func testRemoteThatFails(t *testing.T, l *lab) {
	daemon := remoteDaemon(t, l.buildkit.Builders.Default)
	engine := buildkit.Engine{
		Builders: buildkit.Builders{Default: daemon.address}, Dir: t.TempDir(), Registry: l.client, Progress: io.Discard,
	}
	base := l.pushLayers(t, "amd64only2", [][]entry{{{Name: "x", Type: tar.TypeReg, Mode: 0o644, data: "x"}}})
	order := l.largeOrder(t, "wrong")
	order.Context = tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nCOPY Dockerfile /\n"})
	order.Recipe, order.Platforms = dockerfileIn(t, order.Context), []build.Platform{arm64}
	result, err := build.Deliver(t.Context(), shop(l.client, engine), order)
	if err == nil || !strings.Contains(err.Error(), "use a base image for that platform") || result.Image != "" {
		t.Errorf("a base for another platform: %v, %+v", err, result)
	}
}

// whole reads every layer of an index.
func whole(t *testing.T, index v1.ImageIndex) {
	t.Helper()
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 2 || manifest.Annotations["a"] != "b" {
		t.Errorf("the index is %+v", manifest)
	}
	for _, d := range manifest.Manifests {
		image, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := image.Layers()
		if err != nil || len(layers) < 2 {
			t.Fatalf("%d layers, %v", len(layers), err)
		}
		for _, layer := range layers {
			content, err := layer.Uncompressed()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, content); err != nil {
				t.Error(err)
			}
			content.Close()
		}
	}
}

// largeOrder is a build of a base with a layer that does not compress, to
// repositories of the real registry.
func (l *lab) largeOrder(t *testing.T, to string) build.Order {
	t.Helper()
	base, _ := l.push(t, "largebase", v1.Config{}, func(p build.Platform) []entry {
		data := make([]byte, layerSize)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(data)
		return []entry{
			{Name: "bin/", Type: tar.TypeDir, Mode: 0o755},
			{Name: "bin/sh", Type: tar.TypeReg, Mode: 0o755, data: shell(t, p.Architecture)},
			{Name: "large", Type: tar.TypeReg, Mode: 0o644, data: string(data)},
		}
	})
	dir := tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nARG OTHER\nCOPY Dockerfile /\nRUN arch > /arch\n"})
	return build.Order{
		Request: build.Request{Context: dir, Platforms: both, Epoch: epoch}, Recipe: dockerfileIn(t, dir), Engine: build.BuildKit,
		Annotations: build.Everywhere(map[string]string{"a": "b"}),
		Repository:  repository(t, l.host+"/large/"+to), Also: []name.Repository{repository(t, l.host+"/copy/"+to)},
	}
}

func dockerfileIn(t *testing.T, dir string) *build.Dockerfile {
	t.Helper()
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func repository(t *testing.T, text string) name.Repository {
	t.Helper()
	r, err := imageref.ParseRepository(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func shop(client *registry.Client, engine build.Engine) build.Shop {
	return build.Shop{
		Engines: map[string]build.Engine{build.BuildKit: engine}, Registry: client, Chosen: func(build.Choice) {}, Built: func() {},
	}
}

func deliver(t *testing.T, client *registry.Client, engine build.Engine, o build.Order) build.Result {
	t.Helper()
	result, err := build.Deliver(t.Context(), shop(client, engine), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// said keeps words.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.text, format+"\n", args...)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
