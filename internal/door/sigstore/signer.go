package sigstore

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/sigstore/cosign/v2/pkg/cosign"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Audience is what the OIDC token for Fulcio must be made out to.
const Audience = "sigstore"

// SignerOptions say with what and where to sign.
type SignerOptions struct {
	// Key signs; nil signs keyless with the token that IDToken gives.
	Key     *Key
	IDToken func(ctx context.Context, audience string) (string, error)
	// SigningConfig is the document, or its file, that names Fulcio, logs and timestamp
	// authorities. Empty means the public Sigstore instance's for keyless, and
	// neither log nor timestamp for a key.
	SigningConfig string
	// AllowPublicLog says that the name of a private repository may become public.
	AllowPublicLog bool
	// Visibility of the repository, where the identity token does not say.
	Visibility string
	// TUFCache is where the public instance's metadata is kept; empty is
	// sigstore-go's default below the home directory.
	TUFCache string
	// Transport, Timeout of one request, and Sleep between them replace the default ones.
	Transport http.RoundTripper
	Timeout   time.Duration
	Sleep     func(ctx context.Context, d time.Duration) error
}

// Signer signs with one key, or with one certificate for all it signs. It is
// safe for concurrent use.
type Signer struct {
	key         *Key
	legacyKey   *Key   // the same key as the legacy form uses it
	certificate []byte // DER; nil when signing with a given key
	identity    evidence.Signer
	timestamps  []authority
	logs        []log
	logVersion  uint32 // highest major version among logs; 0 without
	published   string // what becomes public of a private repository; empty if nothing does
}

// NewSigner prepares to sign: for keyless it asks for the token and has Fulcio
// certify a key that exists only in this process.
func NewSigner(ctx context.Context, o SignerOptions) (*Signer, error) {
	token, err := identityToken(ctx, o)
	if err != nil {
		return nil, err
	}
	config, err := signingConfig(o)
	if err != nil {
		return nil, err
	}
	s := &Signer{key: o.Key}
	if o.Key == nil {
		if s.published, err = mayPublish(token, servicesOf(config), o); err != nil {
			return nil, err
		}
	}
	if config != nil {
		if err := s.useServices(config, o); err != nil {
			return nil, err
		}
	}
	if o.Key != nil {
		s.identity = evidence.Signer{Key: o.Key.Fingerprint()}
		s.legacyKey = o.Key.legacy()
		s.key, err = o.Key.forLog(s.logVersion)
		return s, err
	}
	return s, s.certify(ctx, config, token, o)
}

func signingConfig(o SignerOptions) (*root.SigningConfig, error) {
	if o.SigningConfig != "" {
		data, name, err := document(o.SigningConfig)
		if err != nil {
			return nil, fmt.Errorf("read signing config: %w", err)
		}
		config, err := root.NewSigningConfigFromJSON(data)
		if err != nil {
			return nil, fmt.Errorf("read signing config %s: %w", name, err)
		}
		return config, nil
	}
	if o.Key != nil {
		return nil, nil
	}
	return publicSigningConfig(o.TUFCache)
}

// useServices picks the logs and timestamp authorities that the signing config
// asks for.
func (s *Signer) useServices(config *root.SigningConfig, o SignerOptions) error {
	if urls := config.TimestampAuthorityURLs(); len(urls) > 0 {
		services, err := root.SelectServices(urls, config.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, time.Now())
		if err != nil {
			return fmt.Errorf("choose a timestamp authority of the signing config: %w", err)
		}
		for _, service := range services {
			s.timestamps = append(s.timestamps, authority{o.service("the timestamp authority", service.URL, serviceTimeout)})
		}
	}
	if urls := config.RekorLogURLs(); len(urls) > 0 {
		services, err := root.SelectServices(urls, config.RekorLogURLsConfig(), sign.RekorAPIVersions, time.Now())
		if err != nil {
			return fmt.Errorf("choose a transparency log of the signing config: %w", err)
		}
		for _, service := range services {
			s.logVersion = max(s.logVersion, service.MajorAPIVersion)
			asked := o.service("the transparency log", service.URL, logTimeout)
			asked.isLog = true
			s.logs = append(s.logs, log{service: asked, version: service.MajorAPIVersion})
		}
	}
	return nil
}

// identityToken asks for the token of a keyless signature. Where the public
// instance would be used, it also sees that the names in it may become public,
// before anybody is asked for anything.
func identityToken(ctx context.Context, o SignerOptions) (string, error) {
	if o.Key != nil {
		return "", nil
	}
	if o.IDToken == nil {
		return "", errors.New("sign keyless: there is no identity token")
	}
	token, err := o.IDToken(ctx, Audience)
	if err == nil && o.SigningConfig == "" {
		_, err = mayPublish(token, publicServices(), o)
	}
	return token, err
}

