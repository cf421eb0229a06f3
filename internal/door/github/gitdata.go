package github

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"

	gogithub "github.com/google/go-github/v60/github"

	"github.com/waybill-dev/waybill/internal/door/github/transport"
	"github.com/waybill-dev/waybill/internal/text"
)

// ZeroOID stands for "no such ref" in UpdateRef.
const ZeroOID = "0000000000000000000000000000000000000000"

const maxInline = 1 << 20

// TreeEntry is one entry of a tree.
type TreeEntry struct {
	Path, Mode, Type, SHA string
	Size                  int
}

// TreeChange writes, replaces or (with Content nil) deletes a file of a tree.
type TreeChange struct {
	Path, Mode string
	Content    []byte
}

// ResolveCommit gives the commit that a branch, tag or (short) SHA names.
func (c *Client) ResolveCommit(ctx context.Context, repo Repository, rev string) (string, error) {
	sha, _, err := c.api.Repositories.GetCommitSHA1(ctx, repo.Owner, repo.Name, url.PathEscape(rev), "")
	if err != nil {
		return "", wrap(fmt.Sprintf("resolve %s in %s", rev, repo), err)
	}
	return sha, nil
}

// BranchHead gives the commit a branch points to.
func (c *Client) BranchHead(ctx context.Context, repo Repository, branch string) (string, error) {
	ref, _, err := c.api.Git.GetRef(ctx, repo.Owner, repo.Name, "heads/"+branch)
	if err != nil {
		return "", wrap(fmt.Sprintf("read branch %s of %s", branch, repo), err)
	}
	return ref.GetObject().GetSHA(), nil
}

// CommitTree gives the tree of a commit.
func (c *Client) CommitTree(ctx context.Context, repo Repository, sha string) (string, error) {
	commit, _, err := c.api.Git.GetCommit(ctx, repo.Owner, repo.Name, sha)
	if err != nil {
		return "", wrap(fmt.Sprintf("read commit %s of %s", text.Commit(sha), repo), err)
	}
	return commit.GetTree().GetSHA(), nil
}

// Tree lists a tree, by the SHA of the tree or of a commit, with all that is below it or what
// is directly in it alone. GitHub cuts a list that has over 100,000 entries or 7 MB.
// https://docs.github.com/en/rest/git/trees#get-a-tree
func (c *Client) Tree(ctx context.Context, repo Repository, sha string, below bool) (entries []TreeEntry, cut bool, err error) {
	got, _, err := c.api.Git.GetTree(ctx, repo.Owner, repo.Name, sha, below)
	if err != nil {
		return nil, false, wrap(fmt.Sprintf("list the files of %s@%s", repo, text.Commit(sha)), err)
	}
	for _, e := range got.Entries {
		entries = append(entries, TreeEntry{Path: e.GetPath(), Mode: e.GetMode(), Type: e.GetType(), SHA: e.GetSHA(), Size: e.GetSize()})
	}
	return entries, got.GetTruncated(), nil
}

// Blob reads a blob.
func (c *Client) Blob(ctx context.Context, repo Repository, sha string) ([]byte, error) {
	data, _, err := c.api.Git.GetBlobRaw(ctx, repo.Owner, repo.Name, sha)
	if err != nil {
		return nil, wrap(fmt.Sprintf("read blob %s of %s", text.Commit(sha), repo), err)
	}
	return data, nil
}

