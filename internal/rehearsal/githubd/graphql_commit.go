package githubd

import (
	"bytes"
	"fmt"
	"net/http"
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
	sha, err := c.appended(ref, head, in)
	if err != nil {
		fail("UNPROCESSABLE", "Something went wrong while executing your query.")
		return
	}
	s.refMoved(r.Context(), repo, token, move{ref, head, sha})
	writeJSON(w, http.StatusOK, map[string]any{
		"data": map[string]any{commitMutation: map[string]any{"commit": map[string]any{"oid": sha}}},
	})
}

// appended writes the commit and moves the branch, by one process: many may wait for it.
// https://git-scm.com/docs/git-fast-import#_input_format
func (c *call) appended(ref, head string, in commitInput) (string, error) {
	var stream bytes.Buffer
	quoted := func(path string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(path) + `"`
	}
	data := func(b []byte) { fmt.Fprintf(&stream, "data %d\n%s\n", len(b), b) }
	who := c.token.User
	now := c.s.now().Unix()
	fmt.Fprintf(&stream, "commit %s\nmark :1\nauthor %s <%s@users.noreply.github.com> %d +0000\n", ref, who, who, now)
	fmt.Fprintf(&stream, "committer GitHub <noreply@github.com> %d +0000\n", now)
	data([]byte(strings.TrimRight(in.Message.Headline+"\n\n"+in.Message.Body, "\n") + "\n"))
	fmt.Fprintf(&stream, "from %s\n", head)
	for _, d := range in.FileChanges.Deletions {
		stream.WriteString("D " + quoted(d.Path) + "\n")
	}
	for _, a := range in.FileChanges.Additions {
		stream.WriteString("M 100644 inline " + quoted(a.Path) + "\n")
		data(a.Contents)
	}
	stream.WriteString("get-mark :1\n")
	return c.gitInput(stream.Bytes(), nil, "fast-import", "--quiet", "--date-format=raw")
}
