package sigstore

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// KMSProgram is the program that reaches the key management services, by the
// protocol of Sigstore's plugins.
const KMSProgram = cliplugin.PluginBinaryPrefix + "waybill"

// kmsSchemes are the services that KMSProgram knows, as cosign spells them.
var kmsSchemes = []string{"awskms", "azurekms", "gcpkms", "hashivault", "openbao"}

const kmsTimeout = time.Minute

// IsKeyReference reports whether a key is named by a reference SCHEME://NAME, and
// is not a file.
func IsKeyReference(key string) bool {
	scheme, name, found := strings.Cut(key, "://")
	return found && scheme != "" && name != "" && !strings.ContainsAny(scheme, `/\.`)
}

// OpenKey finds a key that stays where it is: in a key management service
// (awskms, azurekms, gcpkms, hashivault or openbao, by KMSProgram), or behind
// another plugin of Sigstore's, as SCHEME://NAME by sigstore-kms-SCHEME on PATH.
// Credentials are those of the service's own libraries.
func OpenKey(ctx context.Context, reference string) (*Key, error) {
	scheme, _, _ := strings.Cut(reference, "://")
	program, plugin := cliplugin.PluginBinaryPrefix+scheme, reference
	if slices.Contains(kmsSchemes, scheme) {
		program, plugin = KMSProgram, "waybill://"+reference
	}
	if _, err := process.LookPath(program); err != nil {
		return nil, fmt.Errorf("%s is not on PATH: it reaches the service that holds the key (%s comes with the release and with the setup "+
			"action; from the source, `make build` makes it)", program, KMSProgram)
	}
	remote, err := cliplugin.LoadSignerVerifier(ctx, plugin, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("open the key: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, kmsTimeout)
	defer cancel()
	public, err := remote.PublicKey(options.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("read the public key by %s: %w (want the service's credentials in the environment, and the right to read the "+
			"public key and to sign)", program, err)
	}
	key, err := newKey(remoteKey{signer: remote, public: public})
	if err == nil && key.details.GetKeyType() == signature.ED25519 {
		err = errors.New("an Ed25519 key of a service cannot sign here: use ECDSA P-256")
	}
	return key, err
}

// remoteKey signs digests elsewhere.
type remoteKey struct {
	signer signature.Signer
	public crypto.PublicKey
}

// Public implements crypto.Signer.
func (k remoteKey) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer. The service has its own source of randomness.
func (k remoteKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), kmsTimeout)
	defer cancel()
	return k.signer.SignMessage(bytes.NewReader(nil),
		options.WithContext(ctx), options.WithDigest(digest), options.WithCryptoSignerOpts(opts))
}
