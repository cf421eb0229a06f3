package githubd

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
)

const zeroOID = "0000000000000000000000000000000000000000"

func (c *call) git(args ...string) (string, error) {
	return git.RunEnv(c.Context(), c.dir, c.s.o.Env, args...)
}

func (c *call) gitInput(stdin []byte, env []string, args ...string) (string, error) {
	return git.Command{
		Dir: c.dir, Env: append(append([]string{}, c.s.o.Env...), env...), Args: args, Stdin: bytes.NewReader(stdin),
	}.Line(c.Context())
}

// refLock serialises what moves the refs of one repository, as one database
// row would: the compare and the swap see the same head.
func (s *Server) refLock(r *repository) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	lock := s.refs[r.fullName()]
	if lock == nil {
		lock = &sync.Mutex{}
		s.refs[r.fullName()] = lock
	}
	return lock
}

// head is where a ref points, or empty.
func (s *Server) head(ctx context.Context, dir, ref string) string {
	if strings.HasPrefix(ref, "refs/") && filepath.IsLocal(ref) {
		// git writes a ref that moves into a file of its own.
		if data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(ref))); err == nil &&
			git.IsObjectID(strings.TrimSpace(string(data))) {
			return strings.TrimSpace(string(data))
		}
	}
	sha, err := git.RunEnv(ctx, dir, s.o.Env, "rev-parse", "--verify", "--quiet", "--end-of-options", ref)
	if err != nil {
		return ""
	}
	return sha
}

// commit resolves a branch, tag, pull request ref or SHA as GitHub does.
func (s *Server) commit(ctx context.Context, dir, rev string) string {
	if rev == "" || strings.ContainsAny(rev, "^~:@{ ") {
		return ""
	}
	names := []string{"refs/heads/" + rev, "refs/tags/" + rev, rev}
	if rev == "HEAD" || git.IsObjectID(rev) || strings.HasPrefix(rev, "refs/") {
		names = []string{rev}
	}
	for _, name := range names {
		key := dir + " commit " + name
		if git.IsObjectID(name) {
			s.mu.Lock()
			known := s.cache[key] != nil
			s.mu.Unlock()
			if known {
				return name
			}
		}
		if sha := s.head(ctx, dir, name+"^{commit}"); sha != "" {
			if sha == name {
				s.mu.Lock()
				s.cache[key] = true
				s.mu.Unlock()
			}
			return sha
		}
	}
	return ""
}

func (c *call) resolve(rev string) string { return c.s.commit(c.Context(), c.dir, rev) }

// remember keeps what never changes: the answer for an object's id.
func remember[T any](c *call, key string, make func() (T, error)) (T, error) {
	key = c.repo.fullName() + " " + key
	c.s.mu.Lock()
	if v, ok := c.s.cache[key].(T); ok {
		c.s.mu.Unlock()
		return v, nil
	}
	c.s.mu.Unlock()
	v, err := make()
	if err == nil {
		c.s.mu.Lock()
		c.s.cache[key] = v
		c.s.mu.Unlock()
	}
	return v, err
}

func getRepository(c *call) (*answer, error) { return ok(c.s.repositoryJSON(c.repo)) }

func getBranch(c *call) (*answer, error) {
	name := c.PathValue("branch")
	sha := c.s.head(c.Context(), c.dir, "refs/heads/"+name)
	if sha == "" {
		return nil, &apiError{Status: http.StatusNotFound, Message: "Branch not found"}
	}
	commit, err := c.commitJSON(sha)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{
		"name": name, "commit": commit, "protected": len(c.repo.Required) > 0,
		"_links":         map[string]any{"html": c.page("/tree/%s", name), "self": c.api("/branches/%s", name)},
		"protection":     map[string]any{"enabled": len(c.repo.Required) > 0},
		"protection_url": c.api("/branches/%s/protection", name),
	})
}

// commitInfo is what git knows of a commit.
type commitInfo struct {
	SHA, Tree, Message        string
	Parents                   []string
	AuthorName, AuthorEmail   string
	AuthorTime, CommitterTime time.Time
	CommitterName, Committer  string
}

const commitFormat = "--format=%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%at%x1f%cn%x1f%ce%x1f%ct%x1f%B"

func parseCommit(record string) (*commitInfo, error) {
	f := strings.SplitN(strings.TrimLeft(record, "\n"), "\x1f", 10)
	if len(f) != 10 {
		return nil, fmt.Errorf("git log wrote %q", record)
	}
	at, _ := strconv.ParseInt(f[5], 10, 64)
	ct, _ := strconv.ParseInt(f[8], 10, 64)
	return &commitInfo{
		SHA: f[0], Tree: f[1], Parents: strings.Fields(f[2]), AuthorName: f[3], AuthorEmail: f[4], AuthorTime: time.Unix(at, 0).UTC(),
		CommitterName: f[6], Committer: f[7], CommitterTime: time.Unix(ct, 0).UTC(), Message: strings.TrimRight(f[9], "\n"),
	}, nil
}

