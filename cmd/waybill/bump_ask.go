package main

import (
	"context"
	"fmt"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/delivery/asking"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// bumpByAsking asks the config repository's own workflow, and waits for its
// answer.
func bumpByAsking(ctx context.Context, call *cli.Call, repo place, branch string, image imageref.Ref) error {
	if !repo.hasForge() {
		return outcome.Usagef("--via deployment asks a repository on GitHub: give --repo, not --dir")
	}
	ctx, cancel := context.WithTimeout(ctx, call.In.Duration("timeout"))
	defer cancel()
	asker := asking.Asker{API: repo.api, Repository: repo.github, Branch: branch, Say: call.Sayf, Interval: asking.DefaultInterval, Within: asking.DefaultWithin}
	answer, err := asker.Ask(ctx, asking.Question{Image: image.String(), App: call.In.String("app"), Env: call.In.String("env")})
	if answer.State != "" {
		call.Sayf("answered %s: %s", answer.State, answer.URL)
	}
	if err == nil {
		if _, err := fmt.Fprintln(call.Stdout, answer.URL); err != nil {
			return err
		}
	}
	return outcome.Join(err, reportBumpDecision(call, err))
}

// answerer is where the bump's answer goes; nil where nobody asked by a
// deployment. It speaks with the job's token: the App that moves digests needs
// no right to deployments.
func answerer(call *cli.Call, repo place) (*asking.Answering, error) {
	id := call.In.Int("deployment")
	if id == 0 {
		return nil, nil
	}
	if !repo.hasForge() {
		return nil, outcome.Usagef("--deployment answers on GitHub: give --repo, not --dir")
	}
	api, err := githubClient(call)
	if err != nil {
		return nil, err
	}
	return &asking.Answering{API: api, Repository: repo.github, Deployment: int64(id), RunURL: call.Runner.Context().RunURL()}, nil
}

// reportBumpDecision writes the output `decision`, where err is one.
func reportBumpDecision(call *cli.Call, err error) error {
	decision, known := map[int]string{outcome.Done: "allowed", outcome.Refused: "refused", outcome.Pending: "pending"}[outcome.Code(err)]
	if !known {
		return nil
	}
	return call.Output("decision", decision)
}
