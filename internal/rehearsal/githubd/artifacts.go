package githubd

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"
)

// artifactMetadata is a permission of repositories, by which records of their
// organisation are written. A job token can have it.
// https://docs.github.com/en/rest/orgs/artifact-metadata
const artifactMetadata = "artifact-metadata"

// ArtifactRecord is what an organisation was told of an artifact: where it is stored, or
// what it is deployed as.
type ArtifactRecord struct {
	ID                      int64             `json:"id"`
	Name                    string            `json:"-"`
	Digest                  string            `json:"digest"`
	Status                  string            `json:"-"`
	LogicalEnvironment      string            `json:"logical_environment"` // empty for a storage record
	PhysicalEnvironment     string            `json:"physical_environment"`
	Cluster                 string            `json:"cluster"`
	DeploymentName          string            `json:"deployment_name"`
	Tags                    map[string]string `json:"tags"`
	RegistryURL             string            `json:"-"`
	Repository, ArtifactURL string            `json:"-"`
	GitHubRepository        string            `json:"-"`
	Created                 time.Time         `json:"created_at"`
	Updated                 time.Time         `json:"updated_at"`
}

var (
	artifactDigest = regexp.MustCompile(`^sha256:[a-f0-9]{64}$`)
	httpsURL       = regexp.MustCompile(`^https://`)
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9.\-_]+$`)
)

type artifactIn struct {
	Name, Digest, Status, Cluster string
	LogicalEnvironment            string            `json:"logical_environment"`
	PhysicalEnvironment           string            `json:"physical_environment"`
	DeploymentName                string            `json:"deployment_name"`
	Tags                          map[string]string `json:"tags"`
	RegistryURL                   string            `json:"registry_url"`
	ArtifactURL                   string            `json:"artifact_url"`
	Repository                    string            `json:"repository"`
	GitHubRepository              string            `json:"github_repository"`
}

// wrong says what GitHub's description of both records does not allow.
func (in artifactIn) wrong() error {
	switch {
	case in.Name == "" || len(in.Name) > 256:
		return unprocessable("name is missing or too long")
	case !artifactDigest.MatchString(in.Digest):
		return unprocessable("digest must match %s", artifactDigest)
	case in.GitHubRepository != "" && (len(in.GitHubRepository) > 100 || !repositoryName.MatchString(in.GitHubRepository)):
		return unprocessable("github_repository must match %s", repositoryName)
	case len(in.LogicalEnvironment) > 128 || len(in.PhysicalEnvironment) > 128 || len(in.Cluster) > 128 || len(in.DeploymentName) > 256:
		return unprocessable("environment, cluster or deployment_name is too long")
	case len(in.Repository) > 128 || len(in.ArtifactURL) > 152 || len(in.RegistryURL) > 256:
		return unprocessable("repository, artifact_url or registry_url is too long")
	}
	return nil
}

// recordDeployment makes a deployment record, or changes the one of the same
// environments, cluster and deployment name.
// https://docs.github.com/en/rest/orgs/artifact-metadata#create-an-artifact-deployment-record
func recordDeployment(c *call, org string) (*answer, error) {
	var in artifactIn
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.wrong(); err != nil {
		return nil, err
	}
	if in.LogicalEnvironment == "" || in.DeploymentName == "" || !slices.Contains([]string{"deployed", "decommissioned"}, in.Status) {
		return nil, unprocessable("status, logical_environment or deployment_name is missing")
	}
	return c.record(org, "deployment_records", in, func(r *ArtifactRecord) bool {
		return r.LogicalEnvironment == in.LogicalEnvironment && r.PhysicalEnvironment == in.PhysicalEnvironment &&
			r.Cluster == in.Cluster && r.DeploymentName == in.DeploymentName
	})
}

// https://docs.github.com/en/rest/orgs/artifact-metadata#create-artifact-metadata-storage-record
func recordStorage(c *call, org string) (*answer, error) {
	in := artifactIn{Status: "active"}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := in.wrong(); err != nil {
		return nil, err
	}
	if !httpsURL.MatchString(in.RegistryURL) || in.ArtifactURL != "" && !httpsURL.MatchString(in.ArtifactURL) ||
		!slices.Contains([]string{"active", "eol", "deleted"}, in.Status) {
		return nil, unprocessable("registry_url, artifact_url or status is wrong")
	}
	in.LogicalEnvironment, in.DeploymentName = "", ""
	return c.record(org, "storage_records", in, func(r *ArtifactRecord) bool {
		return r.LogicalEnvironment == "" && r.Digest == in.Digest && r.RegistryURL == in.RegistryURL && r.Repository == in.Repository
	})
}

// record keeps what was told in place of the record that is the same one.
func (c *call) record(org, list string, in artifactIn, same func(*ArtifactRecord) bool) (*answer, error) {
	record := ArtifactRecord{
		Name: in.Name, Digest: in.Digest, Status: in.Status, LogicalEnvironment: in.LogicalEnvironment,
		PhysicalEnvironment: in.PhysicalEnvironment, Cluster: in.Cluster, DeploymentName: in.DeploymentName, Tags: in.Tags,
		RegistryURL: in.RegistryURL, Repository: in.Repository, ArtifactURL: in.ArtifactURL, GitHubRepository: in.GitHubRepository,
		Created: c.s.now(), Updated: c.s.now(),
	}
	c.s.inOrganisation(org, func(o *organisation) {
		record.ID = c.s.state.next()
		if i := slices.IndexFunc(o.Artifacts, func(r ArtifactRecord) bool { return same(&r) }); i >= 0 {
			record.ID, record.Created = o.Artifacts[i].ID, o.Artifacts[i].Created
			o.Artifacts = slices.Delete(o.Artifacts, i, i+1)
		}
		o.Artifacts = append(o.Artifacts, record)
	})
	if record.Tags == nil {
		record.Tags = map[string]string{}
	}
	var shown any = record
	if list == "storage_records" {
		shown = map[string]any{
			"id": record.ID, "name": record.Name, "digest": record.Digest, "artifact_url": record.ArtifactURL,
			"registry_url": record.RegistryURL, "repository": record.Repository, "status": record.Status,
			"created_at": record.Created, "updated_at": record.Updated,
		}
	}
	return &answer{status: http.StatusOK, body: map[string]any{"total_count": 1, list: []any{shown}}}, nil
}

// Artifacts lists what an organisation was told of artifacts, in words.
func (s *Server) Artifacts(org string) (list []string) {
	for _, r := range s.organisation(org).Artifacts {
		if r.LogicalEnvironment == "" {
			list = append(list, fmt.Sprintf(
				"%s@%s %s in %s %s of %s", r.Name, r.Digest, r.Status, r.RegistryURL, r.Repository, r.GitHubRepository,
			))
			continue
		}
		list = append(list, fmt.Sprintf(
			"%s@%s %s in %s as %s of %s", r.Name, r.Digest, r.Status, r.LogicalEnvironment, r.DeploymentName, r.GitHubRepository,
		))
	}
	return list
}
