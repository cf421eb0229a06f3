package githubd

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/git"
)

func (c *call) refJSON(ref, sha string) map[string]any {
	return map[string]any{
		"ref": ref, "node_id": nodeID("Ref", ref), "url": c.api("/git/%s", ref),
		"object": map[string]any{"type": "commit", "sha": sha, "url": c.api("/git/commits/%s", sha)},
	}
}

func getRef(c *call) (*answer, error) {
	ref := "refs/" + c.PathValue("ref")
	sha := c.s.head(c.Context(), c.dir, ref)
	if sha == "" {
		return nil, notFound()
	}
	return ok(c.refJSON(ref, sha))
}

// matchingRefs lists the references that begin with a name; none is an empty list.
// https://docs.github.com/en/rest/git/refs#list-matching-references
func matchingRefs(c *call) (*answer, error) {
	out, err := c.git("for-each-ref", "--format=%(refname) %(objectname)")
	if err != nil {
		return nil, err
	}
	var matching []map[string]any
	for line := range strings.Lines(out) {
		name, sha, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(name, "refs/"+c.PathValue("ref")) {
			matching = append(matching, c.refJSON(name, sha))
		}
	}
	return ok(append([]map[string]any{}, paginate(c, matching)...))
}

func createRef(c *call, in struct{ Ref, SHA string }) (*answer, error) {
	if !strings.HasPrefix(in.Ref, "refs/") || strings.Count(in.Ref, "/") < 2 {
		return nil, unprocessable("Reference name must start with 'refs/' and have at least two slashes.")
	}
	if c.resolve(in.SHA) != in.SHA || in.SHA == "" {
		return nil, unprocessable("Object does not exist")
	}
	lock := c.s.refLock(c.repo)
	lock.Lock()
	defer lock.Unlock()
	if c.s.head(c.Context(), c.dir, in.Ref) != "" {
		return nil, unprocessable("Reference already exists")
	}
	if _, err := c.git("update-ref", in.Ref, in.SHA, zeroOID); err != nil {
		return nil, unprocessable("Reference could not be created")
	}
	c.s.refMoved(c.Context(), c.repo, c.token, move{in.Ref, zeroOID, in.SHA})
	return created(c.refJSON(in.Ref, in.SHA))
}

// lockRef keeps others from moving a reference that the token may move.
func (c *call) lockRef(ref string) (old string, unlock func(), err error) {
	lock := c.s.refLock(c.repo)
	lock.Lock()
	switch old = c.s.head(c.Context(), c.dir, ref); {
	case old == "":
		err = unprocessable("Reference does not exist")
	case rulesRefuse(c.repo, c.token, ref):
		err = unprocessable(rulesMessage)
	default:
		return old, lock.Unlock, nil
	}
	lock.Unlock()
	return "", nil, err
}

func updateRef(c *call, in struct {
	SHA   string
	Force bool
}) (*answer, error) {
	ref := "refs/" + c.PathValue("ref")
	if c.resolve(in.SHA) != in.SHA || in.SHA == "" {
		return nil, unprocessable("Object does not exist")
	}
	old, unlock, err := c.lockRef(ref)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if !in.Force {
		if _, err := c.git("merge-base", "--is-ancestor", old, in.SHA); err != nil {
			return nil, unprocessable("Update is not a fast forward")
		}
	}
	if _, err := c.git("update-ref", ref, in.SHA, old); err != nil {
		return nil, &apiError{Status: http.StatusConflict, Message: "Reference was updated by somebody else"}
	}
	c.s.refMoved(c.Context(), c.repo, c.token, move{ref, old, in.SHA})
	return ok(c.refJSON(ref, in.SHA))
}

func deleteRef(c *call) (*answer, error) {
	ref := "refs/" + c.PathValue("ref")
	old, unlock, err := c.lockRef(ref)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := c.git("update-ref", "-d", ref, old); err != nil {
		return nil, err
	}
	c.s.refMoved(c.Context(), c.repo, c.token, move{ref, old, zeroOID})
	return noContent()
}

func getBlob(c *call) (*answer, error) {
	sha := c.PathValue("sha")
	if !git.IsObjectID(sha) {
		return nil, notFound()
	}
	data, err := c.blob(sha)
	if err != nil {
		return nil, notFound()
	}
	if strings.Contains(c.Header.Get("Accept"), "raw") {
		c.w.Header().Set("Content-Type", "application/vnd.github.raw")
		return ok(data)
	}
	return ok(map[string]any{
		"sha": sha, "node_id": nodeID("Blob", sha), "size": len(data), "url": c.api("/git/blobs/%s", sha),
		"content": base64.StdEncoding.EncodeToString(data), "encoding": "base64",
	})
}

func createBlob(c *call, in struct{ Content, Encoding string }) (*answer, error) {
	data := []byte(in.Content)
	if in.Encoding == "base64" {
		var err error
		if data, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(in.Content, "\n", "")); err != nil {
			return nil, invalid("Blob", "content", "invalid", "content is not valid Base64")
		}
	}
	sha, err := c.gitInput(data, nil, "hash-object", "-w", "--stdin")
	if err != nil {
		return nil, err
	}
	return created(map[string]any{"sha": sha, "url": c.api("/git/blobs/%s", sha)})
}

func getTree(c *call) (*answer, error) {
	sha := c.s.head(c.Context(), c.dir, c.PathValue("sha")+"^{tree}")
	if sha == "" {
		return nil, notFound()
	}
	recursive := c.URL.Query().Has("recursive")
	body, err := remember(
		c, "tree "+sha+" "+strconv.FormatBool(recursive), func() (map[string]any, error) { return c.treeJSON(sha, recursive) },
	)
	if err != nil {
		return nil, err
	}
	return ok(body)
}

