package github

import (
	"context"
	"encoding/json"
	"fmt"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/door/github/transport"
	"github.com/waybill-dev/waybill/internal/text"
)

// NewDeployment is a deployment to create.
type NewDeployment struct {
	Ref         string // branch, tag or commit that the workflows are taken from
	Task        string
	Environment string
	Description string
	Payload     any  // marshalled to JSON
	Lasting     bool // whether the environment stays, as those of a config repository do
}

// Deployment is a deployment that is there.
type Deployment struct {
	ID          int64
	SHA         string
	Environment string
	Payload     json.RawMessage
}

// maxDeployments bounds how many deployments are read.
const maxDeployments = 1000

// Deployments lists the deployments of a task in an environment, newest first, at most
// maxDeployments.
// https://docs.github.com/en/rest/deployments/deployments#list-deployments
func (c *Client) Deployments(ctx context.Context, repo Repository, task, environment string) ([]Deployment, error) {
	var list []Deployment
	_, err := all(func(page gogithub.ListOptions) ([]*gogithub.Deployment, *gogithub.Response, error) {
		got, resp, err := c.api.Repositories.ListDeployments(ctx, repo.Owner, repo.Name, &gogithub.DeploymentsListOptions{
			Task: task, Environment: environment, ListOptions: page,
		})
		if err != nil {
			return nil, resp, err
		}
		for _, d := range got {
			list = append(list, Deployment{ID: d.GetID(), SHA: d.GetSHA(), Environment: d.GetEnvironment(), Payload: d.Payload})
		}
		if len(list) >= maxDeployments {
			resp.NextPage = 0
		}
		return nil, resp, nil
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the deployments of %s in %s", environment, repo), err)
	}
	return list, nil
}

// DeploymentStatus is one report about a deployment.
type DeploymentStatus struct {
	State       string // error, failure, inactive, in_progress, queued, pending, success
	Description string // cut at 140 characters
	LogURL      string
}

// CreateDeployment creates a deployment without asking for any commit status,
// and returns its id. GitHub starts the workflows that listen to `deployment`.
// It is never sent twice, because each one starts them again.
// https://docs.github.com/en/rest/deployments/deployments#create-a-deployment
func (c *Client) CreateDeployment(ctx context.Context, repo Repository, d NewDeployment) (int64, error) {
	op := fmt.Sprintf("create a deployment of %s in %s", d.Ref, repo)
	payload, err := json.Marshal(d.Payload)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", op, err)
	}
	merge, transient, production := false, !d.Lasting, false
	created, _, err := c.api.Repositories.CreateDeployment(ctx, repo.Owner, repo.Name, &gogithub.DeploymentRequest{
		Ref: &d.Ref, Task: &d.Task, Environment: &d.Environment, Description: &d.Description, Payload: json.RawMessage(payload),
		AutoMerge: &merge, RequiredContexts: &[]string{}, TransientEnvironment: &transient, ProductionEnvironment: &production,
	})
	if err != nil {
		return 0, wrap(op, err)
	}
	return created.GetID(), nil
}

// DeploymentStatuses lists the reports about a deployment, newest first.
// https://docs.github.com/en/rest/deployments/statuses#list-deployment-statuses
func (c *Client) DeploymentStatuses(ctx context.Context, repo Repository, id int64) ([]DeploymentStatus, error) {
	got, _, err := c.api.Repositories.ListDeploymentStatuses(ctx, repo.Owner, repo.Name, id, &gogithub.ListOptions{PerPage: perPage})
	if err != nil {
		return nil, wrap(fmt.Sprintf("read the statuses of deployment %d of %s", id, repo), err)
	}
	list := make([]DeploymentStatus, 0, len(got))
	for _, s := range got {
		list = append(list, DeploymentStatus{State: s.GetState(), Description: s.GetDescription(), LogURL: s.GetLogURL()})
	}
	return list, nil
}

// SetDeploymentStatus reports about a deployment. Other deployments keep their
// states.
// https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status
func (c *Client) SetDeploymentStatus(ctx context.Context, repo Repository, id int64, s DeploymentStatus) error {
	description, inactive := text.Cut(s.Description, maxStatusDescription, "…"), false
	request := &gogithub.DeploymentStatusRequest{State: &s.State, Description: &description, AutoInactive: &inactive}
	if s.LogURL != "" {
		request.LogURL = &s.LogURL
	}
	if _, _, err := c.api.Repositories.CreateDeploymentStatus(transport.MayRepeat(ctx), repo.Owner, repo.Name, id, request); err != nil {
		return wrap(fmt.Sprintf("report on deployment %d of %s", id, repo), err)
	}
	return nil
}
