package githubd

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// graphql serves the mutations and the queries that Waybill uses.
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
		Input struct {
			updateRefsInput
			commitInput
		}
		conversationInput
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
		s.graphqlConversation(w, token, variables.conversationInput)
	case strings.Contains(in.Query, "mergeQueue("):
		s.graphqlQueue(w, token, in.Variables)
	case nodeOf(in.Query) != nil:
		s.graphqlRepository(w, r, token, in.Variables, nodeOf(in.Query))
	case strings.Contains(in.Query, "release(tagName: $tagName)"):
		s.graphqlRepository(w, r, token, tagAs("release", in.Variables), (*call).releaseNode)
	case strings.Contains(in.Query, "ref(qualifiedName: $tagName)"):
		s.graphqlRepository(w, r, token, tagAs("ref", in.Variables), (*call).refNode)
	case strings.Contains(in.Query, "viewer"):
		viewer(w, token)
	case strings.Contains(in.Query, "updateRefs("):
		s.updateRefs(w, r, token, variables.Input.updateRefsInput)
	case strings.Contains(in.Query, "createCommitOnBranch("):
		s.createCommitOnBranch(w, r, token, variables.Input.commitInput)
	default:
		graphqlError(
			w, "UNDEFINED_FIELD",
			"the sandbox knows the mutations updateRefs and createCommitOnBranch and the queries for reviews, queues, objects, histories "+
				"and viewer only",
		)
	}
}

// readable gives the repository of a query, of which a token may read something; nil where
// it may not, which is then said.
func (s *Server) readable(w http.ResponseWriter, token *Token, name, what string) *repository {
	repo := s.lookup(name)
	if repo == nil || !token.sees(repo) {
		graphqlError(w, "NOT_FOUND", "Could not resolve to a Repository with the name '"+name+"'.")
		return nil
	}
	if !token.may(repo, what, "read") {
		graphqlError(w, "FORBIDDEN", "Resource not accessible by integration")
		return nil
	}
	return repo
}

// nodeOf gives what answers for one object of a query of many; nil for another query.
func nodeOf(query string) func(c *call, variables map[string]string, text string) (any, error) {
	for _, q := range []struct {
		part string
		node func(c *call, variables map[string]string, text string) (any, error)
	}{
		{"ref(qualifiedName: $ref)", (*call).tipNode}, {"status { contexts {", (*call).contextsNode},
		{"tree { oid }", (*call).commitNode}, {"statusCheckRollup", (*call).checksNode},
		{"context(name: $context)", (*call).sayingsNode}, {"history(first: 100, path: $a0)", (*call).historyNode},
		{"... on Blob", (*call).objectNode},
	} {
		if strings.Contains(query, q.part) {
			return q.node
		}
	}
	return nil
}

// maxBlobText is where GitHub cuts the text of a blob.
const maxBlobText = 512_000

