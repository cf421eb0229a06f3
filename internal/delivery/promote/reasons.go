package promote

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// timing are the rules that say when, not what: they stand after what changes.
var timing = []string{rules.RuleOrder, rules.RuleSoak, rules.RuleFreeze, rules.RuleWindow}

var icons = map[evidence.State]string{evidence.Met: "✅", evidence.Refused: "❌", evidence.Pending: "⏳"}

// rules lists the rules about the image itself, met or not, with what a reader of this
// pull request wants to know beside each.
func (i item) rules() string {
	var out strings.Builder
	for _, r := range i.waybill.Decision.Reasons {
		if !slices.Contains(timing, r.Rule) {
			line(&out, r, i.detail(r))
		}
	}
	return out.String()
}

// times lists the rules that say when.
func (c candidate) times() string {
	var out strings.Builder
	for _, r := range c.decision.Reasons {
		if slices.Contains(timing, r.Rule) {
			line(&out, r, c.detail(r))
		}
	}
	return out.String()
}

func line(out *strings.Builder, r evidence.Reason, detail string) {
	fmt.Fprintf(out, "- %s **%s** %s", icons[r.State], markdown.Text(r.Rule), detail)
	if r.State != evidence.Met && r.Remedy != "" {
		fmt.Fprintf(out, " → %s", prose(r.Remedy))
	}
	out.WriteByte('\n')
}

// detail is what a rule about times found, in words that are the same whenever they are
// written.
func (m move) detail(r evidence.Reason) string {
	switch {
	case r.Rule == rules.RuleSoak && r.State == evidence.Pending:
		return fmt.Sprintf("%s in %s asked", text.Duration(m.to.Soak), markdown.Text(m.from.Name))
	case r.Rule == rules.RuleSoak && r.State == evidence.Met:
		return fmt.Sprintf("ran for the %s asked in %s", text.Duration(m.to.Soak), markdown.Text(m.from.Name))
	}
	return prose(r.Detail)
}

// detail is what a rule found, with links and the difference to what runs there now.
func (i item) detail(r evidence.Reason) string {
	switch {
	case r.Rule == string(evidence.Provenance) && r.State == evidence.Met:
		if build := i.build(); build != "" {
			return build
		}
	case r.Rule == string(evidence.Scan):
		text := prose(r.Detail)
		if added, fixed, known := i.findings(); known {
			text += "; fixed since: " + ids(fixed) + "; new: " + ids(added)
		}
		return text
	}
	return i.move.detail(r)
}

func (i item) build() string {
	var parts []string
	if i.waybill.RunURL != "" {
		parts = append(parts, markdown.Link("run "+markdown.Text(runNumber(i.waybill.RunURL)), i.waybill.RunURL))
	}
	for _, base := range i.waybill.BaseImages {
		parts = append(parts, "base image "+markdown.Code(base.Name+"@"+base.Digest))
	}
	return strings.Join(parts, ", ")
}

// runNumber is the id in the address of a run.
func runNumber(url string) string {
	_, rest, _ := strings.Cut(url, "/actions/runs/")
	id, _, _ := strings.Cut(rest, "/")
	return id
}

// prose escapes a sentence, and sets identities, addresses and digests in it as
// code: they are read as they are, and mention and link nothing.
func prose(s string) string {
	words := strings.Fields(s)
	for i, word := range words {
		bare := strings.TrimRight(word, ",;:.)")
		after := word[len(bare):]
		before := bare[:len(bare)-len(strings.TrimLeft(bare, "("))]
		bare = bare[len(before):]
		if !strings.ContainsAny(bare, "/@") {
			words[i] = markdown.Text(word)
			continue
		}
		words[i] = markdown.Text(before) + markdown.Code(strings.TrimPrefix(bare, evidence.DefaultServer+"/")) + markdown.Text(after)
	}
	return strings.Join(words, " ")
}
