package assemble

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignoreFile is a .dockerignore.
type ignoreFile struct {
	name     string
	patterns []string
}

// readIgnore reads the ignore file that goes with a Dockerfile: DOCKERFILE's
// own, else the context's.
// https://docs.docker.com/build/concepts/context/#dockerignore-files
func readIgnore(context, dockerfile string) (ignoreFile, error) {
	for _, name := range []string{dockerfile + ".dockerignore", filepath.Join(context, ".dockerignore")} {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return ignoreFile{}, fmt.Errorf("read %s: %w", name, err)
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(data))
		if err != nil {
			return ignoreFile{}, fmt.Errorf("read %s: %w", name, err)
		}
		return ignoreFile{name, patterns}, nil
	}
	return ignoreFile{}, nil
}

func (f ignoreFile) matcher() (*patternmatcher.PatternMatcher, error) {
	m, err := matcher(f.patterns)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return m, nil
}

// excludes says which pattern keeps a path of the context from being copied, if
// one does and the file is there.
func (b *buildContext) excludes(p string) string {
	p = strings.TrimPrefix(path.Clean(p), "/")
	if p == "" {
		return ""
	}
	if _, err := b.root.Lstat(p); err != nil {
		return ""
	}
	why := ""
	for _, pattern := range b.ignored.patterns { // each takes out, or with an ! in again, what it matches
		matched, taken := strings.CutPrefix(pattern, "!")
		one, err := patternmatcher.New([]string{matched})
		if err != nil {
			return ""
		}
		switch matches, _ := one.MatchesOrParentMatches(p); {
		case matches && taken:
			why = ""
		case matches:
			why = fmt.Sprintf("it is there, but %q in %s excludes it", pattern, b.ignored.name)
		}
	}
	return why
}
