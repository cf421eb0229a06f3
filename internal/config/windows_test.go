package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
)

func withWindows(windows string) string {
	return "apiVersion: waybill.dev/v1\nenvironments:\n  - {name: prod, windows: " + windows + "}\napps: {a: {image: ghcr.io/acme/a}}\n"
}

func TestWindows(t *testing.T) {
	t.Parallel()
	const berlin = `[{days: mon-thu, from: "08:00", until: "17:00", zone: Europe/Berlin}]`
	for what, test := range map[string]struct{ windows, now, want string }{
		"open":                     {berlin, "2026-11-26T15:59:59Z", "2026-11-26T15:59:59Z"},
		"closed since a second":    {berlin, "2026-11-26T16:00:00Z", "2026-11-30T07:00:00Z"}, // over Friday and the weekend
		"not yet open":             {berlin, "2026-11-26T06:59:59Z", "2026-11-26T07:00:00Z"},
		"another hour in summer":   {berlin, "2026-07-01T05:00:00Z", "2026-07-01T06:00:00Z"},
		"the clocks change before": {berlin, "2026-10-23T12:00:00Z", "2026-10-26T07:00:00Z"},
		"the day of the zone": {
			`[{days: sat, from: "00:00", until: "24:00", zone: Pacific/Auckland}]`, "2026-11-27T11:00:00Z", "2026-11-27T11:00:00Z",
		},
		"every day, in UTC":        {`[{from: "22:00", until: "24:00"}]`, "2026-11-26T23:59:59Z", "2026-11-26T23:59:59Z"},
		"over the end of the week": {`[{days: "fri-mon", from: "09:00", until: "10:00"}]`, "2026-11-26T12:00:00Z", "2026-11-27T09:00:00Z"},
		"the sooner of two": {
			`[{days: wed, from: "09:00", until: "10:00"}, {days: "tue,fri", from: "11:00", until: "12:00"}]`,
			"2026-11-26T12:00:00Z", "2026-11-27T11:00:00Z",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			prod, err := parse(t, withWindows(test.windows)).Environment("prod")
			if err != nil {
				t.Fatal(err)
			}
			now, err := time.Parse(time.RFC3339, test.now)
			if err != nil {
				t.Fatal(err)
			}
			if got := prod.Opens(now).UTC().Format(time.RFC3339); got != test.want {
				t.Errorf("opens %s, want %s", got, test.want)
			}
		})
	}
}

func TestWindowsThatAreNone(t *testing.T) {
	t.Parallel()
	for windows, want := range map[string]string{
		`[{from: "17:00", until: "08:00"}]`: "3:28: window: it ends at 08:00, before it begins at 17:00: write " +
			"one that goes over midnight as two",
		`[{from: "08:00", until: "08:00"}]`:                     "it ends at 08:00, before it begins",
		`[{from: "08:00", until: "17:00", zone: Moon/Sea}]`:     `there is no time zone "Moon/Sea"`,
		`[{from: "08:00", until: "17:00", zone: Local}]`:        `there is no time zone "Local"`,
		`[{from: "08:00", until: "17:00", zone: ../../passwd}]`: `there is no time zone "../../passwd"`,
		`[{from: "25:00", until: "26:00"}]`:                     `windows.0.from: "25:00" is not what is meant here: A time of day such as "08:00"`,
		`[{days: monday, from: "08:00", until: "17:00"}]`:       `windows.0.days: "monday" is not what is meant here: Days of the week such as mon-thu`,
		`[]`: "minItems",
	} {
		_, err := config.Parse("waybill.yaml", []byte(withWindows(windows)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", windows, err, want)
		}
	}
}

// A window more, or a wider one, is a loss of protection; a narrower one is not.
func TestWindowsBecomeWeaker(t *testing.T) {
	t.Parallel()
	const base = `[{days: mon-thu, from: "08:00", until: "17:00", zone: Europe/Berlin}]`
	for head, want := range map[string][]string{
		base: nil,
		`[{days: "tue,wed", from: "09:00", until: "16:00", zone: Europe/Berlin}]`: nil,
		`[{days: mon-fri, from: "08:00", until: "17:00", zone: Europe/Berlin}]`: {"environments.prod.windows opens mon-fri " +
			"08:00-17:00 Europe/Berlin"},
		`[{days: mon-thu, from: "08:00", until: "17:01", zone: Europe/Berlin}]`: {"environments.prod.windows opens mon-thu " +
			"08:00-17:01 Europe/Berlin"},
		`[{days: mon-thu, from: "08:00", until: "17:00"}]`: {"environments.prod.windows opens mon-thu 08:00-17:00 UTC"},
	} {
		var got []string
		for _, w := range config.Weaker(parse(t, withWindows(base)), parse(t, withWindows(head)), time.Now()) {
			got = append(got, w.Change)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", head, diff)
		}
	}
}

// A health less, or one that anybody may say, is a loss of protection.
func TestHealthBecomesWeaker(t *testing.T) {
	t.Parallel()
	with := func(health string) *config.Config {
		return parse(t, strings.Replace(withWindows("[]"), "windows: []", health, 1))
	}
	const base = `health: [{status: "argocd/{app}", from: "acme-argocd[bot]"}, {status: smoke}]`
	for head, want := range map[string][]string{
		base: nil,
		`health: [{status: "argocd/{app}", from: "acme-argocd[bot]"}, {status: smoke, from: eve}]`: nil,
		`health: [{status: "argocd/{app}"}, {status: smoke}]`: {"environments.prod.health " +
			"drops or changes argocd/{app}"},
		`promotion: pull-request`: {
			"environments.prod.health drops or changes argocd/{app}", "environments.prod.health drops or changes smoke",
		},
	} {
		var got []string
		for _, w := range config.Weaker(with(base), with(head), time.Now()) {
			got = append(got, w.Change)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", head, diff)
		}
	}
}
