package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"
)

// Range is a span of time that a query is evaluated over, both ends included.
type Range struct {
	From, Until time.Time // whole multiples of Step
	Step        time.Duration
}

// maxPoints is what Prometheus evaluates at most.
// https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
const maxPoints = 11_000

type rangeAnswer struct {
	Status string `json:"status"`
	Data   struct {
		Type   string `json:"resultType"`
		Result []struct {
			Values [][2]json.RawMessage `json:"values"`
		} `json:"result"`
	} `json:"data"`
	Warnings []string `json:"warnings"`
}

// Holds gives the times of a range, oldest first, at which a query yields anything. A
// query that yields no vector is refused by the server: how many elements there are is
// what is asked for.
func (s Server) Holds(ctx context.Context, query string, r Range) ([]time.Time, error) {
	if r.Step <= 0 || r.Until.Sub(r.From)/max(r.Step, 1) >= maxPoints {
		return nil, fmt.Errorf("a range from %s to %s is more than Prometheus evaluates", r.From, r.Until)
	}
	stamp := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	var got rangeAnswer
	err := s.call(ctx, "/api/v1/query_range", url.Values{
		"query": {"count(\n" + query + "\n)"}, "start": {stamp(r.From)}, "end": {stamp(r.Until)},
		"step": {strconv.FormatInt(int64(r.Step/time.Second), 10)}, "timeout": {"15s"},
	}, &got)
	switch {
	case err != nil:
		return nil, err
	case got.Status != "success" || got.Data.Type != "matrix":
		return nil, errors.New("the answer is not that of Prometheus to a query: is this its address?")
	case len(got.Warnings) > 0: // such as a part of the data that could not be read
		return nil, fmt.Errorf("the answer is not whole: %s", s.clean(got.Warnings[0]))
	case len(got.Data.Result) > 1:
		return nil, errors.New("the query ends its own brackets: it does not stand for itself")
	case len(got.Data.Result) == 0:
		return nil, nil
	}
	times := make([]time.Time, 0, len(got.Data.Result[0].Values))
	for _, v := range got.Data.Result[0].Values {
		var at float64
		if err := json.Unmarshal(v[0], &at); err != nil || math.IsNaN(at) || math.Abs(at) > 1e11 {
			return nil, errors.New("the answer has a time that cannot be read")
		}
		times = append(times, time.Unix(int64(math.Round(at)), 0).UTC())
	}
	return times, nil
}