// graphqlRepository serves a query of a repository that asks the same for each
// variable that is called a0, a1 and so on, by an alias of that name.
func (s *Server) graphqlRepository(
	w http.ResponseWriter, r *http.Request, token *Token, raw json.RawMessage,
	node func(c *call, variables map[string]string, text string) (any, error),
) {
	var variables map[string]string
	if json.Unmarshal(raw, &variables) != nil {
		graphqlError(w, "UNPROCESSABLE", "Variables are no strings")
		return
	}
	repo := s.readable(w, token, variables["owner"]+"/"+variables["name"], "contents")
	if repo == nil {
		return
	}
	c := &call{Request: r, s: s, w: w, token: token, repo: repo, dir: s.gitDir(repo)}
	nodes := map[string]any{}
	for name, text := range variables {
		answer, is := aliasOf(variables, name)
		if !is {
			continue
		}
		var err error
		if nodes[answer], err = node(c, variables, text); err != nil {
			graphqlError(w, "FORBIDDEN", err.Error())
			return
		}
	}
	if label := variables["label"]; label != "" {
		if !token.may(repo, "pull_requests", "read") {
			graphqlError(w, "FORBIDDEN", "Resource not accessible by integration")
			return
		}
		nodes["pullRequests"] = s.labelled(repo, label, variables["after"])
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": map[string]any{"repository": nodes}})
}

// aliasOf is the name under which the query asks for what a variable names.
func aliasOf(variables map[string]string, name string) (alias string, is bool) {
	for _, field := range []string{"ref", "release"} {
		if _, one := variables[field]; one {
			return name, name == field
		}
	}
	_, sayings := variables["context"]
	_, each := variables["a0"]
	switch {
	case sayings:
		return "object", name == "context"
	case each:
		return name, strings.HasPrefix(name, "a") && name != "after"
	}
	return "object", name == "commit"
}

// labelled are the open pull requests with a label, whose names know no case.
// https://docs.github.com/en/graphql/reference/objects#repository
func (s *Server) labelled(repo *repository, label, after string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	var nodes []map[string]any
	for _, p := range repo.Pulls {
		if p.State == "open" && slices.ContainsFunc(p.Labels, func(l string) bool { return strings.EqualFold(l, label) }) {
			nodes = append(nodes, map[string]any{"number": p.Number})
		}
	}
	return connection(nodes, after)
}

// checksNode is what is said of a commit, by statuses and by jobs.
// https://docs.github.com/en/graphql/reference/objects#statuscheckrollup
func (c *call) checksNode(variables map[string]string, commit string) (any, error) {
	for _, scope := range []string{"statuses", "checks"} {
		if !c.token.may(c.repo, scope, "read") {
			return nil, errors.New("Resource not accessible by integration") //nolint:staticcheck // GitHub's words
		}
	}
	if sha := c.resolve(commit); sha == "" || sha != commit { // GitObjectID is a whole id
		return nil, nil
	}
	var nodes []map[string]any
	c.s.mu.Lock()
	for _, st := range c.repo.statuses(commit, true) {
		nodes = append(nodes, map[string]any{"context": st.Context, "state": strings.ToUpper(st.State)})
	}
	c.s.mu.Unlock()
	for _, r := range c.s.Runs(c.repo.fullName()) {
		for _, j := range r.Jobs {
			if r.HeadSHA != commit {
				continue
			}
			nodes = append(nodes, map[string]any{
				"name": j.Name, "conclusion": orNil(strings.ToUpper(j.Conclusion)), "startedAt": stampOrNil(j.Started),
				"checkSuite": map[string]any{"app": map[string]any{"slug": "github-actions"}},
			})
		}
	}
	if len(nodes) == 0 {
		return map[string]any{"statusCheckRollup": nil}, nil
	}
	return map[string]any{"statusCheckRollup": map[string]any{"contexts": connection(nodes, variables["after"])}}, nil
}

// tipNode is a branch with files of its commit.
// https://docs.github.com/en/graphql/reference/objects#ref
func (c *call) tipNode(variables map[string]string, ref string) (any, error) {
	sha := c.s.head(c.Context(), c.dir, ref)
	if sha == "" {
		return nil, nil
	}
	target := map[string]any{"oid": sha}
	for alias, path := range variables {
		if !strings.HasPrefix(alias, "a") || alias == "after" {
			continue
		}
		object, err := c.objectNode(nil, sha+":"+path)
		if err != nil {
			return nil, err
		}
		if target[alias] = nil; object != nil {
			target[alias] = map[string]any{"object": object}
		}
	}
	return map[string]any{"target": target}, nil
}

// objectNode is what a git expression names; nil for nothing.
// https://docs.github.com/en/graphql/reference/objects#blob
func (c *call) objectNode(_ map[string]string, expression string) (any, error) {
	if !strings.Contains(expression, ":") {
		expression += "^{object}" // an id of nothing is an id too
	}
	id, err := c.git("rev-parse", "--verify", "--quiet", "--end-of-options", expression)
	if err != nil {
		return nil, nil //nolint:nilerr // GraphQL answers null
	}
	kind, _ := c.git("cat-file", "-t", id)
	object := map[string]any{
		"oid": id, "__typename": map[string]string{"blob": "Blob", "tree": "Tree", "commit": "Commit", "tag": "Tag"}[kind],
	}
	if kind == "blob" {
		data, err := c.blob(id)
		if err != nil {
			return nil, err
		}
		if object["text"] = string(data[:min(len(data), maxBlobText)]); !utf8.Valid(data) {
			object["text"] = nil
		}
	}
	if kind == "tree" {
		if object["entries"], err = c.entriesOf(id); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// entriesOf lists a directory. GraphQL gives git's mode as a number.
// https://docs.github.com/en/graphql/reference/objects#treeentry
func (c *call) entriesOf(tree string) ([]map[string]any, error) {
	out, err := c.git("ls-tree", "-z", tree)
	entries := []map[string]any{}
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		about, name, found := strings.Cut(line, "\t")
		octal, _, _ := strings.Cut(about, " ")
		mode, _ := strconv.ParseInt(octal, 8, 32)
		if found {
			entries = append(entries, map[string]any{"name": name, "mode": mode})
		}
	}
	return entries, err
}

// historyNode is the newest commits that touch a path, as git log lists them.
// https://docs.github.com/en/graphql/reference/objects#commit
func (c *call) historyNode(variables map[string]string, path string) (any, error) {
	sha := c.resolve(variables["commit"])
	if sha == "" || sha != variables["commit"] { // GitObjectID is a whole id
		return nil, nil
	}
	const first = 100
	list, err := c.log("-n", strconv.Itoa(first+1), sha, "--", ":(literal,top)"+path)
	if err != nil {
		return nil, err
	}
	nodes := []map[string]any{}
	for _, i := range list[:min(len(list), first)] {
		nodes = append(nodes, map[string]any{
			"oid": i.SHA, "message": i.Message, "committedDate": i.CommitterTime,
			"author": map[string]any{"name": i.AuthorName, "email": i.AuthorEmail},
		})
	}
	return map[string]any{"history": map[string]any{
		"nodes": nodes, "pageInfo": map[string]any{"hasNextPage": len(list) > first},
	}}, nil
}

// sayingsNode is what the newest commits had last under a name.
// https://docs.github.com/en/graphql/reference/objects#status
func (c *call) sayingsNode(variables map[string]string, name string) (any, error) {
	if !c.token.may(c.repo, "statuses", "read") {
		return nil, errors.New("Resource not accessible by integration") //nolint:staticcheck // GitHub's words
	}
	sha := c.resolve(variables["commit"])
	if sha == "" || sha != variables["commit"] {
		return nil, nil
	}
	list, err := c.log("-n", "100", sha)
	if err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	nodes := []map[string]any{}
	for _, i := range list {
		node := map[string]any{"oid": i.SHA, "status": nil}
		all := c.repo.statuses(i.SHA, true)
		if len(all) > 0 {
			node["status"] = map[string]any{"context": nil}
		}
		for _, st := range all {
			if st.Context != name {
				continue
			}
			login, isBot := strings.CutSuffix(st.Creator, "[bot]")
			kind := map[bool]string{true: "Bot", false: "User"}[isBot]
			node["status"] = map[string]any{"context": map[string]any{
				"state": strings.ToUpper(st.State), "description": st.Description, "createdAt": st.Created,
				"creator": map[string]any{"login": login, "__typename": kind},
			}}
		}
		nodes = append(nodes, node)
	}
	return map[string]any{"history": map[string]any{"nodes": nodes}}, nil
}

// commitNode is a commit with its parents and its tree; null for anything else.
// https://docs.github.com/en/graphql/reference/objects#commit
func (c *call) commitNode(_ map[string]string, expression string) (any, error) {
	sha := c.resolve(expression)
	if sha == "" {
		return nil, nil
	}
	list, err := c.log("-n", "1", sha)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	tree, err := c.git("rev-parse", sha+"^{tree}")
	if err != nil {
		return nil, err
	}
	i, parents := list[0], []map[string]any{}
	for _, p := range i.Parents {
		parents = append(parents, map[string]any{"oid": p})
	}
	return map[string]any{
		"oid": i.SHA, "message": i.Message, "committedDate": i.CommitterTime,
		"author":  map[string]any{"name": i.AuthorName, "email": i.AuthorEmail},
		"parents": map[string]any{"nodes": parents}, "tree": map[string]any{"oid": tree},
	}, nil
}

// contextsNode is the latest status of each context of the commit that an expression
// names; null for anything else, and where there is no status.
// https://docs.github.com/en/graphql/reference/objects#status
func (c *call) contextsNode(_ map[string]string, expression string) (any, error) {
	if !c.token.may(c.repo, "statuses", "read") {
		return nil, errors.New("Resource not accessible by integration") //nolint:staticcheck // GitHub's words
	}
	sha := c.resolve(expression)
	if sha == "" {
		return nil, nil
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	var nodes []map[string]any
	for _, st := range c.repo.statuses(sha, true) {
		login, isBot := strings.CutSuffix(st.Creator, "[bot]")
		nodes = append(nodes, map[string]any{
			"context": st.Context, "state": strings.ToUpper(st.State), "description": orNil(st.Description),
			"targetUrl": orNil(st.TargetURL), "createdAt": st.Created, "creator": map[string]any{
				"login": login, "__typename": map[bool]string{true: "Bot", false: "User"}[isBot],
			},
		})
	}
	if len(nodes) == 0 {
		return map[string]any{"status": nil}, nil
	}
	return map[string]any{"status": map[string]any{"contexts": nodes}}, nil
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
	mutationError(w, "updateRefs", kind, message)
}

func mutationError(w http.ResponseWriter, mutation, kind, message string) {
	writeJSON(w, http.StatusOK, map[string]any{
		"data": map[string]any{mutation: nil},
		"errors": []map[string]any{{
			"type": kind, "path": []string{mutation}, "message": message,
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
