package githubd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// deployment is a request to deploy a ref. It starts the workflows that listen
// to `deployment`, as they stand at that ref.
type deployment struct {
	ID                       int64
	SHA, Ref, Task           string
	Environment, Description string
	Payload                  json.RawMessage
	Creator                  string
	Transient                bool
	Created                  time.Time
	Statuses                 []deploymentStatus // oldest first
}

type deploymentStatus struct {
	ID                                  int64
	State, Description, LogURL, Creator string
	Created                             time.Time
}

var deploymentStates = []string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}

// createDeployment needs `deployments: write`.
// https://docs.github.com/en/rest/deployments/deployments#create-a-deployment
func createDeployment(c *call) (*answer, error) {
	in := struct {
		Ref, Task, Environment, Description string
		Payload                             json.RawMessage
		Contexts                            *[]string `json:"required_contexts"`
		Transient                           bool      `json:"transient_environment"`
	}{Task: "deploy", Environment: "production"}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	sha, gitRef := c.s.head(c.Context(), c.dir, "refs/heads/"+in.Ref), "refs/heads/"+in.Ref
	if sha == "" {
		sha, gitRef = c.s.head(c.Context(), c.dir, "refs/tags/"+in.Ref+"^{commit}"), "refs/tags/"+in.Ref
	}
	if sha == "" && git.IsObjectID(in.Ref) {
		sha, gitRef = c.resolve(in.Ref), "" // "empty if created with a commit SHA"
	}
	if in.Ref == "" || sha == "" {
		return nil, unprocessable("No ref found for: %s", in.Ref)
	}
	if missing := c.unmetContexts(sha, in.Contexts); missing != "" {
		return nil, &apiError{
			Status: http.StatusConflict, Message: fmt.Sprintf("Conflict: Commit status checks failed for %s: %s", in.Ref, missing),
		}
	}
	if len(in.Payload) == 0 {
		in.Payload = json.RawMessage(`{}`)
	}
	d := &deployment{
		SHA: sha, Ref: in.Ref, Task: in.Task, Environment: in.Environment, Description: in.Description, Payload: in.Payload,
		Creator: c.token.User, Transient: in.Transient, Created: c.s.now(),
	}
	c.s.change(func(s *state) {
		d.ID = s.next()
		c.repo.Deployments = append(c.repo.Deployments, d)
	})
	body := c.deploymentJSON(*d)
	c.s.emit(Event{
		Name: "deployment", Repository: c.repo.fullName(), Action: "created", Ref: gitRef, SHA: sha, Actor: c.token.User,
		ByJob: c.token.Job,
		Payload: map[string]any{
			"action": "created", "deployment": body, "repository": c.s.repositoryJSON(c.repo), "sender": c.s.userJSON(c.token.User),
		},
	})
	return created(body)
}

// unmetContexts is the first status context without success; nil asks for all
// that the commit has.
func (c *call) unmetContexts(sha string, contexts *[]string) string {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, st := range c.repo.statuses(sha, true) {
		if st.State != "success" && (contexts == nil || slices.Contains(*contexts, st.Context)) {
			return st.Context
		}
	}
	return ""
}

// deployment is a copy of the deployment that the path names.
func (c *call) deployment() (deployment, error) {
	id, _ := strconv.ParseInt(c.PathValue("id"), 10, 64)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for _, d := range c.repo.Deployments {
		if d.ID == id {
			out := *d
			out.Statuses = slices.Clone(d.Statuses)
			return out, nil
		}
	}
	return deployment{}, notFound()
}

// https://docs.github.com/en/rest/deployments/deployments#get-a-deployment
func getDeployment(c *call) (*answer, error) {
	d, err := c.deployment()
	if err != nil {
		return nil, err
	}
	return ok(c.deploymentJSON(d))
}

// listDeployments gives the newest first.
// https://docs.github.com/en/rest/deployments/deployments#list-deployments
func listDeployments(c *call) (*answer, error) {
	q := c.URL.Query()
	is := func(name, value string) bool { return q.Get(name) == "" || q.Get(name) == value }
	var matching []deployment
	c.s.mu.Lock()
	for _, d := range slices.Backward(c.repo.Deployments) {
		if is("task", d.Task) && is("environment", d.Environment) && is("ref", d.Ref) && is("sha", d.SHA) {
			matching = append(matching, *d)
		}
	}
	c.s.mu.Unlock()
	list := []map[string]any{}
	for _, d := range paginate(c, matching) {
		list = append(list, c.deploymentJSON(d))
	}
	return ok(list)
}

