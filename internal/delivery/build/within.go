package build

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Within refuses a context or Dockerfile outside of workspace, the checked-out
// commit that the provenance will name, and inside its .git, which is no part
// of a commit. Links are followed first. If workspace is empty, any is taken: a
// build on a laptop claims nothing. An empty dockerfile is one in the context. more
// are other build contexts, by name.
func Within(workspace, context, dockerfile string, more map[string]string) error {
	if workspace == "" {
		return nil
	}
	root, err := filepath.EvalSymlinks(workspace)
	if err != nil {
		return fmt.Errorf("find the workspace: %w", err)
	}
	if dockerfile == "" {
		dockerfile = DefaultDockerfile(context)
	}
	places := []struct{ flag, path string }{{"--context", context}, {"--file", dockerfile}}
	for name, dir := range more {
		places = append(places, struct{ flag, path string }{"--build-context " + name, dir})
	}
	for _, p := range places {
		absolute, err := filepath.Abs(p.path)
		if err != nil {
			return fmt.Errorf("%s: %w", p.flag, err)
		}
		real, err := filepath.EvalSymlinks(absolute)
		if err != nil {
			real = absolute // said where it is read
		}
		relative, err := filepath.Rel(root, real)
		if err != nil || !filepath.IsLocal(relative) {
			return outcome.Usagef(
				"%s: %s is outside of the checked-out repository: the provenance would name a commit that does not hold it", p.flag,
				p.path,
			)
		}
		if slices.Contains(strings.Split(filepath.ToSlash(relative), "/"), ".git") {
			return outcome.Usagef("%s: %s is inside .git, which is no part of the commit", p.flag, p.path)
		}
	}
	return nil
}
