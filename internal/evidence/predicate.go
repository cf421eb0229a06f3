package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// BuildType is the buildType of Waybill's provenance; the parameters are those
// of BuildRecord.
const BuildType = BuildSchema

// Builder is who built, for the provenance: it comes from the job, not from
// the build record, which any step can write.
type Builder struct {
	ID           string // the workflow, as the signer's certificate names it
	InvocationID string // page of the run
}

// provenance is SLSA v1: https://slsa.dev/spec/v1.0/provenance
type provenance struct {
	BuildDefinition struct {
		BuildType            string          `json:"buildType"`
		ExternalParameters   provenanceInput `json:"externalParameters"`
		InternalParameters   map[string]any  `json:"internalParameters,omitempty"`
		ResolvedDependencies []dependency    `json:"resolvedDependencies,omitempty"`
	} `json:"buildDefinition"`
	RunDetails struct {
		Builder struct {
			ID      string            `json:"id"`
			Version map[string]string `json:"version,omitempty"`
		} `json:"builder"`
		Metadata struct {
			InvocationID string    `json:"invocationId,omitempty"`
			StartedOn    time.Time `json:"startedOn,omitzero"`
			FinishedOn   time.Time `json:"finishedOn,omitzero"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

type provenanceInput struct {
	Source     Source            `json:"source"`
	Dockerfile string            `json:"dockerfile"`
	Context    string            `json:"context"`
	Target     string            `json:"target,omitempty"`
	Platforms  []string          `json:"platforms,omitempty"`
	BuildArgs  map[string]string `json:"buildArgs,omitempty"`
}

type dependency struct {
	URI         string            `json:"uri,omitempty"`
	Name        string            `json:"name,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ProvenancePredicate makes SLSA provenance of a build record.
func ProvenancePredicate(r BuildRecord, b Builder) (json.RawMessage, error) {
	var p provenance
	d := &p.BuildDefinition
	d.BuildType = BuildType
	d.ExternalParameters = provenanceInput{
		Source: r.Source, Dockerfile: r.Dockerfile.Path, Context: r.Context, Target: r.Target, BuildArgs: r.BuildArgs,
	}
	for platform := range r.Platforms {
		d.ExternalParameters.Platforms = append(d.ExternalParameters.Platforms, platform)
	}
	slices.Sort(d.ExternalParameters.Platforms)
	d.InternalParameters = map[string]any{"engine": r.Engine}
	if r.Dockerfile.Digest != "" {
		d.InternalParameters["dockerfileDigest"] = r.Dockerfile.Digest
	}
	if r.Source.Repository != "" {
		source := dependency{URI: "git+" + r.Source.Repository, Name: "source"}
		if r.Source.Ref != "" {
			source.URI += "@" + r.Source.Ref
		}
		if r.Source.Commit != "" {
			source.Digest = map[string]string{"gitCommit": r.Source.Commit}
		}
		d.ResolvedDependencies = append(d.ResolvedDependencies, source)
	}
	for _, base := range r.BaseImages {
		d.ResolvedDependencies = append(d.ResolvedDependencies, dependency{
			URI: "docker://" + base.Name, Name: base.Name,
			Digest: map[string]string{"sha256": strings.TrimPrefix(base.Digest, imageref.Algorithm)},
		})
	}
	if repository, digest, ok := strings.Cut(r.Binaries, "@sha256:"); ok {
		d.ResolvedDependencies = append(d.ResolvedDependencies, dependency{
			URI: "oci://" + repository, Name: "binaries", Digest: map[string]string{"sha256": digest},
		})
	}
	if digest, ok := strings.CutPrefix(r.Prepared, imageref.Algorithm); ok {
		d.ResolvedDependencies = append(d.ResolvedDependencies, dependency{
			URI: b.InvocationID, Name: "prepared", Digest: map[string]string{"sha256": digest},
		})
	}
	p.RunDetails.Builder.ID = b.ID
	if r.Version != "" {
		p.RunDetails.Builder.Version = map[string]string{"waybill": r.Version}
	}
	p.RunDetails.Metadata.InvocationID = b.InvocationID
	p.RunDetails.Metadata.StartedOn = r.StartedAt.UTC()
	p.RunDetails.Metadata.FinishedOn = r.FinishedAt.UTC()
	return json.Marshal(p)
}

// Build types of the provenance of files. The first is GitHub's, which describes the
// run of a workflow: https://actions.github.io/buildtypes/workflow/v1
const (
	BuildTypeWorkflow = "https://actions.github.io/buildtypes/workflow/v1"
	BuildTypeLocal    = "https://waybill.dev/files/v1"
)

// Run is the run of a workflow that made files. All but Builder is empty outside
// GitHub Actions.
type Run struct {
	Builder    Builder
	Repository string // https://github.com/OWNER/NAME
	Workflow   string // path of the run's own workflow: .github/workflows/FILE
	Ref        string // that the run is for
	Commit     string
	Event      string
}

// FileProvenance makes SLSA provenance of files that a run made.
func FileProvenance(r Run) (json.RawMessage, error) {
	type object = map[string]any
	definition := object{"buildType": BuildTypeLocal, "externalParameters": object{}}
	if r.Repository != "" {
		source := dependency{URI: "git+" + r.Repository + "@" + r.Ref, Digest: map[string]string{"gitCommit": r.Commit}}
		definition = object{
			"buildType":            BuildTypeWorkflow,
			"externalParameters":   object{"workflow": object{"ref": r.Ref, "repository": r.Repository, "path": r.Workflow}},
			"internalParameters":   object{"github": object{"event_name": r.Event}},
			"resolvedDependencies": []dependency{source},
		}
	}
	run := object{"builder": object{"id": r.Builder.ID}}
	if r.Builder.InvocationID != "" {
		run["metadata"] = object{"invocationId": r.Builder.InvocationID}
	}
	return json.Marshal(object{"buildDefinition": definition, "runDetails": run})
}

// Build is what a provenance record says of the build.
type Build struct {
	Source     Source
	BaseImages []BaseImage
	BuilderID  string
	RunURL     string
	FinishedAt time.Time
}

// Build reads a provenance record, Waybill's or another builder's: for the
// latter the source is the dependency with a gitCommit.
func (r Record) Build() (Build, error) {
	if r.Kind != Provenance {
		return Build{}, fmt.Errorf("a %s record says nothing of the build", r.Kind)
	}
	var p provenance
	if err := json.Unmarshal(r.Predicate, &p); err != nil {
		return Build{}, fmt.Errorf("read provenance: %w", err)
	}
	b := Build{BuilderID: p.RunDetails.Builder.ID, RunURL: p.RunDetails.Metadata.InvocationID, FinishedAt: p.RunDetails.Metadata.FinishedOn}
	if p.BuildDefinition.BuildType == BuildType {
		b.Source = p.BuildDefinition.ExternalParameters.Source
	}
	for _, d := range p.BuildDefinition.ResolvedDependencies {
		if commit := d.Digest["gitCommit"]; commit != "" && b.Source.Repository == "" {
			repository, ref, _ := strings.Cut(strings.TrimPrefix(d.URI, "git+"), "@")
			b.Source = Source{Repository: strings.TrimSuffix(repository, ".git"), Commit: commit, Ref: ref}
		}
		if image, ok := strings.CutPrefix(d.URI, "docker://"); ok {
			b.BaseImages = append(b.BaseImages, BaseImage{Name: image, Digest: imageref.Algorithm + d.Digest["sha256"]})
		}
	}
	return b, nil
}

// scanPredicate is cosign's vulnerability predicate:
// https://github.com/sigstore/cosign/blob/main/specs/COSIGN_VULN_ATTESTATION_SPEC.md
type scanPredicate struct {
	Invocation struct {
		URI       string `json:"uri"`
		EventID   string `json:"event_id"`
		BuilderID string `json:"builder.id"`
	} `json:"invocation"`
	Scanner struct {
		URI     string `json:"uri"`
		Version string `json:"version"`
		DB      struct {
			URI        string    `json:"uri"`
			Version    string    `json:"version"`
			LastUpdate time.Time `json:"lastUpdate"`
		} `json:"db"`
		Result json.RawMessage `json:"result"`
	} `json:"scanner"`
	Metadata struct {
		ScanStartedOn  time.Time `json:"scanStartedOn"`
		ScanFinishedOn time.Time `json:"scanFinishedOn"`
	} `json:"metadata"`
}

// ScanPredicate makes cosign's vulnerability predicate of a report.
func ScanPredicate(r ScanReport, b Builder) (json.RawMessage, error) {
	result, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write scan report: %w", err)
	}
	var p scanPredicate
	p.Invocation.URI, p.Invocation.BuilderID = b.InvocationID, b.ID
	p.Scanner.URI = "pkg:github/aquasecurity/" + r.Scanner.Name + "@v" + r.Scanner.Version
	p.Scanner.Version = r.Scanner.Version
	p.Scanner.DB.URI, p.Scanner.DB.Version, p.Scanner.DB.LastUpdate = r.Database.Repository, r.Database.Digest, r.Database.UpdatedAt.UTC()
	p.Scanner.Result = result
	p.Metadata.ScanStartedOn, p.Metadata.ScanFinishedOn = r.StartedAt.UTC(), r.FinishedAt.UTC()
	return json.Marshal(p)
}

// ScanReport reads a scan record.
func (r Record) ScanReport() (ScanReport, error) {
	if r.Kind != Scan {
		return ScanReport{}, fmt.Errorf("a %s record holds no scan report", r.Kind)
	}
	var p scanPredicate
	if err := json.Unmarshal(r.Predicate, &p); err != nil {
		return ScanReport{}, fmt.Errorf("read scan record: %w", err)
	}
	return parseAttestedReport(p.Scanner.Result)
}

// parseAttestedReport names the reports of other scanners, which say too little to
// be judged by: cosign-vuln of Trivy covers one platform, and not its database.
func parseAttestedReport(data []byte) (ScanReport, error) {
	var other struct {
		Schema       string
		ArtifactName *string
		Results      json.RawMessage
	}
	if json.Unmarshal(data, &other) == nil && other.Schema == "" && other.ArtifactName != nil && other.Results != nil {
		return ScanReport{}, errors.New("its report is Trivy's own, which covers one platform and does not say of when its vulnerability " +
			"database is: scan with waybill scan --documents")
	}
	return ParseScanReport(data)
}

// KindOf is the kind of record that a predicate type makes; empty for a type
// that no policy asks for. Type URIs of SBOMs may carry a version.
func KindOf(predicateType string) Kind {
	is := func(base string) bool {
		return predicateType == base || strings.HasPrefix(predicateType, base+"/")
	}
	switch {
	case predicateType == PredicateSignature:
		return Signature
	case predicateType == PredicateProvenance:
		return Provenance
	case is(PredicateCycloneDX), is(PredicateSPDX):
		return SBOM
	case predicateType == PredicateScan:
		return Scan
	}
	return ""
}
