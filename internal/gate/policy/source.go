package policy

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
)

// Where a module comes from.
const (
	fromTree     = "tree"
	fromRegistry = "registry"
	fromGit      = "git"
	fromMercury  = "mercurial"
	fromArchive  = "archive"
	fromOCI      = "oci"
	fromDisk     = "disk"    // a path that is not relative to the module
	fromStrange  = "strange" // git by a transport of its own, which may be a program
)

// moduleSource is a module's source, taken apart as terraform does.
// https://developer.hashicorp.com/terraform/language/modules/configuration
type moduleSource struct {
	from  string
	name  string // without scheme, query and subdirectory
	query url.Values
}

func isLocal(source string) bool {
	return source == "." || source == ".." || strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../")
}

var (
	registryModule = regexp.MustCompile(`^(([0-9A-Za-z-]+\.)+[0-9A-Za-z-]+(:\d+)?/)?[0-9A-Za-z_-]+/[0-9A-Za-z_-]+/[0-9A-Za-z_-]+$`)
	forced         = regexp.MustCompile(`^([A-Za-z0-9]+)::(.+)$`)
	scheme         = regexp.MustCompile(`^([A-Za-z0-9+.-]+)://(.*)$`)
	gitProtocol    = regexp.MustCompile(`^(https?|ssh|git|file)$`)
	sshShorthand   = regexp.MustCompile(`^[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+:`)
)

func parseSource(source string) moduleSource {
	s := moduleSource{query: url.Values{}}
	if isLocal(source) {
		s.from, s.name = fromTree, source
		return s
	}
	rest, query, _ := strings.Cut(source, "?")
	if values, err := url.ParseQuery(query); err == nil {
		s.query = values
	}
	getter := ""
	if m := forced.FindStringSubmatch(rest); m != nil {
		getter, rest = strings.ToLower(m[1]), m[2]
	}
	protocol := ""
	if m := scheme.FindStringSubmatch(rest); m != nil {
		protocol, rest = strings.ToLower(m[1]), m[2]
	}
	s.name, _, _ = strings.Cut(rest, "//")
	known := strings.HasPrefix(rest, "github.com/") || strings.HasPrefix(rest, "bitbucket.org/")
	switch {
	case getter == "git", getter == "" && protocol == "" && (known || sshShorthand.MatchString(rest)), getter == "" && protocol == "ssh":
		s.from = fromGit
		if protocol == "" && !known && !sshShorthand.MatchString(rest) || protocol != "" && !gitProtocol.MatchString(protocol) {
			s.from = fromStrange
		}
	case getter == "hg":
		s.from = fromMercury
	case getter == "oci", getter == "" && protocol == "oci":
		s.from = fromOCI
	case getter == "file", protocol == "file", protocol == "" && (strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "~")):
		s.from = fromDisk
	case getter == "" && protocol == "" && registryModule.MatchString(s.name):
		s.from, s.name = fromRegistry, strings.TrimPrefix(s.name, "registry.terraform.io/")
	default:
		s.from = fromArchive // http, s3, gcs, and whatever else a getter fetches
	}
	for _, name := range []string{"ref", "rev", "tag"} {
		// git or hg could take it for an option, which can start a program.
		if slices.ContainsFunc(s.query[name], func(v string) bool { return strings.HasPrefix(strings.TrimSpace(v), "-") }) {
			s.from = fromStrange
		}
	}
	return s
}

var (
	commit       = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	versionTag   = regexp.MustCompile(`(^|[-/])v?\d+\.\d+\.\d+([-+.][0-9A-Za-z.-]+)?$`)
	exactVersion = regexp.MustCompile(`^=?\s*v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)
	checksum     = regexp.MustCompile(`^sha(256|512):[0-9a-f]{64,128}$`)
	digest       = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// unpinned says what is missing to name the module exactly; empty where nothing
// is.
func (s moduleSource) unpinned(version, pin string) (problem, fix string) {
	one := func(key string) string {
		if values := s.query[key]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	if pin == config.PinNone {
		return "", ""
	}
	tagged := pin == config.PinTag && versionTag.MatchString(one("ref"))
	switch s.from {
	case fromRegistry:
		if !exactVersion.MatchString(strings.TrimSpace(version)) {
			return "is of no one version", `write version = "X.Y.Z"`
		}
	case fromGit:
		if ref := one("ref"); !commit.MatchString(ref) && !tagged {
			if pin == config.PinTag {
				return "is of no commit or version tag", "write ?ref=v1.2.3, or the commit"
			}
			return "is of no commit", "write ?ref= and the commit's 40 digits, or set terraform.policy.modules.pin: tag"
		}
	case fromMercury:
		if !commit.MatchString(one("rev")) {
			return "is of no commit", "write ?rev= and the commit's 40 digits"
		}
	case fromOCI:
		if !digest.MatchString(one("digest")) && (pin != config.PinTag || !versionTag.MatchString(one("tag"))) {
			return "is of no digest", "write ?digest=sha256:…"
		}
	case fromArchive:
		if !checksum.MatchString(one("checksum")) {
			return "is an archive without a checksum", "write ?checksum=sha256:…"
		}
	}
	return "", ""
}
