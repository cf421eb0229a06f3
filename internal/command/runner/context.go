package runner

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Context is what the job knows of itself. Fields are empty outside Actions.
// https://docs.github.com/en/actions/reference/workflows-and-actions/variables
type Context struct {
	Repository  string // OWNER/NAME that the workflow runs for
	SHA         string // commit that started the run
	Ref         string // refs/heads/main, refs/tags/v1, refs/pull/1/merge
	RefName     string // main, v1, 1/merge
	EventName   string // push, pull_request, workflow_dispatch, …
	Workflow    string
	WorkflowRef string // OWNER/NAME/.github/workflows/FILE@REF of the run's own workflow
	Job         string
	RunID       string
	RunNumber   int
	RunAttempt  int
	Actor       string
	ServerURL   string // https://github.com
	Workspace   string
	Temp        string // directory that is emptied before and after each job
	RunnerOS    string
	RunnerArch  string
	OwnRunner   bool // whether the runner is self-hosted
}

// RunURL is the page of the run, or empty outside Actions.
func (c Context) RunURL() string {
	if c.RunID == "" || c.Repository == "" {
		return ""
	}
	return c.ServerURL + "/" + c.Repository + "/actions/runs/" + c.RunID
}

// WorkflowFile is the name of the file of the run's own workflow, or empty outside Actions.
func (c Context) WorkflowFile() string {
	file, _, _ := strings.Cut(c.WorkflowRef, "@")
	if file == "" {
		return ""
	}
	return path.Base(file)
}

// Run is the number of the run in GitHub's API; 0 outside Actions.
func (c Context) Run() int64 {
	n, _ := strconv.ParseInt(c.RunID, 10, 64)
	return n
}

// Context reads the job's context from the environment.
func (r *Runner) Context() Context {
	number, _ := strconv.Atoi(r.getenv("GITHUB_RUN_NUMBER"))
	attempt, _ := strconv.Atoi(r.getenv("GITHUB_RUN_ATTEMPT"))
	server := r.getenv("GITHUB_SERVER_URL")
	if server == "" {
		server = "https://github.com"
	}
	return Context{
		Repository: r.getenv("GITHUB_REPOSITORY"), SHA: r.getenv("GITHUB_SHA"), Ref: r.getenv("GITHUB_REF"),
		RefName: r.getenv("GITHUB_REF_NAME"), EventName: r.getenv("GITHUB_EVENT_NAME"),
		Workflow: r.getenv("GITHUB_WORKFLOW"), WorkflowRef: r.getenv("GITHUB_WORKFLOW_REF"), Job: r.getenv("GITHUB_JOB"),
		RunID: r.getenv("GITHUB_RUN_ID"), RunNumber: number, RunAttempt: attempt, Actor: r.getenv("GITHUB_ACTOR"),
		ServerURL: server, Workspace: r.getenv("GITHUB_WORKSPACE"), Temp: r.getenv("RUNNER_TEMP"),
		RunnerOS: r.getenv("RUNNER_OS"), RunnerArch: r.getenv("RUNNER_ARCH"),
		OwnRunner: r.getenv("RUNNER_ENVIRONMENT") == "self-hosted",
	}
}

// Event is the part of the event payload that Waybill reads.
type Event struct {
	// Repository is the one that the run is for.
	Repository struct {
		Private    bool   `json:"private"`
		Visibility string `json:"visibility"` // public, private or internal; not in every event
	} `json:"repository"`
	PullRequest *struct {
		Number int `json:"number"`
		Head   struct {
			SHA string `json:"sha"`
			Ref string `json:"ref"`
		} `json:"head"`
		Base struct {
			SHA string `json:"sha"`
			Ref string `json:"ref"`
		} `json:"base"`
	} `json:"pull_request"`
	Inputs map[string]any `json:"inputs"` // of workflow_dispatch
	Action string         `json:"action"`
	Before string         `json:"before"` // of push: where the branch was
	After  string         `json:"after"`
	// Issue is what a comment is on, Comment the comment.
	Issue *struct {
		Number      int       `json:"number"`
		PullRequest *struct{} `json:"pull_request"` // nil for an issue
	} `json:"issue"`
	Comment *struct {
		ID   int64  `json:"id"`
		Body string `json:"body"`
		User struct {
			Login string `json:"login"`
		} `json:"user"`
	} `json:"comment"`
	// MergeGroup is what a merge queue would merge.
	MergeGroup *struct {
		HeadSHA string `json:"head_sha"`
		HeadRef string `json:"head_ref"` // refs/heads/gh-readonly-queue/main/pr-12-SHA
		BaseSHA string `json:"base_sha"` // what the group is built on
		BaseRef string `json:"base_ref"`
	} `json:"merge_group"`
}

var queueRef = regexp.MustCompile(`^refs/heads/gh-readonly-queue/.+/pr-(\d+)-[0-9a-f]{40}$`)

// Pull is the pull request that the event is about, or 0: itself, a review of
// it, a comment on it, or its place in a merge queue.
func (e Event) Pull() int {
	switch {
	case e.PullRequest != nil:
		return e.PullRequest.Number
	case e.Issue != nil && e.Issue.PullRequest != nil:
		return e.Issue.Number
	case e.MergeGroup != nil:
		if m := queueRef.FindStringSubmatch(e.MergeGroup.HeadRef); m != nil {
			n, _ := strconv.Atoi(m[1])
			return n
		}
	}
	return 0
}

// Visibility says who may see the repository: public, private or internal; empty
// where the event does not say.
func (e Event) Visibility() string {
	if e.Repository.Visibility == "" && e.Repository.Private {
		return "private"
	}
	return e.Repository.Visibility
}

// Event reads the payload that started the run. Outside Actions it is empty.
func (r *Runner) Event() (Event, error) {
	path := r.getenv("GITHUB_EVENT_PATH")
	if path == "" {
		return Event{}, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Event{}, fmt.Errorf("read the event payload: %w", err)
	}
	var event Event
	if err := json.Unmarshal(data, &event); err != nil {
		return Event{}, fmt.Errorf("read the event payload %s: %w", path, err)
	}
	return event, nil
}
