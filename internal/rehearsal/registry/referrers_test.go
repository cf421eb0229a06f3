package registry_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/rehearsal/registry"
)

// typed is an image with a type of its own.
type typed struct{ v1.Image }

func (t typed) RawManifest() ([]byte, error) {
	raw, err := t.Image.RawManifest()
	return append([]byte(`{"artifactType":"application/vnd.acme",`), raw[1:]...), err
}

// What is listed beside an image has the type that its manifest names, or else that of
// its configuration.
func TestReferrersHaveTheirType(t *testing.T) {
	t.Parallel()
	server, err := registry.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	repository, err := name.NewRepository(server.Host + "/acme/shop")
	if err != nil {
		t.Fatal(err)
	}
	subject := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	if err := remote.Write(repository.Tag("subject"), subject); err != nil {
		t.Fatal(err)
	}
	digest, err := subject.Digest()
	if err != nil {
		t.Fatal(err)
	}
	beside, ok := mutate.Subject(mutate.ConfigMediaType(subject, "application/vnd.config"), v1.Descriptor{
		MediaType: types.OCIManifestSchema1, Digest: digest,
	}).(v1.Image)
	if !ok {
		t.Fatal("no image")
	}
	for tag, image := range map[string]v1.Image{"plain": beside, "typed": typed{beside}} {
		if err := remote.Write(repository.Tag(tag), image); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := remote.Referrers(repository.Digest(digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	index, err := listed.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range index.Manifests {
		found[m.ArtifactType] = true
	}
	if len(index.Manifests) != 2 || !found["application/vnd.acme"] || !found["application/vnd.config"] {
		t.Errorf("listed are %+v", index.Manifests)
	}
}
