package buildkit

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/tooltest"
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
	env := map[string]string{"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S", "AWS_REGION": "eu-west-1"}
	var says []string
	e := Engine{
		Getenv:    func(name string) string { return env[name] },
		Container: Container{Say: func(format string, args ...any) { says = append(says, fmt.Sprintf(format, args...)) }},
	}
	from, to, err := e.caches(build.Request{
		CacheFrom: []string{"type=registry,ref=ghcr.io/acme/cache", "ghcr.io/acme/other", "type=gha"},
		CacheTo: []string{
			"type=registry,ref=ghcr.io/acme/cache,mode=max", "type=local,dest=d,ignore-error=false", "type=inline",
			"type=s3,bucket=b,region=eu-central-1", "type=azblob,account_url=u",
		},
		Cache: "ghcr.io/acme/app:cache-main",
	}, []build.Platform{amd64, {OS: "linux", Architecture: "arm", Variant: "v7"}})
	if err != nil {
		t.Fatal(err)
	}
	const beside = "ghcr.io/acme/app:cache-main-linux-amd64-linux-arm-v7"
	if diff := cmp.Diff([]client.CacheOptionsEntry{
		{Type: "registry", Attrs: map[string]string{"ref": "ghcr.io/acme/cache"}},
		{Type: "registry", Attrs: map[string]string{"ref": "ghcr.io/acme/other"}},
		{Type: "registry", Attrs: map[string]string{"ref": beside}},
	}, from); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]client.CacheOptionsEntry{
		{Type: "registry", Attrs: map[string]string{"ref": "ghcr.io/acme/cache", "mode": "max", "ignore-error": "true"}},
		{Type: "local", Attrs: map[string]string{"dest": "d", "ignore-error": "false"}},
		{Type: "inline", Attrs: map[string]string{}},
		{Type: "s3", Attrs: map[string]string{
			"bucket": "b", "region": "eu-central-1", "access_key_id": "A", "secret_access_key": "S", "ignore-error": "true",
		}},
		{Type: "azblob", Attrs: map[string]string{"account_url": "u", "ignore-error": "true"}},
		{Type: "registry", Attrs: map[string]string{
			"ref": beside, "mode": "max", "image-manifest": "true", "oci-mediatypes": "true", "ignore-error": "true",
		}},
	}, to); diff != "" {
		t.Error(diff)
	}
	if len(says) != 1 || !strings.Contains(says[0], "gives to JavaScript actions and to no run step") {
		t.Errorf("it says %q", says)
	}
	env[actionsToken], env[actionsURL] = "t", "https://results.example/"
	from, _, err = e.caches(build.Request{CacheFrom: []string{"type=gha,scope=x"}}, nil)
	if diff := cmp.Diff([]client.CacheOptionsEntry{{Type: "gha", Attrs: map[string]string{
		"scope": "x", "token": "t", "url_v2": "https://results.example/", "version": "2",
	}}}, from); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for bad, want := range map[string]string{
		"ref=x": "want type=registry", "type=registry,x": `"x" is not KEY=VALUE`, "type=floppy": "registry, local, inline, gha, s3, azblob",
	} {
		_, _, err := e.caches(build.Request{CacheTo: []string{bad}}, nil)
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("cache %q: %v, want %q", bad, err, want)
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

// The builders that the documentation shows are those that can be given.
func TestBuildersOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(tooltest.Root(t), "docs", "getting-started.md"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "linux/") {
			list = append(list, strings.TrimSpace(line))
		}
	}
	b, err := ParseBuilders(list, "")
	if err != nil || !strings.HasPrefix(b.For[amd64], "tcp://") || !strings.HasPrefix(b.For[arm64], "kube-pod://") {
		t.Errorf("%q is read as %v, %v", list, b, err)
	}
}
