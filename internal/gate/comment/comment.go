// Package comment writes what a plan says on its pull request, and reads what
// such a comment claims.
//
// The first comment shows verdict, table and how to approve; every change
// follows, most dangerous first, over as many comments as it takes. No text from
// outside leaves its place in the Markdown. A claim is the word of anybody who could
// write the comment: callers must check its author and the sealed plan.
package comment

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Marker begins the one plan comment of a pull request.
const Marker = "<!-- waybill:plan -->"

const (
	maxRows  = 60     // of the table
	maxTable = 15_000 // runes of it
)

// Claim is what the comment says of itself to machines. Callers must verify it:
// anybody who may edit comments can write one.
type Claim struct {
	Fingerprint plan.Fingerprint `json:"fingerprint"`
	Plan        string           `json:"plan,omitempty"` // where the sealed plan is
	Head        string           `json:"head"`
	Roots       []ClaimRoot      `json:"roots,omitempty"` // left out where there are too many
	// Parts are the fingerprints that the plan's is made of, in the order of Roots.
	// Earlier are those of earlier plans of the same head.
	Parts plan.Parts `json:"parts,omitempty"`
	// Waits are roots that are planned when others are applied.
	Waits   []plan.Waiting `json:"waits,omitempty"`
	Earlier []plan.Parts   `json:"earlier,omitempty"`
	// Planned is when the oldest of its roots was planned, if that was before the comment
	// was written last: the others were planned again.
	Planned time.Time `json:"planned,omitzero"`
	// Text is the plan in Markdown, where the sealed plan was opened.
	Text string    `json:"-"`
	At   time.Time `json:"-"` // when the comment was written last, or Planned
}

// ClaimRoot is a root as the comment claims it.
type ClaimRoot struct {
	Dir      string `json:"dir"`
	Destroys bool   `json:"destroys,omitempty"`
	Changes  bool   `json:"changes,omitempty"`
	// Sources are the directories that the root's files are in, its own and
	// those of its local modules; VarFiles its files of variables. Digests are
	// those of the fingerprint's document.
	Sources       []string       `json:"sources,omitempty"`
	Workspace     string         `json:"workspace,omitempty"`
	Removed       bool           `json:"removed,omitempty"` // it is no root any more
	Moves         []string       `json:"moves,omitempty"`   // what changes beside resources
	Whole         bool           `json:"whole,omitempty"`
	VarFiles      []string       `json:"var_files,omitempty"`
	Configuration string         `json:"configuration,omitempty"`
	Fetched       *roots.Fetched `json:"fetched,omitempty"` // what fetched modules read
	Lineage       string         `json:"lineage,omitempty"` // of the state
	Serial        uint64         `json:"serial,omitempty"`
}

// Uses reports whether a file, from the top of the repository, is one of the
// root's.
func (r ClaimRoot) Uses(file string) bool {
	return (&roots.Sources{Dirs: r.Sources, VarFiles: r.VarFiles, Whole: r.Whole}).Uses(file)
}

// maxClaim keeps the claim well below the size of a comment: some 100 roots. What
// is longer is read where the sealed plan is.
const maxClaim = 30_000

// maxEarlier bounds the earlier plans that a claim names.
const maxEarlier = 8

// Follow adds the plans that went before, as far as they have a root in common
// with this one: who approved such a root need not do so again.
func (v *View) Follow(before Claim) {
	if before.Head != v.Head {
		return
	}
	for _, parts := range append([]plan.Parts{before.Parts}, before.Earlier...) {
		shared := slices.ContainsFunc(parts, func(f plan.Fingerprint) bool { return slices.Contains(v.Parts, f) })
		known := slices.Equal(parts, v.Parts) ||
			slices.ContainsFunc(v.Earlier, func(e plan.Parts) bool { return slices.Equal(e, parts) })
		if shared && !known && len(v.Earlier) < maxEarlier {
			v.Earlier = append(v.Earlier, parts)
		}
	}
}

// Proven refuses a claim whose parts are not those of its fingerprint or its roots.
func (c Claim) Proven() error {
	full, err := c.Parts.Fingerprint()
	if err != nil {
		return err
	}
	if full != c.Fingerprint || len(c.Parts) != len(c.Roots) {
		return outcome.Refusedf("the plan comment names %s, and fingerprints of them that are not of plan %s: plan again",
			text.Count(len(c.Roots), "root"), c.Fingerprint.Short())
	}
	return nil
}

