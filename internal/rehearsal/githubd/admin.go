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
	q := r.URL.Query()
	decode := func(into any) error {
		d := json.NewDecoder(io.LimitReader(r.Body, maxRequest))
		d.DisallowUnknownFields()
		return d.Decode(into)
	}
	done := map[string]any{"ok": true}
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, "/_sandbox/") {
	case "POST repositories":
		var seed Seed
		if err := decode(&seed); err != nil {
			return nil, err
		}
		return done, s.CreateRepository(r.Context(), seed)
	case "POST tokens":
		var t Token
		if err := decode(&t); err != nil {
			return nil, err
		}
		return map[string]any{"token": s.CreateToken(t)}, nil
	case "POST apps":
		var app App
		if err := decode(&app); err != nil {
			return nil, err
		}
		id, key, err := s.CreateApp(app)
		return map[string]any{"client_id": id, "key": key}, err
	case "POST faults":
		var f Fault
		if err := decode(&f); err != nil {
			return nil, err
		}
		return done, s.AddFault(f)
	case "POST teams":
		var in struct {
			Team  string
			Users []string
		}
		if err := decode(&in); err != nil {
			return nil, err
		}
		s.SetTeam(in.Team, in.Users...)
		return done, nil
	case "POST protect":
		var in struct {
			Repository       string
			Required, Bypass []string
		}
		if err := decode(&in); err != nil {
			return nil, err
		}
		return done, s.protect(in.Repository, in.Required, in.Bypass)
	case "POST merge":
		var in struct {
			Repository, User, Method string
			Number                   int
		}
		if err := decode(&in); err != nil {
			return nil, err
		}
		sha, err := s.MergePull(r.Context(), in.Repository, in.Number, in.User, in.Method)
		return map[string]any{"sha": sha}, err
	case "POST secrets", "POST variables":
		var in struct{ Repository, Environment, Name, Value string }
		if err := decode(&in); err != nil {
			return nil, err
		}
		secret := strings.HasSuffix(r.URL.Path, "secrets")
		switch {
		case secret && in.Environment != "":
			return done, s.SetEnvironmentSecret(in.Repository, in.Environment, in.Name, in.Value)
		case secret:
			return done, s.SetSecret(in.Repository, in.Name, in.Value)
		case in.Environment != "":
			return done, s.SetEnvironmentVariable(in.Repository, in.Environment, in.Name, in.Value)
		}
		return done, s.SetVariable(in.Repository, in.Name, in.Value)
	case "POST environments":
		var in struct {
			Repository, Name string
			Branches         []string
		}
		if err := decode(&in); err != nil {
			return nil, err
		}
		return done, s.SetEnvironment(in.Repository, in.Name, in.Branches...)
	case "GET runs":
		return s.runsOf(q.Get("repository")), nil
	case "GET pulls":
		return s.Pulls(q.Get("repository")), nil
	case "GET statuses":
		return s.Statuses(q.Get("repository"), q.Get("sha")), nil
	case "GET idle":
		timeout, err := time.ParseDuration(q.Get("timeout"))
		if err != nil {
			timeout = time.Minute
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		return done, s.WaitIdle(ctx)
	}
	return nil, notFound()
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
			Number: p.Number, Title: p.Title, Body: p.Body, State: p.State, User: p.User, HeadRef: p.HeadRef, HeadSHA: p.HeadSHA, BaseRef: p.BaseRef, Merged: p.Merged,
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

// checkSARIF unpacks what the API takes: Base64 of gzip of JSON.
func checkSARIF(encoded string) error {
	packed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return errors.New("not Base64")
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return errors.New("not gzip")
	}
	var document struct{ Runs []json.RawMessage }
	if err := json.NewDecoder(unpacked).Decode(&document); err != nil || document.Runs == nil {
		return errors.New("not a SARIF document")
	}
	return nil
}
