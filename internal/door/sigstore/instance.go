package sigstore

import (
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// Instance is a Sigstore deployment, to write its signing config and trusted
// root. Parts without a URL are left out.
type Instance struct {
	FulcioURL   string
	FulcioChain []byte // PEM, root last

	TimestampURL   string // with its path, …/api/v1/timestamp
	TimestampChain []byte // PEM, leaf first, root last

	LogURL    string // of a Rekor v2
	LogKey    []byte // PEM public key
	LogOrigin string // host name in its checkpoints

	Since time.Time // from when all this is valid
}

// SigningConfig is the file that signers read.
func (i Instance) SigningConfig() ([]byte, error) {
	service := func(url string, version uint32) []root.Service {
		if url == "" {
			return nil
		}
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: i.Since, Operator: "waybill-sandbox"}}
	}
	any := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(i.FulcioURL, 1), nil,
		service(i.LogURL, 2), any, service(i.TimestampURL, 1), any)
	if err != nil {
		return nil, fmt.Errorf("write signing config: %w", err)
	}
	return json.MarshalIndent(config, "", "  ")
}

// TrustedRoot is the file that verifiers read.
func (i Instance) TrustedRoot() ([]byte, error) {
	var authorities []root.CertificateAuthority
	var stamps []root.TimestampingAuthority
	logs := make(map[string]*root.TransparencyLog)
	if i.FulcioURL != "" {
		chain, err := parseChain(i.FulcioChain)
		if err != nil {
			return nil, fmt.Errorf("read the certificates of %s: %w", i.FulcioURL, err)
		}
		last := len(chain) - 1
		authorities = append(authorities, &root.FulcioCertificateAuthority{
			Root: chain[last], Intermediates: chain[:last], ValidityPeriodStart: i.Since, URI: i.FulcioURL,
		})
	}
	if i.TimestampURL != "" {
		chain, err := parseChain(i.TimestampChain)
		if err != nil {
			return nil, fmt.Errorf("read the certificates of %s: %w", i.TimestampURL, err)
		}
		if len(chain) < 2 {
			return nil, fmt.Errorf("read the certificates of %s: want at least leaf and root", i.TimestampURL)
		}
		last := len(chain) - 1
		stamps = append(stamps, &root.SigstoreTimestampingAuthority{
			Root: chain[last], Intermediates: chain[1:last], Leaf: chain[0], ValidityPeriodStart: i.Since, URI: i.TimestampURL,
		})
	}
	if i.LogURL != "" {
		key, _, err := LoadPublicKey(i.LogKey)
		if err != nil {
			return nil, fmt.Errorf("read the key of %s: %w", i.LogURL, err)
		}
		_, id, err := note.KeyHash(i.LogOrigin, key)
		if err != nil {
			return nil, fmt.Errorf("read the key of %s: %w", i.LogURL, err)
		}
		logs[hex.EncodeToString(id)] = &root.TransparencyLog{
			BaseURL: i.LogURL, ID: id, PublicKey: key, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
			ValidityPeriodStart: i.Since,
		}
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, authorities, nil, stamps, logs)
	if err != nil {
		return nil, fmt.Errorf("write trusted root: %w", err)
	}
	return trusted.MarshalJSON()
}

func parseChain(data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, errors.New("no certificate in it")
	}
	return chain, nil
}
