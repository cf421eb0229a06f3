//go:build goexperiment.jsonv2

package trivy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aquasecurity/trivy-db/pkg/db"
	dbtypes "github.com/aquasecurity/trivy-db/pkg/types"
	trivydb "github.com/aquasecurity/trivy/pkg/db"
	ospkgdetector "github.com/aquasecurity/trivy/pkg/detector/ospkg"
	"github.com/aquasecurity/trivy/pkg/fanal/analyzer"
	"github.com/aquasecurity/trivy/pkg/fanal/applier"
	"github.com/aquasecurity/trivy/pkg/fanal/artifact"
	artimage "github.com/aquasecurity/trivy/pkg/fanal/artifact/image"
	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/javadb"
	"github.com/aquasecurity/trivy/pkg/scan/langpkg"
	"github.com/aquasecurity/trivy/pkg/scan/ospkg"
	"github.com/aquasecurity/trivy/pkg/types"
	"github.com/aquasecurity/trivy/pkg/vulnerability"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
	_ "modernc.org/sqlite" // the driver for RPM's and the Java database; without it Trivy finds no RPM package and says nothing

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// layersAtOnce is how many layers of one image are read at the same time.
const layersAtOnce = 2

var errTooLarge = errors.New("it unpacks to more than is read")

// javaDatabaseMissing is what Trivy says, in an error without a type, where an
// image has JAR files and javadb.Init was not called.
const javaDatabaseMissing = "Java DB client not initialized"

// Images opens manifests; internal/door/registry's Client does.
type Images interface {
	Image(ctx context.Context, ref imageref.Ref) (v1.Image, error)
}

// Scan does what the request says. unpacked counts the bytes of all layers as
// they are read, so that the caller can end the scan. exceed ends the process where
// the image breaks a limit. documents makes those of each image, where they are wanted.
func Scan(ctx context.Context, images Images, request exchange.Request, unpacked *atomic.Int64, exceed func(error)) (
	answer exchange.Answer, documents func() ([]exchange.Documents, error), err error,
) {
	if request.Version != exchange.Version {
		return exchange.Answer{}, nil, fmt.Errorf(
			"the request has version %d, this is version %d: waybill and waybill-scan are not of the same release", request.Version,
			exchange.Version,
		)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	if err := trivydb.Init(request.DatabaseDir); err != nil {
		return exchange.Answer{}, nil, fmt.Errorf("open the vulnerability database in %s: %w", request.DatabaseDir, err)
	}
	defer func() { err = errors.Join(err, trivydb.Close()) }()

	if request.JavaDatabaseDir != "" {
		javadb.Init(request.JavaDatabaseDir, nil, true, true, ftypes.RegistryOptions{})
	}
	watch := &guard{limits: request.Limits, exceed: exceed}
	for _, asked := range request.Images {
		watch.manifests += int64(len(asked.Platforms))
	}
	watch.install()
	s := scanner{
		images: images, request: request, unpacked: unpacked,
		cache:  newLayerCache(request.Limits.Packages*watch.manifests, request.Limits.System*watch.manifests),
		proven: newProven(), secrets: make(map[imageref.Ref][]evidence.Secret),
	}
	reports, err := s.all(ctx)
	if err != nil {
		return exchange.Answer{}, nil, err
	}
	if err := unusedVEX(request, reports); err != nil {
		return exchange.Answer{}, nil, err
	}
	answer = exchange.Answer{Version: exchange.Version, Scanner: evidence.Scanner{Name: "trivy", Version: Version()}}
	for i, asked := range request.Images {
		result := exchange.Result{Ref: asked.Ref}
		for j, p := range asked.Platforms {
			result.Platforms = append(result.Platforms, platformScan(p, reports[i][j], s.secrets[p.Ref]))
		}
		answer.Images = append(answer.Images, result)
	}
	return answer, func() ([]exchange.Documents, error) { return allDocuments(ctx, request, reports) }, nil
}

// allDocuments are those of each image, where they are wanted.
func allDocuments(ctx context.Context, request exchange.Request, reports [][]types.Report) ([]exchange.Documents, error) {
	all := make([]exchange.Documents, len(request.Images))
	for i, asked := range request.Images {
		if !asked.SBOM {
			continue
		}
		var err error
		if all[i], err = documents(ctx, asked, reports[i], request.At); err != nil {
			return nil, fmt.Errorf("write the SBOM of %s: %w", asked.Ref, err)
		}
	}
	return all, nil
}

// Version is that of the Trivy module linked in.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path == "github.com/aquasecurity/trivy" {
			if len(module.Version) > 1 {
				return module.Version[1:]
			}
		}
	}
	return "unknown"
}

