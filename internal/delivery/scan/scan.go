// Package scan finds out what is in every platform of an image and whether a
// threshold refuses it.
//
// The looking is done by waybill-scan, a child that is told which manifests to
// read and gets nothing else; this package finds the database, checks that the
// answer covers every platform by digest, and judges. A child that crashes,
// takes too long or answers about something else is an error, never a pass.
//
// What the child found is the child's word: a layer that takes it over can hide
// its findings. It has no login and no network: the layers are served to it, and
// on Linux it confines itself as far as the kernel can.
package scan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Bounds of one scan.
const (
	// DefaultTimeout is for the child, all platforms and the baseline together.
	DefaultTimeout = 30 * time.Minute
	// maxImage is what the layers of one manifest may unpack to.
	maxImage = 64 << 30
	// maxMemory is what the child may use.
	maxMemory = 6 << 30
	// maxDisk is what its temporary files may have at one time: executables and
	// archives are written out to be read. A hosted runner has about 14 GB.
	maxDisk = 4 << 30
	// maxRatio is how many times its size a layer may unpack to, once it is beyond
	// freeRatio. Layers of real images have 2 to 5; gzip can do 1000.
	maxRatio  = 100
	freeRatio = 512 << 20
	// What a manifest has to have fewer of. The largest real images have a third. Two
	// platforms that come up to all of this with npm packages take 36 s of processor time
	// and 5.7 GB. A file that describes no package takes 25 µs, one with a package 0.2 to
	// 0.8 ms, and packages of the distribution a time by their square.
	maxFiles        = 1_000_000
	maxPackageFiles = 200_000
	maxPackages     = 100_000
	maxSystem       = 20_000
	maxArchives     = 10_000
	// maxArchiveDepth is how deep archives may lie within archives: real ones do 4.
	maxArchiveDepth = 10
)

// Platforms lists what an index holds.
type Platforms interface {
	Contents(ctx context.Context, ref imageref.Ref) (registry.Contents, error)
}

// Images lists what an index holds, and serves it to the child; internal/door/registry's
// Client does.
type Images interface {
	Platforms
	Gateway(ctx context.Context, manifests []imageref.Ref) (address string, stop func(), err error)
}

// Options of a scan.
type Options struct {
	Image    imageref.Ref
	Baseline imageref.Ref // zero compares with nothing
	// OnlyNew lets what the baseline has too refuse nothing.
	OnlyNew bool
	// Registry is the host that a login of the command line is for.
	Registry string
	// Layout is the directory of an OCI layout that Image is served from.
	Layout string
	// BOM is a CycloneDX document of Image as Result has it, from somebody who is
	// trusted. Its packages are matched in place of those of the layers, and secrets
	// are not looked for.
	BOM       string
	VEX       []string // files
	Threshold evidence.Threshold
	Secrets   evidence.Stance // what a secret in the image does
	Now       func() time.Time
	// JavaDatabase fetches the second database, which only images with JAR files
	// need.
	JavaDatabase func(ctx context.Context) (dir string, err error)
}

// Resolver finds the digest that a tag names; internal/door/registry's Client
// does.
type Resolver interface {
	Resolve(ctx context.Context, reference string) (imageref.Ref, error)
}

// Compare finds the image to compare with, by digest or by tag. A pull request
// compares with an image that may not be there, or may not be its to read: with
// OnlyNew the note says so, and every finding counts.
func (o *Options) Compare(ctx context.Context, r Resolver, reference string) (note string, err error) {
	switch {
	case reference == "" && o.OnlyNew:
		return "", outcome.Usagef("--only-new compares with an image: give --baseline")
	case reference == "":
		return "", nil
	case !o.OnlyNew:
		if o.Baseline, err = imageref.Parse(reference); err != nil {
			return "", outcome.Usagef("--baseline: %w (with --only-new a tag will do)", err)
		}
		return "", nil
	}
	if o.Baseline, err = r.Resolve(ctx, reference); err != nil {
		return fmt.Sprintf("every finding counts, because the image to compare with cannot be read: %v", err), ctx.Err()
	}
	return "", nil
}

