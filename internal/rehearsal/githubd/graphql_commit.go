package githubd

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// commitInput is what createCommitOnBranch takes.
// https://docs.github.com/en/graphql/reference/commits#createcommitonbranch
type commitInput struct {
	Branch          struct{ RepositoryNameWithOwner, BranchName string }
	ExpectedHeadOid string
	Message         struct{ Headline, Body string }
	FileChanges     struct {
		Additions []struct {
			Path     string
			Contents []byte // base64 in JSON
		}
		Deletions []struct{ Path string }
	}
}

const commitMutation = "createCommitOnBranch"

// createCommitOnBranch appends a commit to a branch that is where the caller expects it.
// Its author is the caller, its committer GitHub. Files that it writes are 100644,
// whatever they were: https://github.com/babarot/gh-infra/pull/167.
func (s *Server) createCommitOnBranch(w http.ResponseWriter, r *http.Request, token *Token, in commitInput) {
	fail := func(kind, message string) { mutationError(w, commitMutation, kind, message) }
	repo := s.lookup(in.Branch.RepositoryNameWithOwner)
	if repo == nil || !token.sees(repo) {
		fail("NOT_FOUND", "Could not resolve to a Repository with the name '"+in.Branch.RepositoryNameWithOwner+"'.")
		return
	}
	if !token.may(repo, "contents", "write") {
		fail("FORBIDDEN", "Resource not accessible by integration")
		return
	}
	if in.Message.Headline == "" {
		fail("UNPROCESSABLE", "A commit message headline is required.")
		return
	}
	c := &call{Request: r, s: s, w: w, token: token, repo: repo, dir: s.gitDir(repo)}
	ref := "refs/heads/" + strings.TrimPrefix(in.Branch.BranchName, "refs/heads/")
	head, unlock, err := c.lockRef(ref)
	if err != nil {
		fail("UNPROCESSABLE", err.Error())
		return
	}
	defer unlock()
	if head != in.ExpectedHeadOid {
		fail("STALE_DATA", "Expected branch to point to \""+in.ExpectedHeadOid+"\" but it did not.  Pull and try again.")
		return
	}
	for _, d := range in.FileChanges.Deletions {
		if s.head(r.Context(), c.dir, head+":"+d.Path) == "" {
			fail("UNPROCESSABLE", "A path was requested for deletion which does not exist as of commit oid `"+head+"`")
			return
		}
	}
	sha, err := c.appended(head, in)
	if err == nil {
		_, err = c.git("update-ref", ref, sha, head)
	}
	if err != nil {
		fail("UNPROCESSABLE", "Something went wrong while executing your query.")
		return
	}
	s.refMoved(r.Context(), repo, token, move{ref, head, sha})
	writeJSON(w, http.StatusOK, map[string]any{
		"data": map[string]any{commitMutation: map[string]any{"commit": map[string]any{"oid": sha}}},
	})
}

// appended writes the commit.
func (c *call) appended(head string, in commitInput) (string, error) {
	temporary, err := os.MkdirTemp("", "sandbox-index-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	env := []string{"GIT_INDEX_FILE=" + filepath.Join(temporary, "index")}
	if _, err := c.gitInput(nil, env, "read-tree", head); err != nil {
		return "", err
	}
	var info strings.Builder
	for _, d := range in.FileChanges.Deletions {
		info.WriteString("0 " + zeroOID + "\t" + d.Path + "\x00")
	}
	for _, a := range in.FileChanges.Additions {
		sha, err := c.gitInput(a.Contents, nil, "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err
		}
		info.WriteString("100644 " + sha + "\t" + a.Path + "\x00")
	}
	if _, err := c.gitInput([]byte(info.String()), env, "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	tree, err := c.gitInput(nil, env, "write-tree")
	if err != nil {
		return "", err
	}
	message := strings.TrimRight(in.Message.Headline+"\n\n"+in.Message.Body, "\n") + "\n"
	return c.gitInput([]byte(message), c.s.identity(c.token.User), "commit-tree", tree, "-p", head, "-F", "-")
}
