package views

import (
	"fmt"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Upgrade renders what became of each file, and the differences that a person
// has to take over.
func Upgrade(in options.Upgrade, r starter.Upgraded) show.View {
	v := show.View{Outputs: map[string]string{"files": show.JSON(r.Files)}}
	for _, f := range r.Files {
		v.Text += fmt.Sprintf("%-9s %s\n", f.Change, text.VisibleQuoted(f.Path))
	}
	if len(r.Files) == 0 {
		v.Linef("every file is as version %s writes it", r.To)
	}
	for _, f := range r.Files {
		if f.Change == starter.Relock {
			v.Linef("%s names the actions of before: run gh actions-lock and commit it with the rest, or GitHub refuses these workflows", f.Path)
		}
		if f.Diff != "" {
			v.Linef("\n%s: version %s changes this, and you have changed the same lines:\n%s", f.Path, r.To, f.Diff)
		}
	}
	if r.Pull != "" {
		v.Text += r.Pull + "\n"
	}
	if in.DryRun {
		dry(&v)
	}
	if n := r.Conflicts(); n > 0 {
		v.Verdict = outcome.Pendingf("%s for you to look at: take over what you want of the differences above, then run this again",
			text.Count(n, "file"))
	}
	return v
}
