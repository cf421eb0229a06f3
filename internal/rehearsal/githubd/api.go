package githubd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const maxRequest = 64 << 20

// apiError is GitHub's answer to what it refuses.
type apiError struct {
	Status  int
	Message string
	Errors  []map[string]any
	Header  http.Header
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s", e.Status, e.Message) }

func notFound() error { return &apiError{Status: http.StatusNotFound, Message: "Not Found"} }

// invalid is the 422 of a field; code is missing_field, invalid, custom, …
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed
func invalid(resource, field, code, message string) error {
	detail := map[string]any{"resource": resource, "field": field, "code": code}
	if message != "" {
		detail["message"] = message
	}
	return &apiError{Status: http.StatusUnprocessableEntity, Message: "Validation Failed", Errors: []map[string]any{detail}}
}

func unprocessable(format string, args ...any) error {
	return &apiError{Status: http.StatusUnprocessableEntity, Message: fmt.Sprintf(format, args...)}
}

// call is one request to the API for a repository.
type call struct {
	*http.Request
	s     *Server
	w     http.ResponseWriter
	token *Token
	repo  *repository
	dir   string // its git directory
}

func (c *call) decode(into any) error {
	if err := json.NewDecoder(io.LimitReader(c.Body, maxRequest)).Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return &apiError{Status: http.StatusBadRequest, Message: "Problems parsing JSON"}
	}
	return nil
}

func (c *call) number() (int, error) {
	n, err := strconv.Atoi(c.PathValue("n"))
	if err != nil {
		return 0, notFound()
	}
	return n, nil
}

// api is the URL of an endpoint below the repository.
func (c *call) api(format string, args ...any) string {
	return c.s.APIURL() + "/repos/" + c.repo.fullName() + fmt.Sprintf(format, args...)
}

// page is the URL of one of the repository's pages.
func (c *call) page(format string, args ...any) string {
	return c.s.URL() + "/" + c.repo.fullName() + fmt.Sprintf(format, args...)
}

type answer struct {
	status int
	body   any // nil is none; []byte is sent as it stands
}

func ok(body any) (*answer, error)      { return &answer{http.StatusOK, body}, nil }
func created(body any) (*answer, error) { return &answer{http.StatusCreated, body}, nil }
func noContent() (*answer, error)       { return &answer{http.StatusNoContent, nil}, nil }

type handler func(c *call) (*answer, error)

// handle serves an endpoint of a repository to those who have the permission.
func (s *Server) handle(method, path, scope, access string, h handler) {
	s.endpoints = append(s.endpoints, method+" /repos/{owner}/{repo}"+path)
	s.mux.HandleFunc(method+" /api/v3/repos/{owner}/{repo}"+path, func(w http.ResponseWriter, r *http.Request) {
		result, err := s.call(w, r, scope, access, h)
		s.write(w, result, err)
	})
}

// with decodes the body of a request for its handler.
func with[T any](h func(c *call, in T) (*answer, error)) handler {
	return func(c *call) (*answer, error) {
		var in T
		if err := c.decode(&in); err != nil {
			return nil, err
		}
		return h(c, in)
	}
}

func (s *Server) call(w http.ResponseWriter, r *http.Request, scope, access string, h handler) (*answer, error) {
	token, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	repo := s.lookup(r.PathValue("owner") + "/" + r.PathValue("repo"))
	if repo == nil {
		return nil, notFound()
	}
	if scope == issueOrPull {
		scope = s.scopeOf(repo, r)
	}
	w.Header().Set("X-Accepted-Github-Permissions", scope+"="+access)
	if err := token.require(repo, scope, access); err != nil {
		return nil, err
	}
	return h(&call{Request: r, s: s, w: w, token: token, repo: repo, dir: s.gitDir(repo)})
}

