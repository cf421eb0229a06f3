package githubd

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
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
		Variables json.RawMessage
	}
	var variables struct {
		Input updateRefsInput
		reviewsInput
	}
	err = json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&in)
	if err == nil && len(in.Variables) > 0 {
		err = json.Unmarshal(in.Variables, &variables)
	}
	if err != nil {
		s.write(w, nil, &apiError{Status: http.StatusBadRequest, Message: "Problems parsing JSON"})
		return
	}
	switch {
	case strings.Contains(in.Query, "lastEditedAt"):
		s.graphqlReviews(w, token, variables.reviewsInput)
	case strings.Contains(in.Query, "... on Blob"):
		s.graphqlObjects(w, r, token, in.Variables)
	case strings.Contains(in.Query, "viewer"):
		viewer(w, token)
	case strings.Contains(in.Query, "updateRefs("):
		s.updateRefs(w, r, token, variables.Input)
	default:
		graphqlError(w, "UNDEFINED_FIELD", "the sandbox knows the mutation updateRefs and the queries for reviews, objects and viewer only")
	}
}

// maxBlobText is where GitHub cuts the text of a blob.
const maxBlobText = 512_000

// graphqlObjects serves the GraphQL query for objects by git's expressions, an
// alias for each variable other than owner and name.
// https://docs.github.com/en/graphql/reference/objects#blob
func (s *Server) graphqlObjects(w http.ResponseWriter, r *http.Request, token *Token, raw json.RawMessage) {
	var variables map[string]string
	if json.Unmarshal(raw, &variables) != nil {
		graphqlError(w, "UNPROCESSABLE", "Variables are no strings")
		return
	}
	repo := s.lookup(variables["owner"] + "/" + variables["name"])
	if repo == nil || !token.sees(repo) {
		graphqlError(w, "NOT_FOUND", "Could not resolve to a Repository with the name '"+variables["owner"]+"/"+variables["name"]+"'.")
		return
	}
	if !token.may(repo, "contents", "read") {
		graphqlError(w, "FORBIDDEN", "Resource not accessible by integration")
		return
	}
	c := &call{Request: r, s: s, w: w, token: token, repo: repo, dir: s.gitDir(repo)}
	objects := map[string]any{}
	for alias, expression := range variables {
		if alias == "owner" || alias == "name" {
			continue
		}
		objects[alias] = nil
		if !strings.Contains(expression, ":") {
			expression += "^{object}" // an id of nothing is an id too
		}
		id, err := c.git("rev-parse", "--verify", "--quiet", "--end-of-options", expression)
		if err != nil {
			continue
		}
		kind, _ := c.git("cat-file", "-t", id)
		object := map[string]any{
			"oid": id, "__typename": map[string]string{"blob": "Blob", "tree": "Tree", "commit": "Commit", "tag": "Tag"}[kind],
		}
		if kind == "blob" {
			data, err := c.blob(id)
			if err != nil {
				graphqlError(w, "UNPROCESSABLE", "Something went wrong while executing your query.")
				return
			}
			if object["text"] = string(data[:min(len(data), maxBlobText)]); !utf8.Valid(data) {
				object["text"] = nil
			}
		}
		objects[alias] = object
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": map[string]any{"repository": objects}})
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
			graphqlError(
				w, "UNPROCESSABLE",
				"Reference cannot be updated: expected "+u.Name+" to point to "+u.BeforeOid+" but it pointed to "+now,
			)
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
		s.refMoved(r.Context(), repo, token, move{u.Name, before[i], u.AfterOid})
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": map[string]any{"updateRefs": map[string]any{"clientMutationId": nil}}})
}

func graphqlError(w http.ResponseWriter, kind, message string) {
	writeJSON(w, http.StatusOK, map[string]any{
		"data": map[string]any{"updateRefs": nil},
		"errors": []map[string]any{{
			"type": kind, "path": []string{"updateRefs"}, "message": message,
			"locations": []map[string]int{{"line": 1, "column": 1}},
		}},
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
