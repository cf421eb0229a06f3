package registry

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	backend "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func randomIndex(t *testing.T) v1.ImageIndex {
	t.Helper()
	index, err := random.Index(100, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// A registry with an authority of its own is reached by the file or the text of its
// certificate, or unseen where that is asked for, and by nothing else.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(backend.New(backend.Logger(log.New(io.Discard, "", 0))))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are refused
	server.StartTLS()
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "https://")
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(certificate), 0o600); err != nil {
		t.Fatal(err)
	}
	indented := "    " + strings.ReplaceAll(strings.TrimSpace(certificate), "\n", "\n    ") + "\n"
	repository, err := name.NewRepository(host + "/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	index := randomIndex(t)
	for text, reached := range map[string]bool{
		"": false, host + ": {ca: " + file + "}": true, host + ":\n  ca: |\n" + indented: true, host + ": {insecure: true}": true,
		"other.example: {ca: " + file + "}": false, "other.example: {insecure: true}": false,
	} {
		client, _ := hurried(Options{Hosts: ReadHosts(text)})
		_, err := client.PushIndex(t.Context(), repository, index)
		if (err == nil) != reached {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// Plain HTTP is spoken with the host that is named, and only with it.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for text, reached := range map[string]bool{host + ": {http: true}": true, "other.example: {http: true}": false} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/v2/", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := newTransport(ReadHosts(text)).RoundTrip(request)
		if (err == nil) != reached {
			t.Errorf("%s: %v", text, err)
		}
		if err == nil {
			response.Body.Close()
		}
	}
}

// A base image comes from the first mirror that has it, else from its own registry,
// by tag and by digest. Nothing but a base image does.
func TestMirrors(t *testing.T) {
	t.Parallel()
	own, empty, mirror := registrytest.New(t, nil), registrytest.New(t, nil), registrytest.New(t, nil)
	client, _ := hurried(Options{Hosts: ReadHosts(own.Host + ": {mirrors: [" + empty.Host + ", " + mirror.Host + "/hub]}")})
	digests := map[string]string{}
	for _, repository := range []string{own.Host + "/acme/base", mirror.Host + "/hub/acme/base", own.Host + "/acme/alone"} {
		at, err := name.NewRepository(repository)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := client.PushIndex(t.Context(), at, randomIndex(t))
		if err == nil {
			err = client.Tag(t.Context(), ref, "1")
		}
		if err != nil {
			t.Fatal(err)
		}
		digests[repository] = ref.Digest()
	}
	for reference, from := range map[string]string{
		own.Host + "/acme/base:1": mirror.Host + "/hub/acme/base", own.Host + "/acme/alone:1": own.Host + "/acme/alone",
		own.Host + "/acme/base@" + digests[mirror.Host+"/hub/acme/base"]: mirror.Host + "/hub/acme/base",
		own.Host + "/acme/base@" + digests[own.Host+"/acme/base"]:        own.Host + "/acme/base",
	} {
		ref, err := Bases{client}.Resolve(t.Context(), reference)
		if err != nil || ref.Repository() != from || ref.Digest() != digests[from] {
			t.Errorf("%s comes from %s, %v; want %s", reference, ref, err, from)
		}
	}
	if ref, err := client.Resolve(t.Context(), own.Host+"/acme/base:1"); err != nil || ref.Digest() != digests[own.Host+"/acme/base"] {
		t.Errorf("without being a base image: %s, %v", ref, err)
	}
}

// What is wrong in the text is said with the first request, by the host's name.
func TestHostsThatAreNone(t *testing.T) {
	t.Parallel()
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, says := range map[string]string{
		"/no/such/file": "no such file", "a.example: {htp: true}": "field htp not found",
		"a.example: {http: true, ca: x}": "a.example: http has no certificate",
		"a.example: {ca: /no/such/file}": "a.example: ca: open /no/such/file",
		"a.example: {ca: " + empty + "}": "there is no certificate in PEM",
		"a.example/x: {http: true}":      "a.example/x: ", "a.example: {mirrors: [\"b c\"]}": `mirrors: "b c" is not HOST or HOST/PATH`,
	} {
		_, err := New(Options{Hosts: ReadHosts(text)}).Resolve(t.Context(), "127.0.0.1:1/acme/app:1")
		if outcome.Code(err) != outcome.Usage || !strings.HasPrefix(err.Error(), "WAYBILL_REGISTRIES: ") ||
			!strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
