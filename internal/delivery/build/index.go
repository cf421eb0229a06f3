package build

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Index puts the images of all platforms into one OCI index. It returns the
// index and the manifest digest of each platform.
func Index(images []Image, annotations Annotations) (v1.ImageIndex, map[string]string, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	platforms := make(map[string]string, len(images))
	for _, image := range images {
		annotated, err := annotate(image.Image, annotations.Of(LevelManifest, image.Platform))
		if err != nil {
			return nil, nil, fmt.Errorf("annotate the %s image: %w", image.Platform, err)
		}
		digest, err := annotated.Digest()
		if err != nil {
			return nil, nil, fmt.Errorf("compute the digest of the %s image: %w", image.Platform, err)
		}
		platforms[image.Platform.String()] = digest.String()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: annotated, Descriptor: v1.Descriptor{
			Platform: image.Platform.descriptor(), Annotations: annotations.Of(LevelManifestDescriptor, image.Platform),
		}})
	}
	if own := annotations.Of(LevelIndex, Platform{}); len(own) > 0 {
		index = mutate.Annotations(index, own).(v1.ImageIndex)
	}
	return index, platforms, nil
}

// annotated is an image with another manifest around the same configuration
// and layers. mutate.Annotations would write the configuration anew and lose
// what go-containerregistry does not know in it.
type annotated struct {
	v1.Image
	raw []byte
}

func annotate(image v1.Image, annotations map[string]string) (v1.Image, error) {
	if len(annotations) == 0 {
		return image, nil
	}
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	manifest = manifest.DeepCopy()
	if manifest.Annotations == nil {
		manifest.Annotations = map[string]string{}
	}
	maps.Copy(manifest.Annotations, annotations)
	raw, err := json.Marshal(manifest)
	if err != nil {
		return nil, err
	}
	return &annotated{Image: image, raw: raw}, nil
}

func (a *annotated) RawManifest() ([]byte, error)    { return a.raw, nil }
func (a *annotated) Manifest() (*v1.Manifest, error) { return v1.ParseManifest(bytes.NewReader(a.raw)) }
func (a *annotated) Digest() (v1.Hash, error)        { return partial.Digest(a) }
func (a *annotated) Size() (int64, error)            { return int64(len(a.raw)), nil }
