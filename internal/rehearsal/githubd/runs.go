package githubd

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// Run is one run of a workflow.
type Run struct {
	ID               int64
	Number           int
	Repository       string // OWNER/NAME
	Path             string // .github/workflows/FILE
	Workflow         string // its name
	Title            string
	Event            string
	Status           string // queued, in_progress, completed
	Conclusion       string // success, failure, cancelled
	Reason           string // why it failed before any job ran
	HeadBranch       string
	HeadSHA          string
	Actor            string
	Created, Started time.Time
	Updated          time.Time
	Log              string // file with what act wrote
	Jobs             []RunJob
}

// RunJob is one job of a run.
type RunJob struct {
	ID                 int64
	Name               string
	Status, Conclusion string
	Started, Completed time.Time
	Steps              []RunStep
}

// RunStep is one step of a job.
type RunStep struct {
	Name, Conclusion string
}

// AddRun records a run that is queued, and gives it its id and number.
func (s *Server) AddRun(r Run) Run {
	s.change(func(st *state) {
		repo := st.Repositories[strings.ToLower(r.Repository)]
		if repo == nil {
			return
		}
		if repo.RunNumbers == nil {
			repo.RunNumbers = map[string]int{}
		}
		repo.RunNumbers[r.Path]++
		r.ID, r.Number, r.Status = st.next(), repo.RunNumbers[r.Path], "queued"
		r.Created, r.Updated = s.now(), s.now()
		kept := r
		repo.Runs = append(repo.Runs, &kept)
	})
	return r
}

// UpdateRun changes a run.
func (s *Server) UpdateRun(repository string, id int64, f func(*Run)) {
	s.change(func(st *state) {
		repo := st.Repositories[strings.ToLower(repository)]
		if repo == nil {
			return
		}
		for _, r := range repo.Runs {
			if r.ID != id {
				continue
			}
			f(r)
			for i := range r.Jobs {
				if r.Jobs[i].ID == 0 {
					r.Jobs[i].ID = st.next()
				}
			}
			r.Updated = s.now()
		}
	})
}

// Runs lists the runs of a repository (empty is all), oldest first.
func (s *Server) Runs(repository string) []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Run{}
	for key, repo := range s.state.Repositories {
		if repository != "" && key != strings.ToLower(repository) {
			continue
		}
		for _, r := range repo.Runs {
			list = append(list, copyRun(r))
		}
	}
	sortBy(list, func(a, b Run) bool { return a.ID < b.ID })
	return list
}

func copyRun(r *Run) Run {
	out := *r
	out.Jobs = append([]RunJob{}, r.Jobs...)
	return out
}

// WaitIdle waits until no run is queued or in progress.
func (s *Server) WaitIdle(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		busy := ""
		for _, repo := range s.state.Repositories {
			for _, r := range repo.Runs {
				if r.Status != "completed" {
					busy = fmt.Sprintf("%s run %d (%s) is %s", r.Repository, r.ID, r.Path, r.Status)
				}
			}
		}
		if busy == "" {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait until no workflow runs: %s: %w", busy, ctx.Err())
		}
		s.changed.Wait()
	}
}