func (s *Server) write(w http.ResponseWriter, a *answer, err error) {
	w.Header().Set("X-Github-Media-Type", "github.v3; format=json")
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		for name, values := range refused.Header {
			w.Header()[name] = values
		}
		body := map[string]any{
			"message": refused.Message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(refused.Status),
		}
		if refused.Errors != nil {
			body["errors"] = refused.Errors
		}
		writeJSON(w, refused.Status, body)
	case err != nil:
		writeJSON(w, http.StatusInternalServerError, map[string]any{"message": "Server Error: " + err.Error()})
	case a == nil: // the handler wrote
	case a.body == nil:
		w.WriteHeader(a.status)
	default:
		if raw, ok := a.body.([]byte); ok {
			w.WriteHeader(a.status)
			_, _ = w.Write(raw)
			return
		}
		writeJSON(w, a.status, a.body)
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"message":"Server Error"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// paginate cuts one page out of a list and sets the Link header.
// https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
func paginate[T any](c *call, list []T) []T {
	number, size := pageOf(c.URL.Query())
	from := min((number-1)*size, len(list))
	to := min(from+size, len(list))
	c.link(number, to < len(list))
	if from == to {
		return []T{}
	}
	return list[from:to]
}

func pageOf(q url.Values) (number, size int) {
	size, err := strconv.Atoi(q.Get("per_page"))
	if err != nil || size < 1 {
		size = 30
	}
	number, err = strconv.Atoi(q.Get("page"))
	if err != nil || number < 1 {
		number = 1
	}
	return number, min(size, 100)
}

func (c *call) link(number int, more bool) {
	var links []string
	add := func(n int, rel string) {
		q := c.URL.Query()
		q.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, c.s.URL(), c.URL.EscapedPath(), q.Encode(), rel))
	}
	if number > 1 {
		add(number-1, "prev")
	}
	if more {
		add(number+1, "next")
	}
	if len(links) > 0 {
		c.w.Header().Set("Link", strings.Join(links, ", "))
	}
}

// routes are all the endpoints, with the permission each one needs.
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
func (s *Server) routes() {
	s.mux = http.NewServeMux()
	s.handle("GET", "", "metadata", "read", getRepository)
	s.handle("GET", "/branches/{branch}", "contents", "read", getBranch)
	s.handle("GET", "/git/ref/{ref...}", "contents", "read", getRef)
	s.handle("POST", "/git/refs", "contents", "write", with(createRef))
	s.handle("PATCH", "/git/refs/{ref...}", "contents", "write", with(updateRef))
	s.handle("DELETE", "/git/refs/{ref...}", "contents", "write", deleteRef)
	s.handle("GET", "/git/blobs/{sha}", "contents", "read", getBlob)
	s.handle("POST", "/git/blobs", "contents", "write", with(createBlob))
	s.handle("GET", "/git/trees/{sha}", "contents", "read", getTree)
	s.handle("POST", "/git/trees", "contents", "write", with(createTree))
	s.handle("GET", "/git/commits/{sha}", "contents", "read", getGitCommit)
	s.handle("POST", "/git/commits", "contents", "write", with(createCommit))
	s.handle("GET", "/commits", "contents", "read", listCommits)
	s.handle("GET", "/commits/{rest...}", "contents", "read", commitDetails)
	s.handle("GET", "/compare/{basehead...}", "contents", "read", compare)
	s.handle("GET", "/tarball/{ref...}", "contents", "read", tarball)
	s.handle("GET", "/contents/{path...}", "contents", "read", getContents)
	s.handle("GET", "/activity", "contents", "read", listActivity)
	s.handle("POST", "/statuses/{sha}", "statuses", "write", with(createStatus))

	s.settingsRoutes()
	s.routesOfWork()
	s.mux.HandleFunc("GET /api/v3/orgs/{org}/teams/{slug}", s.team)
	s.mux.HandleFunc("GET /api/v3/orgs/{org}/teams/{slug}/memberships/{user}", s.team)
	s.mux.HandleFunc("GET /api/v3/repos/{owner}/{repo}/installation", s.installation)
	s.mux.HandleFunc("POST /api/v3/app/installations/{id}/access_tokens", s.accessToken)
	s.mux.HandleFunc("POST /api/graphql", s.graphql)
	s.mux.HandleFunc("GET /_codeload/{owner}/{repo}/{sha}", s.codeload)
	s.mux.HandleFunc("GET /_logs/{ticket}", s.log)
	s.mux.HandleFunc("/_sandbox/", s.admin)
	s.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) { s.write(w, nil, notFound()) })
	s.mux.HandleFunc("/", s.pages)
}

