package cluster

import (
	"regexp"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
)

// Docker Hub's images have several names: nginx, library/nginx, docker.io/library/nginx.
const (
	dockerHub = "docker.io/"
	library   = "library/"
)

const byDigest = `(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?@sha256:[0-9a-f]{64}$`

// appPattern matches the applications' images by digest, in any spelling that a
// pod may have.
func (p policy) appPattern() string { return imagePattern(p.apps) }

// knownPattern matches those, and what the file allows beside them.
func (p policy) knownPattern() string {
	return imagePattern(append(append([]string(nil), p.apps...), p.allow...))
}

func imagePattern(globs []string) string {
	var alternatives []string
	for _, glob := range globs {
		alternatives = append(alternatives, spellings(glob)...)
	}
	return "^(" + strings.Join(alternatives, "|") + ")" + byDigest
}

// spellings are the patterns for one glob of repositories. A part of a name of
// Docker Hub may be left out only where the rest cannot match another registry.
func spellings(glob string) []string {
	glob = strings.TrimPrefix(glob, "index.")
	rest, hub := strings.CutPrefix(glob, dockerHub)
	if !hub {
		return []string{config.RepositoryPattern(glob)}
	}
	full := `(index\.)?` + regexp.QuoteMeta(dockerHub)
	list := []string{full + config.RepositoryPattern(rest)}
	if first, _, nested := strings.Cut(rest, "/"); nested && !strings.ContainsAny(first, "*.:") && first != "localhost" {
		list = append(list, config.RepositoryPattern(rest))
	}
	if short, ok := strings.CutPrefix(rest, library); ok && !strings.Contains(short, "**") && !strings.Contains(short, "/") {
		list = append(list, full+config.RepositoryPattern(short), config.RepositoryPattern(short))
	}
	return list
}
