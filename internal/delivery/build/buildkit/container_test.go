package buildkit

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/rehearsal/buildkitd"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// dialStdio is the variable that makes this test's program what runs in a
// builder's container: buildctl dial-stdio.
const dialStdio = "WAYBILL_TEST_DIAL_STDIO"

func TestMain(m *testing.M) {
	if socket := os.Getenv(dialStdio); socket != "" {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go func() { io.Copy(conn, os.Stdin) }()
		io.Copy(os.Stdout, conn)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// daemon starts a real BuildKit, and returns the path of its socket.
func daemon(t *testing.T) string {
	t.Helper()
	program := tooltest.Buildkitd(t)
	dir, err := os.MkdirTemp("", "wb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d, err := buildkitd.Start(t.Context(), buildkitd.Options{Program: program, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return strings.TrimPrefix(d.Address, "unix://")
}

// fakeDocker puts a docker command on PATH that keeps one container in a
// directory, and returns the directory. It logs its calls there.
func fakeDocker(t *testing.T, socket string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := `#!/bin/sh
cd ` + dir + `
echo "$*" >> calls
case "$1 $2" in
"container inspect") [ -e container ] || { echo "Error response from daemon: No such container: waybill-buildkit" >&2; exit 1; }; cat container;;
"container start") echo true > container;;
"logs --tail") echo "buildkitd: no runc" >&2;;
"run --detach") [ -e dies ] && { echo false > container; exit 0; }; [ -e refuse ] && { echo "docker: permission denied" >&2; exit 126; }; echo true > container;;
"create --privileged") echo false > container;;
"cp "*) cp -r "$2" copied; echo "$3" > copied-to;;
"rm --force") rm container;;
"exec -i") ` + dialStdio + `=` + socket + ` exec ` + self + `;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

// auto is an engine that looks for a daemon at a socket, then for a container.
func auto(t *testing.T, socket string) Engine {
	t.Helper()
	return Engine{
		Builders: Builders{Default: Auto}, Local: "unix://" + socket, Dir: t.TempDir(),
		Container: Container{Env: []string{"PATH=" + os.Getenv("PATH")}},
	}
}

// A daemon of the machine is used, and Docker is not asked.
func TestAutoUsesTheMachinesDaemon(t *testing.T) {
	socket := daemon(t)
	dir := fakeDocker(t, socket)
	request, file := example(t)
	built, err := auto(t, socket).Build(t.Context(), request, file)
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close()
	if _, err := os.Stat(filepath.Join(dir, "calls")); len(built.Images) != 2 || err == nil {
		t.Errorf("%d images; docker was called: %t", len(built.Images), err == nil)
	}
}

func calls(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func example(t *testing.T) (build.Request, *build.Dockerfile) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY Dockerfile /\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := build.ReadDockerfile(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	return build.Request{Context: dir, Platforms: []build.Platform{amd64, arm64}, Epoch: time.Unix(5, 0)}, file
}

// The container is made, built with, and removed; one that was there is used
// and stays; one that is stopped is started.
func TestAutoUsesAContainer(t *testing.T) {
	socket := daemon(t)
	dir := fakeDocker(t, socket)
	request, file := example(t)
	var said bytes.Buffer
	e := auto(t, "/nowhere")
	e.Container.Say = func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }
	for _, c := range []struct{ before, calls, says string }{
		{"", "run --detach --privileged --name waybill-buildkit " + Image, "starting a container of " + Image},
		{"true\n", "", "using the container waybill-buildkit"},
		{"false\n", "container start waybill-buildkit", "starting the container waybill-buildkit"},
	} {
		os.Remove(filepath.Join(dir, "calls"))
		os.Remove(filepath.Join(dir, "container"))
		if c.before != "" {
			if err := os.WriteFile(filepath.Join(dir, "container"), []byte(c.before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		said.Reset()
		built, err := e.Build(t.Context(), request, file)
		if err != nil {
			t.Fatalf("%q: %v", c.before, err)
		}
		if len(built.Images) != 2 {
			t.Errorf("%q: %d images", c.before, len(built.Images))
		}
		built.Close()
		log := calls(t, dir)
		if !strings.Contains(log, "exec -i waybill-buildkit buildctl dial-stdio") || !strings.Contains(log, c.calls) ||
			!strings.Contains(said.String(), c.says) {
			t.Errorf("%q: said %q and called\n%s", c.before, said.String(), log)
		}
		if removed := strings.Contains(log, "rm --force --volumes waybill-buildkit"); removed != (c.before == "") {
			t.Errorf("%q: the container was removed: %v", c.before, removed)
		}
	}
}

// The daemon in a container reaches registries as Waybill does: it gets its
// configuration and the certificates before it starts.
func TestContainerReachesRegistries(t *testing.T) {
	dir := fakeDocker(t, daemon(t))
	request, file := example(t)
	e := auto(t, "/nowhere")
	e.Container.Hosts = registry.Hosts{ByHost: map[string]registry.Host{
		"index.docker.io": {Mirrors: []string{"mirror.example/hub"}}, "harbor.example": {CA: "-----BEGIN CERTIFICATE-----\n"},
		"plain.example:5000": {HTTP: true}, "any.example": {Insecure: true},
	}}
	built, err := e.Build(t.Context(), request, file)
	if err != nil {
		t.Fatal(err)
	}
	built.Close()
	made := strings.Index(calls(t, dir), "create --privileged --name waybill-buildkit "+Image)
	copied, started := strings.Index(calls(t, dir), "\ncp "), strings.Index(calls(t, dir), "container start waybill-buildkit")
	if made < 0 || copied < made || started < copied {
		t.Errorf("docker was called\n%s", calls(t, dir))
	}
	text, err := os.ReadFile(filepath.Join(dir, "copied", "buildkitd.toml"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `[registry."any.example"]
  http = false
  insecure = true
[registry."harbor.example"]
  http = false
  insecure = false
  ca = ["/etc/buildkit/ca-1.pem"]
[registry."docker.io"]
  http = false
  insecure = false
  mirrors = ["mirror.example/hub"]
[registry."plain.example:5000"]
  http = true
  insecure = false
`
	to, _ := os.ReadFile(filepath.Join(dir, "copied-to"))
	if string(text) != want || strings.TrimSpace(string(to)) != "waybill-buildkit:/etc/buildkit" {
		t.Errorf("copied to %s\n%s", to, text)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "copied", "ca-1.pem"))
	if err != nil || string(ca) != "-----BEGIN CERTIFICATE-----\n" {
		t.Errorf("the certificate is %q, %v", ca, err)
	}
}

func TestAutoSaysWhatItTried(t *testing.T) {
	dir := fakeDocker(t, "/nowhere")
	if err := os.WriteFile(filepath.Join(dir, "refuse"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	request, file := example(t)
	e := auto(t, "/nowhere")
	_, err := e.Build(t.Context(), request, file)
	for _, want := range []string{
		"no BuildKit was found", "unix:///nowhere answered", "no such file or directory", "a container in Docker", "permission denied",
		"--builder or BUILDKIT_HOST",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := os.Rename(filepath.Join(dir, "refuse"), filepath.Join(dir, "dies")); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Build(t.Context(), request, file); err == nil || !strings.Contains(err.Error(), "it has ended: buildkitd: no runc") {
		t.Errorf("a container that ends: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "container")); err == nil {
		t.Error("the container that ended was left")
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := e.Build(t.Context(), request, file); err == nil || !strings.Contains(err.Error(), "there is no docker command on PATH") {
		t.Errorf("without docker: %v", err)
	}
}

// An interrupted wait removes the container that was made for it.
func TestCancelledStartRemovesTheContainer(t *testing.T) {
	dir := fakeDocker(t, "/nowhere")
	request, file := example(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // once the container is there
		defer cancel()
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(dir, "container")); err == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if _, err := auto(t, "/nowhere").Build(ctx, request, file); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("cancelled: %v", err)
	}
	if log := calls(t, dir); !strings.Contains(log, "run --detach") || !strings.Contains(log, "rm --force --volumes") {
		t.Errorf("the container was left:\n%s", log)
	}
}

// A daemon behind TLS is asked with a certificate, and refuses whoever has none.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	socket := daemon(t)
	dir := t.TempDir()
	authority, key := certificate(t, dir, "ca", nil, nil)
	certificate(t, dir, "server", authority, key)
	certificate(t, dir, "client", authority, key)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		NextProtos: []string{"h2"},
		// In TLS 1.3 a client may write before it reads that it was refused.
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				inner, err := net.Dial("unix", socket)
				if err != nil {
					return
				}
				defer inner.Close()
				go func() { io.Copy(inner, conn) }()
				io.Copy(conn, inner)
			}()
		}
	}()
	request, file := example(t)
	address := "tcp://" + l.Addr().String() + "?cacert=" + filepath.Join(dir, "ca.crt") + "&servername=server"
	with := address + "&cert=" + filepath.Join(dir, "client.crt") + "&key=" + filepath.Join(dir, "client.key")
	for given, refused := range map[string]string{
		with: "", address: "remote error: tls: handshake failure", "tcp://" + l.Addr().String(): "no daemon answers",
		strings.Replace(with, "servername=server", "servername=other", 1): "certificate is valid for server, not other",
	} {
		built, err := Engine{Builders: Builders{Default: given}, Dir: t.TempDir()}.Build(t.Context(), request, file)
		if err == nil {
			built.Close()
		}
		if (refused == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), refused) {
			t.Errorf("%s: %v, want %q", given, err, refused)
		}
	}
}

// certificate writes NAME.crt and NAME.key, signed by parent, else by itself.
func certificate(t *testing.T, dir, name string, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotAfter: time.Now().Add(time.Hour),
		IsCA:     parent == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, key
}
