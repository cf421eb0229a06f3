package drift

import (
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/text"
)

// What a plan would do about a resource that drifted.
const (
	backChange  = "changed back"
	backMake    = "made again"
	backReplace = "replaced"
	backUnknown = "terraform cannot plan the way back"
	backNone    = "left as it is" // unmanaged drift, where it is asked for
)

// judge tells drift from what is not.
type judge struct {
	secrets   *redact.Secrets
	ignores   *ignores
	unmanaged bool
	unapplied time.Duration
	now       time.Time
}

func newJudge(r Request, secrets *redact.Secrets) *judge {
	return &judge{secrets: secrets, ignores: newIgnores(r.Ignores, r.Now), unmanaged: r.Unmanaged, unapplied: r.Unapplied, now: r.Now}
}

func (j *judge) root(root roots.Root, found planned) Root {
	out := Root{Dir: root.Dir, Workspace: root.Workspace, Status: Clean}
	if out.Workspace == "" {
		out.Workspace = roots.DefaultWorkspace
	}
	if found.err != nil {
		out.Problem = j.secrets.Redact(found.err.Error())
	}
	if found.plan == nil {
		out.Status = Broken
		return out
	}
	changes := make(map[string]summary.Resource)
	for _, c := range found.plan.ResourceChanges {
		if described, ok := summary.Describe(c, j.secrets); ok {
			changes[key(c)] = described
		}
	}
	back := make(map[string]bool)
	for _, c := range found.plan.ResourceDrift {
		described, ok := summary.Describe(c, j.secrets)
		if !ok {
			continue
		}
		change, changes := changes[key(c)]
		resource := j.drifted(described, change, changes, configuration(found.plan, c.Address), found.refreshed)
		if resource == nil {
			out.Unmanaged++
			continue
		}
		back[key(c)] = true
		kept, ignored := j.ignores.apply(root.Dir, c.Address, *resource)
		out.Ignored = append(out.Ignored, ignored...)
		if kept != nil {
			out.Drift = append(out.Drift, *kept)
		}
	}
	for _, c := range found.plan.ResourceChanges {
		if change, ok := changes[key(c)]; ok && !back[key(c)] {
			out.Unapplied = append(out.Unapplied, Unapplied{Address: change.Address, Action: change.Action})
		}
	}
	slices.SortFunc(out.Drift, func(a, b Resource) int {
		if a.Action != b.Action && (a.Action == summary.Destroy || b.Action == summary.Destroy) {
			return map[bool]int{true: -1, false: 1}[a.Action == summary.Destroy]
		}
		return strings.Compare(a.Address, b.Address)
	})
	overdue := j.unapplied > 0 && !found.changed.IsZero() && found.changed.Add(j.unapplied).Before(j.now)
	if len(out.Unapplied) > 0 && overdue {
		out.Status, out.Since = Overdue, text.Day(found.changed)+" ("+found.commit+")"
	}
	if len(out.Drift) > 0 {
		out.Status = Drifted
	}
	return out
}

func key(c *terraform.ResourceChange) string { return c.Address + "\x00" + c.DeposedKey }

// drifted keeps of what changed outside that which the configuration asks
// about; nil where that is nothing.
func (j *judge) drifted(now, change summary.Resource, changes bool, set map[string]bool, refreshed bool) *Resource {
	out := &Resource{Resource: now}
	if j.unmanaged {
		out.Back = backNone
	}
	asked := func(a summary.Attribute) bool { return false }
	switch {
	case refreshed:
		out.Back = backUnknown
		if now.Action == summary.Destroy {
			return out
		}
		asked = func(a summary.Attribute) bool { return set[top(a.Path)] || a.Path == tooMany }
	case !changes: // the plan leaves it as it is
	case now.Action == summary.Destroy:
		out.Back = backMake
		return out
	case change.Action == summary.Change, change.Action == summary.Replace:
		asked = func(a summary.Attribute) bool {
			return slices.ContainsFunc(change.Attributes, func(c summary.Attribute) bool {
				return related(a.Path, c.Path) && (c.After != summary.Unknown || set[top(c.Path)])
			})
		}
		out.Back = backChange
		if change.Action == summary.Replace {
			out.Back = backReplace
		}
	}
	out.Attributes = slices.DeleteFunc(slices.Clone(now.Attributes), func(a summary.Attribute) bool { return !asked(a) })
	if len(out.Attributes) > 0 {
		return out
	}
	if !j.unmanaged {
		return nil
	}
	out.Attributes, out.Back = now.Attributes, backNone
	return out
}

// tooMany is the path that stands for attributes that a summary leaves out.
const tooMany = "…"

// related reports whether one path lies within the other.
func related(a, b string) bool {
	if a == tooMany || b == tooMany || len(a) == len(b) {
		return a == b || a == tooMany || b == tooMany
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	return strings.HasPrefix(b, a) && (b[len(a)] == '.' || b[len(a)] == '[')
}

// top is the first step of an attribute's path.
func top(path string) string {
	if i := strings.IndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return path
}

// configuration lists the attributes and blocks that the configuration of a
// resource sets.
func configuration(p *terraform.Plan, address string) map[string]bool {
	set := make(map[string]bool)
	if p.Config == nil {
		return set
	}
	module, steps := p.Config.RootModule, split(address)
	for module != nil && len(steps) > 2 && steps[0] == "module" {
		call := module.ModuleCalls[withoutIndex(steps[1])]
		if call == nil {
			return set
		}
		module, steps = call.Module, steps[2:]
	}
	if module == nil || len(steps) != 2 {
		return set
	}
	for _, r := range module.Resources {
		if r.Type == steps[0] && r.Name == withoutIndex(steps[1]) {
			for name := range r.Expressions {
				set[name] = true
			}
		}
	}
	return set
}
