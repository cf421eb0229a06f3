package text_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/text"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]time.Duration{"30m": 30 * time.Minute, "7d": 168 * time.Hour, "1h30m": 90 * time.Minute, "0s": 0} {
		if got, err := text.ParseDuration(given); err != nil || got != want {
			t.Errorf("%s: %v %v", given, got, err)
		}
	}
	for _, given := range []string{"", "d", "-1h", "-3d", "99999999d", "1w"} {
		if got, err := text.ParseDuration(given); err == nil {
			t.Errorf("%q gives %v, want an error", given, got)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 45 * time.Second: "45 s", 4 * time.Minute: "4 m", 190 * time.Minute: "3 h 10 m", 2 * time.Hour: "2 h",
		26 * time.Hour: "26 h", 12 * 24 * time.Hour: "12 d", 173 * time.Hour: "7 d 5 h",
	} {
		if got := text.Duration(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
	at := time.Date(2026, 11, 26, 1, 30, 0, 0, time.FixedZone("", 7200))
	if got := text.Time(at) + ", " + text.Day(at); got != "2026-11-25 23:30 UTC, 2026-11-25" {
		t.Error(got)
	}
}
