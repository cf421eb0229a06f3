package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/gate/apply"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// plainWords takes nothing that the runner would take as a command.
type plainWords struct{ w io.Writer }

func (p plainWords) Write(words []byte) (int, error) {
	if _, err := io.WriteString(p.w, runner.Plain(string(words))); err != nil {
		return 0, err
	}
	return len(words), nil
}

const applyMarker = "<!-- waybill:apply -->"

// applyRecord is what was applied, by whose approval.
type applyRecord struct {
	Fingerprint plan.Fingerprint   `json:"fingerprint"`
	Repository  string             `json:"repository,omitempty"`
	PullRequest int                `json:"pull_request,omitempty"`
	Head        string             `json:"head"`
	Plan        string             `json:"plan"` // where it is, sealed
	At          time.Time          `json:"at"`
	Applied     bool               `json:"applied"` // all of it
	Roots       []apply.RootResult `json:"roots"`
	Approval    *approval.Decision `json:"approval,omitempty"`
	Actor       string             `json:"actor,omitempty"` // who started the run
	Run         string             `json:"run,omitempty"`
}

func (a application) report(ctx context.Context, ref string, full plan.Fingerprint, results []apply.RootResult, decided *approval.Decision, failed error) error {
	call, where := a.call, a.where
	job := call.Runner.Context()
	applied := applyRecord{Fingerprint: full, Head: a.head, Plan: ref, At: time.Now().UTC().Truncate(time.Second), Applied: failed == nil, Roots: results, Approval: decided, Actor: job.Actor, Run: job.RunURL()}
	if where.onGitHub() {
		applied.Repository = where.repo.String()
	}
	if where.pull != nil {
		applied.PullRequest = where.pull.Number
	}
	document, err := jsonDocument(applied)
	if err != nil {
		return err
	}
	words := apply.Report(results)
	call.Sayf("%s", words)
	if call.In.String("format") == "json" {
		if _, err := fmt.Fprintln(call.Stdout, string(document)); err != nil {
			return err
		}
	}
	verdict := "**Applied** plan " + markdown.Code(full.Short())
	if failed != nil {
		verdict = "**Not applied in full:** plan " + markdown.Code(full.Short())
	}
	if decided != nil {
		verdict += ", approved by " + markdown.Text(orNobody(approvers(*decided)))
	}
	text := verdict + "\n\n" + markdown.Fence("", words)
	if failed != nil {
		text += "\n" + markdown.Fence("", failed.Error())
	}
	if applied.Run != "" {
		text += "\n" + markdown.Link("run", applied.Run) + "\n"
	}
	errs := []error{call.Runner.Summary(text), call.Output("applied", strconv.FormatBool(failed == nil)), call.Output("record", outputDocument(document))}
	if where.pull != nil && call.In.Bool("comment") {
		errs = append(errs, where.api.Comment(ctx, where.repo, where.pull.Number, cutRunes(applyMarker+"\n"+text+recordDetails(document), commentLimit)))
	}
	if err := a.signer.sign(ctx, record.Apply, full, ref, document); err != nil {
		errs = append(errs, fmt.Errorf("what is said above was done; its record is not signed: %w", err))
	}
	return outcome.Join(errs...)
}

// maxArmored is the most of a sealed state that is printed where it cannot be
// stored.
const maxArmored = 512 << 10

// keepState seals a state that the backend did not take, and keeps it beside
// the plan; in the log, where that fails: it is encrypted.
func keepState(ctx context.Context, call *cli.Call, ref, dir string, state []byte, identities []seal.Identity) (string, error) {
	sealed, err := seal.State(state, identities)
	if err != nil {
		return "", err
	}
	host := ""
	if parsed, path, err := seal.ParseRef(ref); err == nil && path == "" {
		host = parsed.Registry()
	}
	place, err := seal.SaveState(ctx, sealedStore(call, host), ref, dir, sealed)
	if err == nil {
		return place, nil
	}
	if len(sealed) > maxArmored {
		return "", err
	}
	text, armorErr := seal.Armored(sealed)
	if armorErr != nil {
		return "", armorErr
	}
	call.Sayf("the state of %s, sealed (it could not be kept beside the plan: %v)\n%s", dir, err, text)
	return "printed in the log", nil
}
