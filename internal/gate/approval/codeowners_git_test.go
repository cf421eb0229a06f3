package approval

import (
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// What a pattern matches is what git matches by it, except where CODEOWNERS is
// not gitignore: a last * is for what lies in a directory, and nothing deeper.
func TestPatternsAreGits(t *testing.T) {
	t.Parallel()
	tooltest.Find(t, "git")
	dir := t.TempDir()
	if _, err := git.Run(t.Context(), dir, "init", "-q"); err != nil {
		t.Fatal(err)
	}
	names := []string{"a", "b", "ab", "abb", "c"}
	paths := append([]string{}, names...)
	for _, x := range names {
		for _, y := range names {
			paths = append(paths, x+"/"+y)
			for _, z := range names {
				paths = append(paths, x+"/"+y+"/"+z)
			}
		}
	}
	parts := []string{"a", "b", "ab", "*", "**", "a*", "?", "*b", "a?"}
	r := rand.New(rand.NewSource(7)) // the same patterns every time
	tried := make(map[string]bool)
	for len(tried) < 120 {
		var words []string
		for range 1 + r.Intn(3) {
			words = append(words, parts[r.Intn(len(parts))])
		}
		pattern := strings.Repeat("/", r.Intn(2)) + strings.Join(words, "/") + strings.Repeat("/", r.Intn(2))
		if tried[pattern] || strings.HasSuffix(pattern, "/*") || strings.Contains(pattern, "**/**") {
			continue
		}
		tried[pattern] = true
		if err := os.WriteFile(filepath.Join(dir, ".gitignore"), []byte(pattern+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		command := git.Command{
			Dir: dir, Args: []string{"check-ignore", "--no-index", "--stdin"}, Stdin: strings.NewReader(strings.Join(paths, "\n")),
		}
		out, _ := command.Output(t.Context()) // 1 where nothing matches
		matched := make(map[string]bool)
		for _, path := range strings.Fields(string(out)) {
			matched[path] = true
		}
		c, err := ParseCodeOwners("CODEOWNERS", []byte(pattern+" @x\n"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if got := c.owners(path).number == 1; got != matched[path] {
				t.Errorf("%s matches %s: %t, and %t for git", pattern, path, got, matched[path])
			}
		}
	}
}
