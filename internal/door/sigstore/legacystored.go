package sigstore

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	cbundle "github.com/sigstore/cosign/v2/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v2/pkg/oci/static"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// stored is a layer of a legacy tag whose content has come from the registry.
// cosign has such a type for its own client alone, which reads without the
// bounds that are needed here.
type stored struct {
	v1.Layer
	content     []byte
	annotations map[string]string
}

// Annotations implements oci.Signature.
func (s *stored) Annotations() (map[string]string, error) { return s.annotations, nil }

// Payload implements oci.Signature.
func (s *stored) Payload() ([]byte, error) { return s.content, nil }

// Signature implements oci.Signature.
func (s *stored) Signature() ([]byte, error) {
	text, err := s.Base64Signature()
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}

// Base64Signature implements oci.Signature. An attestation has an empty one.
func (s *stored) Base64Signature() (string, error) {
	text, ok := s.annotations[static.SignatureAnnotationKey]
	if !ok {
		return "", fmt.Errorf("it has no annotation %s", static.SignatureAnnotationKey)
	}
	return text, nil
}

// Cert implements oci.Signature.
func (s *stored) Cert() (*x509.Certificate, error) {
	chain, err := s.certificates(static.CertificateAnnotationKey)
	if err != nil || s.annotations[static.CertificateAnnotationKey] == "" {
		return nil, err
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("the annotation %s holds no certificate", static.CertificateAnnotationKey)
	}
	return chain[0], nil
}

// Chain implements oci.Signature.
func (s *stored) Chain() ([]*x509.Certificate, error) {
	return s.certificates(static.ChainAnnotationKey)
}

func (s *stored) certificates(annotation string) ([]*x509.Certificate, error) {
	text := s.annotations[annotation]
	if text == "" {
		return nil, nil
	}
	return cryptoutils.LoadCertificatesFromPEM(strings.NewReader(text))
}

// Bundle implements oci.Signature.
func (s *stored) Bundle() (*cbundle.RekorBundle, error) {
	var b cbundle.RekorBundle
	return optional(s.annotations[static.BundleAnnotationKey], &b)
}

// RFC3161Timestamp implements oci.Signature.
func (s *stored) RFC3161Timestamp() (*cbundle.RFC3161Timestamp, error) {
	var stamp cbundle.RFC3161Timestamp
	return optional(s.annotations[static.RFC3161TimestampAnnotationKey], &stamp)
}

func optional[T any](text string, into *T) (*T, error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return nil, fmt.Errorf("read an annotation: %w", err)
	}
	return into, nil
}
