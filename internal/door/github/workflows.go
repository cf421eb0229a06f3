package github

import (
	"context"
	"fmt"

	gogithub "github.com/google/go-github/v60/github"
)

// Dispatch starts a workflow (by file name, such as bump.yml) with inputs on
// ref. It is never sent twice: nobody knows whether a lost answer was a yes.
// https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
func (c *Client) Dispatch(ctx context.Context, repo Repository, workflowFile, ref string, inputs map[string]string) error {
	event := gogithub.CreateWorkflowDispatchEventRequest{Ref: ref, Inputs: make(map[string]any, len(inputs))}
	for name, value := range inputs {
		event.Inputs[name] = value
	}
	if _, err := c.api.Actions.CreateWorkflowDispatchEventByFileName(ctx, repo.Owner, repo.Name, workflowFile, event); err != nil {
		return wrap(fmt.Sprintf("start workflow %s of %s on %s", workflowFile, repo, ref), err)
	}
	return nil
}

// Running lists the pages of the runs of a workflow that are in progress, without one.
// https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-workflow
func (c *Client) Running(ctx context.Context, repo Repository, workflowFile string, without int64) (pages []string, err error) {
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.WorkflowRun, *gogithub.Response, error) {
		runs, resp, err := c.api.Actions.ListWorkflowRunsByFileName(ctx, repo.Owner, repo.Name, workflowFile,
			&gogithub.ListWorkflowRunsOptions{Status: "in_progress", ListOptions: page})
		if err != nil {
			return nil, resp, err
		}
		return runs.WorkflowRuns, resp, nil
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the runs of %s of %s", workflowFile, repo), err)
	}
	for _, run := range got {
		if run.GetID() != without {
			pages = append(pages, run.GetHTMLURL())
		}
	}
	return pages, nil
}
