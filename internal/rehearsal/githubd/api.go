package githubd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// serve serves endpoints of a repository to those who have the permission.
func (s *Server) serve(scope string, handlers endpoints) {
	for route, h := range handlers {
		method, path, _ := strings.Cut(route, " ")
		access := accessOf(method)
		s.endpoints = append(s.endpoints, method+" /repos/{owner}/{repo}"+path)
		s.mux.HandleFunc(method+" /api/v3/repos/{owner}/{repo}"+path, func(w http.ResponseWriter, r *http.Request) {
			result, err := s.call(w, r, scope, access, h)
			s.write(w, result, err)
		})
	}
}

// accessOf is what a request needs: more than GET needs write access.
func accessOf(method string) string {
	if method == http.MethodGet {
		return "read"
	}
	return "write"
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

// served are all the endpoints of a repository, by the permission that each needs.
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
var served = map[string]endpoints{
	"metadata": {
		"GET":                                  getRepository,
		"GET /collaborators/{user}/permission": collaboratorPermission,
		"GET /rules/branches/{branch}":         branchRules,
		"GET /rulesets/{id}":                   getRuleset,
		"GET /rulesets":                        listRulesets,
	},
	"contents": {
		"GET /branches/{branch}":          getBranch,
		"GET /git/ref/{ref...}":           getRef,
		"GET /git/matching-refs/{ref...}": matchingRefs,
		"POST /git/refs":                  with(createRef),
		"PATCH /git/refs/{ref...}":        with(updateRef),
		"DELETE /git/refs/{ref...}":       deleteRef,
		"GET /git/blobs/{sha}":            getBlob,
		"POST /git/blobs":                 with(createBlob),
		"GET /git/trees/{sha}":            getTree,
		"POST /git/trees":                 with(createTree),
		"GET /git/commits/{sha}":          getGitCommit,
		"POST /git/commits":               with(createCommit),
		"GET /commits":                    listCommits,
		"GET /commits/{rest...}":          commitDetails,
		"GET /compare/{basehead...}":      compare,
		"GET /tarball/{ref...}":           tarball,
		"GET /contents/{path...}":         getContents,
		"GET /activity":                   listActivity,
		"PUT /pulls/{n}/merge":            mergePull,
		"POST /dispatches":                with(dispatchRepository),
		"GET /codeowners/errors":          codeOwnerErrors,

		"POST /releases":             with(createRelease),
		"GET /releases/tags/{tag}":   releaseByTag,
		"GET /releases/{id}":         getRelease,
		"PATCH /releases/{id}":       with(updateRelease),
		"POST /releases/{id}/assets": uploadAsset,
		"GET /releases/assets/{id}":  getAsset,

		"DELETE /releases/assets/{id}": deleteAsset,
	},
	"statuses": {
		"POST /statuses/{sha}": with(createStatus),
	},
	"deployments": {
		"POST /deployments":               createDeployment,
		"GET /deployments":                listDeployments,
		"GET /deployments/{id}":           getDeployment,
		"POST /deployments/{id}/statuses": createDeploymentStatus,
		"GET /deployments/{id}/statuses":  listDeploymentStatuses,
	},
	"pull_requests": {
		"GET /pulls":                             listPulls,
		"POST /pulls":                            with(createPull),
		"GET /pulls/{n}":                         getPull,
		"PATCH /pulls/{n}":                       updatePull,
		"GET /pulls/{n}/files":                   pullFiles,
		"GET /pulls/{n}/reviews":                 listReviews,
		"POST /pulls/{n}/reviews":                createReview,
		"PUT /pulls/{n}/reviews/{id}":            with(updateReview),
		"PUT /pulls/{n}/reviews/{id}/dismissals": with(dismissReview),
		"POST /pulls/{n}/requested_reviewers":    requestReviewers,
	},
	"issues": {
		"GET /issues":       listIssues,
		"POST /issues":      with(createIssue),
		"GET /issues/{n}":   getIssue,
		"PATCH /issues/{n}": updateIssue,
	},
	issueOrPull: {
		"GET /issues/{n}/comments":         listComments,
		"POST /issues/{n}/comments":        createComment,
		"PATCH /issues/comments/{id}":      updateComment,
		"DELETE /issues/comments/{id}":     deleteComment,
		"GET /issues/{n}/labels":           listLabels,
		"POST /issues/{n}/labels":          addLabels,
		"DELETE /issues/{n}/labels/{name}": removeLabel,
	},
	"actions": {
		"POST /actions/workflows/{file}/dispatches":           with(dispatchWorkflow),
		"GET /actions/workflows":                              listWorkflows,
		"GET /actions/workflows/{file}/runs":                  listRuns,
		"GET /actions/runs":                                   listRuns,
		"GET /actions/runs/{id}":                              getRun,
		"GET /actions/runs/{id}/jobs":                         listJobs,
		"GET /actions/jobs/{id}/logs":                         jobLog,
		"GET /environments/{name}":                            getEnvironment,
		"GET /environments/{name}/deployment-branch-policies": listBranchPolicies,
	},
	"attestations": {
		"POST /attestations":         createAttestation,
		"GET /attestations/{digest}": listAttestations,
	},
	"security_events": {
		"POST /code-scanning/sarifs":     with(uploadSARIF),
		"GET /code-scanning/sarifs/{id}": getSARIF,
	},
	"environments": {
		"GET /environments/{name}/secrets":   listSecrets(ofEnvironment),
		"GET /environments/{name}/variables": listVariables(ofEnvironment),

		"GET /environments/{name}/secrets/public-key":     publicKey,
		"PUT /environments/{name}/secrets/{secret}":       setSecret(ofEnvironment),
		"POST /environments/{name}/variables":             createVariable(ofEnvironment),
		"PATCH /environments/{name}/variables/{variable}": updateVariable(ofEnvironment),
	},
	"secrets": {
		"GET /actions/secrets":              listSecrets(ofRepository),
		"GET /actions/secrets/public-key":   publicKey,
		"PUT /actions/secrets/{secret}":     setSecret(ofRepository),
		"GET /actions/organization-secrets": listSecrets(sharedByOrganisation),
	},
	"actions_variables": {
		"GET /actions/variables":              listVariables(ofRepository),
		"POST /actions/variables":             createVariable(ofRepository),
		"PATCH /actions/variables/{variable}": updateVariable(ofRepository),
		"GET /actions/organization-variables": listVariables(sharedByOrganisation),
	},
	"administration": {
		"GET /actions/permissions":                             actionsPolicy,
		"GET /actions/permissions/selected-actions":            selectedActions,
		"GET /actions/permissions/access":                      workflowAccess,
		"PUT /actions/permissions/access":                      with(setWorkflowAccess),
		"GET /actions/permissions/workflow":                    jobRights,
		"PUT /actions/permissions/workflow":                    with(setJobRights),
		"PUT /environments/{name}":                             with(putEnvironment),
		"DELETE /environments/{name}":                          deleteEnvironment,
		"POST /environments/{name}/deployment-branch-policies": with(createBranchPolicy),
		"POST /rulesets":                                       with(createRuleset),
		"DELETE /rulesets/{id}":                                deleteRuleset,
	},
}

func (s *Server) routes() {
	s.mux = http.NewServeMux()
	for scope, handlers := range served {
		s.serve(scope, handlers)
	}
	for route, e := range inOrganisations {
		method, path, _ := strings.Cut(route, " ")
		s.mux.HandleFunc(method+" /api/v3"+path, s.ofOrganisation(e.scope, e.serve))
	}
	s.mux.HandleFunc("GET /api/v3/users/{name}", s.getUser)
	s.mux.HandleFunc("POST /api/v3/app-manifests/{code}/conversions", s.convertManifest)
	s.mux.HandleFunc("POST /organizations/{org}/settings/apps/new", s.registerApp)
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

// endpoints are the handlers of methods and paths below a repository.
type endpoints map[string]handler