type scanner struct {
	images  Images
	request exchange.Request
	cache   *layerCache // over all manifests

	proven *proven // over all manifests

	unpacked *atomic.Int64

	mu      sync.Mutex
	secrets map[imageref.Ref][]evidence.Secret // by manifest
}

// all scans the manifests of all images, as many at a time as there are
// processors.
func (s *scanner) all(ctx context.Context) ([][]types.Report, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	reports := make([][]types.Report, len(s.request.Images))
	for i, asked := range s.request.Images {
		reports[i] = make([]types.Report, len(asked.Platforms))
		look := s.layers
		if asked.BOM != "" {
			bom, err := readBOM(asked.BOM)
			if err != nil {
				return nil, err
			}
			look = func(ctx context.Context, p exchange.Platform) (types.Report, ftypes.ArtifactDetail, error) {
				detail, err := s.listed(ctx, bom, p)
				return types.Report{SchemaVersion: 2, ArtifactName: p.Ref.String(), ArtifactType: ftypes.TypeContainerImage}, detail, err
			}
		}
		for j, p := range asked.Platforms {
			group.Go(func() error {
				report, detail, err := look(ctx, p)
				if err == nil {
					reports[i][j], err = s.judge(ctx, vexTarget{asked.Ref, p}, report, detail)
				}
				if err != nil {
					return fmt.Errorf("scan %s of %s: %w", p.Platform, asked.Ref, err)
				}
				return nil
			})
		}
	}
	return reports, group.Wait()
}

// layers does for one manifest what Trivy's pkg/scan does; that package and
// pkg/scan/local would link its configuration and report code.
func (s *scanner) layers(ctx context.Context, p exchange.Platform) (types.Report, ftypes.ArtifactDetail, error) {
	fail := func(err error) (types.Report, ftypes.ArtifactDetail, error) {
		return types.Report{}, ftypes.ArtifactDetail{}, err
	}
	opened, err := s.images.Image(ctx, p.Ref)
	if err != nil {
		return fail(err)
	}
	img := newImage(p.Ref, opened, s.request.Limits, s.unpacked, s.proven)
	art, err := artimage.NewArtifact(img, s.cache, artifact.Option{
		Type: ftypes.TypeContainerImage, DisabledAnalyzers: disabledAnalyzers(s.request.Secrets), Parallel: layersAtOnce,
		NoProgress: true, Offline: true, DetectionPriority: ftypes.PriorityPrecise,
	})
	if err != nil {
		return fail(fmt.Errorf("prepare: %w", err))
	}
	info, err := art.Inspect(ctx)
	if err != nil {
		if strings.Contains(err.Error(), javaDatabaseMissing) {
			err = ErrNeedsJavaDatabase
		}
		if own := img.failed.Load(); own != nil {
			err = *own
		}
		return fail(fmt.Errorf("read the layers: %w", err))
	}
	defer func() { _ = art.Clean(info) }() // removes temporary files, which go with the child's own directory anyway

	if err := s.cache.wait(ctx, info.BlobIDs); err != nil {
		return fail(err)
	}
	if err := img.prove(); err != nil {
		return fail(err)
	}
	detail, err := s.applied(ctx, p, info.ID, info.BlobIDs)
	if err != nil {
		return fail(err)
	}
	return types.Report{
		SchemaVersion: 2, ArtifactName: info.Name, ArtifactType: info.Type,
		Metadata: types.Metadata{
			ImageID: info.ImageMetadata.ID, DiffIDs: info.ImageMetadata.DiffIDs, RepoDigests: info.ImageMetadata.RepoDigests,
			Reference: info.ImageMetadata.Reference, ImageConfig: info.ImageMetadata.ConfigFile, Size: detail.Layers.TotalSize(),
		},
		BOM: info.BOM,
	}, detail, nil
}

