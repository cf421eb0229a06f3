package scan

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/text"
)

// The part of SARIF 2.1.0 that code scanning reads.
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool              sarifTool         `json:"tool"`
		AutomationDetails sarifAutomation   `json:"automationDetails"`
		Results           []sarifResult     `json:"results"`
		Properties        map[string]string `json:"properties"`
	}
	sarifAutomation struct {
		ID string `json:"id"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		FullName       string      `json:"fullName"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string         `json:"id"`
		Name             string         `json:"name"`
		ShortDescription sarifMessage   `json:"shortDescription"`
		FullDescription  sarifMessage   `json:"fullDescription"`
		HelpURI          string         `json:"helpUri,omitempty"`
		Properties       map[string]any `json:"properties"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		RuleIndex           int               `json:"ruleIndex"`
		Level               string            `json:"level"`
		Message             sarifMessage      `json:"message"`
		Locations           []sarifLocation   `json:"locations"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
)

// What code scanning takes, and shows, of one upload.
// https://docs.github.com/en/code-security/code-scanning/troubleshooting-sarif-uploads/results-exceed-limit
const (
	sarifRuns    = 20
	sarifResults = 5000
)

// SARIF is the report for GitHub's code scanning: a run for each platform, in a
// category of its own, so that images and platforms do not close each other's alerts;
// in a run a rule for each vulnerability, and a result for each package that has it.
// Waived findings are left out: code scanning knows no suppressions, and closes the
// alert of what is no longer found. Alerts point at a file of the repository, such as
// the Dockerfile; if none is given, at the path in the image.
func (r Result) SARIF(file string) ([]byte, error) {
	repository, _, _ := strings.Cut(r.Report.Image, "@")
	var runs []sarifRun
	on := r.platforms()
	parts := make(map[string][]evidence.PlatformScan) // an index may name a platform twice, and code scanning a category once
	for _, p := range r.Report.Platforms {
		parts[p.Platform] = append(parts[p.Platform], p)
	}
	if len(parts) > sarifRuns {
		parts = map[string][]evidence.PlatformScan{"all": r.Report.Platforms}
	}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		runs = append(runs, r.sarifRun(repository+"/"+name, file, parts[name], on))
	}
	data, err := json.MarshalIndent(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: runs,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write SARIF: %w", err)
	}
	return append(data, '\n'), nil
}

// sarifRun is the run of one category. on says on which platforms a finding is.
func (r Result) sarifRun(category, file string, platforms []evidence.PlatformScan, on map[string][]string) sarifRun {
	run := sarifRun{
		Tool: sarifTool{Driver: sarifDriver{
			Name: "Waybill", FullName: "Waybill with Trivy " + r.Report.Scanner.Version,
			InformationURI: "https://github.com/waybill-dev/waybill", Rules: []sarifRule{},
		}},
		AutomationDetails: sarifAutomation{ID: "waybill/" + category + "/"}, // all before the last slash is the category
		Results:           []sarifResult{},
		Properties:        map[string]string{"image": r.Report.Image, "database": r.Report.Database.Digest},
	}
	index := make(map[string]int)
	for _, f := range (evidence.ScanReport{Platforms: platforms}).Distinct() { // the worst first
		if f.Waived != "" {
			continue
		}
		if len(run.Results) == sarifResults {
			break
		}
		i, known := index[f.ID]
		if !known {
			i = len(run.Tool.Driver.Rules)
			index[f.ID] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule(f))
		}
		run.Results = append(run.Results, r.sarifResult(f, i, file, on[f.Key()]))
	}
	return run
}

func rule(f evidence.Finding) sarifRule {
	title := f.Title
	if title == "" {
		title = f.ID
	}
	made := sarifRule{
		ID: f.ID, Name: "Vulnerability", ShortDescription: sarifMessage{plain(title)}, FullDescription: sarifMessage{plain(title)},
		Properties: map[string]any{
			"security-severity": score(f.Severity), "tags": []string{"vulnerability", "security", string(f.Severity)},
		},
	}
	if strings.HasPrefix(f.URL, "https://") {
		made.HelpURI = f.URL
	}
	return made
}

func (r Result) sarifResult(f evidence.Finding, ruleIndex int, file string, on []string) sarifResult {
	place, uri := "", location(f)
	if file != "" {
		place, uri = ", at "+f.Target, (&url.URL{Path: file}).EscapedPath()
		if f.Target == "" {
			place = ""
		}
	}
	return sarifResult{
		RuleID: f.ID, RuleIndex: ruleIndex, Level: level(f.Severity),
		Message: sarifMessage{plain(fmt.Sprintf(
			"%s: %s (%s) on %s in %s%s", f.ID, describe(f), f.Severity, strings.Join(on, ", "), r.Report.Image, place,
		))},
		Locations: []sarifLocation{{sarifPhysical{
			ArtifactLocation: sarifArtifact{uri}, Region: sarifRegion{StartLine: 1},
		}}},
		PartialFingerprints: map[string]string{"waybillFinding/v1": f.Key()},
	}
}

// location is a path, which code scanning insists on: the file in the image, or
// the package where the distribution's database is the place.
func location(f evidence.Finding) string {
	path := strings.TrimLeft(f.Target, "/")
	if path == "" {
		path = "packages/" + f.Package
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// plain keeps a message plain: SARIF reads [text](target) in one as a link.
func plain(words string) string {
	return strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(text.OneLine(words))
}

func level(s evidence.Severity) string {
	switch s {
	case evidence.Critical, evidence.High:
		return "error"
	case evidence.Medium:
		return "warning"
	default:
		return "note"
	}
}

// score is within the range that code scanning shows as the same word.
// https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#reportingdescriptor-object
func score(s evidence.Severity) string {
	switch s {
	case evidence.Critical:
		return "9.5"
	case evidence.High:
		return "8.0"
	case evidence.Medium:
		return "5.5"
	case evidence.Low:
		return "2.0"
	default:
		return "0.0"
	}
}