// https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status
func createDeploymentStatus(c *call) (*answer, error) {
	d, err := c.deployment()
	if err != nil {
		return nil, err
	}
	var in struct {
		State, Description string
		LogURL             string `json:"log_url"`
		AutoInactive       *bool  `json:"auto_inactive"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	switch {
	case !slices.Contains(deploymentStates, in.State):
		return nil, invalid("DeploymentStatus", "state", "inclusion", "state is not included in the list")
	case utf8.RuneCountInString(in.Description) > maxDescription:
		return nil, invalid(
			"DeploymentStatus", "description", "custom",
			fmt.Sprintf("description is too long (maximum is %d characters)", maxDescription),
		)
	}
	st := deploymentStatus{State: in.State, Description: in.Description, LogURL: in.LogURL, Creator: c.token.User, Created: c.s.now()}
	c.s.change(func(s *state) {
		st.ID = s.next()
		for _, other := range c.repo.Deployments {
			switch {
			case other.ID == d.ID:
				other.Statuses = append(other.Statuses, st)
			case in.State == "success" && (in.AutoInactive == nil ||
				*in.AutoInactive) && !other.Transient && other.Environment == d.Environment && other.state() == "success":
				other.Statuses = append(other.Statuses, deploymentStatus{
					ID: s.next(), State: "inactive", Creator: c.token.User, Created: c.s.now(),
				})
			}
		}
	})
	// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#deployment_status
	if in.State != "inactive" {
		gitRef := ""
		if !git.IsObjectID(d.Ref) {
			gitRef = "refs/heads/" + d.Ref
		}
		c.s.emit(Event{
			Name: "deployment_status", Repository: c.repo.fullName(), Action: "created", Ref: gitRef, SHA: d.SHA,
			Actor: c.token.User, ByJob: c.token.Job,
			Payload: map[string]any{
				"action": "created", "deployment": c.deploymentJSON(d), "deployment_status": c.deploymentStatusJSON(d, st),
				"repository": c.s.repositoryJSON(c.repo), "sender": c.s.userJSON(c.token.User),
			},
		})
	}
	return created(c.deploymentStatusJSON(d, st))
}

func (d *deployment) state() string {
	if len(d.Statuses) == 0 {
		return "pending"
	}
	return d.Statuses[len(d.Statuses)-1].State
}

// listDeploymentStatuses gives the newest first.
// https://docs.github.com/en/rest/deployments/statuses#list-deployment-statuses
func listDeploymentStatuses(c *call) (*answer, error) {
	d, err := c.deployment()
	if err != nil {
		return nil, err
	}
	slices.Reverse(d.Statuses)
	list := []map[string]any{}
	for _, st := range paginate(c, d.Statuses) {
		list = append(list, c.deploymentStatusJSON(d, st))
	}
	return ok(list)
}

func (c *call) deploymentJSON(d deployment) map[string]any {
	api := c.api("/deployments/%d", d.ID)
	var payload any
	_ = json.Unmarshal(d.Payload, &payload) // it came by the same decoder
	return map[string]any{
		"url": api, "id": d.ID, "node_id": nodeID("Deployment", strconv.FormatInt(d.ID, 10)), "sha": d.SHA, "ref": d.Ref,
		"task": d.Task, "payload": payload,
		"original_environment": d.Environment, "environment": d.Environment, "description": orNil(d.Description),
		"creator":    c.s.userJSON(d.Creator),
		"created_at": stamp(d.Created), "updated_at": stamp(d.Created), "statuses_url": api + "/statuses",
		"repository_url":        strings.TrimSuffix(c.api("/"), "/"),
		"transient_environment": d.Transient, "production_environment": d.Environment == "production",
	}
}

func (c *call) deploymentStatusJSON(d deployment, st deploymentStatus) map[string]any {
	api := c.api("/deployments/%d", d.ID)
	return map[string]any{
		"url": fmt.Sprintf("%s/statuses/%d", api, st.ID), "id": st.ID,
		"node_id": nodeID("DeploymentStatus", strconv.FormatInt(st.ID, 10)), "state": st.State,
		"creator": c.s.userJSON(st.Creator), "description": st.Description, "environment": d.Environment, "target_url": st.LogURL,
		"log_url":    st.LogURL,
		"created_at": stamp(st.Created), "updated_at": stamp(st.Created), "deployment_url": api,
		"repository_url": strings.TrimSuffix(c.api("/"), "/"),
	}
}
