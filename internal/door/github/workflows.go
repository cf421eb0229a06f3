package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gogithub "github.com/google/go-github/v60/github"
)

// Run is one run of a workflow.
type Run struct {
	ID         int64
	Status     string // queued, in_progress, completed, waiting, …
	Conclusion string // success, failure, cancelled, …; empty until completed
	URL        string // the page
	Title      string // display title: run-name, or the commit's first line
	Event      string
	HeadSHA    string
	HeadBranch string
	CreatedAt  time.Time
}

// Job is one job of a run.
type Job struct {
	ID         int64
	Name       string
	Status     string
	Conclusion string
	URL        string
	Steps      []Step
}

// Step is one step of a job.
type Step struct {
	Number     int
	Name       string
	Status     string
	Conclusion string
}

// Dispatch starts a workflow (by file name, such as bump.yml) with inputs on
// ref, as DispatchRun does.
func (c *Client) Dispatch(ctx context.Context, repo Repository, workflowFile, ref string, inputs map[string]string) error {
	_, err := c.DispatchRun(ctx, repo, workflowFile, ref, inputs)
	return err
}

// DispatchRun starts a workflow and gives the run that it became. The id is 0
// where the server does not say (GitHub Enterprise Server of before 2026): give
// the run a title that can be recognised then, and look for it with Runs. A
// dispatch is never sent twice; after a lost answer look with Runs too.
// https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
func (c *Client) DispatchRun(ctx context.Context, repo Repository, workflowFile, ref string, inputs map[string]string) (int64, error) {
	op := fmt.Sprintf("start workflow %s of %s on %s", workflowFile, repo, ref)
	if inputs == nil {
		inputs = map[string]string{}
	}
	body := map[string]any{"ref": ref, "inputs": inputs, "return_run_details": true}
	path := fmt.Sprintf("repos/%s/%s/actions/workflows/%s/dispatches", repo.Owner, repo.Name, url.PathEscape(workflowFile))
	for {
		req, err := c.api.NewRequest(http.MethodPost, path, body)
		if err != nil {
			return 0, wrap(op, err)
		}
		var started struct {
			ID int64 `json:"workflow_run_id"`
		}
		if _, err = c.api.Do(ctx, req, &started); err == nil {
			return started.ID, nil
		}
		wrapped := wrap(op, err)
		_, asked := body["return_run_details"]
		if !asked || !strings.Contains(wrapped.Error(), "return_run_details") {
			return 0, wrapped
		}
		delete(body, "return_run_details") // an older server, which refused it
	}
}

// Runs lists the runs of a workflow that event started (empty is any) at
// createdSince or later (to the second), newest first.
func (c *Client) Runs(ctx context.Context, repo Repository, workflowFile, event string, createdSince time.Time) ([]Run, error) {
	o := &gogithub.ListWorkflowRunsOptions{Event: event}
	if !createdSince.IsZero() {
		o.Created = ">=" + createdSince.UTC().Format(time.RFC3339)
	}
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.WorkflowRun, *gogithub.Response, error) {
		o.ListOptions = page
		runs, resp, err := c.api.Actions.ListWorkflowRunsByFileName(ctx, repo.Owner, repo.Name, workflowFile, o)
		if err != nil {
			return nil, resp, err
		}
		return runs.WorkflowRuns, resp, nil
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the runs of %s in %s", workflowFile, repo), err)
	}
	list := make([]Run, 0, len(got))
	for _, r := range got {
		list = append(list, run(r))
	}
	return list, nil
}

// Run reads one run.
func (c *Client) Run(ctx context.Context, repo Repository, id int64) (*Run, error) {
	got, _, err := c.api.Actions.GetWorkflowRunByID(ctx, repo.Owner, repo.Name, id)
	if err != nil {
		return nil, wrap(fmt.Sprintf("read run %d of %s", id, repo), err)
	}
	r := run(got)
	return &r, nil
}

// Jobs lists the jobs of a run's latest attempt, with their steps.
func (c *Client) Jobs(ctx context.Context, repo Repository, runID int64) ([]Job, error) {
	got, err := all(func(page gogithub.ListOptions) ([]*gogithub.WorkflowJob, *gogithub.Response, error) {
		jobs, resp, err := c.api.Actions.ListWorkflowJobs(ctx, repo.Owner, repo.Name, runID, &gogithub.ListWorkflowJobsOptions{ListOptions: page})
		if err != nil {
			return nil, resp, err
		}
		return jobs.Jobs, resp, nil
	})
	if err != nil {
		return nil, wrap(fmt.Sprintf("list the jobs of run %d of %s", runID, repo), err)
	}
	list := make([]Job, 0, len(got))
	for _, j := range got {
		job := Job{ID: j.GetID(), Name: j.GetName(), Status: j.GetStatus(), Conclusion: j.GetConclusion(), URL: j.GetHTMLURL()}
		for _, s := range j.Steps {
			job.Steps = append(job.Steps, Step{Number: int(s.GetNumber()), Name: s.GetName(), Status: s.GetStatus(), Conclusion: s.GetConclusion()})
		}
		list = append(list, job)
	}
	return list, nil
}

func run(r *gogithub.WorkflowRun) Run {
	return Run{
		ID: r.GetID(), Status: r.GetStatus(), Conclusion: r.GetConclusion(), URL: r.GetHTMLURL(), Title: r.GetDisplayTitle(),
		Event: r.GetEvent(), HeadSHA: r.GetHeadSHA(), HeadBranch: r.GetHeadBranch(), CreatedAt: r.GetCreatedAt().Time,
	}
}
