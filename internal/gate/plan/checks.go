package plan

import (
	"strings"

	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// checks are the conditions of a plan that fail, or that broke.
func checks(p *terraform.Plan, secrets *Secrets) (failed []Check) {
	for _, c := range p.Checks {
		for _, instance := range c.Instances {
			status := string(instance.Status)
			if status != "fail" && status != "error" {
				continue
			}
			one := Check{Address: secrets.address(instance.Address.ToDisplay), Status: status}
			for _, problem := range instance.Problems {
				one.Messages = append(one.Messages, secrets.Redact(problem.Message))
			}
			failed = append(failed, one)
		}
		if status := string(c.Status); len(c.Instances) == 0 && (status == "fail" || status == "error") {
			failed = append(failed, Check{Address: secrets.address(c.Address.ToDisplay), Status: status})
		}
	}
	return failed
}

const (
	maxWarnings = 50   // shown above the changes
	maxWarning  = 1000 // runes of one
)

// warnings says what speaks against a plan, before what it does.
func (v View) warnings(out *strings.Builder) {
	shown, more := 0, 0
	add := func(root RootView, title, text string) {
		if shown++; shown > maxWarnings {
			more++
			return
		}
		if runes := []rune(text); len(runes) > maxWarning {
			text = string(runes[:maxWarning]) + "… (the rest is in the log of the run)"
		}
		out.WriteString("\n⚠️ **" + title + "** in " + markdown.Code(clip(root.name())) + ":\n\n" + markdown.Fence("", text))
	}
	for _, r := range v.Roots {
		for _, c := range r.Summary.Checks {
			title := "A check fails"
			if c.Status == "error" {
				title = "A check could not be made"
			}
			add(r, title, flat(c.Address)+": "+strings.Join(c.Messages, "\n"))
		}
		if r.Whole {
			out.WriteString("\nThe plan of " + markdown.Code(clip(r.name())) + " is bound to every file of the commit, because the configuration opens files whose paths are known only when terraform runs.\n")
		}
	}
	for _, r := range v.Roots {
		for _, w := range r.Summary.Warnings {
			add(r, "terraform warns", w)
		}
	}
	if more > 0 {
		out.WriteString("\n⚠️ " + count(more, "more warning") + ": they are in the log of the run.\n")
	}
}