func (c *call) commitInfo(sha string) (*commitInfo, error) {
	return remember(c, "commit "+sha, func() (*commitInfo, error) {
		out, err := c.git("log", "-1", "--no-show-signature", commitFormat, "--end-of-options", sha)
		if err != nil {
			return nil, notFound()
		}
		return parseCommit(out)
	})
}

// log lists commits.
func (c *call) log(args ...string) ([]*commitInfo, error) {
	out, err := c.git(append([]string{"log", "-z", "--no-show-signature", commitFormat}, args...)...)
	if err != nil {
		return nil, err
	}
	var list []*commitInfo
	for _, record := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		if record == "" {
			continue
		}
		info, err := parseCommit(record)
		if err != nil {
			return nil, err
		}
		list = append(list, info)
	}
	return list, nil
}

func listCommits(c *call) (*answer, error) {
	rev := c.URL.Query().Get("sha")
	if rev == "" {
		rev = c.repo.DefaultBranch
	}
	sha := c.resolve(rev)
	if sha == "" {
		return nil, notFound()
	}
	number, size := pageOf(c.URL.Query())
	args := []string{"-n", strconv.Itoa(size + 1), "--skip", strconv.Itoa((number - 1) * size), sha, "--"}
	if path := c.URL.Query().Get("path"); path != "" {
		args = append(args, ":(literal,top)"+path)
	}
	list, err := c.log(args...)
	if err != nil {
		return nil, err
	}
	more := len(list) > size
	if more {
		list = list[:size]
	}
	c.link(number, more)
	return ok(c.commitsJSON(list))
}

// commitDetails serves commits/REF, commits/REF/status, …/statuses and
// …/check-runs: REF may hold slashes.
func commitDetails(c *call) (*answer, error) {
	rest := c.PathValue("rest")
	for _, below := range []struct {
		suffix, scope string
		serve         func(*call, string) (*answer, error)
	}{
		{"/status", "statuses", combinedStatus}, {"/statuses", "statuses", listStatuses}, {"/check-runs", "checks", listCheckRuns},
		{"/pulls", "pull_requests", commitPulls},
	} {
		if rev, found := strings.CutSuffix(rest, below.suffix); found {
			if err := c.token.require(c.repo, below.scope, "read"); err != nil {
				return nil, err
			}
			sha := c.resolve(rev)
			if sha == "" {
				return nil, notFound()
			}
			return below.serve(c, sha)
		}
	}
	sha := c.resolve(rest)
	if sha == "" {
		return nil, unprocessable("No commit found for SHA: %s", rest)
	}
	if strings.Contains(c.Header.Get("Accept"), "sha") {
		c.w.Header().Set("Content-Type", "application/vnd.github.v3.sha")
		return ok([]byte(sha))
	}
	body, err := c.commitJSON(sha)
	if err != nil {
		return nil, err
	}
	return ok(body)
}

func compare(c *call) (*answer, error) {
	base, head, found := strings.Cut(c.PathValue("basehead"), "...")
	b, h := c.resolve(base), c.resolve(head)
	if !found || b == "" || h == "" {
		return nil, notFound()
	}
	counts, err := c.git("rev-list", "--left-right", "--count", b+"..."+h)
	if err != nil {
		return nil, err
	}
	var behind, ahead int
	if _, err := fmt.Sscan(counts, &behind, &ahead); err != nil {
		return nil, fmt.Errorf("git rev-list wrote %q", counts)
	}
	status := map[[2]bool]string{
		{false, false}: "identical", {true, false}: "ahead", {false, true}: "behind", {true, true}: "diverged",
	}[[2]bool{ahead > 0, behind > 0}]
	mergeBase, err := c.git("merge-base", b, h)
	if err != nil {
		return nil, &apiError{Status: http.StatusNotFound, Message: "No common ancestor between " + base + " and " + head + "."}
	}
	list, err := c.log("--reverse", "--topo-order", b+".."+h, "--")
	if err != nil {
		return nil, err
	}
	baseJSON, err := c.commitJSON(b)
	if err != nil {
		return nil, err
	}
	mergeJSON, err := c.commitJSON(mergeBase)
	if err != nil {
		return nil, err
	}
	files, err := c.changedBetween(mergeBase, h)
	if err != nil {
		return nil, err
	}
	return ok(map[string]any{
		"files": files,
		"url":   c.api("/compare/%s...%s", base, head), "html_url": c.page("/compare/%s...%s", base, head),
		"permalink_url": c.page("/compare/%s...%s", b, h), "diff_url": c.page("/compare/%s...%s.diff", base, head),
		"patch_url":   c.page("/compare/%s...%s.patch", base, head),
		"base_commit": baseJSON, "merge_base_commit": mergeJSON, "status": status,
		"ahead_by": ahead, "behind_by": behind, "total_commits": ahead, "commits": c.commitsJSON(paginate(c, list)),
	})
}

