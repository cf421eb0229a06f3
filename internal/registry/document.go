package registry

import (
	"context"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// annotationTitle names a layer's file.
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
const annotationTitle = "org.opencontainers.image.title"

// maxDocument bounds one document, so that a hostile registry cannot fill the
// memory: 256 MiB.
const maxDocument = 256 << 20

// Document is a file on its way between two jobs.
type Document struct {
	Name      string // report.json
	MediaType string // application/json
	Data      []byte
}

// PushDocuments stores documents as one untagged OCI artifact. Whoever gets its
// digest can read exactly these bytes.
func (c *Client) PushDocuments(ctx context.Context, repository name.Repository, artifactType string, documents []Document) (imageref.Ref, error) {
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.MediaType(artifactType))
	for _, d := range documents {
		var err error
		image, err = mutate.Append(image, mutate.Addendum{
			Layer:       static.NewLayer(d.Data, types.MediaType(d.MediaType)),
			Annotations: map[string]string{annotationTitle: d.Name},
		})
		if err != nil {
			return imageref.Ref{}, fmt.Errorf("pack %s: %w", d.Name, err)
		}
	}
	return c.PushImage(ctx, repository, image)
}

// Documents reads what PushDocuments stored.
func (c *Client) Documents(ctx context.Context, ref imageref.Ref, artifactType string) ([]Document, error) {
	image, err := c.Image(ctx, ref)
	if err != nil {
		return nil, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, wrap(ref.Name(), "read "+ref.String(), err)
	}
	if got := string(manifest.Config.MediaType); got != artifactType {
		return nil, fmt.Errorf("%s is not what is expected here: it holds %q, not %q", ref, got, artifactType)
	}
	var documents []Document
	for _, layer := range manifest.Layers {
		data, err := readLayer(image, layer)
		if err != nil {
			return nil, wrap(ref.Name(), "read "+layer.Annotations[annotationTitle]+" of "+ref.String(), err)
		}
		documents = append(documents, Document{Name: layer.Annotations[annotationTitle], MediaType: string(layer.MediaType), Data: data})
	}
	return documents, nil
}

func readLayer(image v1.Image, desc v1.Descriptor) ([]byte, error) {
	if desc.Size > maxDocument {
		return nil, fmt.Errorf("%d bytes are more than the %d allowed", desc.Size, maxDocument)
	}
	layer, err := image.LayerByDigest(desc.Digest)
	if err != nil {
		return nil, err
	}
	r, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, maxDocument))
}
