package approval

import (
	"regexp"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// approveLine is a review's line "approve a41f 09c2 77de", or a comment's
// "/approve a41f09c277de…"; it may end as a sentence does.
var approveLine = regexp.MustCompile(`(?i)^[ \t]*(/?)approve[ \t]+` + someDigits + `[.!]?\s*$`)

// takeBackLine is "/unapprove", perhaps with a fingerprint.
var takeBackLine = regexp.MustCompile(`(?i)^[ \t]*(/?)unapprove(?:[ \t]+` + someDigits + `)?[.!]?\s*$`)

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
func takesBack(v Vote) (found []plan.Fingerprint, all bool) {
	for _, line := range markdown.Said(v.Body) {
		m := takeBackLine.FindStringSubmatch(line)
		if m == nil || v.Kind == Comment && m[1] == "" {
			continue
		}
		f, err := plan.ParseFingerprint(m[2])
		if err != nil {
			return nil, true // who cannot be understood takes back everything
		}
		found = append(found, f)
	}
	return found, false
}
