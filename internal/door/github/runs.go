package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/door/github/transport"
)

// Started is a run that a dispatch has started.
type Started struct {
	ID  int64  `json:"workflow_run_id"`
	URL string `json:"html_url"` // its page
}

// DispatchRun starts a workflow as Dispatch does, and says which run that is; zero where
// the server does not tell, as one of GitHub Enterprise Server may not.
// https://github.blog/changelog/2026-02-19-workflow-dispatch-api-now-returns-run-ids
func (c *Client) DispatchRun(
	ctx context.Context, repo Repository, workflowFile, ref string, inputs map[string]string,
) (started Started, err error) {
	op := fmt.Sprintf("start workflow %s of %s on %s", workflowFile, repo, ref)
	path := fmt.Sprintf("repos/%s/%s/actions/workflows/%s/dispatches", repo.Owner, repo.Name, url.PathEscape(workflowFile))
	req, err := c.api.NewRequest(http.MethodPost, path, map[string]any{"ref": ref, "inputs": inputs, "return_run_details": true})
	if err != nil {
		return started, wrap(op, err)
	}
	if _, err := c.api.Do(ctx, req, &started); err != nil {
		return started, wrap(op, err)
	}
	return started, nil
}

// WorkflowRun is a run of a workflow, as its latest attempt has it.
type WorkflowRun struct {
	Workflow   string // file in .github/workflows
	Event      string // that started it
	Completed  bool
	Conclusion string // success, failure, cancelled and so on; empty until it has completed
}

// Run reads a run.
// https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run
func (c *Client) Run(ctx context.Context, repo Repository, id int64) (WorkflowRun, error) {
	op := fmt.Sprintf("read run %d of %s", id, repo)
	req, err := c.api.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/actions/runs/%d", repo.Owner, repo.Name, id), nil)
	if err != nil {
		return WorkflowRun{}, wrap(op, err)
	}
	var got struct {
		Path       string `json:"path"` // GitHub writes FILE, or FILE@REF
		Event      string `json:"event"`
		Status     string `json:"status"`
		Conclusion string `json:"conclusion"`
	}
	if _, err := c.api.Do(transport.MayRepeat(ctx), req, &got); err != nil {
		return WorkflowRun{}, wrap(op, err)
	}
	file, _, _ := strings.Cut(strings.TrimPrefix(got.Path, ".github/workflows/"), "@")
	return WorkflowRun{Workflow: file, Event: got.Event, Completed: got.Status == "completed", Conclusion: got.Conclusion}, nil
}

// CreateRef makes a reference such as refs/waybill/x, and reports whether it was not there
// before. Of several who try at once, one succeeds. It is never sent twice: the second
// answer would say that somebody else was first.
// https://docs.github.com/en/rest/git/refs#create-a-reference
func (c *Client) CreateRef(ctx context.Context, repo Repository, ref, sha string) (created bool, err error) {
	_, _, err = c.api.Git.CreateRef(ctx, repo.Owner, repo.Name, &gogithub.Reference{Ref: &ref, Object: &gogithub.GitObject{SHA: &sha}})
	if err == nil {
		return true, nil
	}
	wrapped := wrap(fmt.Sprintf("create %s of %s", ref, repo), err)
	if IsStatus(wrapped, http.StatusUnprocessableEntity) && strings.Contains(wrapped.Error(), "already exists") {
		return false, nil
	}
	return false, wrapped
}

// RefsBelow lists the references that begin with a text such as refs/waybill/x/.
// https://docs.github.com/en/rest/git/refs#list-matching-references
func (c *Client) RefsBelow(ctx context.Context, repo Repository, prefix string) (names []string, err error) {
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.Reference, *gogithub.Response, error) {
		return c.api.Git.ListMatchingRefs(ctx, repo.Owner, repo.Name, &gogithub.ReferenceListOptions{
			Ref: strings.TrimPrefix(prefix, "refs/"), ListOptions: page,
		})
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the references %s of %s", prefix, repo), err)
	}
	for _, r := range got {
		if strings.HasPrefix(r.GetRef(), prefix) {
			names = append(names, r.GetRef())
		}
	}
	return names, nil
}

// DeleteRef takes a reference away.
func (c *Client) DeleteRef(ctx context.Context, repo Repository, ref string) error {
	if _, err := c.api.Git.DeleteRef(transport.MayRepeat(ctx), repo.Owner, repo.Name, ref); err != nil {
		return wrap(fmt.Sprintf("delete %s of %s", ref, repo), err)
	}
	return nil
}
