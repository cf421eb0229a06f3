package githubd

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// attestation is a Sigstore bundle in the store of a repository.
type attestation struct {
	ID      int64
	Bundle  json.RawMessage
	Digests []string // sha256:HEX, of the statement's subjects
}

// createAttestation needs `attestations: write`. It takes what is a bundle with an
// in-toto statement.
// https://docs.github.com/en/rest/repos/attestations#create-an-attestation
func createAttestation(c *call) (*answer, error) {
	var in struct{ Bundle json.RawMessage }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var bundle struct {
		MediaType string
		Envelope  struct {
			PayloadType string
			Payload     []byte
		} `json:"dsseEnvelope"`
	}
	var statement struct {
		Subject []struct{ Digest map[string]string }
	}
	err := json.Unmarshal(in.Bundle, &bundle)
	if err == nil {
		err = json.Unmarshal(bundle.Envelope.Payload, &statement)
	}
	if err != nil || !strings.HasPrefix(bundle.MediaType, "application/vnd.dev.sigstore.bundle") ||
		bundle.Envelope.PayloadType != "application/vnd.in-toto+json" || len(statement.Subject) == 0 {
		return nil, unprocessable("Invalid bundle")
	}
	made := attestation{Bundle: bytes.Clone(in.Bundle)}
	for _, subject := range statement.Subject {
		made.Digests = append(made.Digests, "sha256:"+subject.Digest["sha256"])
	}
	c.s.change(func(s *state) {
		made.ID = s.next()
		c.repo.Attestations = append(c.repo.Attestations, made)
	})
	return &answer{http.StatusCreated, map[string]any{"id": made.ID}}, nil
}

// listAttestations answers 404 where there is none, as gh expects:
// https://github.com/cli/cli/blob/trunk/pkg/cmd/attestation/api/client.go
func listAttestations(c *call) (*answer, error) {
	list := []any{}
	for _, a := range c.repo.Attestations {
		if slices.Contains(a.Digests, c.PathValue("digest")) {
			list = append(list, map[string]any{
				"bundle": a.Bundle, "repository_id": c.repo.ID, "bundle_url": c.api("/attestations/%d.json", a.ID), "initiator": "user",
			})
		}
	}
	if len(list) == 0 {
		return nil, notFound()
	}
	return ok(map[string]any{"attestations": paginate(c, list)})
}
