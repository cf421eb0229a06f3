package views

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/doctor"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Doctor renders how a repository is set up, one line for each setting.
func Doctor(_ options.Doctor, r doctor.Report) show.View {
	var lines strings.Builder
	summary := markdown.Row("", "setting", "what to do") + "|---|---|---|\n"
	for _, f := range r.Checks {
		line := fmt.Sprintf("%-5s %-12s %s", f.State, f.Check, text.VisibleQuoted(text.Flat(f.Text)))
		if f.Fix != "" {
			line += "     " + text.VisibleQuoted(text.Flat(f.Fix))
		}
		lines.WriteString(line + "\n")
		mark := map[doctor.State]string{doctor.OK: "✅", doctor.Warn: "⚠️", doctor.Fail: "❌"}[f.State]
		fix := ""
		if f.Fix != "" {
			fix = markdown.Code(f.Fix)
		}
		summary += markdown.Row(mark, markdown.Text(f.Text), fix)
	}
	count := fmt.Sprintf("%d ok, %d fail, %d warn", r.OK, r.Fail, r.Warn)
	v := show.View{
		Text: lines.String() + count + "\n", Markdown: summary + "\n" + count + "\n",
		Outputs: map[string]string{"healthy": strconv.FormatBool(r.Fail == 0), "checks": show.JSON(r.Checks)},
	}
	if r.Fail > 0 {
		v.Verdict = outcome.Refusedf("%s has %s that %s wrong", r.Repository, text.Count(r.Fail, "setting"), map[bool]string{true: "is",
			false: "are"}[r.Fail == 1])
	}
	return v
}
