package configrepo_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/git"
)

// What came by pull request came with its merge: at that time, not when it was
// written, which may be weeks before.
func TestHistoryCountsFromTheMerge(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, s store, p place) {
		ctx := t.Context()
		base := must(s.Head(ctx, "main"))(t)
		commit := func(when, branch, expect, parent, path, content string) string {
			t.Helper()
			blob := gitPipe(t, p.gitDir, content)
			tree := gitTree(t, p.gitDir, parent, path, blob)
			sha := gitAt(t, p.gitDir, when, "commit-tree", tree, "-p", parent, "-m", content)
			gitAt(t, p.gitDir, when, "update-ref", "refs/heads/"+branch, sha)
			return sha
		}
		one := commit("2020-01-01T00:00:00Z", "side", "", base, overlay, "backdated")
		two := commit("2020-01-02T00:00:00Z", "side", one, one, overlay, "again")
		direct := commit("2026-03-01T00:00:00Z", "tmp", base, base, "other", "direct")
		tree := strings.SplitN(gitIn(t, p.gitDir, "merge-tree", "--write-tree", direct, two), "\n", 2)[0]
		merge := gitAt(t, p.gitDir, "2026-04-01T00:00:00Z", "commit-tree", tree, "-p", direct, "-p", two, "-m", "Merge")
		last := commit("2026-05-01T00:00:00Z", "tmp", merge, merge, "other", "last")
		var got []string
		for _, e := range must(s.Log(ctx, onPlace(t, p, s, last), overlay, 0))(t) {
			got = append(got, e.SHA+" "+e.Time.Format(time.DateOnly)+" "+e.Message)
		}
		want := []string{
			merge + " 2026-04-01 Merge", base + " " + must(s.Log(ctx, base, "", 1))(t)[0].Time.Format(time.DateOnly) + " Begin",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("history of the overlay (-want +got):\n%s", diff)
		}
		var line []string
		for _, e := range must(s.Log(ctx, last, "", 0))(t) {
			line = append(line, e.SHA)
		}
		if diff := cmp.Diff([]string{last, merge, direct, base}, line); diff != "" {
			t.Errorf("the branch's own line (-want +got):\n%s", diff)
		}
	})
}

// onPlace makes a commit known to a store that keeps a clone.
func onPlace(t *testing.T, p place, s store, sha string) string {
	t.Helper()
	gitIn(t, p.gitDir, "update-ref", "refs/heads/known", sha)
	if got := must(s.Head(t.Context(), "known"))(t); got != sha {
		t.Fatalf("head of known: got %s, want %s", got, sha)
	}
	return sha
}

func gitAt(t *testing.T, dir, when string, args ...string) string {
	t.Helper()
	return must(git.RunEnv(t.Context(), dir, []string{
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		"GIT_AUTHOR_DATE=" + when, "GIT_COMMITTER_DATE=" + when,
	}, args...))(t)
}

// gitPipe writes a blob, gitTree a tree with it.
func gitPipe(t *testing.T, dir, content string) string {
	t.Helper()
	return must(git.Command{
		Dir: dir, Args: []string{"hash-object", "-w", "--stdin"}, Stdin: strings.NewReader(content),
	}.Line(t.Context()))(t)
}

func gitTree(t *testing.T, dir, parent, path, blob string) string {
	t.Helper()
	env := []string{"GIT_INDEX_FILE=" + filepath.Join(t.TempDir(), "index")}
	for _, args := range [][]string{{"read-tree", parent}, {"update-index", "--add", "--cacheinfo", "100644," + blob + "," + path}} {
		must(git.RunEnv(t.Context(), dir, env, args...))(t)
	}
	return must(git.RunEnv(t.Context(), dir, env, "write-tree"))(t)
}
