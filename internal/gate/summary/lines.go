package summary

import (
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/text"
)

var verbs = map[string]string{
	Destroy: "is destroyed", Replace: "is replaced", Forget: "is forgotten", Change: "changes", Add: "is added",
	Import: "is imported", Move: "moves",
	Refresh: "is taken into the state as it is",
}

// signs begin a line of the difference, so that GitHub colours it.
var signs = map[string]string{Destroy: "- ", Replace: "-+", Forget: "- ", Change: "~ ", Add: "+ ", Import: "+ ", Move: "~ ", Refresh: "~ "}

// Lines show what happens to the resource; what stands before its address.
func (r Resource) Lines(what string) []string {
	head := signs[r.Action] + " " + what + text.VisibleQuoted(text.Flat(r.Address)) + " " + verbs[r.Action]
	if r.Previous != "" {
		head += ", was " + text.Flat(r.Previous)
	}
	if r.Imported && r.Action != Import {
		head += ", imported"
	}
	if len(r.Flags) > 0 {
		head += "  [" + strings.Join(r.Flags, ", ") + "]"
	}
	return append([]string{head}, r.AttributeLines()...)
}

// AttributeLines show what changes in a resource, one attribute a line.
func (r Resource) AttributeLines() []string {
	var lines []string
	for _, a := range r.Attributes {
		line := "     " + text.Flat(a.Path)
		switch {
		case a.Before == "":
			line += " = " + text.Flat(a.After)
		case a.After == "":
			line += " " + text.Flat(a.Before) + " → null"
		default:
			line += " " + text.Flat(a.Before) + " → " + text.Flat(a.After)
		}
		if a.Note != "" {
			line += "  # " + a.Note
		}
		if slices.Contains(r.Forced, a.Path) {
			line += "  # forces the replacement"
		}
		lines = append(lines, line)
		for _, l := range a.Lines { // the sign first, so that GitHub colours it
			lines = append(lines, l[:1]+"      "+l[1:])
		}
	}
	return lines
}