func dispatchWorkflow(c *call, in struct {
	Ref           string
	Inputs        map[string]any
	ReturnDetails bool `json:"return_run_details"`
}) (*answer, error) {
	file := path.Base(c.PathValue("file"))
	ref, sha := "refs/heads/"+strings.TrimPrefix(in.Ref, "refs/heads/"), ""
	if sha = c.s.head(c.Context(), c.dir, ref+"^{commit}"); sha == "" {
		ref = "refs/tags/" + strings.TrimPrefix(in.Ref, "refs/tags/")
		sha = c.s.head(c.Context(), c.dir, ref+"^{commit}")
	}
	// The workflow must be known, which is to be on the default branch.
	onDefault, err := c.git("cat-file", "blob", "refs/heads/"+c.repo.DefaultBranch+":.github/workflows/"+file)
	if err != nil {
		return nil, notFound()
	}
	if in.Ref == "" || sha == "" {
		return nil, unprocessable("No ref found for: %s", in.Ref)
	}
	text, err := c.git("cat-file", "blob", sha+":.github/workflows/"+file)
	if err != nil {
		text = onDefault
	}
	w, err := ParseWorkflow(".github/workflows/"+file, []byte(text))
	if err != nil {
		return nil, unprocessable("Failed to parse workflow: %s", err.Error())
	}
	trigger, has := w.On["workflow_dispatch"]
	if !has {
		return nil, unprocessable("Workflow does not have 'workflow_dispatch' trigger")
	}
	given := map[string]string{}
	for k, v := range in.Inputs {
		given[k] = fmt.Sprint(v)
	}
	inputs, err := trigger.checkInputs(given)
	if err != nil {
		return nil, err
	}
	var started Run
	c.s.emit(Event{
		Started: func(r Run) { started = r },
		Name:    "workflow_dispatch", Repository: c.repo.fullName(), Ref: ref, SHA: sha, Workflow: file, Inputs: inputs,
		Actor: c.token.User, ByJob: c.token.Job,
		Payload: map[string]any{
			"inputs": inputs, "ref": ref, "workflow": w.Path, "repository": c.s.repositoryJSON(c.repo),
			"sender": c.s.userJSON(c.token.User),
		},
	})
	// https://github.blog/changelog/2026-02-19-workflow-dispatch-api-now-returns-run-ids
	if in.ReturnDetails && started.ID != 0 {
		return ok(map[string]any{
			"workflow_run_id": started.ID, "run_url": c.api("/actions/runs/%d", started.ID),
			"html_url": c.page("/actions/runs/%d", started.ID),
		})
	}
	return noContent()
}

func dispatchRepository(c *call, in struct {
	EventType string         `json:"event_type"`
	Payload   map[string]any `json:"client_payload"`
}) (*answer, error) {
	if in.EventType == "" {
		return nil, unprocessable("Invalid request.\n\n\"event_type\" wasn't supplied.")
	}
	ref := "refs/heads/" + c.repo.DefaultBranch
	c.s.emit(Event{
		Name: "repository_dispatch", Repository: c.repo.fullName(), Action: in.EventType, Ref: ref,
		SHA: c.s.head(c.Context(), c.dir, ref), Actor: c.token.User, ByJob: c.token.Job,
		Payload: map[string]any{
			"action": in.EventType, "branch": c.repo.DefaultBranch, "client_payload": in.Payload,
			"repository": c.s.repositoryJSON(c.repo), "sender": c.s.userJSON(c.token.User),
		},
	})
	return noContent()
}

func listRuns(c *call) (*answer, error) {
	q := c.URL.Query()
	file := c.PathValue("file")
	var matching []Run
	runs := c.s.Runs(c.repo.fullName())
	known := file == ""
	if _, err := c.git("cat-file", "-e", "refs/heads/"+c.repo.DefaultBranch+":.github/workflows/"+path.Base(file)); file != "" &&
		err == nil {
		known = true
	}
	for i := len(runs) - 1; i >= 0; i-- {
		r := runs[i]
		if file != "" && path.Base(r.Path) != file {
			continue
		}
		known = true
		wanted := func(key, value string) bool { return q.Get(key) == "" || q.Get(key) == value }
		if wanted("event", r.Event) && wanted("branch", r.HeadBranch) && wanted("head_sha", r.HeadSHA) && wanted("actor", r.Actor) &&
			(wanted("status", r.Status) || wanted("status", r.Conclusion)) && createdWithin(q.Get("created"), r.Created) {
			matching = append(matching, r)
		}
	}
	if !known {
		return nil, notFound()
	}
	list := []map[string]any{}
	for _, r := range paginate(c, matching) {
		list = append(list, c.runJSON(r))
	}
	return ok(map[string]any{"total_count": len(matching), "workflow_runs": list})
}

// createdWithin reads the search syntax for dates, as far as >= and a range go.
func createdWithin(query string, at time.Time) bool {
	if query == "" {
		return true
	}
	from, to, isRange := strings.Cut(strings.TrimPrefix(query, ">="), "..")
	after, err := time.Parse(time.RFC3339, from)
	if err == nil && at.Before(after) {
		return false
	}
	if before, err := time.Parse(time.RFC3339, to); isRange && err == nil && at.After(before) {
		return false
	}
	return true
}