// routesOfWork are deployments, pull requests, issues and workflows.
func (s *Server) routesOfWork() {
	s.handle("POST", "/deployments", "deployments", "write", createDeployment)
	s.handle("GET", "/deployments/{id}", "deployments", "read", getDeployment)
	s.handle("POST", "/deployments/{id}/statuses", "deployments", "write", createDeploymentStatus)
	s.handle("GET", "/deployments/{id}/statuses", "deployments", "read", listDeploymentStatuses)

	s.handle("GET", "/pulls", "pull_requests", "read", listPulls)
	s.handle("POST", "/pulls", "pull_requests", "write", with(createPull))
	s.handle("GET", "/pulls/{n}", "pull_requests", "read", getPull)
	s.handle("PATCH", "/pulls/{n}", "pull_requests", "write", updatePull)
	s.handle("PUT", "/pulls/{n}/merge", "contents", "write", mergePull)
	s.handle("GET", "/pulls/{n}/files", "pull_requests", "read", pullFiles)
	s.handle("GET", "/collaborators/{user}/permission", "metadata", "read", collaboratorPermission)
	s.handle("GET", "/pulls/{n}/reviews", "pull_requests", "read", listReviews)
	s.handle("POST", "/pulls/{n}/reviews", "pull_requests", "write", createReview)
	s.handle("PUT", "/pulls/{n}/reviews/{id}", "pull_requests", "write", with(updateReview))
	s.handle("PUT", "/pulls/{n}/reviews/{id}/dismissals", "pull_requests", "write", with(dismissReview))
	s.handle("POST", "/pulls/{n}/requested_reviewers", "pull_requests", "write", requestReviewers)
	s.handle("GET", "/issues", "issues", "read", listIssues)
	s.handle("POST", "/issues", "issues", "write", with(createIssue))
	s.handle("GET", "/issues/{n}", "issues", "read", getIssue)
	s.handle("PATCH", "/issues/{n}", "issues", "write", updateIssue)
	s.handle("GET", "/issues/{n}/comments", issueOrPull, "read", listComments)
	s.handle("POST", "/issues/{n}/comments", issueOrPull, "write", createComment)
	s.handle("PATCH", "/issues/comments/{id}", issueOrPull, "write", updateComment)
	s.handle("GET", "/issues/{n}/labels", issueOrPull, "read", listLabels)
	s.handle("POST", "/issues/{n}/labels", issueOrPull, "write", addLabels)

	s.handle("POST", "/actions/workflows/{file}/dispatches", "actions", "write", with(dispatchWorkflow))
	s.handle("GET", "/actions/workflows/{file}/runs", "actions", "read", listRuns)
	s.handle("GET", "/actions/runs", "actions", "read", listRuns)
	s.handle("GET", "/actions/runs/{id}", "actions", "read", getRun)
	s.handle("GET", "/actions/runs/{id}/jobs", "actions", "read", listJobs)
	s.handle("GET", "/actions/jobs/{id}/logs", "actions", "read", jobLog)
	s.handle("POST", "/dispatches", "contents", "write", with(dispatchRepository))
	s.handle("POST", "/code-scanning/sarifs", "security_events", "write", with(uploadSARIF))
}

var shaForm = regexp.MustCompile(`^[0-9a-f]{40}$`)
