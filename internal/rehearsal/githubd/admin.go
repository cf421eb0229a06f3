package githubd

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Fault is trouble on request: the next Count requests (0 is one) whose method
// and path match are answered with Status, after Delay. With Processed the
// request is carried out first and its answer lost.
type Fault struct {
	Method    string            `json:"method"` // empty is any
	Path      string            `json:"path"`   // regular expression
	Count     int               `json:"count"`
	Status    int               `json:"status"` // 0: only the delay
	Headers   map[string]string `json:"headers"`
	Body      string            `json:"body"`
	DelayMS   int               `json:"delay_ms"`
	Processed bool              `json:"processed"`
	Drop      bool              `json:"drop"` // cut the connection instead of an answer
	matcher   *regexp.Regexp
	// Before is called with each request it matches, for tests that need
	// something to happen just then.
	Before func() `json:"-"`
}

// AddFault arms a fault.
func (s *Server) AddFault(f Fault) error {
	matcher, err := regexp.Compile(f.Path)
	if err != nil {
		return fmt.Errorf("add a fault: %w", err)
	}
	f.matcher = matcher
	if f.Count == 0 {
		f.Count = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}

// fault answers the request when a fault is armed for it.
func (s *Server) fault(w http.ResponseWriter, r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/_sandbox/") {
		return false
	}
	s.mu.Lock()
	var hit *Fault
	for _, f := range s.faults {
		if f.Count > 0 && (f.Method == "" || f.Method == r.Method) && f.matcher.MatchString(r.URL.Path) {
			f.Count--
			copied := *f
			hit = &copied
			break
		}
	}
	s.mu.Unlock()
	if hit == nil {
		return false
	}
	if hit.Before != nil {
		hit.Before()
	}
	if hit.DelayMS > 0 {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Duration(hit.DelayMS) * time.Millisecond):
		}
	}
	if hit.Processed {
		s.mux.ServeHTTP(&discard{header: http.Header{}}, r)
	}
	if hit.Drop {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return true
	}
	if hit.Status == 0 {
		return false
	}
	for k, v := range hit.Headers {
		w.Header().Set(k, v)
	}
	body := hit.Body
	if body == "" {
		body = fmt.Sprintf(`{"message":%q,"documentation_url":"https://docs.github.com/rest"}`, http.StatusText(hit.Status))
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(hit.Status)
	_, _ = io.WriteString(w, body)
	return true
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// admin serves what a rehearsal does besides GitHub's API:
//
//	POST /_sandbox/repositories  a Seed
//	POST /_sandbox/tokens        a Token; answers {"token": …}
//	POST /_sandbox/apps          an App; answers {"client_id", "key"}
//	POST /_sandbox/faults        a Fault
//	POST /_sandbox/teams         {"team": "ORG/SLUG", "users": […]}
//	POST /_sandbox/protect       {"repository", "required": […], "bypass": […]}
//	POST /_sandbox/merge         {"repository", "number", "user", "method"}
//	POST /_sandbox/secrets       {"repository", "environment", "name", "value"}; also variables; empty environment: the repository's
//	POST /_sandbox/environments  {"repository", "name", "branches": […]}
//	GET  /_sandbox/runs?repository=OWNER/NAME, of all without one
//	GET  /_sandbox/pulls?repository=OWNER/NAME
//	GET  /_sandbox/statuses?repository=OWNER/NAME&sha=SHA
//	GET  /_sandbox/idle?timeout=60s  waits until nothing runs
func (s *Server) admin(w http.ResponseWriter, r *http.Request) {
	body, err := s.administer(r)
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		s.write(w, nil, err)
	case err != nil:
		writeJSON(w, http.StatusBadRequest, map[string]any{"message": err.Error()})
	default:
		writeJSON(w, http.StatusOK, body)
	}
}

func (s *Server) administer(r *http.Request) (any, error) {
	do := administration[r.Method+" "+strings.TrimPrefix(r.URL.Path, "/_sandbox/")]
	if do == nil {
		return nil, notFound()
	}
	return do(s, r)
}

// setting is a secret or a variable, of an environment if one is named.
type setting struct{ Repository, Environment, Name, Value string }