// CreateTree writes the tree that base becomes with the changes.
func (c *Client) CreateTree(ctx context.Context, repo Repository, base string, changes []TreeChange) (string, error) {
	ctx = transport.MayRepeat(ctx) // content-addressed
	entries := make([]*gogithub.TreeEntry, 0, len(changes))
	for _, change := range changes {
		e := &gogithub.TreeEntry{Path: gogithub.String(change.Path), Mode: gogithub.String(change.Mode), Type: gogithub.String("blob")}
		switch {
		case change.Content == nil:
		case len(change.Content) > 0 && len(change.Content) <= maxInline && utf8.Valid(change.Content) &&
			!strings.ContainsRune(string(change.Content), 0):
			e.Content = gogithub.String(string(change.Content))
		default:
			blob, _, err := c.api.Git.CreateBlob(ctx, repo.Owner, repo.Name, &gogithub.Blob{
				Content: gogithub.String(base64.StdEncoding.EncodeToString(change.Content)), Encoding: gogithub.String("base64"),
			})
			if err != nil {
				return "", wrap(fmt.Sprintf("write %s to %s", change.Path, repo), err)
			}
			e.SHA = blob.SHA
		}
		entries = append(entries, e)
	}
	tree, _, err := c.api.Git.CreateTree(ctx, repo.Owner, repo.Name, base, entries)
	if err != nil {
		return "", wrap(fmt.Sprintf("write a tree to %s", repo), err)
	}
	return tree.GetSHA(), nil
}

// CreateCommit writes a commit. It names no author: GitHub then puts the
// token's identity, and signs the commits of bots and apps.
func (c *Client) CreateCommit(ctx context.Context, repo Repository, message, tree string, parents ...string) (string, error) {
	commit := &gogithub.Commit{Message: &message, Tree: &gogithub.Tree{SHA: &tree}}
	for _, p := range parents {
		commit.Parents = append(commit.Parents, &gogithub.Commit{SHA: gogithub.String(p)})
	}
	got, _, err := c.api.Git.CreateCommit(transport.MayRepeat(ctx), repo.Owner, repo.Name, commit, nil)
	if err != nil {
		return "", wrap(fmt.Sprintf("write a commit to %s", repo), err)
	}
	return got.GetSHA(), nil
}

// FastForward moves a branch to sha, which must descend from its head. GitHub
// answers 422 where it does not.
func (c *Client) FastForward(ctx context.Context, repo Repository, branch, sha string) error {
	_, _, err := c.api.Git.UpdateRef(ctx, repo.Owner, repo.Name, &gogithub.Reference{
		Ref: gogithub.String("refs/heads/" + branch), Object: &gogithub.GitObject{SHA: &sha},
	}, false)
	if err != nil {
		return wrap(fmt.Sprintf("move branch %s of %s", branch, repo), err)
	}
	return nil
}

// UpdateRef moves a branch from exactly before to after; ZeroOID is a branch
// that does not exist. GitHub checks and moves in one step.
// https://docs.github.com/en/graphql/reference/mutations#updaterefs
func (c *Client) UpdateRef(ctx context.Context, repo Repository, branch, before, after string) error {
	op := fmt.Sprintf("move branch %s of %s", branch, repo)
	id, ok := c.nodes.get(repo)
	if !ok {
		info, err := c.Repo(ctx, repo)
		if err != nil {
			return err
		}
		id = info.NodeID
	}
	// Sent twice, the second one fails on before: the caller looks at the head.
	return c.mutate(transport.MayRepeat(ctx), op, `mutation($input: UpdateRefsInput!) { updateRefs(input: $input) { clientMutationId } }`,
		map[string]any{
			"repositoryId": id,
			"refUpdates":   []map[string]any{{"name": "refs/heads/" + branch, "beforeOid": before, "afterOid": after, "force": true}},
		}, nil)
}

// NewCommit is a commit on top of a branch.
type NewCommit struct {
	Branch, Head string // Head is where the branch must be
	Message      string
	Changes      []TreeChange
}

