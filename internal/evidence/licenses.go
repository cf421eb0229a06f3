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

// wholeText begins what Trivy gives for a licence that is no name but the text of one.
// https://github.com/aquasecurity/trivy/blob/main/pkg/licensing/normalize.go
const wholeText = "text://"

// refusesLicense judges an SPDX expression
// (https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/) or a
// plain name: of a choice (OR) one licence that is not refused is enough, of what
// holds together (AND) each has to be.
func (p Policy) refusesLicense(expression string) bool {
	words := strings.Fields(brackets.Replace(expression))
	l := licenseExpression{words: words, refuses: p.refusesNames}
	text := strings.HasPrefix(expression, wholeText)
	if refused := l.choice(); len(l.words) == 0 && !text {
		return refused
	}
	if text && p.refusesName(expression, false) {
		return true
	}
	l.words = words // it is no expression: each name in it counts
	for len(l.words) > 0 {
		if l.refuses(l.name()) {
			return true
		}
		if len(l.words) > 0 {
			l.words = l.words[1:]
		}
	}
	return false
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
	return l.refuses(l.name())
}

// later are words that make "or" a part of a name: "version 2 or later", "or any later
// version". Read as a choice, nobody would refuse the licence called "later".
var later = []string{"later", "newer", "greater", "above", "any"}

// name takes words up to the next operator or bracket.
func (l *licenseExpression) name() string {
	var name []string
	for ; len(l.words) > 0; l.words = l.words[1:] {
		word := strings.ToLower(l.words[0])
		within := word == "or" && len(l.words) > 1 && slices.Contains(later, strings.ToLower(l.words[1]))
		if !within && slices.Contains([]string{"or", "and", "(", ")"}, word) {
			break
		}
		name = append(name, l.words[0])
	}
	return strings.Join(name, " ")
}

// refusesNames judges what has no operator of SPDX. What people write in their place is
// read as such: commas hold together, a slash is a choice, as Cargo once wrote it
// (https://doc.rust-lang.org/cargo/reference/manifest.html#the-license-and-license-file-fields).
func (p Policy) refusesNames(name string) bool {
	if strings.Contains(name, "://") { // an address
		return p.refusesName(name, false)
	}
	if p.refusesName(name, strings.Contains(name, "/")) {
		return true
	}
	return slices.ContainsFunc(strings.FieldsFunc(name, isListed), func(part string) bool {
		choices := strings.Split(part, "/")
		return !slices.ContainsFunc(choices, func(one string) bool { return !p.refusesName(one, false) })
	})
}

func isListed(r rune) bool { return r == ',' || r == ';' }

// noPath keeps matchGlob from taking a licence for a path: a * spans slashes too, as in
// addresses and texts of licences.
var noPath = strings.NewReplacer("/", "\x00")

// refusesName compares with each glob, or with those alone that have a slash of their own.
func (p Policy) refusesName(license string, withSlash bool) bool {
	name := noPath.Replace(strings.ToLower(strings.TrimSpace(license)))
	return slices.ContainsFunc(p.Licenses, func(glob string) bool {
		return (!withSlash || strings.Contains(glob, "/")) && matchGlob(noPath.Replace(strings.ToLower(glob)), name)
	})
}
