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

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// applyVEX moves the findings that the documents excuse to the modified ones.
// OpenVEX and CSAF are Trivy's; CycloneDX it applies only to the SBOM that such
// a document names, so that form is read here.
//
// A statement is about a product: users have the digest of the index, others
// have that of a platform, and some name the repository alone. Trivy compares
// with the digest that it scanned, so it is asked with both.
func applyVEX(ctx context.Context, report *types.Report, target vexTarget, paths []string) error {
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
		excuse(report, target.platform.Platform, bom, path)
	}
	if len(sources) == 0 {
		return nil
	}
	own := report.Metadata.RepoDigests
	defer func() { report.Metadata.RepoDigests = own }()
	digests := []string{target.platform.Ref.String()}
	if target.whole != target.platform.Ref {
		digests = append(digests, target.whole.String())
	}
	for _, digest := range digests {
		report.Metadata.RepoDigests = []string{digest}
		if err := vex.Filter(ctx, report, vex.Options{Sources: sources}); err != nil {
			return fmt.Errorf("apply the VEX documents: %w", err)
		}
	}
	return nil
}

// vexTarget is what a statement may be about.
type vexTarget struct {
	whole    imageref.Ref // the index, or the single manifest
	platform exchange.Platform
}

// unusedVEX warns of statements that would excuse a finding of the first image
// and excuse none: a product that is not this image is easily named, and nothing
// else would say so.
func unusedVEX(request exchange.Request, reports [][]types.Report) error {
	if len(reports) == 0 {
		return nil
	}
	found, excused := make(map[string]bool), make(map[string]bool)
	for _, report := range reports[0] {
		for _, result := range report.Results {
			for _, v := range result.Vulnerabilities {
				found[v.VulnerabilityID] = true
			}
			for _, m := range result.ModifiedFindings {
				if v, ok := m.Finding.(types.DetectedVulnerability); ok {
					excused[m.Source+" "+v.VulnerabilityID] = true
				}
			}
		}
	}
	for _, path := range request.VEX {
		statements, err := excusingStatements(path)
		if err != nil {
			return err
		}
		for _, s := range statements {
			if found[s.id] && !excused[path+" "+s.id] {
				fmt.Fprintf(os.Stderr, "warning: the VEX document %s says of %s that %s, and this excuses no finding of %s: it names %s\n",
					path, s.id, s.status, request.Images[0].Ref, strings.Join(s.products, ", "))
			}
		}
	}
	return nil
}

type vexStatement struct {
	id, status string
	products   []string
}

// excusingStatements lists the statements of an OpenVEX or CycloneDX document
// that could excuse a finding.
func excusingStatements(path string) ([]vexStatement, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the VEX document: %w", err)
	}
	var doc struct {
		Statements []struct {
			Vulnerability json.RawMessage `json:"vulnerability"`
			Status        string          `json:"status"`
			Products      []struct {
				ID string `json:"@id"`
			} `json:"products"`
		} `json:"statements"`
		Vulnerabilities []struct {
			ID       string `json:"id"`
			Analysis struct {
				State cdx.ImpactAnalysisState `json:"state"`
			} `json:"analysis"`
			Affects []cdx.Affects `json:"affects"`
		} `json:"vulnerabilities"`
	}
	if json.Unmarshal(data, &doc) != nil {
		return nil, nil // Trivy reads other forms too
	}
	var statements []vexStatement
	for _, s := range doc.Statements {
		if s.Status != "not_affected" && s.Status != "fixed" {
			continue
		}
		is := vexStatement{status: s.Status}
		var name struct {
			Name string `json:"name"`
		}
		if json.Unmarshal(s.Vulnerability, &name) == nil {
			is.id = name.Name
		} else {
			_ = json.Unmarshal(s.Vulnerability, &is.id) // as OpenVEX wrote it before 0.2
		}
		for _, p := range s.Products {
			is.products = append(is.products, p.ID)
		}
		statements = append(statements, is)
	}
	for _, v := range doc.Vulnerabilities {
		if _, excuses := excusing[v.Analysis.State]; !excuses {
			continue
		}
		is := vexStatement{id: v.ID, status: string(v.Analysis.State)}
		for _, a := range v.Affects {
			is.products = append(is.products, a.Ref)
		}
		statements = append(statements, is)
	}
	return statements, nil
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

// affects reports whether a statement is about the package: by its package URL,
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
