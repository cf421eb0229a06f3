package views

import (
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/setup"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Setup renders every setting, one line for each. What a person has to do keeps
// the command pending; what waits for a first delivery does not.
func Setup(_ options.Setup, r setup.Report) show.View {
	v := show.View{Text: SetupLines(r), Outputs: map[string]string{"steps": show.JSON(r.Steps)}}
	if n := r.Count(setup.Person); n > 0 {
		v.Verdict = outcome.Pendingf("%s for a person to do: do what is said above, then run this again", text.Count(n, "setting"))
	}
	return v
}

// SetupLines are the settings as a person reads them.
func SetupLines(r setup.Report) string {
	var lines strings.Builder
	for _, step := range r.Steps {
		fmt.Fprintf(&lines, "%-7s  %-12s  %s\n", step.State, step.Setting, text.VisibleQuoted(text.Flat(step.Text)))
		if step.Fix != "" {
			fmt.Fprintf(&lines, "%23s%s\n", "", text.VisibleQuoted(text.Flat(step.Fix)))
		}
	}
	return lines.String()
}
