package oidc

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Claims are what GitHub says of a job in its token. Repository, SHA and Ref
// are required; what else is empty gets a value that fits.
type Claims struct {
	Repository           string // OWNER/NAME that the workflow runs for
	RepositoryID         string
	RepositoryOwnerID    string
	RepositoryVisibility string // public, private or internal; default public
	SHA                  string // commit that started the run
	Ref                  string // refs/heads/main
	EventName            string // push, workflow_dispatch, …; default push
	Workflow             string // its name
	WorkflowRef          string // OWNER/NAME/.github/workflows/FILE@REF of the run's own workflow
	WorkflowSHA          string // default SHA
	JobWorkflowRef       string // of the workflow that defines the job, which is another for a reusable one; default WorkflowRef
	JobWorkflowSHA       string // default WorkflowSHA
	RunID                string // default 1
	RunNumber            string // default 1
	RunAttempt           string // default 1
	RunnerEnvironment    string // github-hosted or self-hosted; default github-hosted
	Actor                string
	ActorID              string
	Environment          string // of the job, if it names one
	BaseRef, HeadRef     string // of a pull request
	// ImmutableSubject puts the numeric ids into the subject, as GitHub does for
	// repositories made since 2026-07-15.
	ImmutableSubject bool
}

func (c Claims) owner() string {
	owner, _, _ := strings.Cut(c.Repository, "/")
	return owner
}

// Subject is the sub claim.
func (c Claims) Subject() string {
	repository := c.Repository
	if c.ImmutableSubject {
		owner, name, _ := strings.Cut(c.Repository, "/")
		repository = owner + "@" + cmp.Or(c.RepositoryOwnerID, "1") + "/" + name + "@" + cmp.Or(c.RepositoryID, "1")
	}
	switch {
	case c.Environment != "":
		return "repo:" + repository + ":environment:" + strings.ReplaceAll(c.Environment, ":", "%3A")
	case c.EventName == "pull_request":
		return "repo:" + repository + ":pull_request"
	}
	return "repo:" + repository + ":ref:" + c.Ref
}

// private are the claims beside the registered ones.
func (c Claims) private() map[string]any {
	workflowRef := cmp.Or(c.WorkflowRef, c.Repository+"/.github/workflows/ci.yml@"+c.Ref)
	workflowSHA := cmp.Or(c.WorkflowSHA, c.SHA)
	refType := "branch"
	if strings.HasPrefix(c.Ref, "refs/tags/") {
		refType = "tag"
	}
	claims := map[string]any{
		"repository": c.Repository, "repository_id": cmp.Or(c.RepositoryID, "1"), "repository_owner": c.owner(),
		"repository_owner_id": cmp.Or(c.RepositoryOwnerID, "1"), "repository_visibility": cmp.Or(c.RepositoryVisibility, "public"),
		"sha": c.SHA, "ref": c.Ref, "ref_type": refType, "ref_protected": "false", "base_ref": c.BaseRef, "head_ref": c.HeadRef,
		"event_name": cmp.Or(c.EventName, "push"), "workflow": cmp.Or(c.Workflow, "ci"),
		"workflow_ref": workflowRef, "workflow_sha": workflowSHA,
		"job_workflow_ref": cmp.Or(c.JobWorkflowRef, workflowRef), "job_workflow_sha": cmp.Or(c.JobWorkflowSHA, workflowSHA),
		"run_id": cmp.Or(c.RunID, "1"), "run_number": cmp.Or(c.RunNumber, "1"), "run_attempt": cmp.Or(c.RunAttempt, "1"),
		"runner_environment": cmp.Or(c.RunnerEnvironment, "github-hosted"), "actor": cmp.Or(c.Actor, c.owner()),
		"actor_id": cmp.Or(c.ActorID, "1"),
	}
	if c.Environment != "" {
		claims["environment"] = c.Environment
	}
	return claims
}

func claimNames() []string {
	registered := []string{"sub", "aud", "exp", "iat", "iss", "jti", "nbf", "environment"}
	return append(registered, slices.Sorted(maps.Keys(Claims{}.private()))...)
}