func (s *Signer) certify(ctx context.Context, config *root.SigningConfig, token string, o SignerOptions) error {
	if s.timestamps == nil && s.logs == nil {
		return errors.New("sign keyless: the signing config names neither a log nor a timestamp authority, and a certificate lives " +
			"ten minutes: nobody could verify the signature after")
	}
	service, err := root.SelectService(config.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, time.Now())
	if err != nil {
		return fmt.Errorf("choose a certificate authority of the signing config: %w", err)
	}
	private, err := cosign.GeneratePrivateKey()
	if err != nil {
		return fmt.Errorf("make a key to certify: %w", err)
	}
	if s.key, err = newKey(private); err != nil {
		return err
	}
	s.legacyKey = s.key.legacy()
	leaf, err := o.service("the certificate authority", service.URL, serviceTimeout).certify(ctx, s.key, token)
	if err != nil {
		return fmt.Errorf("get a certificate: %w", err)
	}
	s.certificate = leaf.Raw
	s.identity, err = certificateSigner(leaf)
	return err
}

// Published says what becomes public of a private repository, because it was
// allowed; it is empty if nothing does.
func (s *Signer) Published() string { return s.published }

// Identity is who the signatures will be by.
func (s *Signer) Identity() evidence.Signer { return s.identity }

// Annotations are those of a bundle in a registry: cosign's, which some verifiers choose
// by, and the public key.
func (s *Signer) Annotations(predicateType string) map[string]string {
	annotations := map[string]string{
		"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": predicateType,
	}
	maps.Copy(annotations, s.keyAnnotations())
	return annotations
}

// keyAnnotations belong to what is stored: the public key, for a signature with a
// key, so that a policy need only name its fingerprint.
func (s *Signer) keyAnnotations() map[string]string {
	if s.certificate != nil {
		return nil
	}
	pem, err := s.key.PublicKeyPEM()
	if err != nil {
		return nil
	}
	return map[string]string{AnnotationPublicKey: string(pem)}
}

// Statement signs an in-toto statement and returns the bundle as JSON.
func (s *Signer) Statement(ctx context.Context, statement []byte) ([]byte, error) {
	var b *protobundle.Bundle
	for attempt := 1; ; attempt++ {
		var err error
		if b, err = s.bundle(ctx, &sign.DSSEData{Data: statement, PayloadType: PayloadType}); err == nil {
			break
		}
		var has *alreadyLoggedError
		if !errors.As(err, &has) || attempt == attempts {
			return nil, err
		}
		// Some keys sign the same bytes in the same way each time, and the log, which had
		// the entry when an earlier run broke off, does not give it again. A line's end
		// makes other bytes of the same statement.
		statement = append(statement[:len(statement):len(statement)], '\n')
	}
	data, err := protojson.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("write the bundle: %w", err)
	}
	return data, nil
}

// bundle signs, and then has authorities and logs vouch for the signature: the logs last,
// because nothing gets out of them again.
func (s *Signer) bundle(ctx context.Context, content sign.Content) (*protobundle.Bundle, error) {
	o := sign.BundleOptions{Context: ctx}
	if s.certificate != nil {
		o.CertificateProvider = fixedCertificate(s.certificate)
	}
	b, err := sign.Bundle(content, s.key, o)
	if err == nil {
		err = s.vouched(ctx, b)
	}
	var told *serviceError
	if errors.As(err, &told) && told.isLog && told.status == http.StatusRequestEntityTooLarge {
		return nil, outcome.Usagef("the transparency log refuses an entry this large, with status 413, and nothing was attached: a "+
			"log of Rekor v1 takes the whole statement. "+
			"Give a --signing-config with a log of Rekor v2, which takes digests alone, or with a timestamp authority and no log: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", s.identity.Name(), err)
	}
	return b, nil
}

func (s *Signer) vouched(ctx context.Context, b *protobundle.Bundle) error {
	signature := b.GetMessageSignature().GetSignature()
	if e := b.GetDsseEnvelope(); e != nil {
		signature = e.GetSignatures()[0].GetSig()
	}
	for _, a := range s.timestamps {
		stamp, err := a.stamp(ctx, signature)
		if err != nil {
			return err
		}
		material := b.GetVerificationMaterial()
		if material.TimestampVerificationData == nil {
			material.TimestampVerificationData = new(protobundle.TimestampVerificationData)
		}
		material.TimestampVerificationData.Rfc3161Timestamps = append(material.TimestampVerificationData.Rfc3161Timestamps,
			&protocommon.RFC3161SignedTimestamp{SignedTimestamp: stamp})
	}
	if len(s.logs) == 0 {
		return nil
	}
	by, err := s.signedBy()
	if err != nil {
		return err
	}
	for _, l := range s.logs {
		if err := l.enter(ctx, by, signature, b); err != nil {
			return err
		}
	}
	return nil
}

// signedBy is the certificate, or the public key, in PEM form.
func (s *Signer) signedBy() ([]byte, error) {
	if s.certificate != nil {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.certificate}), nil
	}
	return s.key.PublicKeyPEM()
}

// fixedCertificate gives all statements of one run the same certificate: one
// request to Fulcio instead of one for each.
type fixedCertificate []byte

func (c fixedCertificate) GetCertificate(context.Context, sign.Keypair, *sign.CertificateProviderOptions) ([]byte, error) {
	return c, nil
}
