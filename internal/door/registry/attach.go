package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// AnnotationBlob names an attachment's blob in the list of referrers.
const AnnotationBlob = "dev.waybill.blob"

// Attachment is a blob that is kept beside an image: an OCI referrer of it.
type Attachment struct {
	MediaType   string // of the blob; also the artifact type when written
	Digest      string // sha256:HEX of the blob, when read
	Data        []byte
	Annotations map[string]string // of the referrer's manifest
}

// AttachElsewhere makes an attachment a referrer of subject in the repository for
// evidence. cosign 2 writes beside the subject alone; the manifest is the one that
// it writes there.
func (c *Client) AttachElsewhere(ctx context.Context, subject imageref.Ref, b Attachment) error {
	found, err := c.Manifest(ctx, subject)
	if err != nil {
		return err
	}
	digest, err := v1.NewHash(subject.Digest())
	if err != nil {
		return fmt.Errorf("attach to %s: %w", subject, err)
	}
	a := &artifact{config: static.NewLayer([]byte("{}"), mediaTypeEmptyConfig)}
	manifest := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Annotations: b.Annotations,
		Subject: &v1.Descriptor{MediaType: found.MediaType, Digest: digest, Size: int64(len(found.Raw))},
	}
	config, err := partial.Descriptor(a.config)
	if err != nil {
		return fmt.Errorf("attach to %s: %w", subject, err)
	}
	manifest.Config = *config
	manifest.Config.ArtifactType = b.MediaType
	layer := static.NewLayer(b.Data, types.MediaType(b.MediaType))
	desc, err := partial.Descriptor(layer)
	if err != nil {
		return fmt.Errorf("attach to %s: %w", subject, err)
	}
	a.layers, manifest.Layers = []v1.Layer{layer}, []v1.Descriptor{*desc}
	if a.raw, err = json.Marshal(manifest); err != nil {
		return fmt.Errorf("attach to %s: %w", subject, err)
	}
	_, err = c.PushImage(ctx, c.evidence.repository, a)
	return err
}

// Attached reads the blobs attached to subject whose media type begins with
// prefix, each once. What cannot be read because it is not there, or is not what
// it is said to be, is left out.
func (c *Client) Attached(ctx context.Context, subject imageref.Ref, prefix string) ([]Attachment, error) {
	beside, err := c.Beside(ctx, subject, Bounds{})
	if err != nil {
		return nil, err
	}
	blobs, err := beside.Referrers(ctx, prefix, nil)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var found []Attachment
	err = beside.Read(ctx, blobs, func(listed []Blob, data []byte) error {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, Attachment{
			MediaType: listed[0].MediaType, Digest: listed[0].Digest, Data: bytes.Clone(data), Annotations: listed[0].Annotations,
		})
		return nil
	})
	return found, err
}
