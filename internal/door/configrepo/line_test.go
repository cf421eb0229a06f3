package configrepo_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/door/configrepo"
	"github.com/waybill-dev/waybill/internal/door/git"
)

// After a few questions the whole branch is read at once. What is answered from it
// is what git answers: merges, links, modes, removals, odd names and messages.
func TestManyQuestionsAreAnsweredAlike(t *testing.T) {
	t.Parallel()
	const stream = `blob
mark :1
data 4
one

blob
mark :2
data 4
two

commit refs/heads/main
mark :10
committer A <a@x> 1750000000 +0000
data 6
Begin
M 100644 :1 a
M 100644 :1 "dir/b \303\274.yaml"
M 120000 :1 link
M 100644 :1 gone

commit refs/heads/side
mark :11
committer A <a@x> 1750000100 +0000
data 5
side
from :10
M 100644 :2 a
M 100644 :2 new

commit refs/heads/main
mark :12
committer A <a@x> 1750000200 +0000
data 53
:100644 100644 deadbeef deadbeef M

Waybill-App: liar
from :10
M 100644 :2 "dir/b \303\274.yaml"
D gone

commit refs/heads/main
mark :13
committer A <a@x> 1750000300 +0000
data 6
Merge
from :12
merge :11
M 100644 :2 a
M 100644 :2 new

commit refs/heads/main
mark :14
committer A <a@x> 1750000400 +0000
data 5
back
from :13
M 100755 :1 a
M 100644 :2 link
M 100644 :1 gone

commit refs/heads/main
mark :15
committer A <a@x> 1750000500 +0000
data 6
empty
from :14
`
	dir := t.TempDir()
	gitIn(t, dir, "init", "--quiet", "--bare", "--initial-branch=main")
	load := git.Command{Dir: dir, Args: []string{"fast-import", "--quiet"}, Stdin: strings.NewReader(stream)}
	if err := load.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	open := func() *configrepo.Local {
		return must(configrepo.OpenLocal(t.Context(), dir, configrepo.LocalOptions{}))(t)
	}
	commits := strings.Fields(gitIn(t, dir, "rev-list", "--all"))
	head := commits[0]
	paths := []string{"a", "dir/b ü.yaml", "link", "gone", "new", "nothing", "dir"}
	many := open()
	for range 3 {
		for _, path := range paths {
			if _, err := many.Log(t.Context(), head, path, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	answers := func(store *configrepo.Local, path string, limit int) string {
		entries, err := store.Log(t.Context(), head, path, limit)
		out := fmt.Sprintf("%+v %v\n", entries, err)
		for _, sha := range commits {
			data, err := store.File(t.Context(), sha, path)
			out += fmt.Sprintf("%s %q %v\n", sha, data, errors.Is(err, configrepo.ErrNotFound))
		}
		return out
	}
	for _, path := range paths {
		for _, limit := range []int{0, 1, 2} {
			if diff := cmp.Diff(answers(open(), path, limit), answers(many, path, limit)); diff != "" {
				t.Errorf("%s, at most %d (-asked once +asked often):\n%s", path, limit, diff)
			}
		}
	}
	if got := answers(many, "a", 0); strings.Count(got, "Message:") != 3 || !strings.Contains(got, `"one\n"`) {
		t.Errorf("the history of a has three steps:\n%s", got)
	}
}

// A clone that ends early says so, however often it is asked.
func TestShallowClonesAreRefusedOften(t *testing.T) {
	t.Parallel()
	full, shallow := t.TempDir(), t.TempDir()
	gitIn(t, full, "init", "--quiet", "--initial-branch=main")
	for i := range 3 {
		gitIn(t, full, "commit", "--quiet", "--allow-empty", "-m", fmt.Sprint(i))
	}
	gitIn(t, shallow, "clone", "--quiet", "--depth=2", "--bare", "file://"+full, ".")
	store := must(configrepo.OpenLocal(t.Context(), shallow, configrepo.LocalOptions{}))(t)
	head := must(store.Head(t.Context(), "main"))(t)
	for range 6 {
		if entries, err := store.Log(t.Context(), head, "", 0); err == nil || !strings.Contains(err.Error(), "shallow clone") {
			t.Fatalf("%v %v", entries, err)
		}
	}
}
