package githubd

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// graphql serves the one mutation and the queries that Waybill uses.
// https://docs.github.com/en/graphql/reference/mutations#updaterefs
func (s *Server) graphql(w http.ResponseWriter, r *http.Request) {
	token, err := s.authenticate(r)
	if err == nil && token == anonymous {
		err = &apiError{Status: http.StatusUnauthorized, Message: "This endpoint requires you to be authenticated."}
	}
	if err != nil {
		s.write(w, nil, err)
		return
	}
	var in struct {
		Query     string
		Variables struct {
			Input              updateRefsInput
			Owner, Name, After string
			Number             int
		}
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&in); err != nil {
		s.write(w, nil, &apiError{Status: http.StatusBadRequest, Message: "Problems parsing JSON"})
		return
	}
	if strings.Contains(in.Query, "lastEditedAt") {
		s.reviewEdits(w, token, in.Variables.Owner, in.Variables.Name, in.Variables.Number, in.Variables.After)
		return
	}
	if strings.Contains(in.Query, "viewer") {
		viewer(w, token)
		return
	}
	if !strings.Contains(in.Query, "updateRefs(") {
		graphqlError(w, "UNDEFINED_FIELD", "the sandbox knows the mutation updateRefs and the queries for reviews and viewer only")
		return
	}
	s.updateRefs(w, r, token, in.Variables.Input)
}

type updateRefsInput struct {
	RepositoryID string
	RefUpdates   []struct {
		Name, BeforeOid, AfterOid string
		Force                     bool
	}
}

func (s *Server) updateRefs(w http.ResponseWriter, r *http.Request, token *Token, in updateRefsInput) {
	repo := s.byNode(in.RepositoryID)
	if repo == nil || !token.sees(repo) {
		graphqlError(w, "NOT_FOUND", "Could not resolve to a node with the global id of '"+in.RepositoryID+"'")
		return
	}
	if !token.may(repo, "contents", "write") {
		graphqlError(w, "FORBIDDEN", "Resource not accessible by integration")
		return
	}
	dir := s.gitDir(repo)
	c := &call{Request: r, s: s, w: w, token: token, repo: repo, dir: dir}
	lock := s.refLock(repo)
	lock.Lock()
	defer lock.Unlock()
	// All or nothing: git's own transaction, after the checks it does not make.
	transaction := "start\n"
	before := make([]string, len(in.RefUpdates))
	for i, u := range in.RefUpdates {
		now := s.head(r.Context(), dir, u.Name)
		if now == "" {
			now = zeroOID
		}
		if u.BeforeOid != "" && u.BeforeOid != now {
			graphqlError(w, "UNPROCESSABLE", "Reference cannot be updated: expected "+u.Name+" to point to "+u.BeforeOid+" but it pointed to "+now)
			return
		}
		if rulesRefuse(repo, token, u.Name) {
			graphqlError(w, "UNPROCESSABLE", rulesMessage)
			return
		}
		if u.AfterOid != zeroOID && c.resolve(u.AfterOid) != u.AfterOid {
			graphqlError(w, "UNPROCESSABLE", "Object does not exist: "+u.AfterOid)
			return
		}
		if !u.Force && now != zeroOID && u.AfterOid != zeroOID {
			if _, err := c.git("merge-base", "--is-ancestor", now, u.AfterOid); err != nil {
				graphqlError(w, "UNPROCESSABLE", "Update is not a fast forward: "+u.Name)
				return
			}
		}
		before[i] = now
		if u.AfterOid == zeroOID {
			transaction += "delete " + u.Name + " " + now + "\n"
		} else {
			transaction += "update " + u.Name + " " + u.AfterOid + " " + now + "\n"
		}
	}
	if _, err := c.gitInput([]byte(transaction+"commit\n"), nil, "update-ref", "--stdin"); err != nil {
		graphqlError(w, "UNPROCESSABLE", "Reference cannot be updated")
		return
	}
	for i, u := range in.RefUpdates {
		s.refMoved(r.Context(), repo, token, u.Name, before[i], u.AfterOid)
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": map[string]any{"updateRefs": map[string]any{"clientMutationId": nil}}})
}

func graphqlError(w http.ResponseWriter, kind, message string) {
	writeJSON(w, http.StatusOK, map[string]any{
		"data":   map[string]any{"updateRefs": nil},
		"errors": []map[string]any{{"type": kind, "path": []string{"updateRefs"}, "message": message, "locations": []map[string]int{{"line": 1, "column": 1}}}},
	})
}

func (s *Server) byNode(id string) *repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.state.Repositories {
		if repositoryNode(r) == id {
			return r
		}
	}
	return nil
}