// AppendCommit makes a commit on top of a branch that is at its Head, and moves the branch to
// it, in one step. Every file is written as one that cannot be executed. GitHub signs the
// commit in the name of whom the token is of. The status of a branch that is elsewhere is
// 409. It is not sent again where the answer is lost: the caller looks at the branch.
// https://docs.github.com/en/graphql/reference/commits#createcommitonbranch
func (c *Client) AppendCommit(ctx context.Context, repo Repository, n NewCommit) (string, error) {
	additions, deletions := []map[string]any{}, []map[string]any{}
	for _, change := range n.Changes {
		if change.Content == nil {
			deletions = append(deletions, map[string]any{"path": change.Path})
			continue
		}
		additions = append(additions, map[string]any{
			"path": change.Path, "contents": base64.StdEncoding.EncodeToString(change.Content),
		})
	}
	headline, body, _ := strings.Cut(n.Message, "\n")
	var data struct {
		CreateCommitOnBranch struct{ Commit struct{ OID string } }
	}
	err := c.mutate(ctx, fmt.Sprintf("commit to %s of %s", n.Branch, repo),
		`mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid } } }`,
		map[string]any{
			"branch":          map[string]any{"repositoryNameWithOwner": repo.String(), "branchName": n.Branch},
			"expectedHeadOid": n.Head, "message": map[string]any{"headline": headline, "body": strings.TrimPrefix(body, "\n")},
			"fileChanges": map[string]any{"additions": additions, "deletions": deletions},
		}, &data)
	return data.CreateCommitOnBranch.Commit.OID, err
}

// mutate sends a mutation that has one input.
func (c *Client) mutate(ctx context.Context, op, mutation string, input map[string]any, data any) error {
	req, err := c.api.NewRequest(http.MethodPost, c.graphql, map[string]any{
		"query": mutation, "variables": map[string]any{"input": input},
	})
	if err != nil {
		return wrap(op, err)
	}
	answer := struct {
		Data   any `json:"data"`
		Errors []struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"errors"`
	}{Data: data}
	resp, err := c.api.Do(ctx, req, &answer)
	if err != nil {
		return wrap(op, err)
	}
	if len(answer.Errors) == 0 {
		return nil
	}
	e := &Error{
		Op: op, Status: http.StatusUnprocessableEntity, Message: strings.Join(strings.Fields(answer.Errors[0].Message), " "),
		Cause: errors.New(answer.Errors[0].Message),
	}
	switch answer.Errors[0].Type {
	case "STALE_DATA":
		e.Status = http.StatusConflict
	case transport.TypeRateLimited:
		e.Status = http.StatusTooManyRequests
		if at, err := http.ParseTime(resp.Header.Get(transport.HeaderLimitEnds)); err == nil {
			e.RetryAt = at
		}
	case "FORBIDDEN":
		e.Status, e.Permission = http.StatusForbidden, permission(resp.Header.Get(headerPermissions))
		if e.Permission == "" {
			e.Permission = "contents: write"
		}
	}
	return e
}

// Tarball opens the archive of a commit (gzip, tar, one directory at the top).
// The caller bounds what it reads, and closes it.
func (c *Client) Tarball(ctx context.Context, repo Repository, sha string) (io.ReadCloser, error) {
	op := fmt.Sprintf("download %s@%s", repo, text.Commit(sha))
	req, err := c.api.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/tarball/%s", repo.Owner, repo.Name, url.PathEscape(sha)), nil)
	if err != nil {
		return nil, wrap(op, err)
	}
	// GitHub redirects to a host of its own with a short-lived address; the
	// transport sends the token to the API's host only.
	resp, err := c.plain.Do(req.WithContext(ctx))
	if err != nil {
		return nil, wrap(op, err)
	}
	if err := gogithub.CheckResponse(resp); err != nil {
		resp.Body.Close()
		return nil, wrap(op, err)
	}
	return resp.Body, nil
}

// nodeIDs remembers the GraphQL ids of repositories.
type nodeIDs struct {
	mu  sync.Mutex
	ids map[Repository]string
}

func (n *nodeIDs) get(r Repository) (string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, ok := n.ids[r]
	return id, ok && id != ""
}

func (n *nodeIDs) put(r Repository, id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ids == nil {
		n.ids = map[Repository]string{}
	}
	n.ids[r] = id
}
