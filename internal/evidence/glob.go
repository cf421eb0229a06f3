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
	parts := strings.Split(pattern, "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	matched, err := regexp.MatchString(`\A`+strings.Join(parts, `[^/]*`)+`\z`, text)
	return err == nil && matched
}