func (c *call) run() (*Run, error) {
	id, err := strconv.ParseInt(c.PathValue("id"), 10, 64)
	if err != nil {
		return nil, notFound()
	}
	for _, r := range c.s.Runs(c.repo.fullName()) {
		if r.ID == id {
			return &r, nil
		}
	}
	return nil, notFound()
}

func getRun(c *call) (*answer, error) {
	r, err := c.run()
	if err != nil {
		return nil, err
	}
	return ok(c.runJSON(*r))
}

func listJobs(c *call) (*answer, error) {
	r, err := c.run()
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, j := range paginate(c, r.Jobs) {
		list = append(list, c.jobJSON(*r, j))
	}
	return ok(map[string]any{"total_count": len(r.Jobs), "jobs": list})
}

// jobLog redirects to an address that needs no token, as GitHub does.
func jobLog(c *call) (*answer, error) {
	id, _ := strconv.ParseInt(c.PathValue("id"), 10, 64)
	for _, r := range c.s.Runs(c.repo.fullName()) {
		for _, j := range r.Jobs {
			if j.ID == id {
				ticket := randomHex(12)
				c.s.mu.Lock()
				c.s.cache["log "+ticket] = r.Log
				c.s.mu.Unlock()
				c.w.Header().Set("Location", c.s.URL()+"/_logs/"+ticket)
				return &answer{status: http.StatusFound}, nil
			}
		}
	}
	return nil, notFound()
}

func (s *Server) log(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	file, _ := s.cache["log "+r.PathValue("ticket")].(string)
	s.mu.Unlock()
	data, err := os.ReadFile(file)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(data)
}

func (c *call) runJSON(r Run) map[string]any {
	api := c.api("/actions/runs/%d", r.ID)
	workflow := numberID(r.Path)
	return map[string]any{
		"id": r.ID, "name": r.Workflow, "node_id": nodeID("WorkflowRun", strconv.FormatInt(r.ID, 10)), "check_suite_id": r.ID,
		"check_suite_node_id": nodeID("CheckSuite", strconv.FormatInt(r.ID, 10)),
		"head_branch":         orNil(r.HeadBranch), "head_sha": r.HeadSHA, "path": r.Path, "run_number": r.Number, "run_attempt": 1,
		"event": r.Event, "display_title": r.Title,
		"status": r.Status, "conclusion": orNil(r.Conclusion), "workflow_id": workflow, "url": api,
		"html_url": c.page("/actions/runs/%d", r.ID), "pull_requests": []any{},
		"created_at": stamp(r.Created), "updated_at": stamp(r.Updated), "run_started_at": stamp(firstTime(r.Started, r.Created)),
		"jobs_url": api + "/jobs", "logs_url": api + "/logs", "check_suite_url": c.api("/check-suites/%d", r.ID),
		"artifacts_url": api + "/artifacts", "cancel_url": api + "/cancel",
		"rerun_url": api + "/rerun", "previous_attempt_url": nil, "workflow_url": c.api("/actions/workflows/%d", workflow),
		"head_commit": nil,
		"repository":  c.s.minimalRepositoryJSON(c.repo), "head_repository": c.s.minimalRepositoryJSON(c.repo),
		"actor": c.s.userJSON(r.Actor), "triggering_actor": c.s.userJSON(r.Actor),
	}
}

func firstTime(t, fallback time.Time) time.Time {
	if t.IsZero() {
		return fallback
	}
	return t
}

