package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/proposal"
	"github.com/waybill-dev/waybill/internal/gate/record"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// showNothing says that the change touches no root. An earlier plan comment says
// so too.
func showNothing(ctx context.Context, call *cli.Call, r proposal.Request, p *proposal.Prepared) error {
	head, err := p.Head(ctx)
	if err != nil {
		return err
	}
	if commentsPlan(call, r) {
		if err := comment.KeepNothing(ctx, r.Site, head); err != nil {
			return err
		}
	}
	call.Sayf("nothing to plan: no root is touched")
	return outcome.Join(call.Output("fingerprint", ""), call.Output("changes", "false"), call.Output("plan", ""))
}

// maxLog is the most that a plan prints: a log takes it all.
const maxLog = 1 << 30

func showPlan(ctx context.Context, call *cli.Call, r proposal.Request, result *proposal.Result) error {
	result.View.RunURL = call.Runner.Context().RunURL()
	document, err := record.JSON(result.Shown())
	if err != nil {
		return err
	}
	if call.In.String("format") == "json" {
		_, err = fmt.Fprintln(call.Stdout, string(document))
	} else {
		_, err = fmt.Fprint(call.Stdout, comment.WithoutMarkers(result.View.Comment(maxLog)))
	}
	if err != nil {
		return err
	}
	if commentsPlan(call, r) {
		if err := comment.Keep(ctx, r.Site, result.View); err != nil {
			return err
		}
	}
	return outcome.Join(call.Runner.Summary(comment.WithoutMarkers(result.View.Comment(runner.SummaryLimit/4))),
		call.Output("fingerprint", string(result.Fingerprint)), call.Output("changes", strconv.FormatBool(result.Changes())),
		call.Output("plan", result.View.Sealed), call.Output("summary", record.Output(document)))
}
