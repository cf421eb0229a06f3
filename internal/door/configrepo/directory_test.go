package configrepo_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/configrepo/configrepotest"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// A directory is a config repository of its own: it has its files under their names
// there, and the owners' files from the top, and it writes nowhere else.
func TestDirectory(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"deploy/a/waybill.yaml": "a\n", "deploy/a/apps/x.yaml": "x\n", "deploy/ab/waybill.yaml": "ab\n", "deploy/b/waybill.yaml": "b\n",
		"waybill.yaml": "top\n", "src/main.go": "package main\n", ".github/CODEOWNERS": "* @ada\n", "deploy/CODEOWNERS": "no such place\n",
	}
	for name, open := range map[string]func(testing.TB, map[string]string) *configrepotest.Repo{
		"local": configrepotest.Local, "GitHub": configrepotest.GitHub,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, files)
			whole := r.Open(t)
			store, err := configrepo.Within(r.Open(t), "./deploy/a/")
			if err != nil {
				t.Fatal(err)
			}
			begun, err := store.Snapshot(t.Context(), "main")
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"../../.github/CODEOWNERS", "apps/x.yaml", "waybill.yaml"}
			if got := slices.Sorted(maps.Keys(begun.Files)); begun.Dir != "deploy/a" || !slices.Equal(got, want) {
				t.Errorf("%s has %q, want %q", begun.Dir, got, want)
			}
			if data, err := store.File(t.Context(), "main", "waybill.yaml"); err != nil || string(data) != "a\n" {
				t.Errorf("got %q, %v", data, err)
			}
			for _, name := range []string{"src/main.go", "deploy/a/waybill.yaml", "b/waybill.yaml"} {
				if _, err := store.File(t.Context(), begun.Commit, name); !errors.Is(err, configrepo.ErrNotFound) {
					t.Errorf("%s of the whole repository: %v", name, err)
				}
			}
			change := func(name string) (string, error) {
				head, err := store.Head(t.Context(), "main")
				if err != nil {
					t.Fatal(err)
				}
				return store.Commit(t.Context(), configrepo.Request{
					Branch: "main", Expect: head, Parent: head, Message: "change",
					Changes: []configrepo.Change{{Path: name, Content: []byte("2\n")}},
				})
			}
			ours, err := change("apps/x.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Git(t, "diff", "--name-only", begun.Commit, ours); got != "deploy/a/apps/x.yaml" {
				t.Errorf("the commit changes %q", got)
			}
			for _, name := range []string{"../b/waybill.yaml", "/waybill.yaml", "..", "apps/../../b/x", ".git/config"} {
				if _, err := change(name); err == nil || !strings.Contains(err.Error(), "is not a path inside the repository") {
					t.Errorf("%s: %v", name, err)
				}
			}
			other := write(t, whole, ours, "deploy/b/waybill.yaml")
			for path, commits := range map[string]int{"": 3, "apps/x.yaml": 2, "waybill.yaml": 1} {
				if entries, err := store.Log(t.Context(), other, path, 0); err != nil || len(entries) != commits {
					t.Errorf("history of %q: %d commits, want %d, %v", path, len(entries), commits, err)
				}
			}
			// Nothing in the directory differs, and yet the commits are not the same.
			now, err := store.Snapshot(t.Context(), ours)
			if err != nil {
				t.Fatal(err)
			}
			later, err := store.Snapshot(t.Context(), other)
			if err != nil {
				t.Fatal(err)
			}
			if later.SameFiles(now.Files, now) {
				t.Error("a change outside of the directory is none")
			}
			if !later.SameFiles(now.Files, later) {
				t.Error("a commit is not like itself")
			}
		})
	}
}

func write(t *testing.T, store configrepo.Store, parent, path string) string {
	t.Helper()
	sha, err := store.Commit(t.Context(), configrepo.Request{
		Branch: "main", Expect: parent, Parent: parent, Message: "else", Changes: []configrepo.Change{{Path: path, Content: []byte("2\n")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

// What a link leads to outside of the directory is not read, so that nothing deploys
// what nobody judged.
func TestLinksOutOfADirectoryLeadNowhere(t *testing.T) {
	t.Parallel()
	r := configrepotest.Directory(t, map[string]string{"waybill.yaml": "1\n", "real.yaml": "1\n"})
	r.Git(t, "read-tree", "main")
	for name, target := range map[string]string{"out.yaml": "../../src/main.go", "up": "../..", "in.yaml": "real.yaml"} {
		blob := r.Git(t, "hash-object", "-w", file(t, target))
		r.Git(t, "update-index", "--add", "--cacheinfo", "120000,"+blob+",deploy/shop/"+name)
	}
	s, err := r.Snapshot(t.Context(), r.Git(t, "commit-tree", "-p", "main", "-m", "links", r.Git(t, "write-tree")))
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(s.Files)); !slices.Equal(got, []string{"in.yaml", "real.yaml", "waybill.yaml"}) {
		t.Errorf("read %q", got)
	}
	if got := slices.Sorted(maps.Keys(s.Links)); !slices.Equal(got, []string{"in.yaml", "out.yaml", "up"}) {
		t.Errorf("links %q", got)
	}
}

func TestDirectoriesAreNamedFromTheTop(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{"": "", ".": "", "./": "", "deploy": "deploy", "./deploy//a/": "deploy/a", "a/../b": "b"} {
		if got, err := configrepo.CleanDirectory(dir); err != nil || got != want {
			t.Errorf("%q is %q, %v", dir, got, err)
		}
	}
	for _, dir := range []string{
		"..", "../x", "/deploy", "a/../../b", "-x", ".git", "a/.GIT/b", "a b", "a+b", "a\nb", "a\\b", ".hidden", "a/.b", "ä",
	} {
		_, err := configrepo.CleanDirectory(dir)
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "is not a directory inside the repository") {
			t.Errorf("%q: %v", dir, err)
		}
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
