package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/gate/verdict"
)

func gateRequest(ctx context.Context, call *cli.Call, where *site.Site) (r verdict.Request, err error) {
	r = verdict.Request{
		Site: where, Fingerprint: call.In.String("fingerprint"), Backend: call.In.List("backend_config"), RunURL: call.Runner.Context().RunURL(),
		Planned: verdict.Planned{Result: call.In.String("plan_result"), Nothing: call.In.Bool("nothing_planned")},
		Queue:   verdict.Queue{Head: call.In.String("merge_group"), Base: call.In.String("merge_base")}, Registry: sealStores(call),
	}
	if r.Strict = call.In.Has("app_id") || call.In.Has("app_key"); r.Strict {
		if r.Reporter, err = configRepositoryClient(ctx, call, where.Repo); err != nil {
			return r, err
		}
	}
	if call.In.Bool("status") {
		r.Status = call.In.String("status_context")
	}
	if call.In.Has("seal_key") || call.In.Has("seal_key_file") {
		r.Key = func() ([]seal.Identity, error) { return sealKey(call) }
	}
	if call.In.Has("checkout") {
		if where.Top, err = top(ctx, call); err != nil {
			return r, err
		}
	}
	event, err := call.Runner.Event()
	if err != nil {
		return r, err
	}
	if group := event.MergeGroup; group != nil {
		if r.Queue.Base == "" {
			r.Queue.Base = group.BaseSHA
		}
		if r.Queue.Head == "" && event.Pull() == where.Pull.Number {
			r.Queue.Head = group.HeadSHA
		}
	}
	r.Teams, err = teamClient(call)
	return r, err
}
