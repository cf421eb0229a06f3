package main

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// commentPlan keeps the comments of a plan up to date: as many as it needs, and
// none that goes on with an earlier plan.
func (i infra) commentPlan(ctx context.Context, view comment.View) error {
	me, err := i.api.Viewer(ctx)
	if err != nil {
		return err
	}
	pages := view.Comments(comment.MaxComment)
	if err := i.dropPages(ctx, me, len(pages)+1); err != nil {
		return err
	}
	for n, page := range pages {
		marker := comment.Marker
		if n > 0 {
			marker = comment.PageMarker(n + 1)
		}
		if err := i.api.UpsertOwnComment(ctx, i.repo, i.pull.Number, me, marker, page); err != nil {
			return err
		}
	}
	return nil
}

// dropPages empties the comments that went on with an earlier plan, from the
// nth.
func (i infra) dropPages(ctx context.Context, me string, from int) error {
	comments, err := i.api.Comments(ctx, i.repo, i.pull.Number)
	if err != nil {
		return err
	}
	for n := max(from, 2); n <= comment.MaxPages; n++ {
		marker := comment.PageMarker(n)
		if !anyBegins(comments, me, marker) {
			continue
		}
		if err := i.api.UpsertOwnComment(ctx, i.repo, i.pull.Number, me, marker, marker+"\nThe plan has no such part any more.\n"); err != nil {
			return err
		}
	}
	return nil
}

const maxFailure = 20_000 // runes

// sayPlanFailed replaces the plan comment by one that says why there is no plan:
// an earlier plan must not stand there as if it were of this commit.
func (i infra) sayPlanFailed(ctx context.Context, call *cli.Call, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	verb := "failed"
	if outcome.Code(failed) == outcome.Refused {
		verb = "was refused"
	}
	words := []rune(terraform.Printable(failed.Error()))
	if len(words) > maxFailure {
		words = append(words[:maxFailure], []rune("\n… (the rest is in the log of the run)")...)
	}
	text := fmt.Sprintf("%s\n❌ **The plan of %s %s.** There is nothing to approve until it is planned again.\n\n", comment.Marker, shortCode(i.pull.HeadSHA), verb) + markdown.Fence("", string(words))
	if url := call.Runner.Context().RunURL(); url != "" {
		text += "\n" + markdown.Link("run", url) + "\n"
	}
	me, err := i.api.Viewer(ctx)
	if err == nil {
		err = i.dropPages(ctx, me, 2)
	}
	if err == nil {
		err = i.api.UpsertOwnComment(ctx, i.repo, i.pull.Number, me, comment.Marker, text)
	}
	if err != nil {
		return fmt.Errorf("say on #%d that the plan failed: %w", i.pull.Number, err)
	}
	return nil
}

func shortCode(sha string) string { return markdown.Code(fmt.Sprintf("%.7s", sha)) }

// nothingPlanned reports a change that touches no root. An earlier plan comment
// says so too.
func nothingPlanned(ctx context.Context, call *cli.Call, top string, where infra) error {
	head, err := plannedHead(ctx, call, top, where)
	if err != nil {
		return err
	}
	if where.pull != nil && call.In.Bool("comment") {
		if err := where.sayNothingPlanned(ctx, head); err != nil {
			return err
		}
	}
	call.Sayf("nothing to plan: no root is touched")
	return outcome.Join(call.Output("fingerprint", ""), call.Output("changes", "false"), call.Output("plan", ""))
}

func (i infra) sayNothingPlanned(ctx context.Context, head string) error {
	me, err := i.api.Viewer(ctx)
	if err != nil {
		return err
	}
	comments, err := i.api.Comments(ctx, i.repo, i.pull.Number)
	if err != nil || !anyBegins(comments, me, comment.Marker) {
		return err
	}
	if err := i.dropPages(ctx, me, 2); err != nil {
		return err
	}
	text := fmt.Sprintf("%s\nNothing to plan: %s touches no terraform root.\n", comment.Marker, shortCode(head))
	return i.api.UpsertOwnComment(ctx, i.repo, i.pull.Number, me, comment.Marker, text)
}
