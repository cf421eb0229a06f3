//go:build goexperiment.jsonv2

package trivy

import (
	"cmp"
	"slices"
	"strings"

	ftypes "github.com/aquasecurity/trivy/pkg/fanal/types"
	"github.com/aquasecurity/trivy/pkg/scan/utils"
	"github.com/aquasecurity/trivy/pkg/types"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// platformScan puts Trivy's results into our words, each package and finding
// once, in an order that depends on nothing else.
func platformScan(p exchange.Platform, report types.Report, secrets []evidence.Secret) evidence.PlatformScan {
	scan := evidence.PlatformScan{
		Platform: p.Platform, Digest: p.Ref.Digest(), Packages: []evidence.Package{}, Findings: []evidence.Finding{}, Secrets: secrets,
	}
	if report.Metadata.OS != nil && report.Metadata.OS.Family != "none" {
		scan.EndOfLife = report.Metadata.OS.Eosl
		scan.OS = strings.TrimSpace(string(report.Metadata.OS.Family) + " " + report.Metadata.OS.Name)
	}
	if p.Platform != "" && !strings.HasPrefix(p.Platform, "windows/") && report.Metadata.ImageConfig.RootFS.Type != "" {
		scan.Misconfigurations = misconfigurations(report.Metadata.ImageConfig)
	}
	for _, result := range report.Results {
		for _, pkg := range result.Packages {
			scan.Packages = append(scan.Packages, evidence.Package{
				Name: pkg.Name, Version: utils.FormatVersion(pkg), Type: string(result.Type), PURL: purl(pkg.Identifier),
				Licenses: pkg.Licenses,
			})
		}
		for _, v := range result.Vulnerabilities {
			scan.Findings = append(scan.Findings, finding(result, v, ""))
		}
		for _, m := range result.ModifiedFindings {
			if v, ok := m.Finding.(types.DetectedVulnerability); ok {
				scan.Findings = append(scan.Findings, finding(result, v, waivedBy(m)))
			}
		}
	}
	slices.SortFunc(scan.Packages, func(a, b evidence.Package) int {
		return cmp.Or(
			cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version),
			cmp.Compare(a.PURL, b.PURL), slices.Compare(a.Licenses, b.Licenses),
		)
	})
	scan.Packages = slices.CompactFunc(scan.Packages, func(a, b evidence.Package) bool {
		return a.Name == b.Name && a.Version == b.Version && a.Type == b.Type && a.PURL == b.PURL && slices.Equal(a.Licenses, b.Licenses)
	})
	slices.SortFunc(scan.Findings, func(a, b evidence.Finding) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Version, b.Version),
			cmp.Compare(a.Target, b.Target), cmp.Compare(a.PURL, b.PURL), cmp.Compare(
				a.FixedVersion, b.FixedVersion,
			), cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Waived, b.Waived))
	})
	scan.Findings = slices.CompactFunc(scan.Findings, func(a, b evidence.Finding) bool {
		return a.ID == b.ID && a.Package == b.Package && a.Version == b.Version && a.Target == b.Target &&
			a.FixedVersion == b.FixedVersion && a.Severity == b.Severity && a.PURL == b.PURL
	})
	return scan
}

func finding(result types.Result, v types.DetectedVulnerability, waived string) evidence.Finding {
	target := v.PkgPath
	if target == "" && result.Class != types.ClassOSPkg {
		target = result.Target
	}
	return evidence.Finding{
		ID: v.VulnerabilityID, Package: v.PkgName, PURL: purl(v.PkgIdentifier), Version: v.InstalledVersion,
		FixedVersion: v.FixedVersion, Severity: severity(v.Severity), Title: v.Title, URL: v.PrimaryURL,
		Target: target, Status: v.Status.String(), Waived: waived,
	}
}

func severity(text string) evidence.Severity {
	s := evidence.Severity(strings.ToLower(text))
	if !slices.Contains(evidence.Severities(), s) {
		return evidence.Unknown
	}
	return s
}

func purl(id ftypes.PkgIdentifier) string {
	if id.PURL == nil {
		return ""
	}
	return id.PURL.String()
}

func waivedBy(m types.ModifiedFinding) string {
	reason := evidence.VEXPrefix + string(m.Status)
	if m.Statement != "" {
		reason += ": " + m.Statement
	}
	return reason
}
