package approval

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Change is a root of the plan, and what is known of it.
type Change struct {
	Dir       string
	Workspace string // empty is the default one
	Destroys  bool
	None      bool // it changes nothing
	// Root is the fingerprint of the root's plan.
	Root plan.Fingerprint
	// Moves are changes beside resources, of the state's place or of providers. They
	// ask for as much as destroying does.
	Moves []string
	// Uses reports whether a file, from the top of the repository, is one of the
	// root's sources: its own, a local module's, a file of variables.
	Uses func(file string) bool
}

// Rules are what one revision of the base branch says.
type Rules struct {
	config.Terraform
	Revision string
	// Owners are those of its CODEOWNERS, and Files what the pull request
	// changes; both only where a rule asks for owners. nil is no such file.
	Owners *CodeOwners
	Files  []string
}

// Needs are what a plan asks for.
type Needs struct {
	Roots  []Need
	Digits int // of the fingerprint that an approval must name
}

// NeedsOf says what the roots ask for by each of several sets of rules: all of
// them hold, so that a pull request cannot loosen the rules that it is judged
// by. A root that changes nothing asks for nothing.
func NeedsOf(rules []Rules, changes []Change) (Needs, error) {
	var needs Needs
	for _, r := range rules {
		needs.Digits = max(needs.Digits, r.Digits)
	}
	for _, c := range changes {
		if c.None && len(c.Moves) == 0 {
			continue
		}
		for _, r := range rules {
			approval, ok := r.Approval(c.Dir, c.Workspace, c.Destroys || len(c.Moves) > 0)
			if !ok {
				return Needs{}, outcome.Refusedf(
					"%s: no rule says who approves it: add one to terraform.rules in %s on the base branch", c.name(), config.FileName,
				)
			}
			wanted, err := r.needs(c, approval)
			if err != nil {
				return Needs{}, err
			}
			for _, need := range wanted {
				if !contains(needs.Roots, need) {
					needs.Roots = append(needs.Roots, need)
				}
			}
		}
	}
	return needs, nil
}

func (c Change) name() string { return roots.Root{Dir: c.Dir, Workspace: c.Workspace}.Name() }

func (n Need) name() string { return roots.Root{Dir: n.Dir, Workspace: n.Workspace}.Name() }

const maxMovesNamed = 3

// needs are one for the root, or one for each set of owners of its changed
// files: who owns one file does not approve another.
func (r Rules) needs(c Change, a config.TerraformApproval) ([]Need, error) {
	need := Need{Dir: c.Dir, Approvals: a.Approvals, From: []string(a.From), Destroys: c.Destroys, Root: c.Root}
	if c.Workspace != roots.DefaultWorkspace {
		need.Workspace = c.Workspace
	}
	need.Why = text.List(c.Moves, maxMovesNamed)
	if a.Approvals == 0 || !a.From.CodeOwners() {
		return []Need{need}, nil
	}
	need.From = a.From.Named()
	if c.Uses == nil {
		return nil, fmt.Errorf("%s: which files it uses is not known, and a rule asks for their owners", c.Dir)
	}
	files := slices.DeleteFunc(slices.Clone(r.Files), func(f string) bool { return !c.Uses(f) })
	if r.Owners == nil || len(files) == 0 {
		why := fmt.Sprintf("there is no CODEOWNERS at %s", text.Commit(r.Revision))
		if r.Owners != nil {
			why = "the pull request changes none of its files, so CODEOWNERS names nobody"
		}
		return need.orElse(why)
	}
	byLine := make(map[int][]string)
	for _, f := range files {
		n := r.Owners.owners(f).number
		byLine[n] = append(byLine[n], f)
	}
	var needs []Need
	for _, n := range slices.Sorted(maps.Keys(byLine)) {
		line := r.Owners.owners(byLine[n][0])
		one := need
		if len(line.owners) > 0 {
			one.Owners = line.owners
			one.Why = fmt.Sprintf("%s:%d owns %s", r.Owners.file, n, some(byLine[n]))
			if len(line.unknown) > 0 {
				one.Why += "; " + strings.Join(line.unknown, ", ") + " left out: no API says whose address that is"
			}
			needs = append(needs, one)
			continue
		}
		why := fmt.Sprintf("%s names no owner of %s", r.Owners.file, some(byLine[n]))
		if n > 0 {
			why = fmt.Sprintf("%s:%d says that nobody owns %s", r.Owners.file, n, some(byLine[n]))
		}
		if len(line.unknown) > 0 {
			why = fmt.Sprintf(
				"%s:%d names %s alone for %s, and no API says whose address that is: name users or teams", r.Owners.file, n,
				strings.Join(line.unknown, ", "), some(byLine[n]),
			)
		}
		left, err := one.orElse(why)
		if err != nil {
			return nil, err
		}
		needs = append(needs, left...)
	}
	return needs, nil
}

// orElse leaves the root to those whom the rule names itself.
func (n Need) orElse(why string) ([]Need, error) {
	if len(n.From) == 0 {
		return nil, outcome.Refusedf("%s: nobody can approve it: %s", n.name(), why)
	}
	n.Why = why
	return []Need{n}, nil
}

func some(files []string) string {
	if len(files) > 1 {
		return fmt.Sprintf("%s and %d more", files[0], len(files)-1)
	}
	return files[0]
}

func contains(needs []Need, n Need) bool {
	for _, other := range needs {
		if fmt.Sprint(other) == fmt.Sprint(n) {
			return true
		}
	}
	return false
}
