//go:build goexperiment.jsonv2

package trivy

import (
	"context"
	"slices"

	"github.com/aquasecurity/trivy/pkg/cache"
	"github.com/aquasecurity/trivy/pkg/dependency"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
)

// placed gives the layers of one image with the layer that each package of an
// application comes from. Trivy, which puts the layers together, leaves alone what is
// set. It would compare each package with each list of packages of the image, which
// takes time by their square.
type placed struct {
	cache.LocalArtifactCache
	layers map[string]ftypes.BlobInfo
}

// GetBlob gives a layer.
func (p placed) GetBlob(_ context.Context, id string) (ftypes.BlobInfo, error) {
	return p.layers[id], nil
}

// what is what Trivy finds a package by: its list, and these of its fields.
type what struct{ list, name, version, release string }

// place reads the layers in their order. What it gives is a copy: layers are shared
// between images, and Trivy writes into them.
func place(ctx context.Context, from cache.LocalArtifactCache, ids []string) (placed, error) {
	p := placed{LocalArtifactCache: from, layers: make(map[string]ftypes.BlobInfo)}
	first := make(map[what]ftypes.Layer)
	for _, id := range ids {
		if _, again := p.layers[id]; again {
			continue
		}
		layer, err := from.GetBlob(ctx, id)
		if err != nil {
			return p, err
		}
		layer.Applications = slices.Clone(layer.Applications)
		for i := range layer.Applications {
			app := &layer.Applications[i]
			app.Packages = slices.Clone(app.Packages)
			for j := range app.Packages {
				one := &app.Packages[j]
				w := what{app.FilePath, one.Name, one.Version, one.Release}
				if _, is := first[w]; !is {
					first[w] = ftypes.Layer{Digest: layer.Digest, DiffID: layer.DiffID}
				}
				// The identifier is a digest of the package while it has no layer.
				one.Identifier.UID = dependency.UID(app.FilePath, *one)
				if one.Layer == (ftypes.Layer{}) { // what an SBOM in the image says stays
					one.Layer = first[w]
				}
			}
		}
		p.layers[id] = layer
	}
	return p, nil
}
