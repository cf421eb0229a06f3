package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a runner's image may have no time zones

	"go.yaml.in/yaml/v3"
)

// Window is a time of the week in which digests may enter an environment.
type Window struct {
	Days        [7]bool       // by time.Weekday
	From, Until time.Duration // since midnight by the clock of Zone; Until is after From
	Zone        *time.Location
	text        string
}

// String gives the window as it is written: mon-thu 08:00-17:00 Europe/Berlin.
func (w Window) String() string { return w.text }

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// windowDocument is a window in waybill.yaml.
type windowDocument struct {
	Days  string `yaml:"days"`
	From  string `yaml:"from"`
	Until string `yaml:"until"`
	Zone  string `yaml:"zone"`
}

func (p *parser) windows(at *yaml.Node, documents []windowDocument) (windows []Window) {
	for i, d := range documents {
		w, err := d.window()
		if err != nil {
			p.problem(place(at, i), "window: %v", err)
			continue
		}
		windows = append(windows, w)
	}
	return windows
}

// window reads a window; the schema has held the forms of its texts.
func (d windowDocument) window() (w Window, err error) {
	if d.Days == "" {
		d.Days = "mon-sun"
	}
	for days := range strings.SplitSeq(d.Days, ",") {
		first, last, isRange := strings.Cut(days, "-")
		if !isRange {
			last = first
		}
		begin, end := slices.Index(weekdays, first), slices.Index(weekdays, last)
		if begin < 0 || end < 0 {
			return w, fmt.Errorf("%q is no day: write mon, or mon-fri, or mon,wed", days)
		}
		for day := begin; ; day = (day + 1) % 7 {
			w.Days[day] = true
			if day == end {
				break
			}
		}
	}
	w.From, w.Until = clock(d.From), clock(d.Until)
	if w.From >= w.Until {
		return w, fmt.Errorf("it ends at %s, before it begins at %s: write one that goes over midnight as two", d.Until, d.From)
	}
	if d.Zone == "" {
		d.Zone = "UTC"
	}
	if w.Zone, err = time.LoadLocation(d.Zone); err != nil || d.Zone == "Local" {
		return w, fmt.Errorf("there is no time zone %q: write one such as Europe/Berlin", d.Zone)
	}
	w.text = fmt.Sprintf("%s %s-%s %s", d.Days, d.From, d.Until, d.Zone)
	return w, nil
}

// clock is HH:MM since midnight; 24:00 is the end of the day.
func clock(text string) time.Duration {
	hours, minutes, _ := strings.Cut(text, ":")
	h, _ := strconv.Atoi(hours)
	m, _ := strconv.Atoi(minutes)
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
}

// at is the instant at which the clock of the window's zone shows a time on a day.
func (w Window) at(day time.Time, since time.Duration) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), int(since/time.Hour), int(since%time.Hour/time.Minute), 0, 0, w.Zone)
}

// next is when the window is open next, from now on: now where it is open.
func (w Window) next(now time.Time) time.Time {
	today := now.In(w.Zone)
	for i := 0; ; i++ { // some day of the week is open
		day := today.AddDate(0, 0, i)
		if !w.Days[day.Weekday()] || !now.Before(w.at(day, w.Until)) {
			continue
		}
		if begin := w.at(day, w.From); begin.After(now) {
			return begin
		}
		return now
	}
}

// Opens says when one of the environment's windows is open next: now where one is
// open, or where there are none.
func (e Environment) Opens(now time.Time) time.Time {
	var first time.Time
	for _, w := range e.Windows {
		if next := w.next(now); first.IsZero() || next.Before(first) {
			first = next
		}
	}
	if first.IsZero() {
		return now
	}
	return first
}

// covers reports whether w is open whenever o is.
func (w Window) covers(o Window) bool {
	for day, open := range o.Days {
		if open && !w.Days[day] {
			return false
		}
	}
	return w.Zone.String() == o.Zone.String() && w.From <= o.From && w.Until >= o.Until
}

// windows finds times at which the head is open and the base is not.
func (w *weaker) windows(path []string, base, head []Window) {
	switch {
	case len(base) == 0:
		return
	case len(head) == 0:
		w.add(path, "drops windows: promotions pass at any time")
	}
	for _, h := range head {
		if !slices.ContainsFunc(base, func(b Window) bool { return b.covers(h) }) {
			w.add(in(path, "windows"), "opens %s", h)
		}
	}
}
