package main

import (
	"cmp"
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/verdict"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func gateRequest(ctx context.Context, call *cli.Call, where *site.Site) (r verdict.Request, err error) {
	r = verdict.Request{
		Site: where, Reporter: where.API, Fingerprint: call.In.String("fingerprint"), Backend: call.In.List("backend_config"),
		Planned: verdict.Planned{Result: call.In.String("plan_result"), Nothing: call.In.Bool("nothing_planned")},
		Queue:   verdict.Queue{Head: call.In.String("merge_group"), Base: call.In.String("merge_base")},
		RunURL:  call.Runner.Context().RunURL(), Registry: sealStores(call),
	}
	if r.Strict = call.In.String("app_id")+call.In.String("app_key") != ""; r.Strict {
		if r.Reporter, err = configRepositoryClient(ctx, call, where.Repo); err != nil {
			return r, err
		}
	}
	event, err := call.Runner.Event()
	if err != nil {
		return r, err
	}
	if group := event.MergeGroup; group != nil {
		r.Queue.Base = cmp.Or(r.Queue.Base, group.BaseSHA)
		if event.Pull() == where.Pull.Number {
			r.Queue.Head = cmp.Or(r.Queue.Head, group.HeadSHA)
		}
	}
	if call.In.Bool("status") {
		r.Status = call.In.String("status_context")
	}
	if call.In.String("seal_key")+call.In.String("seal_key_file") != "" {
		r.Key = func() ([]seal.Identity, error) { return sealKey(call) }
	}
	if call.In.Has("checkout") {
		where.Top, r.Missing = top(ctx, call)
	}
	r.Teams, err = teamClient(call)
	r.Missing = outcome.Join(r.Missing, err)
	return r, nil
}
