package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/limit"
)

// Host is how a registry is reached.
type Host struct {
	CA       string   `yaml:"ca"`       // file of certificates that it may have too, or the PEM itself
	HTTP     bool     `yaml:"http"`     // whether it speaks plain HTTP
	Insecure bool     `yaml:"insecure"` // whether its certificate is believed unseen
	Mirrors  []string `yaml:"mirrors"`  // HOST[/PATH] of registries that have the same base images
	pool     *x509.CertPool
}

// Hosts are the registries that are not reached in the usual way.
type Hosts struct {
	ByHost  map[string]Host
	invalid error
}

// wrongHosts begins what is said of a text that is wrong.
const wrongHosts = "WAYBILL_REGISTRIES: "

// ReadHosts reads the text, or the file that it names. A text that is wrong is
// reported with the first request.
func ReadHosts(text string) (h Hosts) {
	if strings.TrimSpace(text) == "" {
		return h
	}
	if !strings.Contains(text, "\n") && !strings.Contains(text, ": ") {
		data, err := os.ReadFile(text)
		if err != nil {
			return Hosts{invalid: fmt.Errorf(wrongHosts+"%w", err)}
		}
		text = string(data)
	}
	if err := limit.YAML("the text", []byte(text)); err != nil {
		return Hosts{invalid: fmt.Errorf(wrongHosts+"%w", err)}
	}
	given := map[string]Host{}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&given); err != nil {
		return Hosts{invalid: fmt.Errorf(wrongHosts+"want HOST: {ca: FILE, http: true, insecure: true, mirrors: [HOST]}: %w", err)}
	}
	h.ByHost = map[string]Host{}
	for address, host := range given {
		registry, err := name.NewRegistry(address, name.StrictValidation)
		if err == nil {
			err = host.complete()
		}
		if err != nil {
			return Hosts{invalid: fmt.Errorf(wrongHosts+"%s: %w", address, err)}
		}
		h.ByHost[registry.RegistryStr()] = host
	}
	return h
}

// complete reads the certificates, and sees that the settings go together.
func (h *Host) complete() error {
	if h.HTTP && (h.Insecure || h.CA != "") {
		return fmt.Errorf("http has no certificate: give it, or ca and insecure")
	}
	for _, mirror := range h.Mirrors {
		if _, err := name.NewRepository(mirror+"/x", name.StrictValidation); err != nil {
			return fmt.Errorf("mirrors: %q is not HOST or HOST/PATH", mirror)
		}
	}
	if h.CA == "" {
		return nil
	}
	pem := []byte(h.CA)
	if !strings.Contains(h.CA, "-----BEGIN") {
		var err error
		if pem, err = os.ReadFile(h.CA); err != nil {
			return fmt.Errorf("ca: %w", err)
		}
		h.CA = string(pem)
	}
	var err error
	if h.pool, err = x509.SystemCertPool(); err != nil {
		h.pool = x509.NewCertPool()
	}
	if !h.pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("ca: there is no certificate in PEM in it")
	}
	return nil
}

// over reaches each host in its own way, and every other by inner.
func (h Hosts) over(inner *http.Transport) http.RoundTripper {
	if h.invalid == nil && len(h.ByHost) == 0 {
		return inner
	}
	r := reaching{inner: inner, invalid: h.invalid, plain: map[string]bool{}, own: map[string]*http.Transport{}}
	for address, host := range h.ByHost {
		r.plain[address] = host.HTTP
		if host.pool != nil || host.Insecure {
			own := inner.Clone()
			own.TLSClientConfig = &tls.Config{RootCAs: host.pool, InsecureSkipVerify: host.Insecure, MinVersion: tls.VersionTLS12}
			r.own[address] = own
		}
	}
	return r
}

type reaching struct {
	inner   *http.Transport
	invalid error
	plain   map[string]bool
	own     map[string]*http.Transport
}

func (r reaching) RoundTrip(request *http.Request) (*http.Response, error) {
	if r.invalid != nil {
		return nil, r.invalid
	}
	host := request.URL.Host
	if r.plain[host] && request.URL.Scheme == "https" {
		request = request.Clone(request.Context())
		request.URL.Scheme = "http"
	}
	if own := r.own[host]; own != nil {
		return own.RoundTrip(request)
	}
	return r.inner.RoundTrip(request)
}

// Bases is a Client that reads base images from the mirrors of their registry
// first.
type Bases struct{ *Client }

// Resolve is Client.Resolve, of the first mirror that has the image, else of its
// own registry.
func (b Bases) Resolve(ctx context.Context, reference string) (imageref.Ref, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return b.Client.Resolve(ctx, reference)
	}
	separator := ":"
	if strings.HasPrefix(ref.Identifier(), imageref.Algorithm) {
		separator = "@"
	}
	for _, mirror := range b.hosts.ByHost[ref.Context().RegistryStr()].Mirrors {
		if found, err := b.Client.Resolve(ctx, mirror+"/"+ref.Context().RepositoryStr()+separator+ref.Identifier()); err == nil {
			return found, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return b.Client.Resolve(ctx, reference)
}
