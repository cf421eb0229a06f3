// Package text writes the small forms that people read, each in one way: counts,
// lists, dates, durations, short names. It also keeps text from outside on its
// line, visible, and no command to a terminal or to the Actions runner.
//
// It writes no Markdown: internal/markdown does.
package text

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads a duration in Go's form, and days: 7d, 36h, 30m. It is
// not negative.
func ParseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration such as 30m, 24h or 7d", text)
	}
	return d, nil
}

// Duration is a duration for people: 9 d, 7 d 5 h, 26 h, 3 h 10 m, 45 s.
func Duration(d time.Duration) string {
	days, hours, minutes := int(d/(24*time.Hour)), int(d/time.Hour), int(d%time.Hour/time.Minute)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case days >= 2 && hours%24 > 0:
		return fmt.Sprintf("%d d %d h", days, hours%24)
	case days >= 2:
		return fmt.Sprintf("%d d", days)
	case hours > 0 && minutes > 0:
		return fmt.Sprintf("%d h %d m", hours, minutes)
	case hours > 0:
		return fmt.Sprintf("%d h", hours)
	}
	return fmt.Sprintf("%d m", minutes)
}

// Time is a point in time for people, to the minute.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Day is the day of a point in time.
func Day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
