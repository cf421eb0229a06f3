//go:build goexperiment.jsonv2

package trivy

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/aquasecurity/trivy/pkg/clock"
	"github.com/aquasecurity/trivy/pkg/sbom/core"
	"github.com/aquasecurity/trivy/pkg/sbom/cyclonedx"
	sbomio "github.com/aquasecurity/trivy/pkg/sbom/io"
	"github.com/aquasecurity/trivy/pkg/sbom/spdx"
	"github.com/aquasecurity/trivy/pkg/types"
	"github.com/google/uuid"
	"github.com/mitchellh/hashstructure/v2"
	"github.com/package-url/packageurl-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdxtypes "github.com/spdx/tools-golang/spdx/v2/v2_3"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/imageref"
)

const spdxContainer = "ContainerImage"

// documents writes one CycloneDX and one SPDX document for the whole image: the
// index at the root, its platforms below it, the packages below those. The same
// image, scanned at the same instant, gives the same bytes.
func documents(
	ctx context.Context, asked exchange.Image, reports []types.Report, at time.Time,
) (written exchange.Documents, err error) {
	bom, err := imageBOM(asked, reports)
	if err != nil {
		return exchange.Documents{}, err
	}
	ctx = clock.With(ctx, at.UTC())
	var group errgroup.Group
	own := bom.Clone() // Trivy's getters write references into what they give
	group.Go(func() (err error) {
		if written.CycloneDX, err = cycloneDXDocument(ctx, asked.Ref, own); err != nil {
			return fmt.Errorf("CycloneDX: %w", err)
		}
		return nil
	})
	group.Go(func() (err error) {
		if written.SPDX, err = spdxDocument(ctx, asked.Ref, bom); err != nil {
			return fmt.Errorf("SPDX: %w", err)
		}
		return nil
	})
	return written, group.Wait()
}

// imageBOM joins the platforms' components under one root.
func imageBOM(asked exchange.Image, reports []types.Report) (*core.BOM, error) {
	root := &core.Component{Root: true, Type: core.TypeContainerImage, Name: asked.Ref.Repository(), Version: asked.Ref.Digest()}
	root.PkgIdentifier.PURL = ociPURL(asked.Ref)
	root.PkgIdentifier.BOMRef = root.PkgIdentifier.PURL.String()
	whole := core.NewBOM(core.Options{GenerateBOMRef: true})
	whole.AddComponent(root)
	for i, report := range reports {
		part, err := sbomio.NewEncoder().Encode(report)
		if err != nil {
			return nil, err
		}
		add(whole, root, part, asked.Platforms[i].Platform)
	}
	return whole, nil
}

// add takes over components and how they relate, and leaves the findings: they
// age, the bill of materials does not.
func add(whole *core.BOM, root *core.Component, part *core.BOM, platform string) {
	components := part.Components()
	var below []*core.Component
	for _, c := range ordered(components) {
		if c.Root {
			c.Root = false
			c.Version = platform
			c.PkgIdentifier.BOMRef = platform
			whole.AddComponent(c)
			whole.AddRelationship(root, c, core.RelationshipContains)
			continue
		}
		below = append(below, c)
	}
	nameComponents(below, platform)
	for _, c := range below {
		whole.AddComponent(c)
	}
	for id, relationships := range part.Relationships() {
		whole.AddRelationship(components[id], nil, "")
		for _, r := range relationships {
			whole.AddRelationship(components[id], components[r.Dependency], r.Type)
		}
	}
}

// nameComponents gives each component a reference that says what it is and
// where, and that is the same in every run: Trivy's own are random where a
// package occurs twice, and those of a document inside the image occur on every
// platform.
func nameComponents(components []*core.Component, platform string) {
	taken, again := make(map[string]bool), make(map[string]int)
	for _, c := range components {
		name := platform + "#" + label(c)
		ref := name
		for taken[ref] {
			again[name]++
			ref = fmt.Sprintf("%s#%d", name, again[name]+1)
		}
		taken[ref] = true
		c.PkgIdentifier.BOMRef = ref
	}
}

func label(c *core.Component) string {
	name := string(c.Type) + ":" + c.Name + "@" + c.Version
	if c.PkgIdentifier.PURL != nil {
		name = c.PkgIdentifier.PURL.String()
	}
	if c.SrcFile != "" {
		name += "#" + c.SrcFile
	}
	return name
}

