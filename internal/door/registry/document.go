package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
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

// PushDocuments stores documents as one untagged OCI artifact. The digest
// leads to exactly these bytes.
// https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
func (c *Client) PushDocuments(
	ctx context.Context, repository name.Repository, artifactType string, documents []Document,
) (imageref.Ref, error) {
	config := static.NewLayer([]byte("{}"), mediaTypeEmptyConfig)
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: artifactType, Layers: []v1.Descriptor{}}
	a := &artifact{config: config}
	desc, err := partial.Descriptor(config)
	if err != nil {
		return imageref.Ref{}, fmt.Errorf("pack the documents: %w", err)
	}
	manifest.Config = *desc
	for _, d := range documents {
		if len(d.Data) > maxDocument {
			return imageref.Ref{}, fmt.Errorf("pack %s: %d bytes are more than the %d allowed", d.Name, len(d.Data), maxDocument)
		}
		layer := static.NewLayer(d.Data, types.MediaType(d.MediaType))
		desc, err := partial.Descriptor(layer)
		if err != nil {
			return imageref.Ref{}, fmt.Errorf("pack %s: %w", d.Name, err)
		}
		desc.Annotations = map[string]string{annotationTitle: d.Name}
		manifest.Layers = append(manifest.Layers, *desc)
		a.layers = append(a.layers, layer)
	}
	if a.raw, err = json.Marshal(manifest); err != nil {
		return imageref.Ref{}, fmt.Errorf("pack the documents: %w", err)
	}
	return c.PushImage(ctx, repository, a)
}

// artifact is an OCI manifest whose layers are documents and whose
// configuration is empty.
type artifact struct {
	config v1.Layer
	layers []v1.Layer
	raw    []byte
}

func (a *artifact) Layers() ([]v1.Layer, error)               { return a.layers, nil }
func (a *artifact) RawManifest() ([]byte, error)              { return a.raw, nil }
func (a *artifact) RawConfigFile() ([]byte, error)            { return []byte("{}"), nil }
func (a *artifact) MediaType() (types.MediaType, error)       { return types.OCIManifestSchema1, nil }
func (a *artifact) Size() (int64, error)                      { return int64(len(a.raw)), nil }
func (a *artifact) Digest() (v1.Hash, error)                  { return partial.Digest(a) }
func (a *artifact) ConfigName() (v1.Hash, error)              { return a.config.Digest() }
func (a *artifact) ConfigFile() (*v1.ConfigFile, error)       { return partial.ConfigFile(a) }
func (a *artifact) Manifest() (*v1.Manifest, error)           { return partial.Manifest(a) }
func (a *artifact) LayerByDiffID(h v1.Hash) (v1.Layer, error) { return a.LayerByDigest(h) }

func (a *artifact) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	for _, l := range append([]v1.Layer{a.config}, a.layers...) {
		if digest, err := l.Digest(); err == nil && digest == h {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no blob %s in the artifact", h)
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
	if got := manifest.ArtifactType; got != artifactType {
		return nil, fmt.Errorf("%s is not what is expected here: its artifact type is %q, not %q", ref, got, artifactType)
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