// administration is what the sandbox can be told and asked, by method and path.
var administration = map[string]func(*Server, *http.Request) (any, error){
	"POST repositories": told(func(s *Server, r *http.Request, seed Seed) error { return s.CreateRepository(r.Context(), seed) }),
	"POST faults":       told(func(s *Server, _ *http.Request, f Fault) error { return s.AddFault(f) }),
	"POST tokens": asked(func(s *Server, _ *http.Request, t Token) (any, error) {
		return map[string]any{"token": s.CreateToken(t)}, nil
	}),
	"POST apps": asked(func(s *Server, _ *http.Request, app App) (any, error) {
		id, key, err := s.CreateApp(app)
		return map[string]any{"client_id": id, "key": key}, err
	}),
	"POST teams": told(func(s *Server, _ *http.Request, in struct {
		Team  string
		Users []string
	}) error {
		s.SetTeam(in.Team, in.Users...)
		return nil
	}),
	"POST protect": told(func(s *Server, _ *http.Request, in struct {
		Repository       string
		Required, Bypass []string
	}) error {
		return s.protect(in.Repository, in.Required, in.Bypass)
	}),
	"POST merge": asked(func(s *Server, r *http.Request, in struct {
		Repository, User, Method string
		Number                   int
	}) (any, error) {
		sha, err := s.MergePull(r.Context(), in.Repository, in.Number, in.User, in.Method)
		return map[string]any{"sha": sha}, err
	}),
	"POST secrets": told(func(s *Server, _ *http.Request, in setting) error {
		if in.Environment != "" {
			return s.SetEnvironmentSecret(in.Repository, in.Environment, in.Name, in.Value)
		}
		return s.SetSecret(in.Repository, in.Name, in.Value)
	}),
	"POST variables": told(func(s *Server, _ *http.Request, in setting) error {
		if in.Environment != "" {
			return s.SetEnvironmentVariable(in.Repository, in.Environment, in.Name, in.Value)
		}
		return s.SetVariable(in.Repository, in.Name, in.Value)
	}),
	"POST environments": told(func(s *Server, _ *http.Request, in struct {
		Repository, Name string
		Branches         []string
	}) error {
		return s.SetEnvironment(in.Repository, in.Name, in.Branches...)
	}),
	"GET runs":  func(s *Server, r *http.Request) (any, error) { return s.runsOf(r.FormValue("repository")), nil },
	"GET pulls": func(s *Server, r *http.Request) (any, error) { return s.Pulls(r.FormValue("repository")), nil },
	"GET statuses": func(s *Server, r *http.Request) (any, error) {
		return s.Statuses(r.FormValue("repository"), r.FormValue("sha")), nil
	},
	"GET idle": func(s *Server, r *http.Request) (any, error) {
		timeout, err := time.ParseDuration(r.FormValue("timeout"))
		if err != nil {
			timeout = time.Minute
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		return done, s.WaitIdle(ctx)
	},
}

var done = map[string]any{"ok": true}

// asked decodes the body, in which every field must be known, and answers.
func asked[T any](do func(s *Server, r *http.Request, in T) (any, error)) func(*Server, *http.Request) (any, error) {
	return func(s *Server, r *http.Request) (any, error) {
		var in T
		d := json.NewDecoder(io.LimitReader(r.Body, maxRequest))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			return nil, err
		}
		return do(s, r, in)
	}
}

// told is asked with nothing to answer.
func told[T any](do func(s *Server, r *http.Request, in T) error) func(*Server, *http.Request) (any, error) {
	return asked(func(s *Server, r *http.Request, in T) (any, error) { return done, do(s, r, in) })
}

// Status is a commit status, as a rehearsal looks at it.
type Status struct{ Context, State, Description, TargetURL, Creator string }

// Statuses lists the latest status of each context of a commit.
func (s *Server) Statuses(repository, sha string) []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := s.state.Repositories[strings.ToLower(repository)]
	list := []Status{}
	if repo == nil {
		return list
	}
	for _, st := range repo.statuses(sha, true) {
		list = append(list, Status{st.Context, st.State, st.Description, st.TargetURL, st.Creator})
	}
	return list
}

// PullRequest is a pull request, as a rehearsal looks at it.
type PullRequest struct {
	Number                                              int
	Title, Body, State, User, HeadRef, HeadSHA, BaseRef string
	Merged                                              bool
	Reviewers, Teams, Labels                            []string
	Comments                                            []string
	URL                                                 string
}

// Pulls lists the pull requests of a repository, oldest first.
func (s *Server) Pulls(repository string) []PullRequest {
	root := s.URL()
	s.mu.Lock()
	defer s.mu.Unlock()
	repo := s.state.Repositories[strings.ToLower(repository)]
	if repo == nil {
		return nil
	}
	var list []PullRequest
	for _, p := range repo.Pulls {
		out := PullRequest{
			Number: p.Number, Title: p.Title, Body: p.Body, State: p.State, User: p.User, HeadRef: p.HeadRef, HeadSHA: p.HeadSHA,
			BaseRef: p.BaseRef, Merged: p.Merged,
			Reviewers: append([]string{}, p.Reviewers...), Teams: append([]string{}, p.Teams...), Labels: append([]string{}, p.Labels...),
			URL: root + "/" + repo.fullName() + "/pull/" + strconv.Itoa(p.Number),
		}
		for _, m := range repo.Comments {
			if m.Number == p.Number {
				out.Comments = append(out.Comments, m.Body)
			}
		}
		list = append(list, out)
	}
	return list
}

func sortBy[T any](list []T, less func(a, b T) bool) {
	sort.SliceStable(list, func(i, j int) bool { return less(list[i], list[j]) })
}

// checkSARIF unpacks what the API takes: Base64 of gzip of JSON. What is rejected
// later, when it is processed, is not an error.
// https://docs.github.com/en/code-security/code-scanning/troubleshooting-sarif-uploads/results-exceed-limit
func checkSARIF(encoded string) (rejected []string, err error) {
	packed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("not Base64")
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errors.New("not gzip")
	}
	var document struct {
		Runs []struct {
			AutomationDetails struct{ ID string }
			Results           []json.RawMessage
		}
	}
	if err := json.NewDecoder(unpacked).Decode(&document); err != nil || document.Runs == nil {
		return nil, errors.New("not a SARIF document")
	}
	if n := len(document.Runs); n > 20 {
		rejected = append(rejected, fmt.Sprintf("rejecting SARIF, as there are more runs than allowed (%d > 20)", n))
	}
	categories := make(map[string]bool)
	for _, run := range document.Runs {
		if n := len(run.Results); n > 25000 {
			rejected = append(rejected, fmt.Sprintf("rejecting SARIF, as there are more results per run than allowed (%d > 25000)", n))
		}
		// https://github.blog/changelog/2025-07-21-code-scanning-will-stop-combining-multiple-sarif-runs-uploaded-in-the-same-sarif-file/
		if categories[run.AutomationDetails.ID] {
			rejected = append(rejected, "rejecting SARIF, as there are multiple runs with the same category")
		}
		categories[run.AutomationDetails.ID] = true
	}
	return rejected, nil
}
