package approval

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// approveLine is a review's line "approve a41f 09c2 77de", or a comment's
// "/approve a41f09c277de…"; it may end as a sentence does.
var approveLine = regexp.MustCompile(`(?i)^[ \t]*(/?)approve[ \t]+` + someDigits + `[.!]?\s*$`)

// takeBackLine is "/unapprove", perhaps with a fingerprint. Other words may follow,
// and then it takes back everything.
var takeBackLine = regexp.MustCompile(`(?i)^\s*(/?)unapprove\b(.*)$`)

var onlyDigits = regexp.MustCompile(`(?i)^[ \t]+` + someDigits + `[.!]?\s*$`)

const someDigits = "`?" + `([0-9a-f][0-9a-f \t]*[0-9a-f])` + "`?"

// named finds the fingerprints that a text approves. Who quotes the plan's own
// words approves nothing, and neither does what no reader sees.
func named(v Vote) (found []plan.Fingerprint) {
	for _, line := range markdown.Said(v.Body) {
		m := approveLine.FindStringSubmatch(line)
		if m == nil || v.Kind == Comment && m[1] == "" {
			continue
		}
		if f, err := plan.ParseFingerprint(m[2]); err == nil {
			found = append(found, f)
		}
	}
	return found
}

// takesBack finds what a text takes back: fingerprints, or all where it names none.
// Characters that do not show are left out: they must not keep an approval.
func takesBack(v Vote) (found []plan.Fingerprint, all bool) {
	for _, line := range markdown.Said(v.Body) {
		m := takeBackLine.FindStringSubmatch(strings.Map(shown, line))
		if m == nil || v.Kind == Comment && m[1] == "" {
			continue
		}
		digits := onlyDigits.FindStringSubmatch(m[2])
		if digits == nil {
			return nil, true
		}
		f, err := plan.ParseFingerprint(digits[1])
		if err != nil {
			return nil, true // who cannot be understood takes back everything
		}
		found = append(found, f)
	}
	return found, false
}

func shown(r rune) rune {
	if unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}
