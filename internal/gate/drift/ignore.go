package drift

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/gate/summary"
)

// Ignored is drift that waybill.yaml accepts.
type Ignored struct {
	Address    string    `json:"address"`
	Attributes []string  `json:"attributes,omitempty"` // empty is all of it
	Reason     string    `json:"reason"`
	Expires    time.Time `json:"expires"`
}

// Ignore is an entry of waybill.yaml that ignores nothing.
type Ignore struct {
	Address string    `json:"address"`
	Reason  string    `json:"reason"`
	Expires time.Time `json:"expires"`
	Why     string    `json:"why"` // expired or unmatched
}

// Why an entry ignores nothing.
const (
	Expired   = "expired"
	Unmatched = "unmatched"
)

type ignores struct {
	list []config.DriftIgnore
	now  time.Time
	used []bool
}

func newIgnores(list []config.DriftIgnore, now time.Time) *ignores {
	return &ignores{list: list, now: now, used: make([]bool, len(list))}
}

// apply takes what is ignored out of a resource's drift; kept is nil where
// nothing is left.
func (g *ignores) apply(dir, address string, r Resource) (kept *Resource, ignored []Ignored) {
	for i, entry := range g.list {
		if !g.now.Before(entry.Expires) || !matches(entry.Address, address) {
			continue
		}
		if ok, err := doublestar.Match(entry.Dir, dir); entry.Dir != "" && (err != nil || !ok) {
			continue
		}
		note := Ignored{Address: r.Address, Reason: entry.Reason, Expires: entry.Expires}
		if len(entry.Attributes) == 0 {
			g.used[i] = true
			return nil, append(ignored, note)
		}
		left := slices.DeleteFunc(slices.Clone(r.Attributes), func(a summary.Attribute) bool {
			hit := slices.ContainsFunc(entry.Attributes, func(pattern string) bool { return covers(pattern, a.Path) })
			if hit {
				note.Attributes = append(note.Attributes, a.Path)
			}
			return hit
		})
		if len(note.Attributes) == 0 {
			continue
		}
		g.used[i] = true
		ignored = append(ignored, note)
		if r.Attributes = left; len(left) == 0 {
			return nil, ignored
		}
	}
	return &r, ignored
}

// idle lists the entries that ignore nothing. Only where everything was seen is
// an entry without a match one for good.
func (g *ignores) idle(everything bool) []Ignore {
	var list []Ignore
	for i, entry := range g.list {
		out := Ignore{Address: entry.Address, Reason: entry.Reason, Expires: entry.Expires}
		switch {
		case !g.now.Before(entry.Expires):
			out.Why = Expired
		case everything && !g.used[i]:
			out.Why = Unmatched
		default:
			continue
		}
		list = append(list, out)
	}
	return list
}

// covers reports whether the pattern matches the attribute or what it lies in.
func covers(pattern, path string) bool {
	steps := split(path)
	for n := range steps {
		if matchSteps(split(pattern), steps[:n+1]) {
			return true
		}
		if name := withoutIndex(steps[n]); name != steps[n] {
			if matchSteps(split(pattern), append(slices.Clone(steps[:n]), name)) {
				return true
			}
		}
	}
	return false
}

// matches holds a whole address against a glob: * stands for anything within a
// step, which includes its index, and ** for any number of steps.
func matches(pattern, address string) bool { return matchSteps(split(pattern), split(address)) }

func matchSteps(pattern, steps []string) bool {
	if len(pattern) == 0 {
		return len(steps) == 0
	}
	if pattern[0] == "**" {
		return matchSteps(pattern[1:], steps) || len(steps) > 0 && matchSteps(pattern, steps[1:])
	}
	return len(steps) > 0 && matchStep(pattern[0], steps[0]) && matchSteps(pattern[1:], steps[1:])
}

func matchStep(pattern, step string) bool {
	parts := strings.Split(pattern, "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	matched, err := regexp.MatchString(`(?s)\A`+strings.Join(parts, `.*`)+`\z`, step)
	return err == nil && matched
}

// split cuts an address or path at its dots, and not at those inside ["…"].
func split(address string) []string {
	var steps []string
	start, quoted := 0, false
	for i := 0; i < len(address); i++ {
		switch address[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case '.':
			if !quoted {
				steps, start = append(steps, address[start:i]), i+1
			}
		}
	}
	return append(steps, address[start:])
}

// withoutIndex is name of name[0] and name["key"].
func withoutIndex(step string) string {
	if i := strings.IndexByte(step, '['); i > 0 {
		return step[:i]
	}
	return step
}
