package build

import (
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/version"
)

// Frontend reports a Dockerfile that asks for another frontend than the
// one that is linked here. BuildKit pulls that, and has it read the Dockerfile.
func (d *Dockerfile) Frontend(args map[string]string) *NeedsBuildKit {
	if syntax, given := args["BUILDKIT_SYNTAX"]; given && !linkedFrontend(syntax) {
		return &NeedsBuildKit{Path: d.Path, Line: 1, What: "BUILDKIT_SYNTAX=" + syntax, Reason: "another frontend reads the Dockerfile"}
	}
	if _, given := args["BUILDKIT_DOCKERFILE_CHECK"]; given {
		return &NeedsBuildKit{Path: d.Path, Line: 1, What: "BUILDKIT_DOCKERFILE_CHECK", Reason: "a build argument sets the checks"}
	}
	syntax, _, at, ok := parser.DetectSyntax(d.Data)
	if _, given := args["BUILDKIT_SYNTAX"]; given || !ok || linkedFrontend(syntax) {
		return nil
	}
	return &NeedsBuildKit{Path: d.Path, Line: LineOf(at), What: d.Line(LineOf(at)), Reason: "another frontend reads the Dockerfile"}
}

// linkedFrontend reports whether the linked library implements a frontend:
// docker/dockerfile with the tag latest, labs, 1, 1.N or 1.N.P up to its own
// version. labs adds options of RUN only, which goes to BuildKit anyway.
func linkedFrontend(syntax string) bool {
	syntax, _, _ = strings.Cut(strings.TrimSpace(syntax), " ")
	named, err := reference.ParseNormalizedNamed(syntax)
	if err != nil || named.Name() != "docker.io/docker/dockerfile" {
		return false
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		_, digested := named.(reference.Digested)
		return !digested // a digest alone does not say what it is
	}
	tag := strings.TrimSuffix(tagged.Tag(), "-labs")
	if tag == "latest" || tag == "labs" || tag == "1" {
		return true
	}
	return !newer(tag, strings.TrimSuffix(version.Version(), "-dev"))
}

// newer reports whether a dotted version is newer than another, or is none.
func newer(tag, than string) bool {
	known := strings.Split(than, ".")
	for i, part := range strings.Split(tag, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || i >= len(known) {
			return true
		}
		limit, err := strconv.Atoi(known[i])
		if err != nil || n > limit || (i == 0 && n < limit) {
			return true
		}
		if n < limit {
			return false
		}
	}
	return false
}
