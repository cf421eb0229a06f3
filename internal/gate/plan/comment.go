package plan

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/text"
)

// Marker begins the one plan comment of a pull request.
const Marker = "<!-- waybill:plan -->"

// MaxComment is the most characters of a comment.
const MaxComment = 65536

const (
	maxRows    = 60  // of the table
	maxAddress = 250 // runes shown of an address in the table
)

// Claim is what the comment says of itself to machines. Whoever acts on it
// verifies it: anybody who may edit comments can write one.
type Claim struct {
	Fingerprint Fingerprint `json:"fingerprint"`
	Plan        string      `json:"plan,omitempty"` // where the sealed plan is
	Head        string      `json:"head"`
	Roots       []ClaimRoot `json:"roots,omitempty"` // left out where there are too many
	// Text is the plan in Markdown, where the sealed plan was opened.
	Text string `json:"-"`
}

// ClaimRoot is a root as the comment claims it.
type ClaimRoot struct {
	Dir      string `json:"dir"`
	Destroys bool   `json:"destroys,omitempty"`
	Changes  bool   `json:"changes,omitempty"`
	// Sources are the directories that the root's files are in, its own and
	// those of its local modules; VarFiles its files of variables. Digests are
	// those of the fingerprint's document.
	Sources       []string `json:"sources,omitempty"`
	Workspace     string   `json:"workspace,omitempty"`
	Removed       bool     `json:"removed,omitempty"` // it is no root any more
	Whole         bool     `json:"whole,omitempty"`
	VarFiles      []string `json:"var_files,omitempty"`
	Configuration string   `json:"configuration,omitempty"`
}

// Uses reports whether a file, from the top of the repository, is one of the
// root's.
func (r ClaimRoot) Uses(file string) bool {
	return (&Sources{Dirs: r.Sources, VarFiles: r.VarFiles, Whole: r.Whole}).Uses(file)
}

// maxClaim keeps the claim well below the size of a comment: some 100 roots.
const maxClaim = 30_000

// View is what a comment shows.
type View struct {
	Fingerprint Fingerprint
	Head        string
	Roots       []RootView
	Removed     []Removed // roots that the change takes away
	Sealed      string    // where the sealed plan is; empty when it was not kept
	Approval    string    // Markdown: who must approve; empty says nothing of approval
	RunURL      string
}

// RootView is one root of it.
type RootView struct {
	Dir       string
	Workspace string
	Summary   Summary
	Whole     bool     // it is bound to every file of the commit
	Sources   *Sources // nil where it is not known
}

// View of a result.
func (r *Result) View() View {
	v := View{Fingerprint: r.Fingerprint, Head: r.Document.Head, Removed: r.Document.Removed}
	for _, root := range r.Roots {
		v.Roots = append(v.Roots, RootView{Dir: root.Record.Dir, Workspace: root.Record.Workspace, Summary: root.Summary, Whole: root.Record.Whole, Sources: root.Sources})
	}
	return v
}

// Claim is what the plan is, for whoever decides about it.
func (v View) Claim() Claim {
	claim := Claim{Fingerprint: v.Fingerprint, Plan: v.Sealed, Head: v.Head}
	for _, r := range v.Roots {
		root := ClaimRoot{Dir: r.Dir, Workspace: r.Workspace, Destroys: r.Summary.Destroys(), Changes: r.Summary.Changes()}
		if s := r.Sources; s != nil {
			root.Sources, root.VarFiles, root.Configuration, root.Whole = append(s.Dirs[:len(s.Dirs):len(s.Dirs)], s.Files...), s.VarFiles, s.Digest, s.Whole
		}
		claim.Roots = append(claim.Roots, root)
	}
	for _, r := range v.Removed {
		claim.Roots = append(claim.Roots, ClaimRoot{Dir: r.Dir, Workspace: r.Workspace, Removed: true, Destroys: true, Changes: true, Sources: []string{r.Dir}})
	}
	return claim
}

func (v View) claim() string { return v.Claim().comment() }

// comment is the claim as a line that readers do not see.
func (c Claim) comment() string {
	data, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	if len(data) > maxClaim {
		c.Roots = nil
		if data, err = json.Marshal(c); err != nil {
			return ""
		}
	}
	// -- would end the comment; JSON reads its escaped form.
	return "<!-- waybill:claim " + strings.ReplaceAll(string(data), "--", `\u002d\u002d`) + " -->"
}

var claimLine = regexp.MustCompile(`(?m)\A<!-- waybill:plan -->\r?\n<!-- waybill:claim (\{.*\}) -->\r?$`)

