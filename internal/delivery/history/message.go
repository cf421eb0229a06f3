package history

import (
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Trailers that every commit of Waybill ends with, so that the history can be
// read by git log --format='%(trailers)' and by Waybill.
// https://git-scm.com/docs/git-interpret-trailers
const (
	TrailerVerb        = "Waybill-Verb"
	TrailerApp         = "Waybill-App"
	TrailerEnvironment = "Waybill-Environment"
	TrailerImage       = "Waybill-Image"
	TrailerPrevious    = "Waybill-Previous"
	TrailerSource      = "Waybill-Source"
	TrailerCommitted   = "Waybill-Committed"
	TrailerRun         = "Waybill-Run"
)

// Verbs are what a commit of Waybill does, as its trailer says.
const (
	Bump     = "bump"
	Promote  = "promote"
	RollBack = "rollback"
	Hold     = "hold"
	Lift     = "lift"
)

// subjects are the verbs as people read them.
var subjects = map[string]string{RollBack: "roll back", Lift: "lift the hold of"}

// Message is the commit message of a deployment or of a hold.
type Message struct {
	Verb     string
	App, Env string
	Image    imageref.Ref
	Previous imageref.Ref
	Source   string // OWNER/NAME@COMMIT the image was built from
	// Committed is when that commit was made, as far as that is signed.
	Committed time.Time
	Run       string // URL of the run that makes the commit
	Reason    string // a paragraph for people
}

// String gives subject, reason and trailers.
func (m Message) String() string {
	var out strings.Builder
	subject := subjects[m.Verb]
	if subject == "" {
		subject = m.Verb
	}
	fmt.Fprintf(&out, "%s %s in %s", subject, m.App, m.Env)
	if !m.Image.IsZero() {
		fmt.Fprintf(&out, " to %s", m.Image.Short())
	}
	out.WriteByte('\n')
	if reason := strings.TrimSpace(m.Reason); reason != "" {
		fmt.Fprintf(&out, "\n%s\n", strings.Join(strings.Fields(reason), " "))
	}
	out.WriteString("\n")
	committed := ""
	if !m.Committed.IsZero() {
		committed = m.Committed.UTC().Format(time.RFC3339)
	}
	for _, t := range [][2]string{
		{TrailerVerb, m.Verb}, {TrailerApp, m.App}, {TrailerEnvironment, m.Env}, {TrailerImage, m.Image.String()},
		{TrailerPrevious, m.Previous.String()}, {TrailerSource, m.Source}, {TrailerCommitted, committed}, {TrailerRun, m.Run},
	} {
		if value := strings.Join(strings.Fields(t[1]), " "); value != "" {
			fmt.Fprintf(&out, "%s: %s\n", t[0], value)
		}
	}
	return out.String()
}

// Trailer reads a trailer of a commit message; empty when there is none.
func Trailer(message, name string) string {
	paragraphs := strings.Split(strings.TrimSpace(message), "\n\n")
	for line := range strings.SplitSeq(paragraphs[len(paragraphs)-1], "\n") {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
