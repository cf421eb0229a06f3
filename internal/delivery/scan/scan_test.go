package scan

import (
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/registry/registrytest"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

func testImage(t *testing.T, content string, platform *v1.Platform) v1.Image {
	t.Helper()
	image, err := mutate.AppendLayers(
		mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer([]byte(content), types.OCILayer),
	)
	if err != nil {
		t.Fatal(err)
	}
	config := v1.ConfigFile{RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}}}}
	if platform != nil {
		config.OS, config.Architecture = platform.OS, platform.Architecture
	}
	if image, err = mutate.ConfigFile(image, &config); err != nil {
		t.Fatal(err)
	}
	return image
}

// attestation is a manifest as BuildKit puts one beside each platform.
func attestation(t *testing.T, layers []types.MediaType, platform *v1.Platform) v1.Image {
	t.Helper()
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	var ids []v1.Hash
	for i, mediaType := range layers {
		var err error
		if image, err = mutate.AppendLayers(image, static.NewLayer([]byte{'{', '}', byte('0' + i)}, mediaType)); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)})
	}
	image, err := mutate.ConfigFile(
		image,
		&v1.ConfigFile{OS: platform.OS, Architecture: platform.Architecture, RootFS: v1.RootFS{Type: "layers", DiffIDs: ids}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// What an index calls an attestation is passed over where its content is one,
// and nowhere else: an image that hides there could be run by its digest.
func TestNothingHidesAsAnAttestation(t *testing.T) {
	t.Parallel()
	amd64, unknown := &v1.Platform{OS: "linux", Architecture: "amd64"}, &v1.Platform{OS: "unknown", Architecture: "unknown"}
	client := registry.New(registry.Options{})
	repository, err := imageref.ParseRepository(registrytest.New(t, nil).Host + "/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	const inToto, dsse = types.MediaType("application/vnd.in-toto+json"), types.MediaType("application/vnd.dsse.envelope.v1+json")
	for name, test := range map[string]struct {
		hidden mutate.Appendable
		passes bool
	}{
		"an attestation of BuildKit":      {attestation(t, []types.MediaType{inToto, inToto}, unknown), true},
		"one without a platform":          {attestation(t, []types.MediaType{inToto, dsse}, &v1.Platform{}), true},
		"an image":                        {testImage(t, "hidden", amd64), false},
		"an image that says it is none":   {testImage(t, "hidden", unknown), false},
		"an image of no platform":         {testImage(t, "hidden", nil), false},
		"a configuration with a platform": {attestation(t, []types.MediaType{inToto}, amd64), false},
		"one layer with files":            {attestation(t, []types.MediaType{inToto, types.OCILayer}, unknown), false},
		"no layer":                        {attestation(t, nil, unknown), false},
		"an index":                        {mutate.IndexMediaType(empty.Index, types.OCIImageIndex), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
				mutate.IndexAddendum{Add: testImage(t, name, amd64), Descriptor: v1.Descriptor{Platform: amd64}},
				mutate.IndexAddendum{
					Add: test.hidden,
					Descriptor: v1.Descriptor{
						Platform: unknown, Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
					},
				})
			ref, err := client.PushIndex(t.Context(), repository, index)
			if err != nil {
				t.Fatal(err)
			}
			_, err = newRequest(t.Context(), client, Database{}, Options{Image: ref}, time.Time{})
			if test.passes && err != nil || !test.passes && (err == nil ||
				!strings.Contains(err.Error(), "which names no platform and so cannot be judged (and is no attestation of BuildKit)")) {
				t.Errorf("got %v", err)
			}
			contents, err := client.Contents(t.Context(), ref)
			if want := map[bool]int{true: 1, false: 2}[test.passes]; err != nil || len(contents.Manifests) != want {
				t.Errorf("%d manifests that somebody could run, want %d: %v", len(contents.Manifests), want, err)
			}
		})
	}
}

func TestScanCoversAllThatCouldRun(t *testing.T) {
	t.Parallel()
	amd64, arm64 := &v1.Platform{OS: "linux", Architecture: "amd64"}, &v1.Platform{OS: "linux", Architecture: "arm64"}
	unknown := &v1.Platform{OS: "unknown", Architecture: "unknown"}
	client := registry.New(registry.Options{})
	repository, err := imageref.ParseRepository(registrytest.New(t, nil).Host + "/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		platforms []*v1.Platform
		want      int
		reason    string
	}{
		"two platforms":                  {[]*v1.Platform{amd64, arm64}, 2, ""},
		"what is called an attestation":  {[]*v1.Platform{amd64, unknown}, 0, "is no attestation of BuildKit"},
		"a manifest without platform":    {[]*v1.Platform{amd64, nil}, 0, "which names no platform and so cannot be judged"},
		"an unknown system, known chip":  {[]*v1.Platform{amd64, {OS: "unknown", Architecture: "amd64"}}, 0, "which names no platform"},
		"nothing but an attestation":     {[]*v1.Platform{unknown}, 0, "has no platform that could be scanned"},
		"twice the same platform":        {[]*v1.Platform{amd64, amd64}, 2, ""},
		"nothing, not even one manifest": {nil, 0, "has no platform that could be scanned"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
			for i, p := range test.platforms {
				index = mutate.AppendManifests(index, mutate.IndexAddendum{
					Add: testImage(t, name+string(rune('0'+i)), p), Descriptor: v1.Descriptor{Platform: p},
				})
			}
			ref, err := client.PushIndex(t.Context(), repository, index)
			if err != nil {
				t.Fatal(err)
			}
			request, err := newRequest(t.Context(), client, Database{}, Options{Image: ref}, time.Time{})
			if test.reason != "" {
				if err == nil || !strings.Contains(err.Error(), test.reason) {
					t.Errorf("got %v, want %q", err, test.reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := len(request.Images[0].Platforms); n != test.want {
				t.Errorf("%d manifests to scan, want %d", n, test.want)
			}
		})
	}
	ref, err := client.PushImage(t.Context(), repository, testImage(t, "alone", arm64))
	if err != nil {
		t.Fatal(err)
	}
	request, err := newRequest(t.Context(), client, Database{}, Options{Image: ref}, time.Time{})
	if err != nil || len(request.Images[0].Platforms) != 1 || request.Images[0].Platforms[0].Platform != "linux/arm64" {
		t.Errorf("a single manifest: got %+v, %v", request.Images, err)
	}
}

func TestScanJudges(t *testing.T) {
	t.Parallel()
	client := registry.New(registry.Options{})
	repository, err := imageref.ParseRepository(registrytest.New(t, nil).Host + "/acme/app")
	if err != nil {
		t.Fatal(err)
	}
	ref, err := client.PushImage(t.Context(), repository, testImage(t, "x", &v1.Platform{OS: "linux", Architecture: "amd64"}))
	if err != nil {
		t.Fatal(err)
	}
	database := Database{Database: evidence.Database{Repository: "r", Digest: "sha256:1", Version: 2, UpdatedAt: built}}
	result, err := Scan(
		t.Context(), client, database, fakeChild(t, "honest"),
		Options{Image: ref, Threshold: evidence.Threshold{Severity: evidence.High}, Now: func() time.Time { return built }},
	)
	if err != nil {
		t.Fatal(err)
	}
	r := result.Report
	if result.Refused() || r.Schema != evidence.ScanSchema || r.Image != ref.String() || r.Database != database.Database ||
		!r.StartedAt.Equal(built) || len(r.Platforms) != 1 || result.Baseline != nil {
		t.Errorf("got %+v", result)
	}
	if _, err := Scan(t.Context(), client, database, fakeChild(t, "crash"), Options{Image: ref, Now: time.Now}); err == nil {
		t.Error("a crash of the child passes")
	}
}
