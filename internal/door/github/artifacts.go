package github

import (
	"context"
	"net/url"

	"github.com/waybill-dev/waybill/internal/door/github/transport"
)

// ArtifactDeployment says what an artifact is deployed as. A record of the same
// environment and name is changed.
// https://docs.github.com/en/rest/orgs/artifact-metadata#create-an-artifact-deployment-record
type ArtifactDeployment struct {
	Name        string `json:"name"`
	Digest      string `json:"digest"` // sha256:…
	Status      string `json:"status"` // deployed or decommissioned
	Environment string `json:"logical_environment"`
	Deployment  string `json:"deployment_name"`
	// Repository is the name of the repository that the artifact is from, in the
	// organisation. GitHub needs it where it holds no attestation of the digest.
	Repository string `json:"github_repository,omitempty"`
	Return     bool   `json:"return_records"`
}

// ArtifactStorage says where an artifact is stored.
// https://docs.github.com/en/rest/orgs/artifact-metadata#create-artifact-metadata-storage-record
type ArtifactStorage struct {
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	Registry   string `json:"registry_url"` // https://…
	Path       string `json:"repository,omitempty"`
	URL        string `json:"artifact_url,omitempty"`
	Repository string `json:"github_repository,omitempty"`
	Return     bool   `json:"return_records"`
}

// RecordArtifact tells an organisation where an artifact is stored, and what it is
// deployed as. It needs `artifact-metadata: write`. Telling again changes nothing.
func (c *Client) RecordArtifact(ctx context.Context, org string, s ArtifactStorage, d ArtifactDeployment) error {
	ctx = transport.MayRepeat(ctx)
	at := "POST orgs/" + url.PathEscape(org) + "/artifacts/metadata/"
	if err := c.Send(ctx, "record where "+s.Name+" is stored", at+"storage-record", s, nil); err != nil {
		return err
	}
	return c.Send(ctx, "record what "+d.Name+" is deployed as", at+"deployment-record", d, nil)
}
