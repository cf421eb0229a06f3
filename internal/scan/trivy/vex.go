//go:build goexperiment.jsonv2

package trivy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/aquasecurity/trivy/pkg/types"
	"github.com/aquasecurity/trivy/pkg/vex"
)

// applyVEX moves the findings that the documents excuse to the modified ones.
// OpenVEX and CSAF are Trivy's; CycloneDX it applies only to the SBOM that such
// a document names, so that form is read here.
func applyVEX(ctx context.Context, report *types.Report, platform string, paths []string) error {
	var sources []vex.Source
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the VEX document: %w", err)
		}
		var kind struct {
			BOMFormat string `json:"bomFormat"`
		}
		if json.Unmarshal(data, &kind) != nil || kind.BOMFormat != cdx.BOMFormat {
			sources = append(sources, vex.Source{Type: vex.TypeFile, FilePath: path})
			continue
		}
		var bom cdx.BOM
		if err := json.Unmarshal(data, &bom); err != nil {
			return fmt.Errorf("read the VEX document %s: %w", path, err)
		}
		excuse(report, platform, bom, path)
	}
	if len(sources) == 0 {
		return nil
	}
	if err := vex.Filter(ctx, report, vex.Options{Sources: sources}); err != nil {
		return fmt.Errorf("apply the VEX documents: %w", err)
	}
	return nil
}

// excusing are the states of a CycloneDX analysis that excuse a finding.
// https://cyclonedx.org/docs/1.6/json/#vulnerabilities_items_analysis_state
var excusing = map[cdx.ImpactAnalysisState]types.FindingStatus{
	cdx.IASNotAffected:          types.FindingStatusNotAffected,
	cdx.IASFalsePositive:        types.FindingStatusNotAffected,
	cdx.IASResolved:             types.FindingStatusFixed,
	cdx.IASResolvedWithPedigree: types.FindingStatusFixed,
}

func excuse(report *types.Report, platform string, bom cdx.BOM, source string) {
	if bom.Vulnerabilities == nil {
		return
	}
	for _, statement := range *bom.Vulnerabilities {
		if statement.Analysis == nil || statement.Affects == nil {
			continue
		}
		status, excuses := excusing[statement.Analysis.State]
		if !excuses {
			continue
		}
		reason := string(statement.Analysis.Justification)
		if statement.Analysis.Detail != "" {
			reason = strings.TrimPrefix(reason+": "+statement.Analysis.Detail, ": ")
		}
		for i := range report.Results {
			result := &report.Results[i]
			result.Vulnerabilities = slices.DeleteFunc(result.Vulnerabilities, func(v types.DetectedVulnerability) bool {
				if v.VulnerabilityID != statement.ID || !affects(*statement.Affects, platform, purl(v.PkgIdentifier)) {
					return false
				}
				result.ModifiedFindings = append(result.ModifiedFindings, types.NewModifiedFinding(v, status, reason, source))
				return true
			})
		}
	}
}

// affects says whether a statement is about the package: by its package URL,
// with or without qualifiers, or by a BOM link that ends in one. The components
// of our own SBOM carry their platform, and so a statement about one of them
// excuses that platform alone.
// https://cyclonedx.org/capabilities/bomlink/
func affects(list []cdx.Affects, platform, packageURL string) bool {
	if packageURL == "" {
		return false
	}
	bare, _, _ := strings.Cut(packageURL, "?")
	return slices.ContainsFunc(list, func(a cdx.Affects) bool {
		ref := a.Ref
		if strings.HasPrefix(ref, "urn:cdx:") {
			_, fragment, _ := strings.Cut(ref, "#")
			ref = fragment
			if unescaped, err := url.PathUnescape(fragment); err == nil {
				ref = unescaped
			}
		}
		ref = strings.TrimPrefix(ref, platform+"#")
		return ref == packageURL || ref == bare
	})
}
