// Package promql reads a query of Prometheus as far as needed to see if it can tell
// that an application is healthy.
package promql

import (
	"regexp"
	"slices"
	"strings"
)

var (
	// What stands in a comment is no text, and what stands in a text is no comment: the one
	// that begins first decides. Keywords of PromQL may be written in capitals.
	// https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals
	textOrComment = regexp.MustCompile("\"(?:\\\\.|[^\"\\\\\n])*\"|'(?:\\\\.|[^'\\\\\n])*'|`[^`]*`|#[^\n]*")
	matchers      = regexp.MustCompile(`\{[^{}]*\}`)
	compares      = regexp.MustCompile(`(?i)[<>]|==|!=|\b(absent|absent_over_time)\s*\(|\bunless\b`)
	either        = regexp.MustCompile(`\A(?i)or\b`)
	asNumbers     = regexp.MustCompile(`(?i)(==|!=|<=|>=|<|>)\s*bool\b`)
)

// Undecided says why a query cannot tell health; empty if it can. A query holds where it
// yields anything, as the expression of an alert does. One that compares nothing would
// hold as long as there is any sample, and so would one that yields 0 for no.
// https://prometheus.io/docs/prometheus/latest/querying/operators/#comparison-binary-operators
func Undecided(query string) string {
	bare := textOrComment.ReplaceAllStringFunc(query, func(found string) string {
		if strings.HasPrefix(found, "#") {
			return ""
		}
		return `""`
	})
	bare = matchers.ReplaceAllString(bare, "")
	switch {
	case asNumbers.MatchString(bare):
		return "with bool, the query yields 0 where it does not hold, and anything that it yields counts as healthy: leave bool out"
	case !compares.MatchString(bare):
		return "the query compares nothing, so it would hold whenever there is a sample: write one that yields nothing while the " +
			"application is not healthy, such as min(up{job=\"{app}\"}) == 1"
	case slices.ContainsFunc(sides(bare), func(side string) bool { return !compares.MatchString(side) }):
		return "one side of or compares nothing, so the query would hold whenever that side has a sample: compare the outcome of or, " +
			"such as (sum(rate(errors[5m])) or vector(0)) < 0.1"
	}
	return ""
}

// sides are what the or of a query stands between, where it is no part of anything else.
// or binds less than every other operator.
// https://prometheus.io/docs/prometheus/latest/querying/operators/#binary-operator-precedence
func sides(query string) (list []string) {
	query = strings.TrimSpace(query)
	depth, begin, closed := 0, 0, -1 // closed is where the first bracket ends
	for i := 0; i < len(query); i++ {
		switch query[i] {
		case '(', '[':
			depth++
		case ')', ']':
			if depth--; depth == 0 && closed < 0 {
				closed = i
			}
		default:
			if at := either.FindStringIndex(query[i:]); depth == 0 && at != nil && at[0] == 0 && (i == 0 || !word(query[i-1])) {
				list = append(list, query[begin:i])
				begin = i + at[1]
			}
		}
	}
	if len(list) == 0 && strings.HasPrefix(query, "(") && closed == len(query)-1 {
		return sides(query[1:closed])
	}
	return append(list, query[begin:])
}

func word(c byte) bool {
	return c == '_' || c == ':' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
}