// View is what a comment shows.
type View struct {
	Fingerprint plan.Fingerprint
	Parts       plan.Parts // of the roots, and of those that are taken away
	Earlier     []plan.Parts
	Head        string
	Roots       []RootView
	Removed     []roots.Removed // roots that the change takes away
	Waits       []plan.Waiting  // roots that are planned when others are applied
	Sealed      string          // where the sealed plan is; empty when it was not kept
	Approval    string          // Markdown: who must approve; empty says nothing of approval
	RunURL      string
	Stands      string    // Markdown: which roots keep the plans that they had
	Planned     time.Time // when the oldest of those was planned
	Unmatched   []string  // patterns of workspaces that match none
}

// RootView is one root of it.
type RootView struct {
	Dir       string
	Workspace string
	Summary   summary.Summary
	Whole     bool           // it is bound to every file of the commit
	Sources   *roots.Sources // nil where it is not known
	Moves     []string       // what changes beside resources: the state's place, providers
	Modules   []string       // fetched modules of another source or version
	Lineage   string         // of the state
	Serial    uint64
}

// Of is the view of a result.
func Of(r *plan.Result) View {
	v := View{Fingerprint: r.Fingerprint, Parts: r.Parts, Head: r.Document.Head, Removed: r.Document.Removed, Waits: r.Waits}
	for _, root := range r.Roots {
		v.Roots = append(v.Roots, RootView{
			Dir: root.Record.Dir, Workspace: root.Record.Workspace, Summary: root.Summary, Whole: root.Record.Whole,
			Sources: root.Sources, Moves: root.Moves, Modules: root.Modules,
			Lineage: root.Record.Lineage, Serial: root.Record.Serial,
		})
	}
	return v
}

// Claim returns what the plan is, for the gate and for apply.
func (v View) Claim() Claim {
	claim := Claim{
		Fingerprint: v.Fingerprint, Plan: v.Sealed, Head: v.Head, Parts: v.Parts, Earlier: v.Earlier, Waits: v.Waits, Planned: v.Planned,
	}
	for _, r := range v.Roots {
		root := ClaimRoot{Dir: r.Dir, Workspace: r.Workspace, Destroys: r.Summary.Destroys(), Changes: r.Summary.Asks(), Moves: r.Moves}
		root.Lineage, root.Serial = r.Lineage, r.Serial
		if s := r.Sources; s != nil {
			root.Sources, root.VarFiles, root.Configuration, root.Whole = append(
				s.Dirs[:len(s.Dirs):len(s.Dirs)], s.Files...,
			), s.VarFiles, s.Digest, s.Whole
			root.Fetched = s.Fetched.OrNil()
		}
		claim.Roots = append(claim.Roots, root)
	}
	for _, r := range v.Removed {
		claim.Roots = append(claim.Roots, ClaimRoot{
			Dir: r.Dir, Workspace: r.Workspace, Removed: true, Destroys: true, Changes: true, Sources: []string{r.Dir},
		})
	}
	return claim
}

func (v View) claim() string { return v.Claim().comment(claims) }

// JSON is the claim as it is kept beside the sealed plan.
func (c Claim) JSON() []byte {
	data, _ := json.Marshal(c) // texts, numbers and lists of them always have a form
	return data
}

// What a line of a comment says that readers do not see: a claim, or that of the plan that
// stood before a root of it could not be planned again.
const claims, stood = "claim", "stood"

// comment is the claim as a line that readers do not see.
func (c Claim) comment(says string) string {
	// -- would end the comment; JSON reads its escaped form, which is longer.
	hidden := func() string { return strings.ReplaceAll(string(c.JSON()), "--", `\u002d\u002d`) }
	data := hidden()
	if len(data) > maxClaim {
		c.Roots, c.Parts, c.Earlier, c.Waits = nil, nil, nil, nil
		data = hidden()
	}
	return "<!-- waybill:" + says + " " + data + " -->"
}

var claimLine = regexp.MustCompile(`(?m)\A<!-- waybill:plan -->\r?\n<!-- waybill:(claim|stood) (\{.*\}) -->\r?$`)

// ReadClaim finds what a plan comment says of itself.
func ReadClaim(comment string) (Claim, bool) { return readClaim(comment, claims) }

func readClaim(comment, says string) (Claim, bool) {
	m := claimLine.FindStringSubmatch(comment)
	if m == nil || m[1] != says {
		return Claim{}, false
	}
	var c Claim
	if json.Unmarshal([]byte(m[2]), &c) != nil {
		return Claim{}, false
	}
	return c, true
}

