// Package sigstore is the adapter to Sigstore, and the only importer of
// sigstore-go and cosign: it turns statements into bundles and bundles into
// verified statements, by sigstore-go, and the same with cosign's legacy form,
// by cosign.
//
// Invariant: what Verifier returns was signed by the Signer it names, at a time
// that a log or timestamp authority of the trusted root vouches for, or by one
// of the given keys. What does not verify is an Untrusted error; any other
// error is trouble with a file or service and says nothing of the signature.
//
// The package judges nobody: whether a signer may sign is the policy's
// business. It knows registries only where cosign's client keeps the legacy
// tags, with the options of the registry's door. Stored forms are bundles
// (version 0.1 to 0.3) and cosign's legacy annotations.
package sigstore

import (
	"errors"
	"fmt"
	"time"

	ctypes "github.com/sigstore/cosign/v2/pkg/types"

	"github.com/waybill-dev/waybill/internal/evidence"
)

// MediaTypeBundle is the layer and artifact type of the bundles written here.
const MediaTypeBundle = "application/vnd.dev.sigstore.bundle.v0.3+json"

// MediaTypeBundlePrefix is common to all versions of the bundle.
const MediaTypeBundlePrefix = "application/vnd.dev.sigstore.bundle"

// PayloadType is the DSSE payload type of an in-toto statement.
const PayloadType = ctypes.IntotoPayloadType

// AnnotationPublicKey carries the PEM public key of a signature with a key.
const AnnotationPublicKey = "dev.waybill.public-key"

// Verified is one signature that holds.
type Verified struct {
	Payload  []byte // what was signed: a statement, or a simple-signing document
	Signer   evidence.Signer
	SignedAt time.Time // zero when neither log nor timestamp authority vouches
	LogIndex *int64    // nil without a verified log entry
}

// Untrusted says why something that looks like a signature is not accepted.
type Untrusted struct{ Cause error }

func (e *Untrusted) Error() string { return e.Cause.Error() }

// Unwrap keeps the cause reachable.
func (e *Untrusted) Unwrap() error { return e.Cause }

func untrusted(format string, args ...any) error {
	return &Untrusted{Cause: fmt.Errorf(format, args...)}
}

// IsUntrusted tells a signature that does not hold from trouble.
func IsUntrusted(err error) bool {
	var u *Untrusted
	return errors.As(err, &u)
}
