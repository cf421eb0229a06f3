package connect

import (
	"context"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/landed"
	"github.com/waybill-dev/waybill/internal/delivery/notice"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/door/github"
)

// RecordDeployments shows on GitHub what runs where, and tells of what a person
// merged. It never fails. The job's token makes the deployments: what that does starts
// no workflow.
func (a Access) RecordDeployments(ctx context.Context, repo ConfigRepository, branch, run string, told []promote.Promotion) {
	if a.DryRun {
		return
	}
	if !repo.HasForge() {
		a.Call.Sayf("note     no deployments were recorded: they are GitHub's, and the repository is a directory")
		return
	}
	api, err := a.GitHubClient()
	if err != nil {
		a.Call.Sayf("note     no deployments were recorded: %v", err)
		return
	}
	tip, err := history.ReadTip(ctx, repo, branch)
	if err != nil {
		a.Call.Sayf("note     no deployments were recorded: %v", err)
		return
	}
	made, err := landed.Record(ctx, api, repo.GitHub, tip)
	if err != nil {
		a.Call.Sayf("note     not every deployment was recorded: %v", err)
	}
	if a.RecordArtifacts {
		a.recordArtifacts(ctx, api, repo, tip, made)
	}
	var events []notice.Event
	for _, l := range made {
		if !l.Previous.IsZero() && !byWaybill(ctx, repo, tip, l, told) {
			events = append(events, notice.Event{
				Event: config.EventDeployed, App: l.App, Env: l.Env, Image: l.Image, Previous: l.Previous, Commit: l.Commit, URL: run,
			})
		}
	}
	a.Notify(ctx, repo, branch, events...)
}

// recordArtifacts tells the organisation's page of linked artifacts what came where. Where
// GitHub does not take one record, because the owner is a person or a right is missing,
// it takes no other.
func (a Access) recordArtifacts(
	ctx context.Context, api *github.Client, repo ConfigRepository, tip history.Tip, made []landed.Landing,
) {
	for _, l := range made {
		app, err := tip.Config.App(l.App)
		if err == nil {
			err = l.Artifacts(ctx, api, repo.GitHub, app.Source)
		}
		if err != nil {
			a.Call.Sayf("note     the linked artifacts of %s were not told what runs where: %v: it needs an organisation, and "+
				"artifact-metadata: write of the job; record_artifacts: false leaves it out", repo.GitHub.Owner, err)
			return
		}
	}
}

// byWaybill reports whether a commit of Waybill itself brought a digest: then whoever
// made it has told it.
func byWaybill(ctx context.Context, repo ConfigRepository, tip history.Tip, l landed.Landing, told []promote.Promotion) bool {
	for _, p := range told {
		if p.State == promote.Committed && p.App == l.App && p.To == l.Env {
			return true
		}
	}
	app, err := tip.Config.App(l.App)
	if err != nil {
		return false
	}
	period, found, err := history.Find(ctx, repo, history.Where{Rev: tip.Commit, App: app, Env: l.Env}, l.Image)
	if err != nil || !found {
		return false
	}
	if !slices.Contains(history.Trailers(period.Message, history.TrailerImage), l.Image.String()) {
		return false
	}
	env, err := tip.Config.Environment(l.Env)
	return err == nil && (env.Promotion == config.Auto || history.Trailer(period.Message, history.TrailerVerb) == history.RollBack)
}
