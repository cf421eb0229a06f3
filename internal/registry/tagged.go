package registry

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Suffixes of the tags by which cosign finds what belongs to a digest:
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
const (
	SuffixSignature   = "sig"
	SuffixAttestation = "att"
)

// Layer is one blob of a tagged manifest.
type Layer struct {
	MediaType   string
	Data        []byte
	Annotations map[string]string
}

// Beside names the tag of what cosign keeps beside ref.
func Beside(ref imageref.Ref, suffix string) name.Tag {
	return ref.Name().Tag(strings.Replace(ref.Digest(), ":", "-", 1) + "." + suffix)
}

// LayersBeside reads what cosign keeps beside ref under the suffix. Without
// the tag there is nothing, which is no error.
func (c *Client) LayersBeside(ctx context.Context, ref imageref.Ref, suffix string) ([]Layer, error) {
	tag := Beside(ref, suffix)
	image, err := remote.Image(tag, c.RemoteOptions(ctx)...)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap(ref.Name(), "read "+tag.String(), err)
	}
	layers, err := readLayers(image)
	if err != nil {
		return nil, wrap(ref.Name(), "read "+tag.String(), err)
	}
	return layers, nil
}

func readLayers(image v1.Image) ([]Layer, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Layers) > maxReferrers {
		return nil, fmt.Errorf("%d layers are more than the %d that are read", len(manifest.Layers), maxReferrers)
	}
	var layers []Layer
	for _, desc := range manifest.Layers {
		if desc.Size > maxAttachment {
			return nil, fmt.Errorf("a layer of %d bytes is more than the %d that are read", desc.Size, maxAttachment)
		}
		layer, err := image.LayerByDigest(desc.Digest)
		if err != nil {
			return nil, err
		}
		data, err := readAll(layer)
		if err != nil {
			return nil, err
		}
		layers = append(layers, Layer{MediaType: string(desc.MediaType), Data: data, Annotations: desc.Annotations})
	}
	return layers, nil
}

func readAll(layer v1.Layer) ([]byte, error) {
	content, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(io.LimitReader(content, maxAttachment+1))
}

// AppendBeside adds layers to what cosign keeps beside ref under the suffix,
// and keeps what is there.
func (c *Client) AppendBeside(ctx context.Context, ref imageref.Ref, suffix string, layers []Layer) error {
	if len(layers) == 0 {
		return nil
	}
	tag := Beside(ref, suffix)
	image, err := remote.Image(tag, c.RemoteOptions(ctx)...)
	switch {
	case isNotFound(err):
		image = mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	case err != nil:
		return wrap(ref.Name(), "read "+tag.String(), err)
	}
	for _, l := range layers {
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: static.NewLayer(l.Data, types.MediaType(l.MediaType)), Annotations: l.Annotations, MediaType: types.MediaType(l.MediaType),
		})
		if err != nil {
			return fmt.Errorf("append to %s: %w", tag, err)
		}
	}
	if err := remote.Write(tag, image, c.RemoteOptions(ctx)...); err != nil {
		return wrap(ref.Name(), "write "+tag.String(), err)
	}
	return nil
}
