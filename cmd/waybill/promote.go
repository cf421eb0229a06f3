package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/delivery/promote"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runPromote(ctx context.Context, call *cli.Call) error {
	repo, err := openRepository(ctx, call)
	if err != nil {
		return err
	}
	branch, err := repo.branch(ctx, call)
	if err != nil {
		return err
	}
	judge, err := repo.judge(ctx, call, branch)
	if err != nil {
		return err
	}
	promoter := promote.Promoter{Repo: repo, Judge: judge}
	if repo.hasForge() {
		promoter.Forge = repo.forge(branch, call.In.String("check_workflow"))
	}
	promotions, runErr := promoter.Run(ctx, promote.Request{
		From: call.In.String("from"), To: call.In.String("to"), App: call.In.String("app"), Branch: branch,
		AllowOlder: call.In.Bool("allow_older"), Run: call.Runner.Context().RunURL(),
	})
	if promotions == nil {
		return runErr
	}
	if err := reportPromotions(ctx, call, promoter.Forge, promotions); err != nil {
		return err
	}
	if runErr != nil {
		return runErr
	}
	return promotionOutcome(call, promotions)
}

func reportPromotions(ctx context.Context, call *cli.Call, forge promote.Forge, promotions []promote.Promotion) error {
	document, err := json.MarshalIndent(promotions, "", "  ")
	if err != nil {
		return err
	}
	if call.In.String("format") == "json" {
		_, err = fmt.Fprintln(call.Stdout, string(document))
	} else {
		err = printPromotions(call.Stdout, promotions)
	}
	if err != nil {
		return err
	}
	for _, p := range promotions {
		if p.Overflow == "" {
			continue
		}
		if err := call.Runner.Summary(p.Overflow); err != nil {
			return err
		}
		if forge != nil && p.Number != 0 {
			if err := forge.Comment(ctx, p.Number, overflowMarker, cutRunes(p.Overflow, commentLimit)); err != nil {
				return err
			}
		}
	}
	if err := call.Runner.Summary(promotionSummary(promotions)); err != nil {
		return err
	}
	return call.Output("pull_requests", string(document))
}

// commentLimit keeps a comment below what GitHub documents for it, though it
// has been seen to take more.
const (
	commentLimit   = 65000
	overflowMarker = "<!-- waybill:overflow -->"
)

func cutRunes(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "\n\n… cut here; the rest is in the summary of the run.\n"
	}
	return s
}

func printPromotions(w io.Writer, promotions []promote.Promotion) error {
	out := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, p := range promotions {
		where := p.URL
		if where == "" && p.Commit != "" {
			where = p.Branch
		}
		state := p.State
		if p.Waiting {
			state += ", waiting"
		}
		fmt.Fprintf(out, "%s\t%s → %s\t%s\t%s\t%s\n", p.App, p.From, p.To, short(p.Image), state, where)
	}
	return out.Flush()
}

func promotionSummary(promotions []promote.Promotion) string {
	var out strings.Builder
	out.WriteString(markdown.Row("application", "move", "digest", "state", "") + "|---|---|---|---|---|\n")
	for _, p := range promotions {
		link := ""
		if p.URL != "" {
			link = markdown.Link(fmt.Sprintf("#%d", p.Number), p.URL)
		}
		out.WriteString(markdown.Row(markdown.Text(p.App), markdown.Text(p.From+" → "+p.To), markdown.Code(short(p.Image)), markdown.Text(p.State), link))
	}
	for _, p := range promotions {
		if p.Reason != "" {
			out.WriteString("\n" + markdown.Fence("", p.Reason) + "\n")
		}
	}
	return out.String()
}

// promotionOutcome says how the command ends: promoting everything that may
// move is done even where something may not, so only a promotion that was asked
// for by name refuses or waits.
func promotionOutcome(call *cli.Call, promotions []promote.Promotion) error {
	for _, p := range promotions {
		if p.Reason != "" {
			call.Sayf("%s: %s → %s: %s", p.App, p.From, p.To, p.Reason)
		}
	}
	if call.In.String("app") == "" || len(promotions) != 1 {
		return nil
	}
	switch p := promotions[0]; p.State {
	case promote.Refused, promote.Foreign, promote.Declined:
		return outcome.Refusedf("%s", p.Reason)
	case promote.Pending:
		return outcome.Pendingf("%s", p.Reason)
	}
	return nil
}
