// Package exchange is what waybill and waybill-scan say to each other: one JSON
// request on the child's standard input, one answer on its standard output, which
// is JSON with the documents behind it.
//
// The child parses hostile layers, so its answer is data to check, never to
// trust beyond what Check can see: it has to be about exactly the manifests
// that were asked for. What the child found in them is its word alone.
package exchange

import (
	"fmt"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Version of the exchange. The two binaries are released together; another
// version means that they are not of the same release.
const Version = 5

// NeedsJavaDatabase is the child's exit code where an image has JAR files, and
// the request no database to tell what is in them. That one is ten times as
// large as the other, and most images need it not.
const NeedsJavaDatabase = 10

// Failure begins the line on the child's stderr that says why it failed. It is the
// last word of the child, and the whole of its parent's error.
const Failure = "failed: "

// Request says what to scan, and how far to go.
type Request struct {
	Version int     `json:"version"`
	Images  []Image `json:"images"` // every layer of all of them is read once
	// Registry is the host that the credentials are for.
	Registry    string `json:"registry"`
	DatabaseDir string `json:"databaseDir"`
	// JavaDatabaseDir holds the directory java-db. Without it an image with a
	// JAR file is answered with the exit code NeedsJavaDatabase.
	JavaDatabaseDir string    `json:"javaDatabaseDir,omitempty"`
	VEX             []string  `json:"vex,omitempty"` // absolute paths of VEX documents
	At              time.Time `json:"at"`            // the time that the SBOMs carry
	Secrets         bool      `json:"secrets"`       // whether secrets are looked for
	Limits          Limits    `json:"limits"`
}

// Image is an index, or a single manifest, and its platforms.
type Image struct {
	Ref       imageref.Ref `json:"ref"`
	Platforms []Platform   `json:"platforms"`
	SBOM      bool         `json:"sbom"` // whether the documents are wanted
	// BOM is the absolute path of a CycloneDX document of the image, as Result
	// has it. Its packages are matched, and no layer is read.
	BOM string `json:"bom,omitempty"`
}

// Platform is one manifest to scan.
type Platform struct {
	Platform string       `json:"platform"`
	Ref      imageref.Ref `json:"ref"`
}

// Limits bound what a hostile image can cost.
type Limits struct {
	ImageBytes  int64 `json:"imageBytes"`  // unpacked layers of one manifest
	MemoryBytes int64 `json:"memoryBytes"` // of the child
	DiskBytes   int64 `json:"diskBytes"`   // temporary files at one time

	// A layer may unpack to Ratio times its size, and to RatioFree bytes anyway.
	Ratio     int64 `json:"ratio"`
	RatioFree int64 `json:"ratioFree"`

	// What one manifest has to have fewer of. Zero is no limit.
	Files        int64 `json:"files"`
	PackageFiles int64 `json:"packageFiles"` // files that describe packages; without a limit of them, none of their size
	Packages     int64 `json:"packages"`
	System       int64 `json:"system"`   // packages of the distribution
	Archives     int64 `json:"archives"` // JAR files and the like, at every depth
	// ArchiveDepth is how deep archives may lie within archives.
	ArchiveDepth int64 `json:"archiveDepth"`
}

// Answer is what was found, images and platforms in the order of the request.
type Answer struct {
	Version int              `json:"version"`
	Scanner evidence.Scanner `json:"scanner"`
	Images  []Result         `json:"images"`
}

// Result is what was found in one image.
type Result struct {
	Ref       imageref.Ref            `json:"ref"`
	Platforms []evidence.PlatformScan `json:"platforms"`

	Documents `json:"-"`
}

// Check reports whether the answer is about what was asked: the same images, every
// platform of each, by digest, and the documents where they were wanted.
func (a Answer) Check(r Request) error {
	if a.Version != Version {
		return fmt.Errorf(
			"the answer has version %d, this is version %d: waybill and waybill-scan are not of the same release", a.Version,
			Version,
		)
	}
	if a.Scanner.Name == "" || a.Scanner.Version == "" {
		return fmt.Errorf("the answer does not say what scanned")
	}
	if len(a.Images) != len(r.Images) {
		return fmt.Errorf("the answer has %d images, %d were asked for", len(a.Images), len(r.Images))
	}
	for i, asked := range r.Images {
		if err := a.Images[i].check(asked); err != nil {
			return err
		}
	}
	return nil
}

func (r Result) check(asked Image) error {
	if r.Ref != asked.Ref {
		return fmt.Errorf("the answer is about %s, not %s", r.Ref, asked.Ref)
	}
	if len(r.Platforms) != len(asked.Platforms) {
		return fmt.Errorf("the answer has %d platforms of %s, %d were asked for", len(r.Platforms), asked.Ref.Short(), len(asked.Platforms))
	}
	for i, p := range asked.Platforms {
		got := r.Platforms[i]
		if got.Platform != p.Platform || got.Digest != p.Ref.Digest() {
			return fmt.Errorf(
				"the answer lacks %s (%s) of %s: it has %s (%s) in its place", p.Platform, p.Ref.Short(), asked.Ref.Short(),
				got.Platform, imageref.ShortDigest(got.Digest),
			)
		}
		if slices.ContainsFunc(got.Secrets, func(s evidence.Secret) bool { return s.Rule == "" || s.Target == "" }) {
			return fmt.Errorf("the answer has a secret without rule or place in %s", p.Platform)
		}
		for _, f := range got.Findings {
			if f.ID == "" || f.Package == "" {
				return fmt.Errorf("the answer has a finding without id or package in %s", p.Platform)
			}
			if !slices.Contains(evidence.Severities(), f.Severity) {
				return fmt.Errorf("the answer gives %.100s in %s the severity %.50q, which is none", f.ID, p.Platform, f.Severity)
			}
		}
	}
	if asked.SBOM && (len(r.CycloneDX) == 0 || len(r.SPDX) == 0) {
		return fmt.Errorf("the answer lacks the SBOM of %s", asked.Ref.Short())
	}
	return nil
}
