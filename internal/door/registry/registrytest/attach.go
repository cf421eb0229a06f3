package registrytest

import (
	"context"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Pusher is the part of a registry's client that Attach needs.
type Pusher interface {
	PushImage(ctx context.Context, repository name.Repository, image v1.Image) (imageref.Ref, error)
}

// Attachment is a blob beside an image.
type Attachment struct {
	MediaType   string
	Data        []byte
	Annotations map[string]string
}

// Attach makes one blob a referrer of subject, with its media type as artifact
// type.
func Attach(t testing.TB, c Pusher, subject imageref.Ref, a Attachment) {
	t.Helper()
	digest, err := v1.NewHash(subject.Digest())
	if err != nil {
		t.Fatal(err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(a.MediaType))
	image, err = mutate.AppendLayers(image, static.NewLayer(a.Data, types.MediaType(a.MediaType)))
	if err != nil {
		t.Fatal(err)
	}
	image = mutate.Annotations(image, a.Annotations).(v1.Image)
	image = mutate.Subject(image, v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest, Size: 1}).(v1.Image)
	if _, err := c.PushImage(t.Context(), subject.Name(), image); err != nil {
		t.Fatal(err)
	}
}
