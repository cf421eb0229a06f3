package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/delivery/bump"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
)

// proposer opens pull requests for a first environment that takes those.
func proposer(
	repo connect.ConfigRepository, judge *rules.Judge, r bump.Request, checkWorkflow string,
) func(context.Context) (bump.Proposal, error) {
	promoter := promote.Promoter{Repo: repo, Judge: judge}
	if repo.HasForge() { // else the branch alone
		promoter.Forge = repo.Forge(r.Branch, checkWorkflow)
	}
	return func(ctx context.Context) (bump.Proposal, error) {
		p, err := promoter.Propose(ctx, promote.Request{
			App: r.App, To: r.Env, Images: r.Images, Branch: r.Branch, AllowOlder: r.AllowOlder, Run: r.Run,
		})
		return bump.Proposal{Number: p.Number, URL: p.URL, Branch: p.Branch, State: p.State}, err
	}
}
