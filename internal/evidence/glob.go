package evidence

import (
	"regexp"
	"strings"
)

// matchGlob matches text against a glob that is anchored at both ends and in
// which only * is special: any run of characters but /. An empty pattern
// matches nothing.
func matchGlob(pattern, text string) bool {
	if pattern == "" {
		return false
	}
	matched, err := regexp.MatchString(GlobPattern(pattern), text)
	return err == nil && matched
}

// GlobPattern is a glob as a regular expression.
func GlobPattern(glob string) string {
	parts := strings.Split(glob, "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return "^" + strings.Join(parts, `[^/]*`) + "$" // the ends of the text: no flag makes them those of a line
}
