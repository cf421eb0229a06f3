package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/waybill-dev/waybill/internal/rehearsal/oidc"
)

// internet is a proxy that answers for the hosts of AWS itself, with
// certificates of its own: STS, the API of ECR, and a registry of ECR, which
// makes no repository by a push. It keeps the names of all hosts asked for.
type internet struct {
	registry *httputil.ReverseProxy
	ca       *x509.Certificate
	key      *ecdsa.PrivateKey

	mu    sync.Mutex
	asked []string
	made  map[string]bool
}

const ecrHost = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

// startCloud starts the proxy and an OIDC issuer, and makes what follows use
// them: cloud
func startCloud(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: cloud")
	}
	issuer, err := oidc.Start(context.Background())
	ts.Check(err)
	ts.Defer(issuer.Stop)
	ts.Value(jobsKey{}).(*jobs).issuer = issuer
	behind := &url.URL{Scheme: "http", Host: ts.Getenv("REGISTRY")}
	n := &internet{registry: httputil.NewSingleHostReverseProxy(behind), made: make(map[string]bool)}
	n.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	n.ca = &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, Subject: pkix.Name{CommonName: "test"},
	}
	der, err := x509.CreateCertificate(rand.Reader, n.ca, n.ca, n.key.Public(), n.key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	proxy := httptest.NewServer(http.HandlerFunc(n.connect))
	ts.Defer(proxy.Close)
	ts.Setenv("SSL_CERT_FILE", ts.MkAbs("ca.pem"))
	ts.Setenv("HTTPS_PROXY", proxy.URL)
	ts.Setenv("HTTP_PROXY", proxy.URL)
	ts.Setenv("ECR", ecrHost)
	ts.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", proxy.URL) // where the SDK asks who the machine is
	ts.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(proxy.URL, "http://"))
	ts.Value(jobsKey{}).(*jobs).internet = n
}

// askedHosts compares the hosts that were asked since the last time: asked HOST…
func askedHosts(ts *testscript.TestScript, neg bool, args []string) {
	n := ts.Value(jobsKey{}).(*jobs).internet
	n.mu.Lock()
	defer n.mu.Unlock()
	got := make(map[string]bool)
	for _, host := range n.asked {
		got[host] = true
	}
	n.asked = nil
	for _, want := range args {
		if !got[want] {
			ts.Fatalf("%s was not asked, but %v", want, got)
		}
		delete(got, want)
	}
	if neg || len(got) > 0 {
		ts.Fatalf("also asked: %v", got)
	}
}

// connect is the proxy: it speaks TLS in the name of the host asked for.
func (n *internet) connect(w http.ResponseWriter, r *http.Request) {
	host := strings.TrimSuffix(r.Host, ":443")
	n.mu.Lock()
	n.asked = append(n.asked, host)
	n.mu.Unlock()
	if r.Method != http.MethodConnect { // a metadata service
		http.Error(w, "nobody", http.StatusForbidden)
		return
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: n.ca.NotBefore, NotAfter: n.ca.NotAfter, DNSNames: []string{host}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, n.ca, n.key.Public(), n.key)
	if err != nil {
		panic(err)
	}
	raw, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer raw.Close()
	fmt.Fprint(raw, "HTTP/1.1 200 OK\r\n\r\n")
	conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: n.key}}})
	in := bufio.NewReader(conn)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		request.URL.Scheme, request.URL.Host = "https", request.Host
		answer := httptest.NewRecorder()
		n.answer(answer, request)
		io.Copy(io.Discard, request.Body) //nolint:errcheck // the client is gone
		response := answer.Result()
		if response.Request = request; request.Method != http.MethodHead {
			response.ContentLength = int64(answer.Body.Len())
		}
		if response.Write(conn) != nil {
			return
		}
	}
}

// answer follows the API references of STS and ECR.
func (n *internet) answer(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch r.Host + " " + action {
	case "sts.eu-west-1.amazonaws.com ":
		until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		if role := r.FormValue("RoleArn"); !strings.HasSuffix(role, ":role/push") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to perform `+
				`sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>`)
			return
		}
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>A</AccessKeyId>`+
			`<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials>`+
			`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, until)
	case "api.ecr.eu-west-1.amazonaws.com GetAuthorizationToken":
		secret := base64.StdEncoding.EncodeToString([]byte("AWS:of-ecr"))
		fmt.Fprintf(w, `{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}]}`, secret, time.Now().Add(12*time.Hour).Unix())
	case "api.ecr.eu-west-1.amazonaws.com CreateRepository":
		var body struct{ RepositoryName string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		n.made[body.RepositoryName] = true
		fmt.Fprint(w, `{"repository":{}}`)
	case ecrHost + " ":
		n.ecr(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// ecr is a registry that wants its password, and its repositories made first.
func (n *internet) ecr(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "AWS" || password != "of-ecr" {
		w.Header().Set("WWW-Authenticate", `Basic realm="https://`+ecrHost+`/",service="ecr.amazonaws.com"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	for name := range n.made {
		if strings.HasPrefix(r.URL.Path, "/v2/"+name+"/") {
			n.registry.ServeHTTP(w, r)
			return
		}
	}
	if r.URL.Path == "/v2/" {
		return
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprint(w, `{"errors":[{"code":"NAME_UNKNOWN","message":"The repository does not exist in the registry with id '123456789012'"}]}`)
}
