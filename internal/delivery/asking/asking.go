// Package asking is how an application's run asks the config repository for a
// bump, and how that repository answers.
//
// The question is a GitHub deployment in the config repository. A holder of
// `deployments: write` there can create one, and can start nothing but the
// workflows that listen to deployments. The answer is a status of that
// deployment. Both are data of GitHub's API: no name of a run, job or step has
// a meaning.
//
// The question carries no trust. The config repository judges the evidence of
// the digest, and the answer only tells the asking run how it ended.
package asking

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/retry"
)

// Task marks a deployment as a question to Waybill; workflows filter by it.
const Task = "waybill-bump"

// Question says what to bump. Its JSON is the deployment's payload.
type Question struct {
	// Image is by digest; of an application with several images one a line, which move by
	// one commit.
	Image string `json:"image"`
	App   string `json:"app"`
	Env   string `json:"env"`
	// Path is the directory of the repository that is asked; empty is all of it.
	Path string `json:"path,omitempty"`
}

// Answer is how the config repository's run ended.
type Answer struct {
	State  string // as GitHub names it: success, failure, inactive or error
	Reason string // one line
	URL    string // of the run, if it said so
}

// Asker asks one config repository.
type Asker struct {
	API        *github.Client
	Repository github.Repository
	Branch     string                               // whose workflows run
	Say        func(format string, args ...any)     // progress; must not be nil
	Interval   time.Duration                        // between two looks at the answer
	Within     time.Duration                        // in which a run must have started
	Now        func() time.Time                     // time.Now if nil
	Sleep      func(context.Context, time.Duration) // waits; time passes if nil
}

// Intervals that suit GitHub, which allows an App 5,000 requests an hour.
const (
	DefaultInterval = 3 * time.Second
	DefaultWithin   = 3 * time.Minute
)

// The states in which an answer is final, and the outcome that each one tells.
// GitHub has no state for "not yet": inactive is the one that claims nothing.
var final = map[string]int{"success": outcome.Done, "failure": outcome.Refused, "inactive": outcome.Pending, "error": outcome.Broken}

// Ask asks, and waits for the answer until ctx ends. The error carries the
// outcome: refused, pending, or broken.
func (a Asker) Ask(ctx context.Context, q Question) (Answer, error) {
	id, err := a.API.CreateDeployment(ctx, a.Repository, github.NewDeployment{
		Ref: a.Branch, Task: Task, Environment: Task + "/" + q.Env, Description: "asks for " + q.App + " in " + q.Env, Payload: q,
	})
	if err != nil {
		return Answer{}, err
	}
	a.Say("asked    %s: %s for %s in %s (deployment %d)", a.Repository, strings.ReplaceAll(q.Image, "\n", ", "), q.App, q.Env, id)
	answer, err := a.wait(ctx, id)
	if err != nil {
		return Answer{}, err
	}
	return answer, answer.verdict(a.Repository)
}

func (a Asker) wait(ctx context.Context, id int64) (Answer, error) {
	now := a.Now
	if now == nil {
		now = time.Now
	}
	deadline, started := now().Add(a.Within), ""
	for {
		statuses, err := a.API.DeploymentStatuses(ctx, a.Repository, id)
		if err != nil && ctx.Err() == nil {
			return Answer{}, err
		}
		for _, s := range statuses {
			if _, ends := final[s.State]; ends {
				return Answer{State: s.State, Reason: s.Description, URL: s.LogURL}, nil
			}
			started = s.LogURL
		}
		switch {
		case ctx.Err() != nil:
			return Answer{}, fmt.Errorf("wait for the answer of %s to deployment %d %s: %w: the answer may still come; look there "+
				"before asking again",
				a.Repository, id, started, context.Cause(ctx))
		case len(statuses) == 0 && now().After(deadline):
			return Answer{}, fmt.Errorf("no workflow of %s took up deployment %d within %s: bump.yml on %s must listen to "+
				"`deployment` with the task %s",
				a.Repository, id, a.Within, a.Branch, Task)
		}
		a.sleep(ctx)
	}
}

func (a Asker) sleep(ctx context.Context) {
	if a.Sleep != nil {
		a.Sleep(ctx, a.Interval)
		return
	}
	_ = retry.Wait(ctx, a.Interval) // the caller sees that ctx has ended
}

func (a Answer) verdict(repository github.Repository) error {
	see := ""
	if a.URL != "" {
		see = " (see " + a.URL + ")"
	}
	switch final[a.State] {
	case outcome.Done:
		return nil
	case outcome.Refused:
		return outcome.Refusedf("%s refused: %s%s", repository, a.Reason, see)
	case outcome.Pending:
		return outcome.Pendingf("%s says not yet: %s%s", repository, a.Reason, see)
	}
	return fmt.Errorf("the run of %s broke: %s%s", repository, a.Reason, see)
}
