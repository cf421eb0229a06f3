package main

import (
	"cmp"
	"context"

	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/verdict"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// answerHelp answers a comment /help. It reads no input that holds a secret.
func answerHelp(ctx context.Context, access connect.Access, in options.Gate, where *site.Site) (r verdict.Result, err error) {
	event, err := access.Call.Runner.Event()
	if err != nil {
		return r, err
	}
	request := verdict.Request{Site: where, Status: in.StatusContext, Registry: access.SealStores()}
	if err = request.Help(ctx, connect.Asked(event)); err != nil {
		return r, err
	}
	return verdict.Result{Site: where, Helped: true}, nil
}

func gateRequest(ctx context.Context, access connect.Access, in options.Gate, where *site.Site) (r verdict.Request, err error) {
	r = verdict.Request{
		Site: where, Reporter: where.API, Fingerprint: in.Fingerprint, Backend: in.BackendConfig,
		Planned: verdict.Planned{Result: in.PlanResult, Nothing: in.NothingPlanned},
		Queue:   verdict.Queue{Head: in.MergeGroup, Base: in.MergeBase},
		RunURL:  access.Call.Runner.Context().RunURL(), Registry: access.SealStores(),
	}
	if r.Strict = in.AppID+in.AppKey != ""; r.Strict {
		app := access // it may comment; the job's token starts workflows
		app.Permissions = map[string]string{"contents": "read", "pull-requests": "write", "statuses": "write"}
		if r.Reporter, err = app.RepositoryClient(ctx, where.Repo); err != nil {
			return r, err
		}
	}
	event, err := access.Call.Runner.Event()
	if err != nil {
		return r, err
	}
	if group := event.MergeGroup; group != nil && event.Pull() == where.Pull.Number {
		r.Queue = verdict.Queue{Head: cmp.Or(r.Queue.Head, group.HeadSHA), Base: cmp.Or(r.Queue.Base, group.BaseSHA)}
	}
	if r.Queue.Head == "" && r.Queue.Base != "" {
		return r, outcome.Usagef("--merge-base is of which group? Give --merge-group too")
	}
	r.HooksSaid, r.Path, r.Comments = in.Hooks, access.Call.Getenv("PATH"), in.Comment
	if in.Status {
		r.Status = in.StatusContext
	}
	if in.SealKey+in.SealKeyFile != "" {
		r.Key = func() ([]seal.Identity, error) { return connect.SealKey(in.SealKey, in.SealKeyFile) }
	}
	if in.Checkout != "" {
		where.Top, r.Missing = connect.Top(ctx, in.Checkout)
	}
	r.Teams, err = access.Teams(in.TeamToken)
	r.Missing = outcome.Join(r.Missing, err)
	return r, nil
}
