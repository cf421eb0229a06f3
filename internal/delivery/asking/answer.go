package asking

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Answering reports to the question that a deployment carries.
type Answering struct {
	API        *github.Client
	Repository github.Repository
	Deployment int64
	RunURL     string
}

// Begin tells that the question was taken up.
func (a Answering) Begin(ctx context.Context) error {
	return a.report(ctx, "in_progress", "")
}

// End tells how it ended, also when ctx was cancelled. An error that could not
// be told is joined to the one that was to be told, which decides the outcome.
func (a Answering) End(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	state, reason := "error", "see the run"
	for name, code := range final {
		if outcome.Code(err) == code {
			state = name
		}
	}
	switch outcome.Code(err) {
	case outcome.Done:
		reason = ""
	case outcome.Refused, outcome.Pending:
		reason = text.FirstLine(err.Error())
	case outcome.Usage: // the question itself is wrong: its text may be shown to who asked
		reason = text.FirstLine(err.Error())
	}
	return outcome.Join(err, a.report(ctx, state, reason))
}

func (a Answering) report(ctx context.Context, state, reason string) error {
	return a.API.SetDeploymentStatus(
		ctx, a.Repository, a.Deployment, github.DeploymentStatus{State: state, Description: reason, LogURL: a.RunURL},
	)
}
