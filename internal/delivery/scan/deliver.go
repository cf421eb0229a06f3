package scan

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Files says where the reports are written. An empty path writes none.
type Files struct {
	Report, SARIF, CycloneDX, SPDX string
	Alerts                         string // file of the repository that SARIF points at; see Result.SARIF
}

// JSON is the report as a document.
func (r Result) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(r.Report, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return append(data, '\n'), nil
}

// Write writes the reports, of a refused image too: a refusal is a result that
// gets its record.
func (r Result) Write(f Files) error {
	report, err := r.JSON()
	if err != nil {
		return err
	}
	sarif, err := r.SARIF(f.Alerts)
	if err != nil {
		return err
	}
	for path, data := range map[string][]byte{f.Report: report, f.SARIF: sarif, f.CycloneDX: r.CycloneDX, f.SPDX: r.SPDX} {
		if path == "" {
			continue
		}
		if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // reports are for others to read
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return nil
}

// Push pushes report and SBOMs as one untagged artifact beside the image.
func (r *Result) Push(ctx context.Context, client *registry.Client) error {
	report, err := r.JSON()
	if err != nil {
		return err
	}
	image, err := imageref.Parse(r.Report.Image)
	if err != nil {
		return err
	}
	ref, err := client.PushDocuments(ctx, image.Name(), evidence.ArtifactScan, []registry.Document{
		{Name: evidence.FileReport, MediaType: "application/json", Data: report},
		{Name: evidence.FileCycloneDX, MediaType: "application/vnd.cyclonedx+json", Data: r.CycloneDX},
		{Name: evidence.FileSPDX, MediaType: "application/spdx+json", Data: r.SPDX},
	})
	r.Documents = ref.String()
	return err
}
