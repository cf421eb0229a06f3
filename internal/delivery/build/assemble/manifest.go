package assemble

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// image is an OCI image with the configuration that BuildKit's converter made.
type image struct {
	layers           []v1.Layer
	config, manifest []byte
}

// newImage puts layers and configuration together.
func newImage(layers []v1.Layer, config *dockerspec.DockerOCIImage, epoch time.Time) (v1.Image, error) {
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	config.RootFS = ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{}}
	for _, l := range layers {
		desc, err := partial.Descriptor(l)
		if err != nil {
			return nil, fmt.Errorf("describe a layer: %w", err)
		}
		desc.MediaType = ociMediaType(desc.MediaType)
		manifest.Layers = append(manifest.Layers, *desc)
		diffID, err := l.DiffID()
		if err != nil {
			return nil, fmt.Errorf("describe a layer: %w", err)
		}
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.Digest(diffID.String()))
	}
	config.Created = &epoch
	config.History = history(config.History, len(layers), epoch)
	data, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("write the image configuration: %w", err)
	}
	hash, size, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	manifest.Config = v1.Descriptor{MediaType: types.OCIConfigJSON, Size: size, Digest: hash}
	if manifest.Layers == nil {
		manifest.Layers = []v1.Descriptor{}
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		return nil, fmt.Errorf("write the image manifest: %w", err)
	}
	return &image{layers: layers, config: data, manifest: raw}, nil
}

// history gives the lines that have no time the epoch, and makes their number
// agree with that of the layers where a base image's does not.
func history(lines []ocispec.History, layers int, epoch time.Time) []ocispec.History {
	lines = slices.Clone(lines)
	n := 0
	for i := range lines {
		if lines[i].Created == nil {
			lines[i].Created = &epoch
		}
		if lines[i].EmptyLayer {
			continue
		}
		if n++; n > layers {
			lines[i].EmptyLayer = true
		}
	}
	for ; n < layers; n++ {
		lines = append(lines, ocispec.History{Created: &epoch, Comment: "layer without history"})
	}
	return lines
}

// ociMediaType turns Docker's layer types, which base images may have, into
// OCI's: the bytes are the same.
func ociMediaType(t types.MediaType) types.MediaType {
	switch t {
	case types.DockerLayer:
		return types.OCILayer
	case types.DockerUncompressedLayer:
		return types.OCIUncompressedLayer
	}
	return t
}

// The layers are handed out as they are, so that a push can see which of them
// another repository of the registry has.
func (i *image) Layers() ([]v1.Layer, error)         { return i.layers, nil }
func (i *image) RawConfigFile() ([]byte, error)      { return i.config, nil }
func (i *image) RawManifest() ([]byte, error)        { return i.manifest, nil }
func (i *image) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (i *image) Size() (int64, error)                { return int64(len(i.manifest)), nil }
func (i *image) Digest() (v1.Hash, error)            { return partial.Digest(i) }
func (i *image) ConfigName() (v1.Hash, error)        { return partial.ConfigName(i) }
func (i *image) ConfigFile() (*v1.ConfigFile, error) { return partial.ConfigFile(i) }
func (i *image) Manifest() (*v1.Manifest, error)     { return partial.Manifest(i) }
func (i *image) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	if name, err := i.ConfigName(); err == nil && name == h {
		return partial.ConfigLayer(i)
	}
	return i.find(h, v1.Layer.Digest)
}

func (i *image) LayerByDiffID(h v1.Hash) (v1.Layer, error) { return i.find(h, v1.Layer.DiffID) }

func (i *image) find(h v1.Hash, by func(v1.Layer) (v1.Hash, error)) (v1.Layer, error) {
	for _, l := range i.layers {
		if found, err := by(l); err != nil {
			return nil, err
		} else if found == h {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no layer %s in the image", h)
}
