package registry

import (
	"context"
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// unknown is the system and the architecture of BuildKit's attestations.
const unknown = "unknown"

// statements are the media types of layers that hold a statement, and no files.
// https://docs.docker.com/build/metadata/attestations/attestation-storage/
var statements = map[string]bool{
	"application/vnd.in-toto+json":          true,
	"application/vnd.in-toto.bundle":        true,
	"application/vnd.dsse.envelope.v1+json": true,
}

// isAttestation reports whether a manifest that an index calls an attestation of
// BuildKit is one by its content: every layer holds a statement, and the
// configuration is of no platform. Anything else could be an image that somebody
// runs by its digest.
func (r *reader) isAttestation(ctx context.Context, index imageref.Ref, digest string) (bool, error) {
	ref, err := index.At(digest)
	if err != nil {
		return false, err
	}
	stored, err := r.manifest(ctx, ref)
	if err != nil {
		return false, err
	}
	if !stored.MediaType.IsImage() {
		return false, nil
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(stored.Raw, &manifest); err != nil {
		return false, wrap(ref.Name(), "read "+ref.String(), err)
	}
	if len(manifest.Layers) == 0 {
		return false, nil
	}
	for _, layer := range manifest.Layers {
		if !statements[string(layer.MediaType)] {
			return false, nil
		}
	}
	platform, err := r.platformOf(ctx, ref, stored.Raw)
	if err != nil {
		return false, wrap(ref.Name(), "read the configuration of "+ref.String(), err)
	}
	return platform == "" || platform == unknown+"/"+unknown, nil
}
