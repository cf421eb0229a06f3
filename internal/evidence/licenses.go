package evidence

import (
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/text"
)

// refusedLicenses says in one line which packages are under a licence that the
// policy refuses; none if there is none. A waiver with the licence as its ID and the
// package's name excuses one.
func (p Policy) refusedLicenses(r ScanReport, now time.Time) []string {
	if len(p.Licenses) == 0 {
		return nil
	}
	var found []string
	for _, platform := range r.Platforms {
		for _, pkg := range platform.Packages {
			for _, license := range pkg.Licenses {
				if !p.refusesLicense(license) || p.Threshold.waives(Finding{ID: license, Package: pkg.Name}, now) {
					continue
				}
				if line := text.OneLine(pkg.Name + " " + pkg.Version + " (" + license + ")"); !slices.Contains(found, line) {
					found = append(found, line)
				}
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return []string{text.Count(len(found), "package") + " under a licence that the policy refuses: " + text.List(found, 5)}
}

// brackets makes words of an expression's brackets.
var brackets = strings.NewReplacer("(", " ( ", ")", " ) ")

// refusesLicense judges an SPDX expression
// (https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/) or a
// plain name: of a choice (OR) one licence that is not refused is enough, of what
// holds together (AND) each has to be.
func (p Policy) refusesLicense(expression string) bool {
	words := strings.Fields(brackets.Replace(expression))
	l := licenseExpression{words: words, refuses: p.refusesName}
	refused := l.choice()
	if len(l.words) > 0 { // it is no expression: each name in it counts
		return slices.ContainsFunc(words, p.refusesName)
	}
	return refused
}

// licenseExpression is read from left to right.
type licenseExpression struct {
	words   []string
	refuses func(name string) bool
	depth   int
}

// next takes the next word if it is this one.
func (l *licenseExpression) next(word string) bool {
	if len(l.words) == 0 || !strings.EqualFold(l.words[0], word) {
		return false
	}
	l.words = l.words[1:]
	return true
}

func (l *licenseExpression) choice() bool {
	refused := l.together()
	for l.next("OR") {
		refused = l.together() && refused
	}
	return refused
}

func (l *licenseExpression) together() bool {
	refused := l.one()
	for l.next("AND") {
		refused = l.one() || refused
	}
	return refused
}

// one is a name of one or more words, or an expression in parentheses.
func (l *licenseExpression) one() bool {
	if l.depth < 50 && l.next("(") {
		l.depth++
		refused := l.choice()
		l.next(")")
		l.depth--
		return refused
	}
	var name []string
	for len(l.words) > 0 && !slices.Contains([]string{"or", "and", "(", ")"}, strings.ToLower(l.words[0])) {
		name, l.words = append(name, l.words[0]), l.words[1:]
	}
	return l.refuses(strings.Join(name, " "))
}

func (p Policy) refusesName(license string) bool {
	name := strings.ToLower(strings.TrimSpace(license))
	return slices.ContainsFunc(p.Licenses, func(glob string) bool { return matchGlob(strings.ToLower(glob), name) })
}
