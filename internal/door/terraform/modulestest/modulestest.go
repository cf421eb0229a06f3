// Package modulestest is a registry of modules, and a server of archives, for the real
// terraform and OpenTofu: on loopback, with TLS and a certificate of its own.
//
// It speaks the module registry protocol as both document it:
// https://developer.hashicorp.com/terraform/internals/module-registry-protocol and
// https://opentofu.org/docs/internals/module-registry-protocol. The address of a package
// stands in the header X-Terraform-Get of an answer without content. Packages are zip
// archives, which both unpack by the suffix of the address:
// https://developer.hashicorp.com/terraform/language/modules/sources#fetching-archives-over-http
package modulestest

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Module is the address of the one module, behind the host.
const Module = "acme/far/null"

// Server serves one module in several versions, as a registry and as archives.
type Server struct {
	Host   string // 127.0.0.1:PORT: the host of a registry has a dot
	CAFile string // for SSL_CERT_FILE

	mu       sync.Mutex
	archives map[string][]byte // by version
	asked    []string
}

// Start starts a server without any version.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{archives: make(map[string][]byte), CAFile: filepath.Join(t.TempDir(), "ca.pem")}
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{s.certificate(t)}}
	server.StartTLS()
	t.Cleanup(server.Close)
	s.Host = server.Listener.Addr().String()
	return s
}

// certificate is one for the address, which is its own authority.
func (s *Server) certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		Subject:     pkix.Name{CommonName: "modules"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err == nil {
		err = os.WriteFile(s.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Publish makes files a version, in the place of one that was there. It gives the SHA-256
// of the archive, in hexadecimal digits. Files whose names end in .sh can be started.
func (s *Server) Publish(t testing.TB, version string, files map[string]string) (sum string) {
	t.Helper()
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			header.SetMode(0o755)
		}
		file, err := w.CreateHeader(header)
		if err == nil {
			_, err = file.Write([]byte(files[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archives[version] = archive.Bytes()
	digest := sha256.Sum256(archive.Bytes())
	return hex.EncodeToString(digest[:])
}

// Archive is the address of a version's archive.
func (s *Server) Archive(version string) string {
	return fmt.Sprintf("https://%s/archives/%s.zip", s.Host, version)
}

// Asked are the paths that were asked for.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.Path)
	version, isArchive := strings.CutPrefix(r.URL.Path, "/archives/")
	rest, isModule := strings.CutPrefix(r.URL.Path, "/v1/modules/"+Module+"/")
	switch {
	case r.URL.Path == "/.well-known/terraform.json":
		answer(w, map[string]string{"modules.v1": "/v1/modules/"})
	case isModule && rest == "versions":
		var versions []map[string]string
		for _, v := range slices.Sorted(maps.Keys(s.archives)) {
			versions = append(versions, map[string]string{"version": v})
		}
		answer(w, map[string]any{"modules": []any{map[string]any{"versions": versions}}})
	case isModule && s.archives[strings.TrimSuffix(rest, "/download")] != nil:
		w.Header().Set("X-Terraform-Get", s.Archive(strings.TrimSuffix(rest, "/download")))
		w.WriteHeader(http.StatusNoContent)
	case isArchive && s.archives[strings.TrimSuffix(version, ".zip")] != nil:
		w.Header().Set("Content-Type", "application/zip")
		_, _ = w.Write(s.archives[strings.TrimSuffix(version, ".zip")]) // the client has gone away, or has it
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // the client has gone away, or has it
}
