package sigstore

import (
	"context"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/cosign/v2/pkg/oci"
	"github.com/sigstore/cosign/v2/pkg/oci/mutate"
	ociremote "github.com/sigstore/cosign/v2/pkg/oci/remote"
	ctypes "github.com/sigstore/cosign/v2/pkg/types"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
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

// LayerType is the media type of the layers in the tag.
func (t LegacyTag) LayerType() string {
	if t == LegacyAttestations {
		return ctypes.DssePayloadType
	}
	return ctypes.SimpleSigningMediaType
}

// Legacy is a signature or attestation in cosign's legacy form: a layer of one
// of the tags.
type Legacy struct{ layer oci.Signature }

// NewLegacy is a layer as the registry gave it: its content, and the annotations
// that the tag lists it with.
func NewLegacy(tag LegacyTag, content []byte, annotations map[string]string) Legacy {
	return Legacy{&stored{Layer: static.NewLayer(content, types.MediaType(tag.LayerType())), content: content, annotations: annotations}}
}

// AppendLegacy adds layers to a legacy tag beside ref, and keeps what is there.
func AppendLegacy(ctx context.Context, r *registry.Client, ref imageref.Ref, tag LegacyTag, layers []Legacy) error {
	if len(layers) == 0 {
		return nil
	}
	at, _, err := r.Evidence(ref)
	if err != nil {
		return err
	}
	name, err := tag.Beside(at)
	if err != nil {
		return err
	}
	attach, write := mutate.AttachSignatureToEntity, ociremote.WriteSignatures
	if tag == LegacyAttestations {
		attach, write = mutate.AttachAttestationToEntity, ociremote.WriteAttestations
	}
	options := ociremote.WithRemoteOptions(r.RemoteOptions(ctx)...)
	entity := ociremote.SignedUnknown(at.GoName(), options) // the image itself need not be read
	for _, l := range layers {
		if entity, err = attach(entity, l.layer); err != nil {
			return registry.Trouble(ref, "append to "+name.String(), err)
		}
	}
	if err := write(at.Name(), entity, options); err != nil {
		return registry.Trouble(ref, "append to "+name.String(), err)
	}
	return nil
}