// ReadClaim finds what a plan comment says of itself.
func ReadClaim(comment string) (Claim, bool) {
	m := claimLine.FindStringSubmatch(comment)
	if m == nil {
		return Claim{}, false
	}
	var c Claim
	if json.Unmarshal([]byte(m[1]), &c) != nil {
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
	line := fmt.Sprintf("**%s · %d to add, %d to change, %d to replace%s, %d to destroy%s**", count(len(v.Roots), "root"),
		total[Add], total[Change], total[Replace], warn(Replace), total[Destroy], warn(Destroy))
	for _, more := range []struct{ action, word string }{{Import, "to import"}, {Move, "moved"}, {Forget, "to forget"}} {
		if total[more.action] > 0 {
			line += fmt.Sprintf(" · %d %s", total[more.action], more.word)
		}
	}
	return line + " · fingerprint " + markdown.Code(v.Fingerprint.Short())
}

func (v View) table(out *strings.Builder) {
	out.WriteString(markdown.Row("root", "add", "change", "replace", "destroy", "") + "|---|---|---|---|---|---|\n")
	for i, r := range v.dangerous() {
		if i == maxRows {
			fmt.Fprintf(out, "\n%s more; what they change is below.\n", count(len(v.Roots)-maxRows, "root"))
			return
		}
		c := r.Summary.Counts
		out.WriteString(markdown.Row(markdown.Code(clip(r.name())), number(c[Add], false), number(c[Change], false), number(c[Replace], true), number(c[Destroy], true), r.note()))
	}
}

// removed says what nothing plans any more.
func (v View) removed(out *strings.Builder) {
	for i, r := range v.Removed {
		if i == maxRows {
			fmt.Fprintf(out, "\n%s more are taken away.\n", count(len(v.Removed)-maxRows, "root"))
			return
		}
		state := ""
		if r.State != "" {
			state = " (" + markdown.Code(clip(r.State)) + ")"
		}
		fmt.Fprintf(out, "\n⚠️ **%s is no root any more.** What its state%s holds stays in the cloud as orphans: nothing plans, changes or destroys it from now on. "+
			"To destroy it, do that first, in a pull request that empties the root.\n", markdown.Code(clip(Owner{Dir: r.Dir, Workspace: r.Workspace}.name())), state)
	}
}

func (r RootView) name() string {
	if r.Workspace == "" || r.Workspace == DefaultWorkspace {
		return r.Dir
	}
	return r.Dir + " (" + r.Workspace + ")"
}

// note says the most dangerous thing that the root does.
func (r RootView) note() string {
	if len(r.Summary.Resources) == 0 {
		switch {
		case len(r.Summary.Outputs) > 0:
			return count(len(r.Summary.Outputs), "output") + " changed"
		case len(r.Summary.Drift) > 0:
			return "no change; " + count(len(r.Summary.Drift), "resource") + " drifted"
		}
		return "no change"
	}
	first := r.Summary.Resources[0]
	switch first.Action {
	case Destroy:
		return markdown.Code(clip(first.Address)) + " is **destroyed**"
	case Replace:
		text := markdown.Code(clip(first.Address)) + " is **replaced**"
		if len(first.Forced) > 0 {
			text += ": " + markdown.Code(clip(strings.Join(first.Forced, ", "))) + " forces it"
		}
		return text
	}
	for _, res := range r.Summary.Resources {
		if len(res.Flags) > 0 {
			return "touches " + strings.Join(res.Flags, ", ")
		}
	}
	return ""
}

func number(n int, danger bool) string {
	if n > 0 && danger {
		return fmt.Sprintf("**%d**", n)
	}
	return fmt.Sprint(n)
}

var verbs = map[string]string{Destroy: "is destroyed", Replace: "is replaced", Forget: "is forgotten", Change: "changes", Add: "is added", Import: "is imported", Move: "moves"}

// signs begin a line of the difference, so that GitHub colours it.
var signs = map[string]string{Destroy: "- ", Replace: "-+", Forget: "- ", Change: "~ ", Add: "+ ", Import: "+ ", Move: "~ "}

func (r Resource) lines(what string) []string {
	head := signs[r.Action] + " " + what + text.VisibleQuoted(flat(r.Address)) + " " + verbs[r.Action]
	if r.Previous != "" {
		head += ", was " + flat(r.Previous)
	}
	if r.Imported && r.Action != Import {
		head += ", imported"
	}
	if len(r.Flags) > 0 {
		head += "  [" + strings.Join(r.Flags, ", ") + "]"
	}
	return append([]string{head}, r.AttributeLines()...)
}

// line keeps text from outside on the line that it is given to.
func line(s string) string { return strings.Join(strings.Fields(clip(s)), " ") }

func clip(s string) string {
	s = text.VisibleQuoted(s) // keys in addresses are quoted already
	if utf8.RuneCountInString(s) <= maxAddress {
		return s
	}
	return string([]rune(s)[:maxAddress]) + "…"
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
