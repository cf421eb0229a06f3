// Package views renders the results of the commands, one function for each. A
// view decides nothing but how a result looks.
package views

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/command/show"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/changed"
	"github.com/waybill-dev/waybill/internal/delivery/compile"
	"github.com/waybill-dev/waybill/internal/delivery/files"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/delivery/running"
	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/delivery/sign"
	"github.com/waybill-dev/waybill/internal/delivery/tag"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Changed renders whether an image has to be built.
func Changed(_ options.Changed, r changed.Result) show.View {
	answer := strconv.FormatBool(r.Changed)
	v := show.View{Text: answer + "\n", Outputs: map[string]string{"changed": answer, "since": r.Since}}
	v.Linef("%s", r.Why)
	return v
}

// Compile renders what was compiled.
func Compile(_ options.Compile, r compile.Result) show.View {
	v := show.View{Outputs: map[string]string{"binaries": r.Binaries.String()}}
	if !r.Binaries.IsZero() {
		v.Text = r.Binaries.String() + "\n"
	}
	for _, f := range r.Files {
		v.Linef("compiled %-24s %s", f.Name, megabytes(f.Size))
	}
	return v
}

// megabytes is a size for people.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// Build renders an image that was built.
func Build(in options.Build, r build.Result) show.View {
	if in.Check {
		v := show.View{}
		v.Linef("the checks found nothing")
		return v
	}
	v := show.View{
		Outputs: map[string]string{
			"image": r.Image, "images": compact(r.Pushed()), "digest": r.Build.Digest, "platforms": compact(r.Build.Platforms),
			"record": r.Record,
		},
	}
	var table strings.Builder
	for _, p := range r.Pushed() {
		v.Text += p.Image + "\n"
		fmt.Fprintf(&table, "**Built** %s with %s\n\n", markdown.Code(p.Image), r.Build.Engine)
	}
	table.WriteString(markdown.Row("platform", "manifest", "size") + "|---|---|---|\n")
	for _, i := range r.Images {
		digest := imageref.ShortDigest(i.Digest)
		v.Linef(" %-12s %s…  %9s  %5.2f s", i.Platform, digest, megabytes(i.Size), i.Seconds)
		table.WriteString(markdown.Row(markdown.Text(i.Platform), markdown.Code(digest), megabytes(i.Size)))
	}
	if len(r.Steps) > 0 {
		cached := 0
		table.WriteString("\n<details><summary>Steps</summary>\n\n" + markdown.Row("step", "seconds") + "|---|---|\n")
		for _, s := range r.Steps[:min(len(r.Steps), stepsShown)] {
			took := fmt.Sprintf("%.1f", s.Seconds)
			if s.Cached {
				took = "from the cache"
			}
			table.WriteString(markdown.Row(markdown.Code(text.Cut(text.OneLine(s.Name), 120, "…")), took))
		}
		table.WriteString("\n</details>\n")
		for _, s := range r.Steps {
			if s.Cached {
				cached++
			}
		}
		v.Linef(" %d steps, %d of them from the cache", len(r.Steps), cached)
	}
	v.Markdown = table.String()
	return v
}

// stepsShown is how many steps the summary lists.
const stepsShown = 200

// annotated is how many blocking findings become annotations: GitHub shows ten
// of a step, and the refusal itself is one.
const annotated = 9

// Scanned is what a scan found: in an image, or in what runs.
type Scanned struct {
	scan.Result
	Running *running.Report
}

// Scan renders what a scan found.
func Scan(in options.Scan, s Scanned) show.View {
	r := s.Result
	if s.Running != nil {
		verdict := map[bool]string{false: "pass", true: "refused"}[s.Running.Found()]
		return show.View{
			Text: s.Running.Markdown(), Markdown: s.Running.Markdown(), Document: s.Running,
			Outputs: map[string]string{"verdict": verdict, "running": show.JSON(s.Running)}, Verdict: s.Running.Broken(),
		}
	}
	v := show.View{
		Text: r.Text(), Markdown: r.Summary(), Document: r.Report,
		Outputs: map[string]string{"verdict": "pass", "documents": r.Documents, "sarif": in.SARIF, "report": in.Report},
	}
	counts := r.Report.Counts()
	for _, s := range []evidence.Severity{evidence.Critical, evidence.High, evidence.Medium, evidence.Low} {
		v.Outputs[string(s)] = strconv.Itoa(counts[s])
	}
	if c := r.Baseline; c != nil {
		v.Outputs["new"], v.Outputs["fixed"] = strconv.Itoa(len(c.New)), strconv.Itoa(len(c.Fixed))
	}
	for _, f := range r.Blocking[:min(len(r.Blocking), annotated)] {
		v.Annotations = append(v.Annotations, runner.Annotation{Level: runner.Failure, Title: "waybill scan", Message: scan.Annotation(f)})
	}
	if r.Refused() {
		v.Outputs["verdict"] = "refused"
		v.Verdict = outcome.Refusedf("%s", r.Refusal())
	}
	return v
}