func (c *call) treeJSON(sha string, recursive bool) (map[string]any, error) {
	args := []string{"ls-tree", "-z", "-l", "--full-tree"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, err := c.git(append(args, sha)...)
	if err != nil {
		return nil, err
	}
	entries := []map[string]any{}
	for _, record := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, path, found := strings.Cut(record, "\t")
		f := strings.Fields(meta)
		if !found || len(f) != 4 {
			continue
		}
		e := map[string]any{"path": path, "mode": f[0], "type": f[1], "sha": f[2], "url": c.api("/git/%ss/%s", f[1], f[2])}
		if size, err := strconv.Atoi(f[3]); err == nil {
			e["size"] = size
		}
		entries = append(entries, e)
	}
	most := cmp.Or(c.s.o.ListsAtMost, 100_000)
	cut := recursive && len(entries) > most
	if cut {
		entries = entries[:most]
	}
	return map[string]any{"sha": sha, "url": c.api("/git/trees/%s", sha), "truncated": cut, "tree": entries}, nil
}

func createTree(c *call, in struct {
	BaseTree string `json:"base_tree"`
	Tree     []struct {
		Path, Mode, Type string
		SHA, Content     *string
	}
}) (*answer, error) {
	if len(in.Tree) == 0 {
		return nil, unprocessable("Invalid tree info")
	}
	temporary, err := os.MkdirTemp("", "sandbox-index-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary)
	env := []string{"GIT_INDEX_FILE=" + filepath.Join(temporary, "index")}
	if in.BaseTree != "" {
		if _, err := c.gitInput(nil, env, "read-tree", in.BaseTree); err != nil {
			return nil, unprocessable("base_tree is not a valid tree oid")
		}
	}
	var info strings.Builder
	for _, e := range in.Tree {
		sha := zeroOID
		switch {
		case e.Mode != "100644" && e.Mode != "100755" && e.Mode != "120000" && e.Mode != "160000" && e.Mode != "040000":
			return nil, unprocessable("tree.mode %q is not a valid mode", e.Mode)
		case e.Path == "" || strings.HasPrefix(e.Path, "/"):
			return nil, unprocessable("tree.path contains a malformed path component")
		case e.Content != nil:
			if sha, err = c.gitInput([]byte(*e.Content), nil, "hash-object", "-w", "--stdin"); err != nil {
				return nil, err
			}
		case e.SHA != nil:
			sha = *e.SHA
			if _, err := c.git("cat-file", "-e", sha); err != nil {
				return nil, unprocessable("tree.sha %s is not a valid blob", sha)
			}
		case c.s.head(c.Context(), c.dir, in.BaseTree+":"+e.Path) == "":
			return nil, unprocessable("GitRPC::BadObjectState") // what GitHub says to the deletion of what is not there
		}
		mode := e.Mode
		if sha == zeroOID {
			mode = "0"
		}
		info.WriteString(mode + " " + sha + "\t" + e.Path + "\x00")
	}
	if _, err := c.gitInput([]byte(info.String()), env, "update-index", "-z", "--index-info"); err != nil {
		return nil, unprocessable("Invalid tree info")
	}
	sha, err := c.gitInput(nil, env, "write-tree")
	if err != nil {
		return nil, unprocessable("Invalid tree info")
	}
	body, err := c.treeJSON(sha, false)
	if err != nil {
		return nil, err
	}
	return created(body)
}

func getGitCommit(c *call) (*answer, error) {
	if !git.IsObjectID(c.PathValue("sha")) {
		return nil, notFound()
	}
	info, err := c.commitInfo(c.PathValue("sha"))
	if err != nil {
		return nil, err
	}
	return ok(c.gitCommitJSON(info))
}

func createCommit(c *call, in struct {
	Message, Tree string
	Parents       []string
	Author        *struct{ Name, Email string }
}) (*answer, error) {
	if in.Message == "" {
		return nil, invalid("Commit", "message", "missing_field", "")
	}
	if c.s.head(c.Context(), c.dir, in.Tree+"^{tree}") != in.Tree || in.Tree == "" {
		return nil, unprocessable("Tree SHA does not exist")
	}
	args := []string{"commit-tree", in.Tree, "-F", "-"}
	for _, p := range in.Parents {
		if c.resolve(p) != p {
			return nil, unprocessable("Parent SHA does not exist or is not a commit object")
		}
		args = append(args, "-p", p)
	}
	env := c.s.identity(c.token.User)
	if in.Author != nil {
		env = append(env, "GIT_AUTHOR_NAME="+in.Author.Name, "GIT_AUTHOR_EMAIL="+in.Author.Email)
	}
	sha, err := c.gitInput([]byte(strings.TrimRight(in.Message, "\n")+"\n"), env, args...)
	if err != nil {
		return nil, err
	}
	info, err := c.commitInfo(sha)
	if err != nil {
		return nil, err
	}
	return created(c.gitCommitJSON(info))
}

// identity is a user's, for git; GitHub writes its own commits as "GitHub".
func (s *Server) identity(user string) []string {
	email := user + "@users.noreply.github.com"
	when := s.now().Format("2006-01-02T15:04:05Z")
	return []string{
		"GIT_AUTHOR_NAME=" + user, "GIT_AUTHOR_EMAIL=" + email, "GIT_AUTHOR_DATE=" + when,
		"GIT_COMMITTER_NAME=GitHub", "GIT_COMMITTER_EMAIL=noreply@github.com", "GIT_COMMITTER_DATE=" + when,
	}
}
