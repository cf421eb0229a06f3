package apply

import (
	"time"

	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// Marker begins the comments that say what was applied.
const Marker = comment.AppliedMarker

// Job is the run that applied a plan.
type Job struct{ Actor, URL string }

// Record is what was applied, by whose approval.
type Record struct {
	Fingerprint plan.Fingerprint   `json:"fingerprint"`
	Repository  string             `json:"repository,omitempty"`
	PullRequest int                `json:"pull_request,omitempty"`
	Head        string             `json:"head"`
	Plan        string             `json:"plan"` // where it is, sealed
	At          time.Time          `json:"at"`
	Applied     bool               `json:"applied"` // all of it
	Roots       []RootResult       `json:"roots"`
	Approval    *approval.Decision `json:"approval,omitempty"`
	Actor       string             `json:"actor,omitempty"` // who started the run
	Run         string             `json:"run,omitempty"`
}

func (r *Result) record(job Job, at time.Time) *Record {
	record := &Record{
		Fingerprint: r.Fingerprint, Repository: r.Site.Name(), Head: r.Head, Plan: r.Plan,
		At: at.UTC().Truncate(time.Second), Applied: r.Failed == nil,
		Roots: r.Roots, Approval: r.Approval, Actor: job.Actor, Run: job.URL,
	}
	if r.Site.Pull != nil {
		record.PullRequest = r.Site.Pull.Number
	}
	return record
}

// Markdown says what was applied and what was not.
func (r *Result) Markdown() string {
	text := "**Applied** plan " + markdown.Code(r.Fingerprint.Short())
	if r.Failed != nil {
		text = "**Not applied in full:** plan " + markdown.Code(r.Fingerprint.Short())
	}
	if r.Approval != nil {
		text += ", approved by " + markdown.Text(r.Approval.By())
	}
	text += "\n\n" + markdown.Fence("", Report(r.Roots))
	if r.Failed != nil {
		text += "\n" + markdown.Fence("", r.Failed.Error())
	}
	if r.Record.Run != "" {
		text += "\n" + markdown.Link("run", r.Record.Run) + "\n"
	}
	return text
}
