//go:build goexperiment.jsonv2

package trivy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/aquasecurity/trivy/pkg/cache"
	"github.com/aquasecurity/trivy/pkg/fanal/applier"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/google/go-cmp/cmp"
)

// Layers that are put together with the places set give what Trivy makes of them by
// itself: of lists in several layers, lists that are replaced or removed, packages that
// stand twice, and those whose layer an SBOM names.
func TestPlacedLayersAreTrivys(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	several := 0
	for round := range 300 {
		var ids []string
		caches := []*cache.MemoryCache{cache.NewMemoryCache(), cache.NewMemoryCache()}
		for n := range 1 + r.IntN(5) {
			layer := someLayer(r, n)
			ids = append(ids, fmt.Sprint("layer-", n))
			for _, c := range caches { // each its own, because Trivy writes into what it is given
				if err := c.PutBlob(t.Context(), ids[n], copied(layer)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if r.IntN(4) == 0 {
			ids = append(ids, ids[0]) // a layer can stand twice
		}
		want, wantErr := applier.NewApplier(caches[0]).ApplyLayers(t.Context(), "image", ids)
		layers, err := place(t.Context(), caches[1], ids)
		if err != nil {
			t.Fatal(err)
		}
		got, gotErr := applier.NewApplier(layers).ApplyLayers(t.Context(), "image", ids)
		inOrder(want)
		inOrder(got)
		if diff := cmp.Diff(want, got); diff != "" || fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
			t.Fatalf("round %d: %v, %v\n%s", round, wantErr, gotErr, diff)
		}
		for _, app := range got.Applications {
			for _, p := range app.Packages {
				if p.Layer.DiffID != "" && p.Layer.DiffID != "diff-0" {
					several++
				}
			}
		}
	}
	if several == 0 {
		t.Error("no package came from a layer but the first")
	}
}

// inOrder sorts the packages that Trivy puts into one list in the order of a map.
func inOrder(detail ftypes.ArtifactDetail) {
	for _, app := range detail.Applications {
		slices.SortStableFunc(app.Packages, func(a, b ftypes.Package) int { return strings.Compare(a.Identifier.UID, b.Identifier.UID) })
	}
}

func someLayer(r *rand.Rand, n int) ftypes.BlobInfo {
	layer := ftypes.BlobInfo{SchemaVersion: 2, Digest: fmt.Sprint("digest-", n), DiffID: fmt.Sprint("diff-", n),
		OS: ftypes.OS{Family: ftypes.Debian, Name: "13"}}
	for range r.IntN(4) {
		types := []ftypes.LangType{ftypes.NodePkg, ftypes.GoBinary, ftypes.PythonPkg}
		app := ftypes.Application{Type: types[r.IntN(len(types))], FilePath: fmt.Sprintf("app/%d/list", r.IntN(3))}
		for range r.IntN(4) {
			p := ftypes.Package{Name: fmt.Sprint("p", r.IntN(3)), Version: fmt.Sprint(r.IntN(2)), FilePath: app.FilePath}
			if r.IntN(5) == 0 {
				p.Layer = ftypes.Layer{DiffID: "of an SBOM"}
			}
			app.Packages = append(app.Packages, p)
		}
		layer.Applications = append(layer.Applications, app)
	}
	if r.IntN(3) == 0 {
		layer.WhiteoutFiles = []string{fmt.Sprintf("app/%d/list", r.IntN(3))}
	}
	if r.IntN(5) == 0 {
		layer.OpaqueDirs = []string{"app/"}
	}
	if r.IntN(2) == 0 {
		layer.PackageInfos = []ftypes.PackageInfo{{FilePath: "var/lib/dpkg/status", Packages: ftypes.Packages{
			{Name: "bash", Version: fmt.Sprint(r.IntN(2))}, {Name: "libc6", Version: "2"},
		}}}
	}
	return layer
}

func copied(layer ftypes.BlobInfo) ftypes.BlobInfo {
	apps := make([]ftypes.Application, len(layer.Applications))
	for i, app := range layer.Applications {
		app.Packages = append(ftypes.Packages(nil), app.Packages...)
		apps[i] = app
	}
	layer.Applications = apps
	infos := make([]ftypes.PackageInfo, len(layer.PackageInfos))
	for i, info := range layer.PackageInfos {
		info.Packages = append(ftypes.Packages(nil), info.Packages...)
		infos[i] = info
	}
	layer.PackageInfos = infos
	return layer
}
