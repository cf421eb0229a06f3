package layout_test

import (
	"strings"
	"testing"
)

// house is a part of the repository. A package imports packages of its own
// house, and of those below it.
type house struct {
	name  string
	floor int
	// within are the directories, from the top of the repository.
	within []string
}

// The houses, from the roof down. delivery and gate stand side by side: they do
// not know each other.
var houses = []house{
	{"cmd", 5, []string{"cmd"}},
	{"command", 4, []string{"internal/command"}},
	{"delivery", 3, []string{"internal/delivery"}},
	{"gate", 3, []string{"internal/gate"}},
	{"door", 2, []string{"internal/door"}},
	{"values", 1, []string{
		"internal/imageref", "internal/evidence", "internal/config", "internal/outcome", "internal/limit", "internal/markdown",
		"internal/retry", "internal/scratch", "internal/strictjson", "internal/text",
	}},
	{"files", 0, []string{"workflows", "examples"}},
}

// rehearsal holds the stand-ins, and the doubles that lie beside what they stand
// for (configrepotest, registrytest, …). They use doors and values. Nobody but
// tests, measurements and the rehearsal's own binary imports them.
const rehearsal = "rehearsal"

// workshop is what developers run: measurements, tools, tests of the whole.
var workshop = []string{
	"internal/bench", "internal/tools", "internal/tooltest", "internal/layout", "internal/examples", "internal/command/actiongen",
}

func houseOf(name string) (where string, floor int) {
	for _, dir := range workshop {
		if within(name, dir) {
			return "workshop", 9
		}
	}
	last := name[strings.LastIndex(name, "/")+1:]
	if within(name, "internal/rehearsal") || strings.HasPrefix(name, "internal/") && strings.HasSuffix(last, "test") && last != "test" {
		return rehearsal, 9
	}
	for _, h := range houses {
		for _, dir := range h.within {
			if within(name, dir) {
				return h.name, h.floor
			}
		}
	}
	return "", 0
}

// mayImport reports whether the rules of the houses let one package import
// another.
func mayImport(importer, imported string) bool {
	from, upper := houseOf(importer)
	to, lower := houseOf(imported)
	switch {
	case from == "workshop":
		return true
	case to == "workshop":
		return from == rehearsal && imported == "internal/tooltest" // doubles find real programs
	case importer == "cmd/waybill-sandbox":
		return to == rehearsal || lower < upper
	case from == rehearsal:
		return to == rehearsal || lower <= 2
	case to == rehearsal:
		return false
	}
	return lower < upper || from == to
}

// Every package stands in a house, and imports downward.
func TestImportsRunDownward(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		where, _ := houseOf(name)
		if where == "" {
			t.Errorf("%s stands in no house: put it into one, or name it among the values", name)
			continue
		}
		seen[where] = true
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, module)
			if ours && !mayImport(name, other) {
				to, _ := houseOf(other)
				t.Errorf("%s (%s) imports %s (%s): imports run downward only", name, where, other, to)
			}
		}
	}
	for _, h := range houses {
		if !seen[h.name] {
			t.Errorf("nothing stands in %s: the rule guards nothing", h.name)
		}
	}
}

func TestImportsThatRunUpward(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"internal/door/git", "internal/delivery/check"}, {"internal/config", "internal/command/contract"},
		{"internal/delivery/bump", "internal/gate/plan"},
		{"internal/gate/apply", "internal/delivery/rules"}, {"internal/delivery/scan", "internal/command/contract"},
		{"cmd/waybill", "internal/rehearsal/githubd"},
		{"internal/evidence", "internal/door/registry"}, {"internal/door/github", "internal/rehearsal"},
		{"internal/delivery/check", "internal/tooltest"},
	} {
		if mayImport(pair[0], pair[1]) {
			t.Errorf("%s may import %s", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{
		{"cmd/waybill", "internal/gate/plan"}, {"internal/delivery/check", "internal/delivery/rules"},
		{"internal/gate/plan", "internal/door/terraform"}, {"internal/command/starter", "workflows"},
	} {
		if !mayImport(pair[0], pair[1]) {
			t.Errorf("%s may not import %s", pair[0], pair[1])
		}
	}
}
