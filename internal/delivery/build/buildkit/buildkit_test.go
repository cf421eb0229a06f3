package buildkit

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/evidence"
)

var (
	amd64 = build.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = build.Platform{OS: "linux", Architecture: "arm64"}
)

func TestParseBuilders(t *testing.T) {
	t.Parallel()
	b, err := ParseBuilders([]string{"tcp://10.0.0.1:1234", "linux/arm64=unix:///run/arm.sock"}, "unix:///from/env")
	if err != nil {
		t.Fatal(err)
	}
	if got := b.address(amd64) + " " + b.address(arm64); got != "tcp://10.0.0.1:1234 unix:///run/arm.sock" {
		t.Errorf("addresses are %s", got)
	}
	if b, _ := ParseBuilders(nil, "unix:///from/env"); b.address(amd64) != "unix:///from/env" {
		t.Errorf("without builders: %s", b.address(amd64))
	}
	if b, _ := ParseBuilders(nil, ""); b.address(amd64) != Auto {
		t.Errorf("without anything: %s", b.address(amd64))
	}
	if b, _ := ParseBuilders([]string{"auto"}, "unix:///from/env"); b.address(amd64) != "unix:///from/env" {
		t.Errorf("auto with BUILDKIT_HOST: %s", b.address(amd64))
	}
	for _, address := range []string{
		"docker-container://x", "docker-container://x?context=y", "podman-container://x", "kube-pod://x?namespace=y",
		"ssh://me@host:22/run/s",
		"tcp://host:1?cacert=a&cert=b&key=c&servername=d", "tcp://host:1?cacert=a",
	} {
		if b, err := ParseBuilders([]string{address}, ""); err != nil || b.address(amd64) != address {
			t.Errorf("%s: %v, %v", address, b, err)
		}
		if b, err := ParseBuilders([]string{"linux/arm64=" + address}, ""); err != nil || b.address(arm64) != address ||
			b.address(amd64) != Auto {
			t.Errorf("%s for arm64: %v, %v", address, b, err)
		}
	}
	for text, want := range map[string]string{
		"docker-container://": "want auto, unix:///PATH", "tcp://host": "want auto", "plan9/arm=unix:///x": "plan9",
		"http://host:1": "want auto", "somewhere": "want auto",
		"tcp://host:1?cert=b&cacert=a": "cert and key go together", "tcp://host:1?cert=b&key=c": "needs cacert",
		"tcp://host:1?insecure=1": `unknown setting "insecure"`,
	} {
		if _, err := ParseBuilders([]string{text}, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	r := build.Request{
		Target: "final", Epoch: time.Unix(7, 0), Args: map[string]string{"A": "1"}, Labels: map[string]string{"l": "2"},
		Secrets: []build.Secret{{ID: "token", Value: []byte("hush")}},
	}
	got := attributes([]build.Platform{amd64, arm64}, r, &build.Dockerfile{Path: "dir/Dockerfile.prod"})
	want := map[string]string{
		"filename": "Dockerfile.prod", "platform": "linux/amd64,linux/arm64", "target": "final", "build-arg:A": "1", "label:l": "2",
		"build-arg:SOURCE_DATE_EPOCH": "7", "attest:provenance": "mode=min,version=v1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCaches(t *testing.T) {
	t.Parallel()
	got, err := caches([]string{"type=registry,ref=ghcr.io/acme/cache,mode=max", "ghcr.io/acme/other"})
	if err != nil {
		t.Fatal(err)
	}
	want := []client.CacheOptionsEntry{
		{Type: "registry", Attrs: map[string]string{"ref": "ghcr.io/acme/cache", "mode": "max"}},
		{Type: "registry", Attrs: map[string]string{"ref": "ghcr.io/acme/other"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"ref=x", "type=registry,x"} {
		if _, err := caches([]string{bad}); err == nil {
			t.Errorf("cache %q was accepted", bad)
		}
	}
}

func TestBaseImages(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("a", 64)
	for _, statement := range []string{
		`{"predicate":{"materials":[{"uri":"pkg:docker/127.0.0.1%3A5000/base@1?platform=linux%2Farm64","digest":{"sha256":"` + digest + `"}},{"uri":"pkg:github/a/b","digest":{"sha1":"x"}}]}}`,
		`{"predicate":{"buildDefinition":{"resolvedDependencies":[{"uri":"pkg:docker/127.0.0.1:5000/base@1","digest":{"sha256":"` + digest + `"}}]}}}`,
	} {
		got, err := baseImages([]byte(statement))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]evidence.BaseImage{{Name: "127.0.0.1:5000/base:1", Digest: "sha256:" + digest}}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// TestDaemonThatDoesNotAnswer has something else listen where the daemon
// should, and cancels the call.
func TestDaemonThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := l.Accept() // and never says anything
		cancel()
		if err == nil {
			<-t.Context().Done()
			conn.Close()
		}
	}()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nRUN x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	e := Engine{Builders: Builders{Default: "tcp://" + l.Addr().String()}, Dir: work}
	_, err = e.Build(ctx, build.Request{Context: dir, Platforms: []build.Platform{amd64}}, file)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled build ended with %v", err)
	}
	if left, _ := os.ReadDir(work); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
