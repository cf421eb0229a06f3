package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/delivery/status"
	"github.com/waybill-dev/waybill/internal/markdown"
)

func runStatus(ctx context.Context, call *cli.Call) error {
	repo, err := openRepository(ctx, call)
	if err != nil {
		return err
	}
	branch, err := repo.branch(ctx, call)
	if err != nil {
		return err
	}
	var open []status.Open
	if repo.hasForge() {
		pulls, err := repo.api.ListPulls(ctx, repo.github, "waybill/")
		if err != nil {
			return err
		}
		for _, p := range pulls {
			open = append(open, status.Open{Number: p.Number, URL: p.URL, Branch: p.HeadRef})
		}
	}
	table, err := status.Read(ctx, repo, status.Request{Branch: branch, Open: open, Now: time.Now()})
	if err != nil {
		return err
	}
	document, err := json.MarshalIndent(table, "", "  ")
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := table.Text(&text); err != nil {
		return err
	}
	out := text.String()
	if call.In.String("format") == "json" {
		out = string(document) + "\n"
	}
	if _, err := fmt.Fprint(call.Stdout, out); err != nil {
		return err
	}
	if err := call.Runner.Summary(markdown.Fence("", text.String())); err != nil {
		return err
	}
	return call.Output("status", string(document))
}
