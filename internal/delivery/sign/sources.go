package sign

import (
	"context"
	"encoding/json"
	"os"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Sources names what is to be attested: files, or artifacts that earlier jobs
// pushed. Empty names nothing.
type Sources struct {
	SBOMs                  []string
	ScanReport, Provenance string
	Documents, BuildRecord string // artifacts, by digest
}

// BuilderOf is who built, as far as this job can tell: the certificate's
// workflow, otherwise the job's own.
func BuilderOf(signer evidence.Signer, server, workflow, run string) evidence.Builder {
	b := evidence.Builder{ID: signer.Identity, InvocationID: run}
	if b.ID == "" && workflow != "" {
		b.ID = server + "/" + workflow
	}
	if b.ID == "" {
		b.ID = "https://waybill.dev/builder/local"
	}
	return b
}

// Read reads the sources into the options, and sees that the image is there.
func (o *Options) Read(ctx context.Context, client *registry.Client, s Sources) error {
	if s.Documents != "" && (len(s.SBOMs) > 0 || s.ScanReport != "") {
		return outcome.Usagef("--documents stands in place of --sbom and --scan-report: give one or the other")
	}
	if s.BuildRecord != "" && s.Provenance != "" {
		return outcome.Usagef("--build-record stands in place of --provenance: give one or the other")
	}
	for _, path := range s.SBOMs {
		if err := o.readFile("--sbom", path, evidence.FileCycloneDX); err != nil {
			return err
		}
	}
	if err := o.readFile("--scan-report", s.ScanReport, evidence.FileReport); err != nil {
		return err
	}
	if err := o.readFile("--provenance", s.Provenance, evidence.FileBuild); err != nil {
		return err
	}
	if err := o.readArtifact(ctx, client, s.Documents, evidence.ArtifactScan); err != nil {
		return err
	}
	if err := o.readArtifact(ctx, client, s.BuildRecord, evidence.ArtifactBuild); err != nil {
		return err
	}
	return o.look(ctx, client)
}

// readFile reads a file as if it were the file of an artifact of that name.
func (o *Options) readFile(flag, path, as string) error {
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return outcome.Usagef("read %s: %w", flag, err)
	}
	if err := o.add(as, data); err != nil {
		return outcome.Usagef("%s: %w", path, err)
	}
	return nil
}

func (o *Options) readArtifact(ctx context.Context, client *registry.Client, reference, artifactType string) error {
	if reference == "" {
		return nil
	}
	ref, err := imageref.Parse(reference)
	if err != nil {
		return outcome.Usagef("%w", err)
	}
	documents, err := client.Documents(ctx, ref, artifactType)
	if err != nil {
		return err
	}
	for _, d := range documents {
		if err := o.add(d.Name, d.Data); err != nil {
			return outcome.Usagef("%s of %s: %w", d.Name, ref, err)
		}
	}
	return nil
}

func (o *Options) add(file string, data []byte) error {
	switch file {
	case evidence.FileReport:
		report, err := evidence.ParseScanReport(data)
		if err != nil {
			return err
		}
		o.Scan = &report
	case evidence.FileBuild:
		record, err := evidence.ParseBuildRecord(data)
		if err != nil {
			return err
		}
		o.Build = &record
	case evidence.FileCycloneDX, evidence.FileSPDX:
		o.SBOMs = append(o.SBOMs, json.RawMessage(data))
	}
	return nil
}
