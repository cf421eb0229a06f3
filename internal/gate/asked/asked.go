// Package asked reads what a comment on a pull request asks for: /plan, /apply, /unlock
// and /help. Approvals are votes, not orders: the package approval reads those.
//
// A comment asks for something by its first line alone, and only if that line says
// nothing else. Whether its author may ask is for the caller to find out.
package asked

import (
	"path"
	"regexp"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Comment is a comment that started the run.
type Comment struct {
	ID     int64
	Action string // created, edited or deleted
	User   string
	Body   string
}

// Form is a comment that people write, and what it needs.
type Form struct {
	Words string // as they are written
	Does  string
	Needs string // of its author and of the pull request
}

// Forms are all of them. Help and documentation are made of this list.
var Forms = []Form{
	{"/plan", "Plans the pull request again, merged or not.", "write access"},
	{"/plan DIR", "Plans the root DIR again, in all its workspaces. Other roots keep their plans where these still stand.",
		"write access; a root that the pull request touches"},
	{"/plan DIR WORKSPACE", "The same, for one workspace.", "write access"},
	{"/approve FINGERPRINT", "Approves the plan with this fingerprint.", "the rule of each root names you; you are not the author, " +
		"nor the last who pushed"},
	{"/unapprove", "Takes back what you approved; with a fingerprint, that plan alone.", "an approval of yours"},
	{"/apply", "Applies the approved plan.", "write access; the merge, or `apply: before-merge`"},
	{"/apply FINGERPRINT", "The same, only if the plan is still that one.", "write access"},
	{"/unlock", "Ends the hold of this pull request, which was applied before its merge.", "write access"},
	{"/unlock DIR LOCK", "Ends a lock of terraform that a dead job left; `/unlock DIR WORKSPACE LOCK` in another workspace.",
		"write access; the lock's id, which the refused apply names"},
	{"/help", "Lists these comments, and the roots of the plan; `/waybill help` does the same.", "write access"},
}

// The grammar. Blanks before the first word and behind the last do not count, nor do
// lines behind the first.
var (
	planLine   = regexp.MustCompile(`(?m)\A\s*/plan(?:[ \t]+(\S+)(?:[ \t]+(\S+))?)?[ \t]*\r?$`)
	planWord   = regexp.MustCompile(`\A\s*/plan(\s|$)`)
	applyLine  = regexp.MustCompile(`(?m)\A\s*/apply(?:[ \t]+([0-9a-f][0-9a-f \t]*))?[ \t]*\r?$`)
	unlockLine = regexp.MustCompile(`(?m)\A\s*/unlock(?:[ \t]+(\S+)(?:[ \t]+(\S+))?[ \t]+(\S+))?[ \t]*\r?$`)
	unlockWord = regexp.MustCompile(`\A\s*/unlock(\s|$)`)
	helpLine   = regexp.MustCompile(`(?m)\A\s*/(?:waybill[ \t]+)?help[ \t]*\r?$`)
)

// Root is the root that a comment names; no directory is all of them, and no workspace
// those that the directory has.
type Root struct{ Dir, Workspace string }

// ParseRoot reads DIR or DIR WORKSPACE.
func ParseRoot(words string) (Root, error) {
	fields := strings.Fields(words)
	switch len(fields) {
	case 1:
		return Root{Dir: path.Clean(fields[0])}, nil
	case 2:
		return Root{path.Clean(fields[0]), fields[1]}, nil
	}
	return Root{}, outcome.Usagef("%s names no root: write DIR, or DIR WORKSPACE", text.Printable(text.Clip(words)))
}

// SaysPlan reports whether the comment asks for a plan, perhaps in words that nobody
// understands.
func (c Comment) SaysPlan() bool { return planWord.MatchString(c.Body) }

// Plan is the root that a comment asks to be planned again.
func (c Comment) Plan() (Root, error) {
	m := planLine.FindStringSubmatch(c.Body)
	switch {
	case m == nil:
		return Root{}, outcome.Usagef("the comment names no root: its first line is /plan, or /plan DIR, or /plan DIR WORKSPACE, and " +
			"nothing else")
	case m[1] == "":
		return Root{}, nil
	}
	return ParseRoot(m[1] + " " + m[2])
}

// Applies reports whether the comment asks for the plan to be applied.
func (c Comment) Applies() bool { return applyLine.MatchString(c.Body) }

// Fingerprint is what a comment says of the plan to apply; empty where it says nothing.
func (c Comment) Fingerprint() string {
	if m := applyLine.FindStringSubmatch(c.Body); m != nil {
		return m[1]
	}
	return ""
}

// Unlocks reports whether the comment asks for the end of a hold or of a lock.
func (c Comment) Unlocks() bool { return unlockLine.MatchString(c.Body) }

// SaysUnlock reports whether a comment asks for an unlock, perhaps in words that nobody
// understands.
func (c *Comment) SaysUnlock() bool { return c != nil && unlockWord.MatchString(c.Body) }

// Lock is which lock of a state a comment asks to end; no id is the hold of the pull
// request.
type Lock struct{ Dir, Workspace, ID string }

// Lock is the lock that a comment asks to end.
func (c Comment) Lock() Lock {
	m := unlockLine.FindStringSubmatch(c.Body)
	if m == nil {
		return Lock{}
	}
	return Lock{Dir: strings.TrimSuffix(m[1], "/"), Workspace: m[2], ID: m[3]}
}

// Helps reports whether the comment asks which comments there are.
func (c Comment) Helps() bool { return helpLine.MatchString(c.Body) }
