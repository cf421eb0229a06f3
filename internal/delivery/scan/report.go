package scan

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/text"
)

// namedInRefusal is how many blocking findings the refusal names; the report
// has them all.
const namedInRefusal = 10

// Text is the result for a terminal: the verdict, then the findings, worst
// first.
func (r Result) Text() string {
	var out strings.Builder
	counts := r.Report.Counts()
	fmt.Fprintf(&out, "%s %s\n", r.Report.Image, r.verdictLine())
	fmt.Fprintf(&out, "critical %d  high %d  medium %d  low %d  unknown %d   database of %s   trivy %s\n",
		counts[evidence.Critical], counts[evidence.High], counts[evidence.Medium], counts[evidence.Low], counts[evidence.Unknown],
		text.Time(r.Report.Database.UpdatedAt), r.Report.Scanner.Version)
	w := tabwriter.NewWriter(&out, 0, 4, 2, ' ', 0)
	for _, p := range r.Report.Platforms {
		os := p.OS
		if os == "" {
			os = "no distribution"
		}
		fmt.Fprintf(
			w, " %s\t%s\t%s\t%d packages\t%d findings\n", text.OneLine(p.Platform), imageref.ShortDigest(p.Digest),
			text.OneLine(os), len(p.Packages), len(p.Findings),
		)
	}
	_ = w.Flush() // into memory
	if findings := r.Report.Distinct(); len(findings) > 0 {
		out.WriteByte('\n')
		out.WriteString(table(r, findings))
	}
	for _, line := range r.notes() {
		fmt.Fprintf(&out, "\n%s\n", line)
	}
	if c := r.Baseline; c != nil {
		fmt.Fprintf(&out, "\nagainst %s: %s; %s\n", c.Image.Short(), listed("new", c.New), listed("fixed", c.Fixed))
	}
	return out.String()
}

// notes are what stands beside vulnerabilities.
func (r Result) notes() []string {
	return append(r.Report.SecretLines(), r.Report.MisconfigurationLines()...)
}

func (r Result) verdictLine() string {
	if r.Leaking && len(r.Blocking) == 0 {
		return "is refused: it holds secrets"
	}
	if r.Refused() {
		return fmt.Sprintf("is refused: %d finding(s) at or above the threshold", len(r.Blocking))
	}
	return "passes"
}

func table(r Result, findings []evidence.Finding) string {
	everywhere, platformsOf := len(r.Report.Platforms), r.platforms()
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "SEVERITY\tID\tPACKAGE\tVERSION\tFIXED IN\tPLATFORMS\tTITLE")
	for _, f := range findings {
		where := platformsOf[f.Key()]
		platforms := strings.Join(where, ",")
		if len(where) == everywhere {
			platforms = "all"
		}
		title := f.Title
		if f.Waived != "" {
			title = f.Waived
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", severityWord(f), text.OneLine(f.ID), text.OneLine(f.Package),
			text.OneLine(f.Version),
			cmp.Or(text.OneLine(f.FixedVersion), "-"), text.OneLine(platforms), text.Cut(text.OneLine(title), 80, "…"))
	}
	_ = w.Flush() // into memory
	return out.String()
}

func severityWord(f evidence.Finding) string {
	if f.Waived != "" {
		return "(" + string(f.Severity) + ")"
	}
	return string(f.Severity)
}

// platforms says on which platforms each finding is, by its key.
func (r Result) platforms() map[string][]string {
	where := make(map[string][]string)
	for _, p := range r.Report.Platforms {
		for _, f := range p.Findings {
			if known := where[f.Key()]; len(known) == 0 || known[len(known)-1] != p.Platform {
				where[f.Key()] = append(known, p.Platform)
			}
		}
	}
	return where
}

// Refusal says which findings refuse the image and what would make it pass; it
// is empty when none does.
func (r Result) Refusal() string {
	if !r.Refused() {
		return ""
	}
	var out strings.Builder
	if r.Leaking {
		fmt.Fprintf(&out, "%s holds secrets\n  %s\n  take them out of the image and replace each at its service: everybody who can read the "+
			"image has it", r.Report.Image, strings.Join(r.Report.SecretLines(), "\n  "))
		if len(r.Blocking) == 0 {
			return out.String()
		}
		out.WriteString("\n")
	}
	fmt.Fprintf(&out, "%s has %d finding(s) at or above the threshold\n", r.Report.Image, len(r.Blocking))
	fixable := false
	w := tabwriter.NewWriter(&out, 0, 4, 2, ' ', 0)
	for i, f := range r.Blocking {
		if i == namedInRefusal {
			fmt.Fprintf(w, "  … and %d more\n", len(r.Blocking)-i)
			break
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", f.Severity, text.OneLine(f.ID), describe(f))
		fixable = fixable || f.FixedVersion != ""
	}
	_ = w.Flush() // into memory
	out.WriteString("  ")
	if fixable {
		out.WriteString("update to the fixed version (or the base image that has it), or ")
	}
	out.WriteString("add a waiver with reason and expiry")
	return out.String()
}

// describe names package, version and fix: openssl 3.3.1, fixed in 3.3.2.
func describe(f evidence.Finding) string {
	name := text.OneLine(f.Package) + " " + text.OneLine(f.Version)
	if f.FixedVersion == "" {
		return name + ", no fix"
	}
	return name + ", fixed in " + text.OneLine(f.FixedVersion)
}

func listed(word string, findings []evidence.Finding) string {
	if len(findings) == 0 {
		return word + " none"
	}
	var ids []string
	for _, f := range findings {
		ids = append(ids, text.OneLine(f.ID)+" ("+text.OneLine(f.Package)+")")
	}
	return fmt.Sprintf("%s %d: %s", word, len(findings), text.List(ids, namedInRefusal))
}
