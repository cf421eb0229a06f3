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
