// Package notice says what happened, for those who want to be told.
//
// A notification is for information: it decides nothing, and no command fails for it.
package notice

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/text"
)

// Schema names the form of Event.
const Schema = "https://waybill.dev/event/v1"

// Event is a fact, as it is posted.
type Event struct {
	Schema     string       `json:"schema"`
	ID         string       `json:"id"`    // the same for the same fact
	Event      string       `json:"event"` // deployed, refused, waiting or rolled-back
	Repository string       `json:"repository"`
	Path       string       `json:"path,omitempty"` // directory of the repository that holds waybill.yaml
	App        string       `json:"app,omitempty"`
	Env        string       `json:"env,omitempty"`
	Image      imageref.Ref `json:"image,omitzero"`
	Previous   imageref.Ref `json:"previous,omitzero"`
	// Parts are the images that move, of an application with several; image is empty then.
	Parts  []history.Moved `json:"parts,omitempty"`
	Commit string          `json:"commit,omitempty"` // of the config repository: of the deployment, or the head that was judged
	Pull   int             `json:"pull_request,omitempty"`
	URL    string          `json:"url,omitempty"` // of the pull request, or of the run
	Reason string          `json:"reason,omitempty"`
}

// maxReason bounds what is said.
const maxReason = 2000

// complete fills in what follows from the rest.
func (e Event) complete() Event {
	e.Schema, e.Reason = Schema, text.Cut(e.Reason, maxReason, "…")
	sum := sha256.Sum256(fmt.Appendf(
		nil, "%s\n%s\n%s\n%s\n%s\n%s\n%d", e.Repository, e.Event, e.App, e.Env, e.Image, e.Commit, e.Pull,
	))
	for _, p := range e.Parts {
		sum = sha256.Sum256(append(sum[:], p.Image.String()...))
	}
	if e.Path != "" {
		sum = sha256.Sum256(append(sum[:], e.Path...))
	}
	e.ID = hex.EncodeToString(sum[:16])
	return e
}

// Body is an event in a form, and its id.
func Body(e Event, format string) (body []byte, id string, err error) {
	e = e.complete()
	if format == config.NotifySlack {
		body, err = json.Marshal(map[string]any{"text": e.slack(), "unfurl_links": false})
		return body, e.ID, err
	}
	body, err = json.Marshal(e)
	return body, e.ID, err
}

// slackEscapes are all that Slack takes for markup of its own.
// https://docs.slack.dev/messaging/formatting-message-text/#escaping
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slack is an event as one message. Text from outside cannot mention anybody, or
// give a link another name.
func (e Event) slack() string {
	plain := func(s string) string { return slackEscapes.Replace(strings.Join(strings.Fields(s), " ")) }
	what := strings.TrimSpace(e.App + " in " + e.Env)
	if e.App == "" {
		what = e.Repository
	}
	words := map[string]string{
		config.EventDeployed: "deployed", config.EventRefused: "refused", config.EventWaiting: "waiting",
		config.EventRolledBack: "rolled back",
	}
	out := fmt.Sprintf("*%s*: %s", words[e.Event], plain(what))
	if !e.Image.IsZero() {
		out += " " + plain(e.Image.Short())
	}
	for _, p := range e.Parts {
		out += " " + plain(p.Part+" "+p.Image.Short())
	}
	if e.Reason != "" {
		out += ": " + plain(e.Reason)
	}
	if strings.HasPrefix(e.URL, "https://") && !strings.ContainsAny(e.URL, "|<> \n") {
		out += " <" + slackEscapes.Replace(e.URL) + "|more>"
	}
	return out
}
