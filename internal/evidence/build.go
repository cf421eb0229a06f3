package evidence

import (
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/internal/strictjson"
)

// Types of the OCI artifacts in which documents travel between jobs, and the
// names of the files in them.
const (
	ArtifactScan     = "application/vnd.waybill.scan.v1"     // what `scan --documents` pushes
	ArtifactBinaries = "application/vnd.waybill.binaries.v1" // what `compile` hands to `build`
	ArtifactBuild    = "application/vnd.waybill.build.v1"    // what `build` pushes as its record

	FileReport    = "report.json"    // ScanReport, in ArtifactScan
	FileCycloneDX = "sbom.cdx.json"  // CycloneDX 1.x, in ArtifactScan
	FileSPDX      = "sbom.spdx.json" // SPDX 2.3, in ArtifactScan
	FileBuild     = "build.json"     // BuildRecord, in ArtifactBuild
)

// BuildSchema names the form of BuildRecord.
const BuildSchema = "https://waybill.dev/build/v1"

// BuildRecord is how an image was built, as `build` saw it. It is the document
// between build and sign, and becomes the SLSA provenance. It holds no secret:
// build secrets are named nowhere in it.
type BuildRecord struct {
	Schema     string            `json:"schema"`          // BuildSchema
	Image      string            `json:"image,omitempty"` // REPOSITORY@sha256:… of the index; empty for a build that was not pushed
	Digest     string            `json:"digest"`          // sha256:HEX of the index
	Platforms  map[string]string `json:"platforms"`       // linux/arm64 → sha256:HEX of the manifest
	Engine     string            `json:"engine"`          // buildkit or assemble
	Version    string            `json:"version"`         // of Waybill
	Dockerfile Dockerfile        `json:"dockerfile"`
	Context    string            `json:"context"`             // relative to the source repository's root
	Target     string            `json:"target,omitempty"`    // stage; empty is the last one
	BuildArgs  map[string]string `json:"buildArgs,omitempty"` // never secrets
	BaseImages []BaseImage       `json:"baseImages,omitempty"`
	Binaries   string            `json:"binaries,omitempty"` // REPOSITORY@sha256:… of what `compile` made of the source
	Prepared   string            `json:"prepared,omitempty"` // sha256:HEX of the files that another job of the run has made
	Source     Source            `json:"source"`
	StartedAt  time.Time         `json:"startedAt"`
	FinishedAt time.Time         `json:"finishedAt"`
}

// Dockerfile is the recipe that was built.
type Dockerfile struct {
	Path   string `json:"path"`   // relative to the source repository's root
	Digest string `json:"digest"` // sha256:HEX of its bytes
}

// BaseImage is an image that the build started from or copied out of.
type BaseImage struct {
	Name   string `json:"name"`   // as the Dockerfile has it, tag included: gcr.io/distroless/static:nonroot
	Digest string `json:"digest"` // sha256:HEX that the name had then
}

// Source is where the built files come from. Fields are empty where git or the
// job does not say.
type Source struct {
	Repository string `json:"repository,omitempty"` // https://github.com/OWNER/NAME
	Commit     string `json:"commit,omitempty"`     // 40 hexadecimal digits
	Ref        string `json:"ref,omitempty"`        // refs/heads/main
	Dirty      bool   `json:"dirty,omitempty"`      // files differ from the commit

	CommittedAt time.Time `json:"committedAt,omitzero"` // the committer's word
}

// ParseBuildRecord reads a build record and refuses one of another form.
func ParseBuildRecord(data []byte) (BuildRecord, error) {
	var r BuildRecord
	if err := strictjson.Unmarshal(data, &r); err != nil {
		return BuildRecord{}, fmt.Errorf("read build record: %w", err)
	}
	if r.Schema != BuildSchema {
		return BuildRecord{}, fmt.Errorf("read build record: its schema is %q, not %s", r.Schema, BuildSchema)
	}
	if r.Digest == "" {
		return BuildRecord{}, errors.New("read build record: it names no image digest")
	}
	return r, nil
}

// ParseScanReport reads a scan report and refuses one of another form.
func ParseScanReport(data []byte) (ScanReport, error) {
	var r ScanReport
	if err := strictjson.Unmarshal(data, &r); err != nil {
		return ScanReport{}, fmt.Errorf("read scan report: %w", err)
	}
	if r.Schema != ScanSchema {
		return ScanReport{}, fmt.Errorf("read scan report: its schema is %q, not %s", r.Schema, ScanSchema)
	}
	if err := r.normalise(); err != nil {
		return ScanReport{}, fmt.Errorf("read scan report: %w", err)
	}
	return r, nil
}
