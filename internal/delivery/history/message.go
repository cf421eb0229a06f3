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
	Apps     []string // most often one
	Env      string
	Images   Set      // that it brings; of an application of several, those that change
	Previous Set      // that ran in their places
	Sources  []string // OWNER/NAME@COMMIT the images were built from
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
	fmt.Fprintf(&out, "%s %s in %s", subject, strings.Join(m.Apps, ", "), m.Env)
	if images := Set(m.Images.Images()); len(images) > 0 {
		fmt.Fprintf(&out, " to %s", images.subject())
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
	trailer := func(name string, values ...string) {
		for _, value := range values {
			if value = strings.Join(strings.Fields(value), " "); value != "" {
				fmt.Fprintf(&out, "%s: %s\n", name, value)
			}
		}
	}
	trailer(TrailerVerb, m.Verb)
	trailer(TrailerApp, m.Apps...)
	trailer(TrailerEnvironment, m.Env)
	trailer(TrailerImage, Set(m.Images.Images()).texts(imageref.Ref.String)...)
	trailer(TrailerPrevious, Set(m.Previous.Images()).texts(imageref.Ref.String)...)
	trailer(TrailerSource, m.Sources...)
	trailer(TrailerCommitted, committed)
	trailer(TrailerRun, m.Run)
	return out.String()
}

// subject names the digests in a line that is not long.
func (s Set) subject() string {
	const shown = 3
	if len(s) <= shown {
		return s.Short()
	}
	return fmt.Sprintf("%s and %d more", s[:shown].Short(), len(s)-shown)
}

// Trailer reads a trailer of a commit message; empty when there is none.
func Trailer(message, name string) string {
	if values := Trailers(message, name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Trailers reads every trailer of one name.
func Trailers(message, name string) (values []string) {
	paragraphs := strings.Split(strings.TrimSpace(message), "\n\n")
	for line := range strings.SplitSeq(paragraphs[len(paragraphs)-1], "\n") {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}
