package configrepo_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
)

// Links are followed inside the repository, in the same way whichever door
// reads it; File and Commit take real files alone.
func TestLinksAreFollowedInsideTheRepository(t *testing.T) {
	t.Parallel()
	extra := map[string]string{
		"apps/b/d.yaml":      "values.yaml",           // a file beside it
		"apps/c":             "b",                     // a directory
		"apps/two.yaml":      "../apps/c/d.yaml",      // through a directory's link, to a link
		"apps/out.yaml":      "../../etc/passwd",      // out of the repository
		"apps/root.yaml":     "/etc/passwd",           // absolute
		"apps/loop.yaml":     "loop.yaml",             // a circle
		"apps/nothing.yaml":  "none.yaml",             // to nothing
		"apps/all":           "..",                    // the whole repository
		"apps/waybill.yaml":  "b/values.yaml",         // rules are never read through links
		".github/CODEOWNERS": "../apps/b/values.yaml", // neither are owners
	}
	everywhere(t, func(t *testing.T, s store, p place) {
		dir := t.TempDir()
		gitIn(t, dir, "clone", "--quiet", p.gitDir, ".")
		for name, target := range extra {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
		}
		gitIn(t, dir, "add", "--all")
		gitIn(t, dir, "commit", "--quiet", "-m", "Link")
		gitIn(t, dir, "push", "--quiet", "origin", "HEAD:refs/heads/links")
		s = p.open(t)
		rev := "links"
		if _, err := s.Resolve(t.Context(), rev); err != nil {
			rev = "origin/links"
		}
		snapshot := must(s.Snapshot(t.Context(), rev))(t)
		got := make(map[string]string)
		for name := range snapshot.Linked {
			got[name] = string(snapshot.Files[name])
		}
		want := map[string]string{
			"link.yaml": seedFiles["waybill.yaml"], "apps/b/d.yaml": "b: 1\r\n", "apps/c/values.yaml": "b: 1\r\n",
			"apps/c/d.yaml": "b: 1\r\n", "apps/two.yaml": "b: 1\r\n",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("what links lead to (-want +got):\n%s", d)
		}
		for _, name := range slices.Sorted(maps.Keys(got)) {
			if _, err := s.File(t.Context(), snapshot.Commit, name); !errors.Is(err, configrepo.ErrNotFound) {
				t.Errorf("%s as a file: got %v, want ErrNotFound", name, err)
			}
		}
	})
}

// What was a link at an old commit names no file there, however long its text is: a
// digest in it ran nowhere. What is read ahead says so too.
func TestLinksOfTheHistoryAreNoFiles(t *testing.T) {
	t.Parallel()
	const file = "apps/a.yaml"
	files := map[string]string{"waybill.yaml": "a: b\n", file: "one: 1\ntwo: 2\n"}
	configrepotest.Both(t, files, func(t *testing.T, r *configrepotest.Repo) {
		before := r.Git(t, "rev-parse", "main")
		r.Git(t, "read-tree", "main")
		next := func(mode, blob string) string {
			r.Clock.Pass(time.Hour)
			r.Git(t, "update-index", "--cacheinfo", mode+","+blob+","+r.Path(file))
			sha := r.Git(t, "commit-tree", "-p", "main", "-m", "next", r.Git(t, "write-tree"))
			r.Git(t, "update-ref", "refs/heads/main", sha)
			return sha
		}
		linked := next("120000", r.Git(t, "rev-parse", "main:"+r.Path(file)))
		head := next("100644", r.Git(t, "rev-parse", "main:"+r.Path("waybill.yaml")))
		store := r.Open(t)
		if err := store.ReadAhead(t.Context(), head, []string{file, "waybill.yaml"}); err != nil {
			t.Fatal(err)
		}
		if data, err := store.File(t.Context(), linked, file); !errors.Is(err, configrepo.ErrNotFound) {
			t.Errorf("the link: got %q, %v", data, err)
		}
		if data, err := store.File(t.Context(), before, file); err != nil || string(data) != "one: 1\ntwo: 2\n" {
			t.Errorf("the file before it: got %q, %v", data, err)
		}
	})
}