// Signed is what sign did: for an image, or for files.
type Signed struct {
	sign.Result
	Files *files.Signed
}

// Sign renders what was signed.
func Sign(_ options.Sign, s Signed) show.View {
	r := s.Result
	if s.Files != nil {
		return signedFiles(*s.Files)
	}
	v := show.View{Text: strings.Join(r.Images(), "\n") + "\n", Document: r, Outputs: signerOutputs(r.Signer, r.LogIndex)}
	v.Outputs["image"], v.Outputs["images"] = r.Image.String(), compact(r.Images())
	for _, note := range r.Notes {
		v.Linef("note     %s", note)
	}
	for _, kind := range r.Written {
		v.Linef("signed   %s", kind)
	}
	for _, kind := range r.Kept {
		v.Linef("kept     %s, which is there already", kind)
	}
	for _, image := range append([]sign.Result{r}, r.Copies...) {
		v.Linef("verified %s in %s, signed by %s", image.Image.Short(), image.Image.Repository(), image.Signer.Name())
	}
	if r.Published != nil {
		v.Linef("attested %s now in GitHub's attestations", text.Count(*r.Published, "bundle"))
	}
	return v
}

// signerOutputs say by whom, and where in the log; a signature without
// an entry has no place there.
func signerOutputs(by evidence.Signer, logIndex *int64) map[string]string {
	outputs := map[string]string{"signer": cmp.Or(by.Key, by.Identity), "log_index": ""}
	if logIndex != nil {
		outputs["log_index"] = strconv.FormatInt(*logIndex, 10)
	}
	return outputs
}

func signedFiles(r files.Signed) show.View {
	v := show.View{Text: strings.Join(r.Bundles, "\n") + "\n", Document: r, Outputs: signerOutputs(r.Signer, r.LogIndex)}
	for _, file := range r.Files {
		v.Linef("signed   %s sha256:%s", file.Path, file.Digest)
	}
	v.Linef("verified %s, signed by %s", text.Count(len(r.Files), "file"), r.Signer.Name())
	return v
}

// Judged is what verify found: of an image, or of files.
type Judged struct {
	evidence.Waybill
	Files *files.Verified
}

// Verify renders a waybill, or who signed files.
func Verify(_ options.Verify, j Judged) show.View {
	w := j.Waybill
	if r := j.Files; r != nil {
		v := show.View{Document: r, Outputs: map[string]string{"allowed": "true"}}
		for _, file := range r.Files {
			v.Text += fmt.Sprintf("verified: %s (%s), signed by %s\n", file.Path, file.Name, file.Signer.Name())
		}
		v.Markdown = markdown.Fence("", v.Text)
		return v
	}
	return show.View{
		Document: w,
		Text:     w.Text(), Markdown: w.Markdown(), HTML: w.HTML,
		Outputs: map[string]string{"allowed": strconv.FormatBool(w.Decision.Allowed), "waybill": show.JSON(w)},
		Verdict: rules.Refusal(w.Decision, w),
	}
}

// Tag renders the tags that were written.
func Tag(in options.Tag, r tag.Result) show.View {
	v := show.View{Markdown: r.Waybill.Markdown(), Outputs: map[string]string{"tags": strings.Join(r.Tags, "\n")}}
	for _, note := range r.Notes {
		v.Linef("note: %s", note)
	}
	for _, reference := range r.Tags {
		v.Text += reference + "\n"
	}
	if in.DryRun {
		dry(&v)
	}
	return v
}