// ordered lists components in an order that is the same in every run. What they
// are compared by costs more than to compare, so each is asked for it once.
func ordered(components map[uuid.UUID]*core.Component) []*core.Component {
	type keyed struct {
		component  *core.Component
		label, uid string
	}
	list := make([]keyed, 0, len(components))
	for _, c := range components {
		list = append(list, keyed{component: c, label: label(c), uid: c.PkgIdentifier.UID})
	}
	slices.SortFunc(list, func(a, b keyed) int {
		if by := cmp.Or(cmp.Compare(a.label, b.label), cmp.Compare(a.uid, b.uid)); by != 0 {
			return by
		}
		return cmp.Compare(fmt.Sprint(a.component.Properties), fmt.Sprint(b.component.Properties))
	})
	sorted := make([]*core.Component, len(list))
	for i, k := range list {
		sorted[i] = k.component
	}
	return sorted
}

// ociPURL is https://github.com/package-url/purl-spec, type oci.
func ociPURL(ref imageref.Ref) *packageurl.PackageURL {
	repository := strings.ToLower(ref.Repository())
	return packageurl.NewPackageURL(packageurl.TypeOCI, "", path.Base(repository), ref.Digest(),
		packageurl.Qualifiers{{Key: "repository_url", Value: repository}}, "")
}

func cycloneDXDocument(ctx context.Context, ref imageref.Ref, bom *core.BOM) ([]byte, error) {
	marshaler := cyclonedx.NewMarshaler(Version())
	document, err := marshaler.Marshal(ctx, bom)
	if err != nil {
		return nil, err
	}
	document.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://"+ref.String())).URN()
	document.Vulnerabilities = nil
	var out bytes.Buffer
	encoder := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func spdxDocument(ctx context.Context, ref imageref.Ref, bom *core.BOM) ([]byte, error) {
	document, err := spdx.NewMarshaler(Version(), spdx.WithHasher(identifier)).Marshal(ctx, bom)
	if err != nil {
		return nil, err
	}
	document.DocumentName = ref.String()
	document.DocumentNamespace = "https://waybill.dev/spdx/" + ref.String()
	document.CreationInfo.Creators = []common.Creator{
		{CreatorType: "Tool", Creator: "waybill"},
		{CreatorType: "Tool", Creator: "trivy-" + Version()},
	}
	namePlatforms(document)
	return json.Marshal(document)
}

// identifier is what Trivy makes an SPDX identifier of. A component's is made of its
// reference, which no other has. Trivy's own way reads all of its fields by reflection,
// which takes a tenth of the time that a large image needs.
func identifier(v any, format hashstructure.Format, options *hashstructure.HashOptions) (uint64, error) {
	if c, ok := v.(*core.Component); ok {
		sum := sha256.Sum256([]byte(c.PkgIdentifier.BOMRef))
		return binary.BigEndian.Uint64(sum[:]), nil
	}
	return hashstructure.Hash(v, format, options)
}

// namePlatforms says what the platforms' manifests are: Trivy expects a
// container image at the root alone and gives the others neither an identifier
// of its usual form nor a purpose.
func namePlatforms(document *spdxtypes.Document) {
	renamed := func(id common.ElementID) common.ElementID {
		if strings.HasPrefix(string(id), "-") {
			return spdxContainer + id
		}
		return id
	}
	for _, p := range document.Packages {
		if id := renamed(p.PackageSPDXIdentifier); id != p.PackageSPDXIdentifier {
			p.PackageSPDXIdentifier, p.PrimaryPackagePurpose = id, spdx.PackagePurposeContainer
		}
	}
	for _, r := range document.Relationships {
		r.RefA.ElementRefID, r.RefB.ElementRefID = renamed(r.RefA.ElementRefID), renamed(r.RefB.ElementRefID)
	}
	slices.SortFunc(document.Relationships, func(a, b *spdxtypes.Relationship) int {
		return cmp.Or(
			cmp.Compare(a.RefA.ElementRefID, b.RefA.ElementRefID), cmp.Compare(a.RefB.ElementRefID, b.RefB.ElementRefID),
			cmp.Compare(a.Relationship, b.Relationship),
		)
	})
}
