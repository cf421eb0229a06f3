package audit

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/text"
)

// Period reads days, of which the last one counts whole, or instants.
func (r *Request) Period(since, until string) (err error) {
	if r.Since, err = instant("--since", since, 0); err != nil {
		return err
	}
	if r.Until = r.Now; until != "" {
		r.Until, err = instant("--until", until, 1)
	}
	return err
}

func instant(flag, given string, days int) (time.Time, error) {
	at, day, err := config.ParseTime(given)
	if err != nil {
		return time.Time{}, outcome.Usagef("%s: %w", flag, err)
	}
	if day {
		at = at.AddDate(0, 0, days)
	}
	return at, nil
}

// Text prints the deployments for people.
func (v Verified) Text() string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	for _, d := range v.Document.Deployments {
		pull := "no pull request"
		if d.Merge != nil {
			pull = fmt.Sprintf("#%d", d.Merge.Number)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", text.Time(d.Since), d.title(), d.ref().Hex()[:12], d.Verdict, d.by(), pull)
	}
	_ = w.Flush() // into memory
	for _, d := range v.Document.Deployments {
		if d.BreakGlass != "" {
			fmt.Fprintf(&out, "round a rule: %s at %s: %s\n", d.title(), text.Time(d.Since), d.BreakGlass)
		}
	}
	return out.String()
}
