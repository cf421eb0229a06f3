package views

import (
	"strings"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/delivery/audit"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Audit renders an audit that was written or verified.
func Audit(in options.Audit, r audit.Verified) show.View {
	doc := r.Document
	v := show.View{Text: r.Text(), Outputs: map[string]string{"archive": in.Output, "gaps": show.JSON(doc.Gaps)}}
	v.Linef("signed   by %s", r.Signer.Name())
	if in.AnySigner && r.Signer.Key == "" {
		v.Linef("note     nobody said who must have signed, so this does not say who wrote the audit: --signer %s accepts this signer alone",
			r.Signer.Name())
	}
	for _, note := range r.Notes {
		v.Linef("note     %s", note)
	}
	for _, gap := range doc.Gaps {
		v.Linef("gap      %s", gap)
	}
	if len(r.Problems) > 0 {
		v.Verdict = outcome.Refusedf("the audit does not hold: %s", strings.Join(r.Problems, "; "))
		return v
	}
	holds := "verified"
	if in.AnySigner {
		holds = "intact  "
	}
	v.Linef("%s %s and %s", holds, text.Count(len(doc.Deployments), "deployment"), text.Count(r.Bundles, "signed record"))
	return v
}
