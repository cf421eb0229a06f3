package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

func TestCanWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	for user, permission := range map[string]string{"boss": "admin", "dev": "write", "guest": "read", "nobody": "none"} {
		w.SetPermission("acme/config", user, permission)
		if may, err := c.CanWrite(t.Context(), repo, user); err != nil || may != (permission == "admin" || permission == "write") {
			t.Errorf("%s: %t %v", permission, may, err)
		}
	}
	for _, status := range []int{404, 403} {
		if err := w.AddFault(sandbox.Fault{Path: "/permission$", Count: 1, Status: status}); err != nil {
			t.Fatal(err)
		}
		may, err := c.CanWrite(t.Context(), repo, "dev")
		if may || (status == 404) != (err == nil) ||
			err != nil && !strings.Contains(err.Error(), "ask whether dev may write to acme/config") {
			t.Errorf("%d: %t %v", status, may, err)
		}
	}
	if may, err := c.CanWrite(t.Context(), repo, ""); may || err != nil {
		t.Errorf("a user who is gone: %t %v", may, err)
	}
}

// Renamed files count under both names.
func TestPullFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.client(t)
	blob := strings.Fields(w.git(t, "ls-tree", "-r", "main")) // MODE blob SHA NAME …
	command := git.Command{
		Dir: w.GitDir("acme/config"), Args: []string{"mktree"}, Stdin: strings.NewReader("100644 blob " + blob[2] + "\tnew-name\n"),
	}
	tree, err := command.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.git(t, "update-ref", "refs/heads/renamed", w.git(t, "commit-tree", strings.TrimSpace(string(tree)), "-p", "main", "-m", "rename"))
	pull, err := c.OpenPull(t.Context(), repo, github.NewPull{Title: "t", Head: "renamed", Base: "main"})
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.PullFiles(t.Context(), repo, pull.Number)
	if err != nil || !slices.Contains(files, "new-name") || !slices.Contains(files, blob[3]) {
		t.Errorf("%q %v, want %s and its new name", files, err, blob[3])
	}
}

// GitHub's list ends at 3,000 files without a word.
func TestPullFilesThatAreNotAll(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		page = max(page, 1)
		if page < 30 {
			w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?page=%d&per_page=100>; rel="next"`, r.Host, r.URL.Path, page+1))
		}
		var files []map[string]string
		for i := range 100 {
			files = append(files, map[string]string{"filename": fmt.Sprintf("%d/%d", page, i)})
		}
		_ = json.NewEncoder(w).Encode(files)
	}))
	t.Cleanup(server.Close)
	c, err := github.New(github.Options{APIURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if files, err := c.PullFiles(t.Context(), repo, 1); err == nil ||
		!strings.Contains(err.Error(), "GitHub lists no more than 3000 of them, so that not all are known: split the pull request") {
		t.Errorf("%d files, %v", len(files), err)
	}
}