func (v View) headline() string {
	total := make(map[string]int)
	for _, r := range v.Roots {
		for action, n := range r.Summary.Counts {
			total[action] += n
		}
		total["outputs"] += len(r.Summary.Outputs)
	}
	warn := func(action string) string {
		if total[action] > 0 {
			return " ⚠️"
		}
		return ""
	}
	line := fmt.Sprintf("**%s · %d to add, %d to change, %d to replace%s, %d to destroy%s**", text.Count(len(v.Roots), "root"),
		total[summary.Add], total[summary.Change], total[summary.Replace], warn(summary.Replace), total[summary.Destroy],
		warn(summary.Destroy))
	for _, more := range []struct{ action, word string }{
		{summary.Import, "to import"}, {summary.Move, "moved"}, {summary.Forget, "to forget"},
		{summary.Refresh, "to take into the state"},
	} {
		if total[more.action] > 0 {
			line += fmt.Sprintf(" · %d %s", total[more.action], more.word)
		}
	}
	return line + " · fingerprint " + markdown.Code(v.Fingerprint.Short())
}

func (v View) table(out *strings.Builder) {
	out.WriteString(markdown.Row("root", "add", "change", "replace", "destroy", "") + "|---|---|---|---|---|---|\n")
	start := out.Len()
	for i, r := range v.dangerous() {
		if i == maxRows || out.Len()-start > maxTable {
			fmt.Fprintf(out, "\n%s more; what they change is below.\n", text.Count(len(v.Roots)-i, "root"))
			return
		}
		c := r.Summary.Counts
		out.WriteString(markdown.Row(
			markdown.Code(text.Clip(r.name())), number(c[summary.Add], false), number(c[summary.Change], false),
			number(c[summary.Replace], true), number(c[summary.Destroy], true), r.note(),
		))
	}
}

// removed says what nothing plans any more.
func (v View) removed() (said []string) {
	for _, r := range v.Removed {
		state := ""
		if r.State != "" {
			state = " (" + markdown.Code(text.Clip(r.State)) + ")"
		}
		said = append(said, fmt.Sprintf("⚠️ **%s is no root any more.** What its state%s holds stays in the cloud as orphans: "+
			"nothing plans, changes or destroys it from now on. "+
			"To destroy it, keep the root and write `destroy: true` at its entry in `terraform.roots`: that is planned, approved and "+
			"applied like any other change. Take the root away afterwards.\n", markdown.Code(text.Clip(roots.Owner{
			Dir: r.Dir, Workspace: r.Workspace,
		}.Name())), state))
	}
	return said
}

func (r RootView) name() string {
	if r.Workspace == "" || r.Workspace == roots.DefaultWorkspace {
		return r.Dir
	}
	return r.Dir + " (" + r.Workspace + ")"
}

// note says the most dangerous thing that the root does.
func (r RootView) note() string {
	if len(r.Summary.Resources) == 0 {
		switch {
		case r.Summary.RefreshOnly && len(r.Summary.Outputs) == 0:
			return "the state is up to date"
		case len(r.Summary.Outputs) > 0:
			return text.Count(len(r.Summary.Outputs), "output") + " changed"
		case len(r.Summary.Drift) > 0:
			return "no change; " + text.Count(len(r.Summary.Drift), "resource") + " drifted"
		}
		return "no change"
	}
	if r.Summary.RefreshOnly {
		return "**only the state** is brought up to date"
	}
	first := r.Summary.Resources[0]
	switch first.Action {
	case summary.Destroy:
		return markdown.Code(text.Clip(first.Address)) + " is **destroyed**"
	case summary.Replace:
		note := markdown.Code(text.Clip(first.Address)) + " is **replaced**"
		if len(first.Forced) > 0 {
			note += ": " + markdown.Code(text.Clip(strings.Join(first.Forced, ", "))) + " forces it"
		}
		return note
	}
	for _, res := range r.Summary.Resources {
		if len(res.Flags) > 0 {
			return "touches " + strings.Join(res.Flags, ", ")
		}
	}
	return ""
}

// opens says which files of the repository nothing but fetched modules open: that a change
// of those touches the root is known only when the modules are fetched.
func (r RootView) opens() string {
	name := ""
	switch s := r.Sources; {
	case s == nil:
		return ""
	case s.Fetched.Whole:
		name = "a dot (files: [.]), because they start programs, or open files whose paths are known only when terraform runs"
	case len(s.Fetched.Reads) > 0:
		name = s.Fetched.String()
	default:
		return ""
	}
	return "a change of what fetched modules open would not be planned: write into `files` of " + text.Clip(r.name()) +
		", in terraform.roots of waybill.yaml, " + name
}

