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
