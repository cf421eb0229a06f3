package assemble

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzDockerignore looks for patterns that stop the reader, and for files of which
// the message says something else than the matching did.
func FuzzDockerignore(f *testing.F) {
	for _, seed := range []string{
		"a\n!a/b\n", "**/*.go\n!main.go\n", "# x\n*\n!b.txt\n", "[a\n", "/a/\n", "../x\n", "!\n", "a/**/b\n", "a\\\n",
		"\ufeffa\n", "**\n!**/b.txt\na/b\n",
		"!a\na\n!a\n", ".\n", "a?b\n[^a]\n", strings.Repeat("a*", 50) + "\n", "a\x00\n",
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	files := []string{"a/b.txt", "a/b/c", "main.go", "a/main.go"}
	for _, file := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			f.Fatal(err)
		}
	}
	dockerfile := filepath.Join(dir, "Dockerfile")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(dockerfile+".dockerignore", data, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := openContext(dir, dockerfile)
		if err != nil {
			if !strings.Contains(err.Error(), "Dockerfile.dockerignore") {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		defer b.root.Close()
		for _, file := range append(files, "a", "a/b") {
			excluded := false
			if b.ignore != nil {
				if excluded, err = b.ignore.MatchesOrParentMatches(file); err != nil {
					return
				}
			}
			if why := b.excludes(file); (why != "") != excluded {
				t.Errorf("%s is excluded: %t, and the message is %q for\n%s", file, excluded, why, data)
			}
		}
		if why := b.excludes("there/is/none"); why != "" {
			t.Errorf("what is not there is called excluded: %s", why)
		}
	})
}
