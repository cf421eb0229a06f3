package sigstore

import (
	"context"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/cosign/v2/pkg/oci/mutate"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/registry"
)

// LegacyTag is one of the two tags that cosign keeps beside a digest, by its
// suffix.
type LegacyTag string

// The two tags.
const (
	LegacySignatures   LegacyTag = ociremote.SignatureTagSuffix
	LegacyAttestations LegacyTag = ociremote.AttestationTagSuffix
)

// Beside is the tag beside ref.
func (t LegacyTag) Beside(ref imageref.Ref) (name.Tag, error) {
	if t == LegacyAttestations {
		return ociremote.AttestationTag(ref.GoName())
	}
	return ociremote.SignatureTag(ref.GoName())
}

func (t LegacyTag) mediaType() string {
	if t == LegacyAttestations {
		return ctypes.DssePayloadType
	}
	return ctypes.SimpleSigningMediaType
}

// Legacy is a signature or attestation in cosign's legacy form: a layer of one
// of the tags.
type Legacy struct{ layer oci.Signature }

// read is a layer whose content has come from the registry: what is verified
// is then what was read, and asking again cannot fail.
type read struct {
	ociSignature
	payload []byte
}

// ociSignature embeds without a clash with its own method Signature.
type ociSignature = oci.Signature

// Payload implements oci.Signature.
func (r read) Payload() ([]byte, error) { return r.payload, nil }

// ReadLegacy reads, by cosign's client, what a legacy tag beside ref holds, and
// leaves out what else somebody may keep there. Without the tag there is
// nothing, which is no error. cosign bounds the number of layers, and their
// size as COSIGN_MAX_ATTACHMENT_SIZE says.
func ReadLegacy(ctx context.Context, r *registry.Client, ref imageref.Ref, tag LegacyTag) ([]Legacy, error) {
	name, err := tag.Beside(ref)
	if err != nil {
		return nil, err
	}
	found, err := readLegacy(name, tag.mediaType(), ociremote.WithRemoteOptions(r.RemoteOptions(ctx)...))
	if err != nil {
		return nil, registry.Trouble(ref, "read "+name.String(), err)
	}
	return found, nil
}

func readLegacy(tag name.Tag, mediaType string, options ociremote.Option) ([]Legacy, error) {
	list, err := ociremote.Signatures(tag, options)
	if err != nil {
		return nil, err
	}
	layers, err := list.Get()
	if err != nil {
		return nil, err
	}
	var found []Legacy
	for _, layer := range layers {
		is, err := layer.MediaType()
		if err != nil {
			return nil, err
		}
		if string(is) != mediaType {
			continue
		}
		payload, err := layer.Payload()
		if err != nil {
			return nil, err
		}
		found = append(found, Legacy{read{layer, payload}})
	}
	return found, nil
}

// AppendLegacy adds layers to a legacy tag beside ref, and keeps what is there.
func AppendLegacy(ctx context.Context, r *registry.Client, ref imageref.Ref, tag LegacyTag, layers []Legacy) error {
	if len(layers) == 0 {
		return nil
	}
	name, err := tag.Beside(ref)
	if err != nil {
		return err
	}
	attach, write := mutate.AttachSignatureToEntity, ociremote.WriteSignatures
	if tag == LegacyAttestations {
		attach, write = mutate.AttachAttestationToEntity, ociremote.WriteAttestations
	}
	options := ociremote.WithRemoteOptions(r.RemoteOptions(ctx)...)
	entity := ociremote.SignedUnknown(ref.GoName(), options) // the image itself need not be read
	for _, l := range layers {
		if entity, err = attach(entity, l.layer); err != nil {
			return registry.Trouble(ref, "append to "+name.String(), err)
		}
	}
	if err := write(ref.Name(), entity, options); err != nil {
		return registry.Trouble(ref, "append to "+name.String(), err)
	}
	return nil
}