// applied puts layers together, and says what Trivy could not tell.
func (s *scanner) applied(ctx context.Context, p exchange.Platform, id string, layers []string) (ftypes.ArtifactDetail, error) {
	together, err := place(ctx, s.cache, layers)
	if err != nil {
		return ftypes.ArtifactDetail{}, fmt.Errorf("put the layers together: %w", err)
	}
	detail, err := applier.NewApplier(together).ApplyLayers(ctx, id, layers)
	switch {
	case errors.Is(err, analyzer.ErrUnknownOS):
		detail.OS = assumedOS(detail)
	case errors.Is(err, analyzer.ErrNoPkgsDetected):
		warn(p, "it is %s %s, but has no list of installed packages: only language packages are matched", detail.OS.Family, detail.OS.Name)
	case err != nil:
		return detail, fmt.Errorf("put the layers together: %w", err)
	}
	return detail, nil
}

// judge matches what a manifest holds with the database, as Trivy's pkg/scan/local
// does.
func (s *scanner) judge(ctx context.Context, target vexTarget, report types.Report, detail ftypes.ArtifactDetail) (types.Report, error) {
	p := target.platform
	s.keepSecrets(p.Ref, detail)
	var err error
	if report.Results, detail.OS.Eosl, err = detect(ctx, p, report.ArtifactName, detail); err != nil {
		return types.Report{}, err
	}
	if detail.OS.Detected() {
		report.Metadata.OS = &detail.OS
	}
	return report, applyVEX(ctx, &report, target, s.request.VEX)
}

// assumedOS is what Trivy assumes where no release file says: packages without
// an operating system are kept, and the package repositories may name one.
func assumedOS(detail ftypes.ArtifactDetail) ftypes.OS {
	if detail.Repository != nil {
		return ftypes.OS{Family: detail.Repository.Family, Name: detail.Repository.Release}
	}
	if len(detail.Packages) != 0 {
		return ftypes.OS{Family: "none"}
	}
	return detail.OS
}

func detect(
	ctx context.Context, p exchange.Platform, name string, detail ftypes.ArtifactDetail,
) (results types.Results, endOfLife bool, err error) {
	target := types.ScanTarget{
		Name: name, OS: detail.OS, Repository: detail.Repository, Packages: detail.Packages, Applications: detail.Applications,
	}
	for i := range target.Applications {
		target.Applications[i].Packages = withoutDevelopment(target.Applications[i].Packages)
	}
	options := types.ScanOptions{
		PkgTypes: types.PkgTypes, PkgRelationships: ftypes.Relationships,
		Scanners: types.Scanners{types.VulnerabilityScanner, types.SBOMScanner},
	}
	system, endOfLife, err := ospkg.NewScanner().Scan(ctx, target, options)
	switch {
	case errors.Is(err, ospkgdetector.ErrUnsupportedOS):
		warn(p, "there are no advisories for %s %s: its packages are listed, not matched", detail.OS.Family, detail.OS.Name)
	case err != nil:
		return nil, false, fmt.Errorf("match OS packages: %w", err)
	}
	if endOfLife {
		warn(
			p, "%s %s is no longer supported by its distribution: new vulnerabilities are not in the database", detail.OS.Family,
			detail.OS.Name,
		)
	}
	if system.Target != "" {
		results = append(results, system)
	}
	languages, err := langpkg.NewScanner().Scan(ctx, target, options)
	if err != nil {
		return nil, false, fmt.Errorf("match language packages: %w", err)
	}
	results = append(results, languages...)
	client := vulnerability.NewClient(db.Config{})
	for i := range results {
		client.FillInfo(results[i].Vulnerabilities, []dbtypes.SourceID{"auto"})
	}
	return results, endOfLife, nil
}

// warn says what a verdict cannot know.
func warn(p exchange.Platform, format string, args ...any) {
	fmt.Fprintf(os.Stderr, "warning: %s (%s): %s\n", p.Platform, p.Ref.Short(), fmt.Sprintf(format, args...))
}

func withoutDevelopment(packages ftypes.Packages) ftypes.Packages {
	var kept ftypes.Packages
	for _, p := range packages {
		if !p.Dev {
			kept = append(kept, p)
		}
	}
	return kept
}
