package plan

import (
	"slices"
	"strings"
	"sync"

	"github.com/waybill-dev/waybill/internal/door/terraform"
)

// Parts of a plan and its comment, for others that plan roots and show them.

// Unknown stands for a value that is known only after apply.
const Unknown = unknown

// Together gives the tool for roots that are planned at the same time: they
// wait for each other where terraform fills the plugin cache.
func (t Tool) Together() Tool {
	t.initLock = new(sync.Mutex)
	return t
}

// Describe says what happens to one resource; false when nothing does.
func Describe(r *terraform.ResourceChange, secrets *Secrets) (Resource, bool) {
	return describe(r, secrets)
}

// flat keeps text from outside on one line, and cuts nothing.
func flat(text string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(text)
}

// Line keeps text from outside on one line, and cuts it where it is too long.
func Line(text string) string { return line(text) }

// AttributeLines show what changes in a resource, one attribute a line.
func (r Resource) AttributeLines() []string {
	var lines []string
	for _, a := range r.Attributes {
		text := "     " + flat(a.Path)
		switch {
		case a.Before == "":
			text += " = " + flat(a.After)
		case a.After == "":
			text += " " + flat(a.Before) + " → null"
		default:
			text += " " + flat(a.Before) + " → " + flat(a.After)
		}
		if a.Note != "" {
			text += "  # " + a.Note
		}
		if slices.Contains(r.Forced, a.Path) {
			text += "  # forces the replacement"
		}
		lines = append(lines, text)
		for _, l := range a.Lines { // the sign first, so that GitHub colours it
			lines = append(lines, l[:1]+"      "+l[1:])
		}
	}
	return lines
}
