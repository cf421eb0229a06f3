// Package healthd stands in for the API of Argo CD and for that of Prometheus, as far as
// Waybill asks them.
//
// It answers in the forms that both document, and in those of the errors that they give.
// A query is not evaluated: what it yields at a time is given.
package healthd

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Application is an Application of Argo CD.
type Application struct {
	Name, Namespace string // in Argo CD's own namespace if empty
	Sync            string
	Health          string
	HealthSince     time.Time // zero leaves it out, as old versions do
	Revision        string
	Revisions       []string // of several sources
	Images          []string
	History         []Deployment // oldest first, as Argo CD keeps it
	Phase, Message  string       // of the last sync
	Nodes           []Node
}

// Deployment is an entry of an Application's history.
type Deployment struct {
	Revision string
	At       time.Time
}

// Node is an object of an Application's tree.
type Node struct {
	Kind, Namespace, Name string
	Health, Message       string // health is empty for a kind that has none
}

// Server answers.
type Server struct {
	Token string // that it asks for; empty lets everybody in

	mu       sync.Mutex
	apps     map[string]Application
	yields   func(query string, at time.Time) bool
	fail     http.HandlerFunc
	warnings []string
	asked    []string
}

// SetApplication puts an Application in place of the one of its name.
func (s *Server) SetApplication(a Application) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.apps == nil {
		s.apps = map[string]Application{}
	}
	s.apps[a.Namespace+"/"+a.Name] = a
}

// Yields says at which times a query yields anything, and with which warnings.
func (s *Server) Yields(f func(query string, at time.Time) bool, warnings ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.yields, s.warnings = f, warnings
}

// Fail answers every request from now on; nil ends that.
func (s *Server) Fail(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// Asked gives what was asked since the last time.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// ServeHTTP answers as both do.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	if s.fail != nil {
		s.fail(w, r)
		return
	}
	argo := strings.HasPrefix(r.URL.Path, "/api/v1/applications/")
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
		if argo {
			argoError(w, http.StatusUnauthorized, 16, "invalid session: token is malformed: "+r.Header.Get("Authorization"))
			return
		}
		http.Error(w, "Unauthorized", http.StatusUnauthorized) // https://prometheus.io/docs/guides/basic-auth/
		return
	}
	switch {
	case argo && r.Method == http.MethodGet:
		s.application(w, r)
	case r.URL.Path == "/api/v1/query_range":
		s.query(w, r)
	default:
		http.NotFound(w, r)
	}
}

// argoError is an error of grpc-gateway.
func argoError(w http.ResponseWriter, status, code int, message string) {
	answer(w, status, map[string]any{"error": message, "code": code, "message": message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// application answers for an Application or its tree.
// https://github.com/argoproj/argo-cd/blob/master/assets/swagger.json
func (s *Server) application(w http.ResponseWriter, r *http.Request) {
	name, tree := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/api/v1/applications/"), "/resource-tree")
	a, found := s.apps[r.URL.Query().Get("appNamespace")+"/"+name]
	if !found { // who may not know whether there is one learns nothing
		argoError(w, http.StatusForbidden, 7, "permission denied")
		return
	}
	if tree {
		nodes := []map[string]any{}
		for _, n := range a.Nodes {
			node := map[string]any{"kind": n.Kind, "namespace": n.Namespace, "name": n.Name, "version": "v1"}
			if n.Health != "" {
				node["health"] = map[string]any{"status": n.Health, "message": n.Message}
			}
			nodes = append(nodes, node)
		}
		answer(w, http.StatusOK, map[string]any{"nodes": nodes})
		return
	}
	sync, health := map[string]any{"status": a.Sync}, map[string]any{"status": a.Health}
	if a.Revision != "" {
		sync["revision"] = a.Revision
	}
	if len(a.Revisions) > 0 {
		sync["revisions"] = a.Revisions
	}
	if !a.HealthSince.IsZero() {
		health["lastTransitionTime"] = a.HealthSince.UTC().Format(time.RFC3339)
	}
	history := []map[string]any{}
	for i, d := range a.History {
		history = append(history, map[string]any{"id": i, "revision": d.Revision, "deployedAt": d.At.UTC().Format(time.RFC3339)})
	}
	answer(w, http.StatusOK, map[string]any{
		"metadata": map[string]any{"name": a.Name, "namespace": a.Namespace},
		"status": map[string]any{
			"sync": sync, "health": health, "history": history, "summary": map[string]any{"images": a.Images},
			"operationState": map[string]any{"phase": a.Phase, "message": a.Message},
		},
	})
}

// query answers a query over a range.
// https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
func (s *Server) query(w http.ResponseWriter, r *http.Request) {
	bad := func(text string) {
		answer(w, http.StatusBadRequest, map[string]any{"status": "error", "errorType": "bad_data", "error": text})
	}
	number := func(name string) (int64, bool) {
		n, err := strconv.ParseInt(r.FormValue(name), 10, 64)
		return n, err == nil
	}
	from, one := number("start")
	until, two := number("end")
	step, three := number("step")
	query, inner := r.FormValue("query"), ""
	if text, counted := strings.CutPrefix(query, "count(\n"); counted {
		inner = strings.TrimSuffix(text, "\n)")
	}
	switch {
	case !one || !two || !three || step <= 0:
		bad(`invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer`)
		return
	case until < from:
		bad(`invalid parameter "end": end timestamp must not be before start time`)
		return
	case (until-from)/step > 11000:
		bad("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")
		return
	case inner == "" || strings.Count(inner, "(") != strings.Count(inner, ")"):
		bad(`invalid parameter "query": 1:1: parse error: unclosed left parenthesis`)
		return
	}
	values := [][2]any{}
	for at := from; at <= until; at += step {
		if s.yields != nil && s.yields(inner, time.Unix(at, 0).UTC()) {
			values = append(values, [2]any{float64(at), "1"})
		}
	}
	result := []map[string]any{}
	if len(values) > 0 {
		result = append(result, map[string]any{"metric": map[string]any{}, "values": values})
	}
	body := map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}}
	if len(s.warnings) > 0 {
		body["warnings"] = s.warnings
	}
	answer(w, http.StatusOK, body)
}
