package configrepo

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// The id of a tree with changes is that of a tree which was made with them.
func TestTreeWithChanges(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same each time
	name := func() string {
		dir := []string{"", "a/", "a/b/", "a/b/c/", "a.b/", "a-b/", "z/y/"}[random.IntN(7)]
		return fmt.Sprintf("%sf%d", dir, random.IntN(4))
	}
	for range 2000 {
		files := map[string]treeRef{}
		for range random.IntN(12) {
			files[name()] = treeRef{mode: []string{modeFile, modeExecutable, modeLink}[random.IntN(3)], sha: idOf([]byte(name()))}
		}
		index := indexOf(files)
		before := index.with(nil)
		changes, after := map[string][]byte{}, maps.Clone(files)
		for range random.IntN(4) {
			at := name()
			if random.IntN(3) == 0 {
				changes[at] = nil
				delete(after, at)
				continue
			}
			mode := modeFile
			if was, is := files[at]; is {
				mode = was.mode
			}
			changes[at] = []byte(name())
			after[at] = treeRef{mode: mode, sha: idOf(changes[at])}
		}
		if got, want := index.with(changes), indexOf(after).ids[""]; got != want {
			t.Fatalf("%v with %q: %s, want %s", files, changes, got, want)
		}
		if index.with(nil) != before || index.ids[""] != before {
			t.Fatalf("the changes %q stay", changes)
		}
	}
}
