package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/collect"
	"github.com/waybill-dev/waybill/internal/delivery/tag"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runTag(ctx context.Context, call *cli.Call) error {
	image, err := imageref.Parse(call.In.String("image"))
	if err != nil {
		return outcome.Usagef("%w", err)
	}
	cfg, err := config.Load(call.In.String("policy"))
	if err != nil {
		return outcome.Usagef("%w", err)
	}
	app, policy, err := policyFor(call, cfg, image)
	if err != nil {
		return err
	}
	policy.Server = call.Env(contract.EnvGitHubServer)
	verifier, err := sigstore.NewVerifier(sigstore.VerifierOptions{
		TrustedRoot: call.In.String("trusted_root"), Keys: cfg.PublicKeys(), Trusts: policy.Trusts,
	})
	if err != nil {
		return err
	}
	facts, err := tagFacts(ctx, call)
	if err != nil {
		return err
	}
	client := registryClient(call, image.Registry())
	waybill, err := collect.Verify(ctx, collect.Deps{Registry: client, Verifier: verifier, Server: policy.Server}, image, policy, time.Now())
	if err != nil {
		return err
	}
	waybill.App, waybill.Env = app, call.In.String("env")
	tags, notes, err := tag.Plan(waybill, call.In.List("tags"), facts)
	if err != nil {
		return err
	}
	for _, note := range notes {
		call.Sayf("note: %s", note)
	}
	written, err := tag.Apply(ctx, client, waybill, tags)
	for _, reference := range written {
		if _, err := fmt.Fprintln(call.Stdout, reference); err != nil {
			return err
		}
	}
	return outcome.Join(err, call.Output("tags", strings.Join(written, "\n")), call.Runner.Summary(waybill.Markdown()))
}

// tagFacts reads what the job is about, and outside Actions what git says of
// the working directory.
func tagFacts(ctx context.Context, call *cli.Call) (tag.Facts, error) {
	facts := tag.Facts{Now: time.Now()}
	if call.Runner.Active() {
		job := call.Runner.Context()
		facts.Commit, facts.Ref, facts.RunNumber = job.SHA, job.Ref, job.RunNumber
		return facts, nil
	}
	d, err := git.Describe(ctx, ".")
	if err != nil {
		return tag.Facts{}, err
	}
	facts.Commit, facts.Ref = d.Commit, d.Ref
	return facts, nil
}
