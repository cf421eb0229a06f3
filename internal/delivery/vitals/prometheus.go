package vitals

import (
	"context"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/health"
	"github.com/waybill-dev/waybill/internal/text"
)

// Steps at which a query is evaluated: not more often than it is scraped as a rule, and at
// no more points than Prometheus takes.
const (
	shortest = 15 * time.Second
	points   = 10_000
)

// prometheus asks since when a query has held without a break. It looks back as far as
// the digest has to soak, and no further than it runs.
func (s *Sources) prometheus(ctx context.Context, server health.Server, asked rules.Asked) (rules.Said, error) {
	end := s.Now()
	if until := asked.Ran.Until; !until.IsZero() && until.Before(end) {
		end = until
	}
	begin := end.Add(-asked.Soak)
	if begin.Before(asked.Ran.Since) {
		begin = asked.Ran.Since
	}
	if begin.After(end) {
		begin = end
	}
	window := grid(begin, end)
	query := asked.Source.Prometheus.For(asked.App.Name, asked.Env)
	held, err := ask(s, server, fmt.Sprint(query, " ", window), func() ([]time.Time, error) { return server.Holds(ctx, query, window) })
	if err != nil {
		return rules.Said{}, err
	}
	at := make(map[int64]bool, len(held))
	for _, t := range held {
		at[t.Unix()] = true
	}
	if !at[window.Until.Unix()] {
		if !asked.Ran.Until.IsZero() && len(held) == 0 {
			return s.gone(ctx, server, window)
		}
		return rules.Said{State: failure, Description: yields(held)}, nil
	}
	since := window.Until
	for !since.Before(window.From) && at[since.Unix()] {
		since = since.Add(-window.Step)
	}
	if since.Before(window.From) {
		return rules.Said{State: success, Since: begin, Throughout: true}, nil
	}
	return rules.Said{State: success, Since: since.Add(window.Step)}, nil
}

// gone tells a query that yielded nothing, long ago, from one of a time that Prometheus
// has no samples of any more: up is there wherever it scrapes anything.
// https://prometheus.io/docs/concepts/jobs_instances/#automatically-generated-labels-and-time-series
func (s *Sources) gone(ctx context.Context, server health.Server, window health.Range) (rules.Said, error) {
	scraped, err := ask(s, server, fmt.Sprint("up ", window), func() ([]time.Time, error) { return server.Holds(ctx, "up", window) })
	if err != nil {
		return rules.Said{}, err
	}
	if len(scraped) == 0 {
		return rules.Said{Description: "there are no samples of that time"}, nil
	}
	return rules.Said{State: failure, Description: yields(nil)}, nil
}

func yields(held []time.Time) string {
	if len(held) == 0 {
		return "the query yields nothing"
	}
	return "the query yields nothing since " + text.Time(held[len(held)-1])
}

// grid are the times between two at which a query is evaluated, the same whenever it is
// asked. Where the two are closer together than that, it is the time before them.
func grid(begin, end time.Time) health.Range {
	step := max(shortest, ((end.Sub(begin) / points) + time.Second - 1).Truncate(time.Second))
	until := end.Truncate(step)
	from := begin.Add(step - 1).Truncate(step)
	if from.After(until) {
		from = until
	}
	return health.Range{From: from, Until: until, Step: step}
}
