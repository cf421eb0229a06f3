package registry

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// gatewayPath is what may be asked of a gateway, after its ticket: a manifest or a blob of
// a repository, by digest. The first part is the registry's host.
var gatewayPath = regexp.MustCompile(`\A/([^/]+)/v2/(?:(.+)/(manifests|blobs)/(sha256:[0-9a-f]{64}))?\z`)

// Gateway serves the manifests of some images, with their configurations and layers, on
// loopback until stop is called: to a program that gets neither a login nor a network, and
// reads by NewGuest. Nothing can be written, no tag be read, and nothing
// else of the repositories. The address holds a ticket, without which it answers nobody:
// other users of the machine reach its port too.
func (c *Client) Gateway(ctx context.Context, manifests []imageref.Ref) (address string, stop func(), err error) {
	session, err := c.Session(ctx)
	if err != nil {
		return "", nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("serve the image to a program that reads it: %w", err)
	}
	g := &gateway{client: session, ticket: "/" + rand.Text(), served: make(map[string]imageref.Ref)}
	for _, ref := range manifests {
		g.served["manifests "+ref.String()] = ref
	}
	server := &http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with stop
	return "http://" + listener.Addr().String() + g.ticket, func() { _ = server.Close() }, nil
}

type gateway struct {
	client *Client
	ticket string

	mu     sync.Mutex
	served map[string]imageref.Ref // by kind and name
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, allowed := strings.CutPrefix(r.URL.Path, g.ticket)
	m := gatewayPath.FindStringSubmatch(path)
	if !allowed || m == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	if m[2] == "" { // the registry's API, which asks for no login here
		return
	}
	g.mu.Lock()
	ref, is := g.served[m[3]+" "+m[1]+"/"+m[2]+"@"+m[4]]
	g.mu.Unlock()
	if !is {
		http.NotFound(w, r)
		return
	}
	reader, err := g.client.reader(r.Context(), ref.Name())
	switch {
	case err != nil:
	case m[3] == "manifests":
		err = g.manifest(w, r, reader, ref)
	default:
		err = reader.pass(w, r, ref.Digest())
	}
	if err != nil {
		refuse(w, err)
	}
}

// manifest gives a manifest, and from then on what it names.
func (g *gateway) manifest(w http.ResponseWriter, r *http.Request, reader *reader, ref imageref.Ref) error {
	read, err := reader.manifest(r.Context(), ref)
	if err != nil {
		return err
	}
	var named v1.Manifest
	_ = json.Unmarshal(read.Raw, &named) // of what is none, nothing more is given
	g.mu.Lock()
	for _, d := range append(named.Layers, named.Config) {
		if at, err := ref.At(d.Digest.String()); err == nil {
			g.served["blobs "+at.String()] = at
		}
	}
	g.mu.Unlock()
	w.Header().Set("Content-Type", string(read.MediaType))
	w.Header().Set("Content-Length", strconv.Itoa(len(read.Raw)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(read.Raw)
	}
	return nil
}

// passedAtOnce is how many bytes of a layer are passed on at a time.
const passedAtOnce = 64 << 10

// pass gives a blob as it comes from the registry. Whoever reads it compares its digest.
func (r *reader) pass(w http.ResponseWriter, asked *http.Request, digest string) error {
	at := r.name.Scheme() + "://" + r.name.RegistryStr() + "/v2/" + r.name.RepositoryStr() + "/blobs/" + digest
	request, err := http.NewRequestWithContext(asked.Context(), asked.Method, at, nil)
	if err != nil {
		return err
	}
	response, err := r.client.Do(request)
	if err == nil {
		defer response.Body.Close()
		err = transport.CheckError(response, http.StatusOK)
	}
	if err != nil {
		return wrap(r.name, "read a layer of "+r.name.Name(), err)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if response.ContentLength >= 0 {
		w.Header().Set("Content-Length", strconv.FormatInt(response.ContentLength, 10))
	}
	// Only a writer takes the buffer: a response would copy by a smaller one of its own.
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, response.Body, make([]byte, passedAtOnce)); err != nil {
		panic(http.ErrAbortHandler) // the reader has to see that it broke off
	}
	return nil
}

// refuse tells why something is not given. It has been tried again where that may help, so
// the status is none that a reader tries again.
func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set(gatewayTrouble, "yes")
	w.WriteHeader(http.StatusFailedDependency)
	_, _ = io.WriteString(w, err.Error())
}

// gatewayTrouble marks an answer whose body is the error of the gateway's own request.
const gatewayTrouble = "Waybill-Trouble"

// NewGuest makes a client that reads by the gateway at an address, and knows no login.
func NewGuest(address, userAgent string) (*Client, error) {
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "http" || at.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a gateway", address)
	}
	return New(Options{
		Transport: throughGateway{at: at, inner: &http.Transport{MaxIdleConnsPerHost: idleToGateway, ReadBufferSize: passedAtOnce}},
		Keychain:  authn.NewMultiKeychain(), UserAgent: userAgent,
	}), nil
}

// idleToGateway is how many connections are kept: as many as layers are read at once.
const idleToGateway = 16

// throughGateway asks the gateway in place of every registry.
type throughGateway struct {
	at    *url.URL
	inner http.RoundTripper
}

// toldError is what a gateway says of its own request. It names the registry.
type toldError string

func (e toldError) Error() string { return string(e) }

// maxTrouble bounds what is read of an error.
const maxTrouble = 16 << 10

func (t throughGateway) RoundTrip(request *http.Request) (*http.Response, error) {
	asked := request.Clone(request.Context())
	asked.URL.Scheme, asked.URL.Host, asked.Host = t.at.Scheme, t.at.Host, t.at.Host
	asked.URL.Path, asked.URL.RawPath = t.at.Path+"/"+request.URL.Host+request.URL.Path, ""
	response, err := t.inner.RoundTrip(asked)
	if err != nil {
		return nil, err
	}
	if response.Header.Get(gatewayTrouble) != "" {
		defer response.Body.Close()
		why, err := io.ReadAll(io.LimitReader(response.Body, maxTrouble))
		if err != nil {
			return nil, err
		}
		return nil, toldError(why)
	}
	response.Request = request
	return response, nil
}
