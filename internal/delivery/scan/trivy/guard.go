//go:build goexperiment.jsonv2

package trivy

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path"
	"strings"
	"sync/atomic"

	"github.com/aquasecurity/trivy/pkg/fanal/analyzer"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/delivery/scan/nested"
)

// guard sees every file before Trivy's analyzers do, and ends the scan of an image
// that has more of something than any honest one: files, package files, bytes in
// one of them, archives within archives. The analyzers have no such limits, and what
// they cannot read they pass over.
type guard struct {
	limits    exchange.Limits
	manifests int64       // that the limits are for, each
	exceed    func(error) // ends the process; the analyzers cannot be stopped

	files, packageFiles, archives atomic.Int64
}

const typeGuard analyzer.Type = "waybill-guard"

// install makes Trivy ask the guard. Its list of analyzers is the process's.
func (g *guard) install() {
	analyzer.DeregisterAnalyzer(typeGuard)
	analyzer.RegisterAnalyzer(g)
}

// Type, Version, Required and Analyze are what Trivy asks of an analyzer.
func (g *guard) Type() analyzer.Type { return typeGuard }

// Version is part of the keys of Trivy's cache, which lives no longer than the scan.
func (g *guard) Version() int { return 1 }

// Required counts a file, and reports whether Analyze has to look into it.
func (g *guard) Required(file string, info os.FileInfo) bool {
	g.count(&g.files, g.limits.Files, "files")
	most := packageFileLimit(file)
	if most > 0 {
		g.count(&g.packageFiles, g.limits.PackageFiles, "package files")
	}
	if most > 0 && g.limits.PackageFiles > 0 && info.Size() > most {
		g.exceed(fmt.Errorf("%.200q in the image has %d MiB, and at most %d MiB are read of such a file", file, info.Size()>>20, most>>20))
	}
	return nested.IsArchive(file)
}

// Analyze looks into an archive.
func (g *guard) Analyze(_ context.Context, input analyzer.AnalysisInput) (*analyzer.AnalysisResult, error) {
	g.count(&g.archives, g.limits.Archives, "archives")
	err := nested.Check(input.FilePath, input.Content, input.Info.Size(), nested.Limits{
		Depth: cmp.Or(g.limits.ArchiveDepth, math.MaxInt64), Ratio: cmp.Or(g.limits.Ratio, math.MaxInt64), RatioFree: g.limits.RatioFree,
		Count: func() { g.count(&g.archives, g.limits.Archives, "archives") },
	})
	if err != nil {
		g.exceed(err)
	}
	return nil, nil
}

// count adds one to what the image has of something. The limit is of each manifest.
func (g *guard) count(n *atomic.Int64, limit int64, what string) {
	if limit > 0 && n.Add(1) >= limit*g.manifests {
		g.exceed(tooMany(limit, what))
	}
}

func tooMany(limit int64, what string) error {
	return fmt.Errorf("the image has %d %s or more, and only images with fewer are scanned", limit, what)
}

// What is read of one file. The largest real ones have some megabytes; the
// databases of RPM and documents that list a whole system have more.
const (
	mostOfAPK         = 8 << 20 // a package of a few bytes costs a kilobyte of memory
	mostOfPackageFile = 32 << 20
	mostOfBOM         = 128 << 20
	mostOfRPM         = 512 << 20
)

// packageFileLimit is how many bytes a file may have that Trivy reads whole; 0 for
// other files.
func packageFileLimit(file string) int64 {
	dir, base := path.Split(strings.ToLower(file))
	switch {
	case strings.Contains(dir, "lib/rpm/"), strings.Contains(dir, "lib/sysimage/rpm/"):
		return mostOfRPM
	case strings.HasSuffix(base, ".spdx"), strings.HasSuffix(base, ".spdx.json"), strings.HasSuffix(base, ".cdx"),
		strings.HasSuffix(base, ".cdx.json"), strings.HasSuffix(dir, "/sbom/"), strings.HasPrefix(base, ".spdx-"):
		return mostOfBOM
	case strings.Contains(dir, "lib/apk/db/"):
		return mostOfAPK
	case strings.Contains(dir, "lib/dpkg/"), strings.Contains(dir, "conda-meta/"),
		strings.HasSuffix(base, ".gemspec"), strings.HasSuffix(base, ".deps.json"), strings.HasSuffix(base, ".egg-info"):
		return mostOfPackageFile
	}
	switch base {
	case "package.json", "metadata", "pkg-info", "installed.json", "composer.lock", "manifest.toml", "packages.lock.json",
		"packages.config", "os-release", "lsb-release", "environment.yml", "environment.yaml":
		return mostOfPackageFile
	}
	return 0
}