func (c *call) jobJSON(r Run, j RunJob) map[string]any {
	steps := []map[string]any{}
	for i, st := range j.Steps {
		steps = append(steps, map[string]any{
			"name": st.Name, "status": "completed", "conclusion": orNil(st.Conclusion), "number": i + 1,
			"started_at": stampOrNil(j.Started), "completed_at": stampOrNil(j.Completed),
		})
	}
	return map[string]any{
		"id": j.ID, "run_id": r.ID, "run_url": c.api("/actions/runs/%d", r.ID),
		"node_id": nodeID("CheckRun", strconv.FormatInt(j.ID, 10)), "head_sha": r.HeadSHA,
		"url": c.api("/actions/jobs/%d", j.ID), "html_url": c.page("/actions/runs/%d/job/%d", r.ID, j.ID), "status": j.Status,
		"conclusion": orNil(j.Conclusion),
		"created_at": stamp(r.Created), "started_at": stamp(firstTime(j.Started, r.Created)),
		"completed_at": stampOrNil(j.Completed), "name": j.Name, "steps": steps,
		"check_run_url": c.api("/check-runs/%d", j.ID), "labels": []string{"ubuntu-latest"}, "runner_id": 1, "runner_name": "act",
		"runner_group_id": 1, "runner_group_name": "sandbox",
		"workflow_name": r.Workflow, "head_branch": orNil(r.HeadBranch), "run_attempt": 1,
	}
}

// listCheckRuns shows each job on a commit as a check.
func listCheckRuns(c *call, sha string) (*answer, error) {
	list := []map[string]any{}
	for _, r := range c.s.Runs(c.repo.fullName()) {
		if r.HeadSHA != sha {
			continue
		}
		for _, j := range r.Jobs {
			list = append(list, map[string]any{
				"id": j.ID, "name": j.Name, "node_id": nodeID("CheckRun", strconv.FormatInt(j.ID, 10)), "head_sha": sha,
				"external_id": "", "url": c.api("/check-runs/%d", j.ID),
				"html_url": c.page("/actions/runs/%d/job/%d", r.ID, j.ID), "details_url": c.page("/actions/runs/%d", r.ID),
				"status": j.Status, "conclusion": orNil(j.Conclusion),
				"started_at": stampOrNil(j.Started), "completed_at": stampOrNil(j.Completed),
				"check_suite": map[string]any{"id": r.ID}, "app": nil, "pull_requests": []any{},
				"output": map[string]any{
					"title": nil, "summary": nil, "text": nil, "annotations_count": 0,
					"annotations_url": c.api("/check-runs/%d/annotations", j.ID),
				},
			})
		}
	}
	return ok(map[string]any{"total_count": len(list), "check_runs": paginate(c, list)})
}

func uploadSARIF(c *call, in struct {
	CommitSHA string `json:"commit_sha"`
	Ref       string
	Sarif     string
	ToolName  string `json:"tool_name"`
}) (*answer, error) {
	if !git.IsObjectID(in.CommitSHA) || in.Ref == "" || in.Sarif == "" {
		return nil, unprocessable("Invalid request: commit_sha, ref and sarif are required")
	}
	rejected, err := checkSARIF(in.Sarif)
	if err != nil {
		return nil, &apiError{Status: http.StatusBadRequest, Message: "Invalid SARIF. " + err.Error()}
	}
	id := randomHex(16)
	c.s.change(func(*state) {
		c.repo.SARIF = append(
			c.repo.SARIF, &sarifUpload{ID: id, CommitSHA: in.CommitSHA, Ref: in.Ref, Tool: in.ToolName, Rejected: rejected},
		)
	})
	return &answer{http.StatusAccepted, map[string]any{"id": id, "url": c.api("/code-scanning/sarifs/%s", id)}}, nil
}

// sarifUpload is what was handed to code scanning.
type sarifUpload struct {
	ID, CommitSHA, Ref, Tool string
	Rejected                 []string // why it cannot be processed
	Asked                    int
}

// getSARIF answers once that an upload is not processed yet.
// https://docs.github.com/en/rest/code-scanning/code-scanning#get-information-about-a-sarif-upload
func getSARIF(c *call) (*answer, error) {
	var found *sarifUpload
	c.s.change(func(*state) {
		for _, upload := range c.repo.SARIF {
			if upload.ID == c.PathValue("id") {
				upload.Asked++
				found = upload
			}
		}
	})
	switch {
	case found == nil:
		return nil, notFound()
	case found.Asked == 1:
		return ok(map[string]any{"processing_status": "pending"})
	case len(found.Rejected) > 0:
		return ok(map[string]any{"processing_status": "failed", "analyses_url": nil, "errors": found.Rejected})
	}
	return ok(map[string]any{
		"processing_status": "complete", "analyses_url": c.api("/code-scanning/analyses?sarif_id=%s", found.ID), "errors": nil,
	})
}