func number(n int, danger bool) string {
	if n > 0 && danger {
		return fmt.Sprintf("**%d**", n)
	}
	return fmt.Sprint(n)
}

const maxWarning = 1000 // runes of one in a comment; the log has all of it

// cut shortens one of the warnings of a text of at most limit characters.
func cut(words string, limit int) string {
	return text.Cut(words, max(maxWarning, limit/100), "… (the rest is in the log of the run)")
}

// against is what speaks against a plan, or has to be known of it, the most dangerous
// first: it stands before what the plan does.
func (v View) against(limit int) []string {
	said := v.removed()
	add := func(root RootView, title, words string) {
		words = cut(words, limit)
		said = append(said, "⚠️ **"+title+"** in "+markdown.Code(text.Clip(root.name()))+":\n\n"+markdown.Fence("", words))
	}
	for _, r := range v.Roots {
		if r.Summary.RefreshOnly {
			said = append(said, "⚠️ **The state of** "+markdown.Code(text.Clip(r.name()))+" **is brought up to date with what exists; "+
				"nothing is changed there.** No change of its resources is planned while `refreshOnly: true` stands at its entry in "+
				"`terraform.roots`: take that away when this is applied.\n")
		}
		if len(r.Moves) > 0 {
			moves := cut(text.Printable(strings.Join(r.Moves, "\n")), limit)
			said = append(said, "⚠️ **More than resources changes** in "+markdown.Code(text.Clip(r.name()))+
				", so that as many must approve as for destroying:\n\n"+markdown.Fence("", moves))
		}
	}
	for _, r := range v.Roots {
		for _, c := range r.Summary.Checks {
			title := "A check fails"
			if c.Status == "error" {
				title = "A check could not be made"
			}
			add(r, title, text.Flat(c.Address)+": "+strings.Join(c.Messages, "\n"))
		}
		if len(r.Modules) > 0 {
			add(r, "Other modules are fetched", text.Printable(strings.Join(r.Modules, "\n")))
		}
		if opens := r.opens(); opens != "" {
			add(r, "Name what fetched modules open", opens)
		}
	}
	said = append(said, v.waits(limit)...)
	for _, r := range v.Roots {
		for _, w := range r.Summary.Warnings {
			if !ofACheck(w, r.Summary.Checks) {
				add(r, "terraform warns", w)
			}
		}
	}
	return append(said, v.bound()...)
}

// ofACheck reports whether a warning is that of a check, whose message stands there already.
// terraform breaks the lines of a warning, and not those of the message.
func ofACheck(warning string, checks []summary.Check) bool {
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	return strings.HasPrefix(warning, "Check block assertion failed\n") && slices.ContainsFunc(checks, func(c summary.Check) bool {
		return slices.ContainsFunc(c.Messages, func(m string) bool { return words(m) != "" && strings.Contains(words(warning), words(m)) })
	})
}

// waits says which roots are planned later, and which patterns match no workspace.
func (v View) waits(limit int) (said []string) {
	for _, w := range v.Waits {
		said = append(said, "⏳ "+markdown.Code(text.Clip(w.Dir))+" is planned when "+markdown.Text(text.List(w.After, maxNamed))+
			" is applied: comment `/plan` then, and approve what it says. It cannot be planned before:\n\n"+
			markdown.Fence("", cut(text.Printable(w.Why), limit)))
	}
	for _, none := range v.Unmatched {
		said = append(said, "⚠️ "+markdown.Text(text.Clip(none))+": nothing of it is planned.\n")
	}
	return said
}

const maxNamed = 20

// bound says which roots are bound to every file of the commit.
func (v View) bound() []string {
	var names []string
	for _, r := range v.Roots {
		if r.Whole {
			names = append(names, markdown.Code(text.Clip(r.name())))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{"The plan of " + text.List(names, maxNamed) + " is bound to every file of the commit, because the " +
		"configuration starts programs, opens files whose paths are known only when terraform runs, or waybill.yaml says so.\n"}
}

// warnings writes what speaks against a plan, as far as there is room. What has none is
// counted.
func (v View) warnings(out *strings.Builder, room int) {
	left := 0
	for _, one := range v.against(room) {
		if room -= utf8.RuneCountInString(one) + 1; room < roomForCount {
			left++
			continue
		}
		out.WriteString("\n" + one)
	}
	if left > 0 {
		out.WriteString("\n⚠️ **" + text.Count(left, "more warning") + "**: they are in the log of the run. Read them before you approve.\n")
	}
}