// changedBetween lists the files that differ between two commits, on the first page
// alone and no more than 300 of them.
// https://docs.github.com/en/rest/commits/commits#compare-two-commits
func (c *call) changedBetween(base, head string) ([]any, error) {
	const most = 300
	files := []any{}
	if page := c.URL.Query().Get("page"); page != "" && page != "1" {
		return files, nil
	}
	out, err := c.git("diff", "--name-status", "-z", "--no-renames", base, head)
	if err != nil {
		return nil, err
	}
	words := map[string]string{"A": "added", "D": "removed", "M": "modified", "T": "changed"}
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	for i := 0; i+1 < len(fields) && len(files) < most; i += 2 {
		sha, err := c.git("rev-parse", head+":"+fields[i+1])
		if err != nil {
			sha, err = c.git("rev-parse", base+":"+fields[i+1])
		}
		if err != nil {
			return nil, err
		}
		name := fields[i+1]
		files = append(files, map[string]any{
			"sha": sha, "filename": name, "status": words[fields[i]], "additions": 0, "deletions": 0, "changes": 0,
			"blob_url": c.page("/blob/%s/%s", head, name), "raw_url": c.page("/raw/%s/%s", head, name),
			"contents_url": c.api("/contents/%s?ref=%s", name, head),
		})
	}
	return files, nil
}

func getContents(c *call) (*answer, error) {
	rev := c.URL.Query().Get("ref")
	if rev == "" {
		rev = c.repo.DefaultBranch
	}
	sha, path := c.resolve(rev), c.PathValue("path")
	if sha == "" {
		return nil, notFound()
	}
	blob := c.s.head(c.Context(), c.dir, sha+":"+path)
	kind, err := c.git("cat-file", "-t", blob)
	if blob == "" || err != nil || kind != "blob" {
		return nil, notFound()
	}
	data, err := c.blob(blob)
	if err != nil {
		return nil, err
	}
	if strings.Contains(c.Header.Get("Accept"), "raw") {
		return ok(data)
	}
	name := path[strings.LastIndex(path, "/")+1:]
	self, page := c.api("/contents/%s?ref=%s", path, rev), c.page("/blob/%s/%s", rev, path)
	return ok(map[string]any{
		"type": "file", "encoding": "base64", "size": len(data), "name": name, "path": path, "sha": blob,
		"content": base64.StdEncoding.EncodeToString(data), "url": self, "git_url": c.api("/git/blobs/%s", blob), "html_url": page,
		"download_url": c.page("/raw/%s/%s", rev, path),
		"_links":       map[string]any{"self": self, "git": c.api("/git/blobs/%s", blob), "html": page},
	})
}

func (c *call) blob(sha string) ([]byte, error) {
	return git.Command{Dir: c.dir, Env: c.s.o.Env, Args: []string{"cat-file", "blob", sha}}.Output(c.Context())
}

// tarball redirects to another address that needs no token, as GitHub does.
func tarball(c *call) (*answer, error) {
	sha := c.resolve(c.PathValue("ref"))
	if sha == "" {
		return nil, notFound()
	}
	ticket := randomHex(12)
	c.s.mu.Lock()
	c.s.cache["ticket "+ticket] = c.repo.fullName() + " " + sha
	c.s.mu.Unlock()
	c.w.Header().Set("Location", fmt.Sprintf("%s/_codeload/%s/%s?token=%s", c.s.URL(), c.repo.fullName(), sha, ticket))
	return &answer{status: http.StatusFound}, nil
}

func (s *Server) codeload(w http.ResponseWriter, r *http.Request) {
	name, sha := r.PathValue("owner")+"/"+r.PathValue("repo"), r.PathValue("sha")
	s.mu.Lock()
	granted, _ := s.cache["ticket "+r.URL.Query().Get("token")].(string)
	s.mu.Unlock()
	repo := s.lookup(name)
	if repo == nil || granted != repo.fullName()+" "+sha {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-gzip")
	prefix := fmt.Sprintf("%s-%s-%s/", repo.Owner, repo.Name, sha[:7])
	_ = git.Command{
		Dir: s.gitDir(repo), Env: s.o.Env, Args: []string{"archive", "--format=tar.gz", "--prefix=" + prefix, sha}, Stdout: w,
	}.Run(r.Context())
}
