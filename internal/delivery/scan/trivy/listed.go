//go:build goexperiment.jsonv2

package trivy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/sbom/cyclonedx"
	sbomio "github.com/aquasecurity/trivy/pkg/sbom/io"
	"github.com/aquasecurity/trivy/pkg/types"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
)

// readBOM reads a bill of materials of the form that this package writes, in
// place of layers. Another form does not say which platform has a package.
func readBOM(path string) (*cdx.BOM, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the bill of materials: %w", err)
	}
	bom, err := cyclonedx.DecodeJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read the bill of materials: %w", err)
	}
	return bom, nil
}

// listed is what a bill of materials lists of one platform, in the form in which
// Trivy gives what it found in layers.
func (s *scanner) listed(ctx context.Context, bom *cdx.BOM, p exchange.Platform) (ftypes.ArtifactDetail, error) {
	part, err := partOf(bom, p.Platform)
	if err != nil {
		return ftypes.ArtifactDetail{}, err
	}
	data, err := json.Marshal(part)
	if err != nil {
		return ftypes.ArtifactDetail{}, fmt.Errorf("take %s out of the bill of materials: %w", p.Platform, err)
	}
	var read cyclonedx.BOM
	if err := read.UnmarshalJSON(data); err != nil {
		return ftypes.ArtifactDetail{}, fmt.Errorf("read %s of the bill of materials: %w", p.Platform, err)
	}
	var list types.SBOM
	if err := sbomio.NewDecoder(read.BOM).Decode(ctx, &list); err != nil {
		return ftypes.ArtifactDetail{}, fmt.Errorf("read %s of the bill of materials: %w", p.Platform, err)
	}
	found := ftypes.BlobInfo{SchemaVersion: ftypes.BlobJSONSchemaVersion, PackageInfos: list.Packages, Applications: list.Applications}
	if list.Metadata.OS != nil {
		found.OS = *list.Metadata.OS
	}
	id := "bom:" + p.Ref.Digest()
	if err := s.cache.PutBlob(ctx, id, found); err != nil {
		return ftypes.ArtifactDetail{}, err
	}
	return s.applied(ctx, p, id, []string{id})
}

// partOf is what a bill of materials lists of one platform, with the platform at its
// root: what is below it, and what is named after it, which packages are that depend on
// each other in a circle and have nothing above them.
func partOf(bom *cdx.BOM, platform string) (*cdx.BOM, error) {
	components := make(map[string]cdx.Component)
	next := []string{platform}
	for _, c := range deref(bom.Components) {
		components[c.BOMRef] = c
		if strings.HasPrefix(c.BOMRef, platform+"#") {
			next = append(next, c.BOMRef)
		}
	}
	root, ok := components[platform]
	if !ok || root.Type != cdx.ComponentTypeContainer || root.Version != platform {
		return nil, fmt.Errorf(
			"the bill of materials does not say what is in %s: it is none that `waybill scan` wrote of the whole image", platform,
		)
	}
	below := make(map[string][]string)
	for _, d := range deref(bom.Dependencies) {
		below[d.Ref] = append(below[d.Ref], deref(d.Dependencies)...)
	}
	part := cdx.NewBOM()
	part.Metadata = &cdx.Metadata{Component: &root}
	var list []cdx.Component
	var depends []cdx.Dependency
	seen := make(map[string]bool)
	for ; len(next) > 0; next = next[1:] {
		ref := next[0]
		c, known := components[ref]
		if !known || seen[ref] {
			continue
		}
		seen[ref] = true
		if ref != platform {
			list = append(list, c)
		}
		to := below[ref]
		depends = append(depends, cdx.Dependency{Ref: ref, Dependencies: &to})
		next = append(next, to...)
	}
	part.Components, part.Dependencies = &list, &depends
	return part, nil
}

func deref[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}
