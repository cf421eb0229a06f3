package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github/transport"
)

// query asks GraphQL and reads its answer into data. An answer in which any part
// is an error counts as none.
func (c *Client) query(ctx context.Context, op, text string, variables map[string]any, data any) error {
	req, err := c.api.NewRequest(http.MethodPost, c.graphql, map[string]any{"query": text, "variables": variables})
	if err != nil {
		return wrap(op, err)
	}
	answer := struct {
		Data   any `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}{Data: data}
	if _, err := c.api.Do(transport.MayRepeat(ctx), req, &answer); err != nil {
		return wrap(op, err)
	}
	if len(answer.Errors) > 0 {
		return unanswered(op, answer.Errors[0].Message)
	}
	return nil
}

func unanswered(op, message string) error {
	return &Error{Op: op, Status: http.StatusUnprocessableEntity, Message: message, Cause: errors.New(message)}
}

// Viewer is the login that the token acts as. REST tells it to users alone; a
// job's token, and that of an App, learn it here.
// https://docs.github.com/en/graphql/reference/queries#viewer
func (c *Client) Viewer(ctx context.Context) (string, error) {
	const op = "ask whom the token acts as"
	var data struct {
		Viewer struct {
			Login string `json:"login"`
		} `json:"viewer"`
	}
	if err := c.query(ctx, op, "query { viewer { login } }", nil, &data); err != nil {
		return "", err
	}
	if data.Viewer.Login == "" {
		return "", unanswered(op, "GitHub gives no login")
	}
	return data.Viewer.Login, nil
}

// At is a file of a commit.
type At struct{ Commit, Path string }

// Files reads files of commits by one request: by commit, then by path. What is
// no file there is left out; a commit that GitHub does not show is left out whole.
// A symbolic link is the text it holds, and is not followed.
func (c *Client) Files(ctx context.Context, repo Repository, commits, paths []string) (map[string]map[string][]byte, error) {
	var wanted []At
	for _, commit := range commits {
		wanted = append(wanted, At{Commit: commit})
		for _, path := range paths {
			wanted = append(wanted, At{commit, path})
		}
	}
	read, err := c.FilesAt(ctx, repo, wanted)
	if err != nil {
		return nil, err
	}
	files := make(map[string]map[string][]byte)
	for _, w := range wanted {
		data, ok := read[w]
		switch {
		case ok && w.Path == "":
			files[w.Commit] = make(map[string][]byte)
		case ok && files[w.Commit] != nil:
			files[w.Commit][w.Path] = data
		}
	}
	return files, nil
}

// FilesAt reads files by one request. What is no file is left out. An empty path
// asks whether the commit is there: then it has an empty answer.
func (c *Client) FilesAt(ctx context.Context, repo Repository, wanted []At) (map[At][]byte, error) {
	return c.filesAt(ctx, repo, wanted, func(At, map[At]object) bool { return true })
}

// RegularFilesAt is FilesAt without symbolic links. A link is a blob too, and its
// directory alone says that it is one.
func (c *Client) RegularFilesAt(ctx context.Context, repo Repository, wanted []At) (map[At][]byte, error) {
	var all []At
	for _, w := range wanted {
		for _, at := range []At{w, w.directory()} {
			if !slices.Contains(all, at) {
				all = append(all, at)
			}
		}
	}
	return c.filesAt(ctx, repo, all, func(at At, found map[At]object) bool {
		return slices.ContainsFunc(found[at.directory()].Entries, func(e treeEntry) bool {
			return e.Name == path.Base(at.Path) && e.Mode&modeOfKind == modeRegular
		})
	})
}

// directory is where the file is. Its path begins with a dot, as that of no file does.
func (a At) directory() At {
	dir, _ := path.Split(a.Path)
	return At{a.Commit, "./" + strings.TrimSuffix(dir, "/")}
}

// object is what an expression of git names.
type object struct {
	Kind    string      `json:"__typename"`
	OID     string      `json:"oid"`
	Text    *string     `json:"text"` // nil where it is no text, cut where it is long
	Entries []treeEntry `json:"entries"`
}

// treeEntry is one of a directory. The mode is git's, as a number.
type treeEntry struct {
	Name string `json:"name"`
	Mode int    `json:"mode"`
}

const (
	modeOfKind  = 0o170000
	modeRegular = 0o100000
)

// filesAt reads the files among the objects that is wanted of.
// https://docs.github.com/en/graphql/reference/objects#repository
// https://docs.github.com/en/graphql/reference/objects#treeentry
func (c *Client) filesAt(ctx context.Context, repo Repository, wanted []At, is func(At, map[At]object) bool) (map[At][]byte, error) {
	op := fmt.Sprintf("read %d files of %s", len(wanted), repo)
	var data struct {
		Repository map[string]*object `json:"repository"`
	}
	expressions := make([]string, len(wanted))
	for i, w := range wanted {
		if expressions[i] = w.Commit; w.Path != "" {
			expressions[i] += ":" + strings.TrimPrefix(w.Path, "./")
		}
	}
	const each = "object(expression: $%s) { __typename oid ... on Blob { text } ... on Tree { entries { name mode } } }"
	if err := c.queryEach(ctx, eachQuery{op: op, repo: repo, each: each, texts: expressions}, &data); err != nil {
		return nil, err
	}
	found := make(map[At]object)
	for i, w := range wanted {
		if o := data.Repository[alias(i)]; o != nil {
			found[w] = *o
		}
	}
	files := make(map[At][]byte)
	for w, object := range found {
		if w.Path == "" {
			files[w] = nil
			continue
		}
		if !is(w, found) {
			continue
		}
		content, blob, err := c.whole(ctx, repo, &object)
		if err != nil {
			return nil, err
		}
		if blob {
			files[w] = content
		}
	}
	return files, nil
}

// whole is the content of a blob; false for anything else. Text that is none, or was
// cut, is read by itself.
func (c *Client) whole(ctx context.Context, repo Repository, o *object) ([]byte, bool, error) {
	switch {
	case o == nil || o.Kind != "Blob":
		return nil, false, nil
	case o.Text != nil && git.BlobID([]byte(*o.Text)) == o.OID:
		return []byte(*o.Text), true, nil
	}
	data, err := c.Blob(ctx, repo, o.OID)
	return data, err == nil, err
}

func alias(i int) string { return "a" + strconv.Itoa(i) }

// eachQuery asks one thing of a repository for each of several texts.
type eachQuery struct {
	op     string
	repo   Repository
	each   string // what to ask; %s is where the name of the text's variable goes
	texts  []string
	commit string // the variable $commit, where it is asked for
}

// queryEach gives each text an alias of its own.
func (c *Client) queryEach(ctx context.Context, q eachQuery, data any) error {
	variables := map[string]any{"owner": q.repo.Owner, "name": q.repo.Name}
	var declared, asked strings.Builder
	if q.commit != "" {
		variables["commit"] = q.commit
		declared.WriteString(", $commit: GitObjectID!")
	}
	for i, text := range q.texts {
		variables[alias(i)] = text
		fmt.Fprintf(&declared, ", $%s: String!", alias(i))
		fmt.Fprintf(&asked, " %s: "+q.each, alias(i), alias(i))
	}
	query := "query($owner: String!, $name: String!" + declared.String() + ") { repository(owner: $owner, name: $name) {" +
		asked.String() + " } }"
	return c.query(ctx, q.op, query, variables, data)
}

// Steps are the newest commits that touch a file.
type Steps struct {
	Commits []Commit // newest first; without their parents, authors' logins and addresses
	More    bool     // whether there are older ones
}

// maxSteps is how many commits of a file one answer lists.
const maxSteps = 100

// Histories lists the newest commits that are reachable from commit and touch
// each path, by one request.
// https://docs.github.com/en/graphql/reference/objects#commit
func (c *Client) Histories(ctx context.Context, repo Repository, commit string, paths []string) (map[string]Steps, error) {
	op := fmt.Sprintf("list the commits of %d files of %s", len(paths), repo)
	var data struct {
		Repository map[string]*struct {
			History struct {
				Nodes []struct {
					OID       string    `json:"oid"`
					Message   string    `json:"message"`
					Committed time.Time `json:"committedDate"`
					Author    struct {
						Name  string `json:"name"`
						Email string `json:"email"`
					} `json:"author"`
				} `json:"nodes"`
				PageInfo struct {
					HasNextPage bool `json:"hasNextPage"`
				} `json:"pageInfo"`
			} `json:"history"`
		} `json:"repository"`
	}
	each := "object(oid: $commit) { ... on Commit { history(first: " + strconv.Itoa(maxSteps) + ", path: $%s) { " +
		"nodes { oid message committedDate author { name email } } pageInfo { hasNextPage } } } }"
	if err := c.queryEach(ctx, eachQuery{op: op, repo: repo, each: each, texts: paths, commit: commit}, &data); err != nil {
		return nil, err
	}
	steps := make(map[string]Steps)
	for i, path := range paths {
		object := data.Repository[alias(i)]
		if object == nil {
			return nil, unanswered(op, "there is no commit "+commit)
		}
		list := Steps{More: object.History.PageInfo.HasNextPage}
		for _, n := range object.History.Nodes {
			list.Commits = append(list.Commits, Commit{
				SHA: n.OID, Message: n.Message, Time: n.Committed, AuthorName: n.Author.Name, AuthorEmail: n.Author.Email,
			})
		}
		steps[path] = list
	}
	return steps, nil
}
