package connect

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/delivery/proving"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
)

// prover starts the workflows that verify deployments, and reads how they ended.
func (a Access) prover(repo ConfigRepository, branch string) *proving.Prover {
	return &proving.Prover{
		API: repo.API, Repository: repo.GitHub, Dir: repo.Path, Branch: branch, Now: time.Now, Say: a.Call.Sayf, Dry: a.DryRun,
	}
}

// Verify starts the workflows that verify the deployments which a request is about, before
// it promotes them, and lets the judge know what is known of them.
func (a Access) Verify(ctx context.Context, repo ConfigRepository, judge *rules.Judge, req promote.Request) error {
	if !repo.HasForge() {
		return nil
	}
	tip, err := history.ReadTip(ctx, repo, req.Branch)
	if err != nil {
		return err
	}
	prover := a.prover(repo, req.Branch)
	judge.Verified = prover.Found
	return prover.Run(ctx, repo, proving.Request{Tip: tip, Judge: judge, Wants: req.Looks})
}