// Parse reads the image, and the file of waivers. Empty texts are not given. An
// error names the flag.
func (o *Options) Parse(image, waivers string) (err error) {
	switch {
	case image != "" && o.Layout != "":
		return fmt.Errorf("which image? Give %s or --oci-layout, not both", image)
	case image == "" && o.Layout == "":
		return errors.New("which image? Give it by digest, REPOSITORY@sha256:…, or --oci-layout DIR; --running scans what runs")
	case o.Layout == "":
		if o.Image, err = imageref.Parse(image); err != nil {
			return err
		}
		o.Registry = o.Image.Registry()
	}
	if waivers != "" {
		if o.Threshold.Waivers, err = readWaivers(waivers); err != nil {
			return err
		}
	}
	for _, file := range o.VEX {
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("--vex: %w", err)
		}
	}
	return nil
}

// KeepBOM writes a bill of materials to where the child reads it, until remove. Nil is
// none.
func (o *Options) KeepBOM(bom []byte) (remove func(), err error) {
	if bom == nil {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "waybill-bom-")
	if err != nil {
		return nil, fmt.Errorf("keep the bill of materials: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	o.BOM = filepath.Join(dir, "bom.cdx.json")
	if err := os.WriteFile(o.BOM, bom, 0o600); err != nil {
		remove()
		return nil, fmt.Errorf("keep the bill of materials: %w", err)
	}
	return remove, nil
}

// Result is what a scan found, and the verdict.
type Result struct {
	Report    evidence.ScanReport
	CycloneDX []byte
	SPDX      []byte
	Blocking  []evidence.Finding // findings that refuse the image, worst first
	Leaking   bool               // whether secrets refuse the image
	Baseline  *Comparison        // nil without a baseline
	Documents string             // the artifact that Push pushed, by digest
}

// Comparison is what differs from the baseline image.
type Comparison struct {
	Image imageref.Ref
	New   []evidence.Finding
	Fixed []evidence.Finding
}

// Refused reports whether the threshold refuses the image.
func (r Result) Refused() bool { return len(r.Blocking) > 0 || r.Leaking }

// Scan scans every platform of the image, and of the baseline with it.
func Scan(ctx context.Context, images Images, database Database, child Child, o Options) (Result, error) {
	started := o.Now()
	request, err := newRequest(ctx, images, database, o, started)
	if err != nil {
		return Result{}, err
	}
	var manifests []imageref.Ref
	for _, image := range request.Images {
		for _, p := range image.Platforms {
			manifests = append(manifests, p.Ref)
		}
	}
	gateway, stop, err := images.Gateway(ctx, manifests)
	if err != nil {
		return Result{}, err
	}
	defer stop()
	request.Gateway = gateway
	answer, err := ask(ctx, child, request, o.JavaDatabase)
	if err != nil {
		return Result{}, err
	}
	waiveAll(answer, o.Threshold.Waivers, started)
	reports := make([]evidence.ScanReport, len(answer.Images))
	for i, image := range answer.Images {
		reports[i] = evidence.ScanReport{
			Schema: evidence.ScanSchema, Image: image.Ref.String(), Scanner: answer.Scanner, Database: database.Database,
			StartedAt: started.UTC(), FinishedAt: o.Now().UTC(), Platforms: image.Platforms,
			Checked: []string{evidence.CheckEndOfLife, evidence.CheckLicenses},
		}
		if o.BOM == "" {
			reports[i].Checked = append(reports[i].Checked, evidence.CheckMisconfiguration)
		}
		if request.Secrets {
			reports[i].Checked = append(reports[i].Checked, evidence.CheckSecrets)
		}
	}
	result := Result{
		Report: reports[0], CycloneDX: answer.Images[0].CycloneDX, SPDX: answer.Images[0].SPDX,
		Blocking: o.Threshold.Blocking(reports[0], started),
		Leaking:  o.Secrets == evidence.Refuse && len(reports[0].SecretLines()) > 0,
	}
	if len(reports) > 1 {
		added, fixed := evidence.CompareScans(reports[1], reports[0])
		result.Baseline = &Comparison{Image: o.Baseline, New: added, Fixed: fixed}
		if o.OnlyNew {
			result.Blocking = slices.DeleteFunc(result.Blocking, func(f evidence.Finding) bool {
				return !slices.ContainsFunc(added, func(n evidence.Finding) bool { return n.Key() == f.Key() })
			})
		}
	}
	if o.Layout != "" {
		result.Report.Image = filepath.ToSlash(o.Layout) + "@" + o.Image.Digest()
	}
	return result, nil
}

// ask runs the child, and once more with the database for JAR files where it
// finds that it needs it.
func ask(
	ctx context.Context, child Child, request exchange.Request, javaDatabase func(context.Context) (string, error),
) (exchange.Answer, error) {
	answer, err := child.Run(ctx, request)
	var failed *process.Error
	if !errors.As(err, &failed) || failed.Code != exchange.NeedsJavaDatabase {
		return answer, err
	}
	if javaDatabase == nil {
		return exchange.Answer{}, fmt.Errorf("the image has JAR files, and there is no database to tell what is in them: %w", err)
	}
	if request.JavaDatabaseDir, err = javaDatabase(ctx); err != nil {
		return exchange.Answer{}, fmt.Errorf("the image has JAR files: %w", err)
	}
	return child.Run(ctx, request)
}

func newRequest(ctx context.Context, platforms Platforms, database Database, o Options, at time.Time) (exchange.Request, error) {
	request := exchange.Request{
		Version: exchange.Version, DatabaseDir: database.Dir, At: at.UTC().Truncate(time.Second),
		Secrets: o.Secrets != evidence.Off && o.BOM == "",
		Limits: exchange.Limits{
			ImageBytes: maxImage, MemoryBytes: maxMemory, DiskBytes: maxDisk, Ratio: maxRatio, RatioFree: freeRatio,
			Files: maxFiles, PackageFiles: maxPackageFiles, Packages: maxPackages, System: maxSystem,
			Archives: maxArchives, ArchiveDepth: maxArchiveDepth,
		},
	}
	for i, ref := range []imageref.Ref{o.Image, o.Baseline} {
		if ref.IsZero() {
			continue
		}
		contents, err := platforms.Contents(ctx, ref)
		if err != nil {
			return exchange.Request{}, err
		}
		if err := complete(ref, contents); err != nil {
			return exchange.Request{}, err
		}
		image := exchange.Image{Ref: ref, SBOM: i == 0 && o.BOM == ""}
		if i == 0 {
			image.BOM = o.BOM
		}
		for _, p := range contents.Platforms {
			image.Platforms = append(image.Platforms, exchange.Platform{Platform: p.Platform, Ref: p.Ref})
		}
		request.Images = append(request.Images, image)
	}
	if len(request.Images) == 0 {
		return exchange.Request{}, errors.New("no image to scan")
	}
	for _, file := range o.VEX {
		path, err := filepath.Abs(file)
		if err != nil {
			return exchange.Request{}, fmt.Errorf("find the VEX document %s: %w", file, err)
		}
		request.VEX = append(request.VEX, path)
	}
	return request, nil
}

// complete reports whether the platforms are all that somebody could run of the
// image. A manifest without platform is none that a scan would list, but a
// container runtime reads its configuration and runs it.
func complete(ref imageref.Ref, contents registry.Contents) error {
	if len(contents.Platforms) == 0 {
		return fmt.Errorf("%s has no platform that could be scanned", ref)
	}
	for _, digest := range contents.Manifests {
		if !slices.ContainsFunc(contents.Platforms, func(p registry.Platform) bool { return p.Ref.Digest() == digest }) {
			return fmt.Errorf("the index %s holds %s, which names no platform and so cannot be judged (and is no attestation of "+
				"BuildKit): build it again, with a platform for every manifest",
				ref, digest)
		}
	}
	return nil
}

// waiveAll writes the reason of a waiver in force onto the findings it covers,
// so that the report says what was accepted and why.
func waiveAll(answer exchange.Answer, waivers []evidence.Waiver, now time.Time) {
	for _, image := range answer.Images {
		for _, p := range image.Platforms {
			for i, f := range p.Findings {
				for _, w := range waivers {
					if f.Waived == "" && w.Covers(f, now) {
						p.Findings[i].Waived = fmt.Sprintf("waived until %s: %s", text.Day(w.Expires), w.Reason)
					}
				}
			}
		}
	}
}
