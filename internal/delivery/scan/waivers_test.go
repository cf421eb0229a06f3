package scan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/evidence"
)

func TestParseWaivers(t *testing.T) {
	t.Parallel()
	got, err := parseWaivers("waivers.yaml", []byte(`# accepted
- id: CVE-2026-1
  package: openssl
  reason: not reachable
  expires: 2026-12-31
- {id: CVE-2026-2, reason: "vendor says no", expires: "2026-12-31T12:00:00+01:00"}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []evidence.Waiver{
		{ID: "CVE-2026-1", Package: "openssl", Reason: "not reachable", Expires: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)},
		{ID: "CVE-2026-2", Reason: "vendor says no", Expires: time.Date(2026, 12, 31, 11, 0, 0, 0, time.UTC)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, err := parseWaivers("waivers.yaml", []byte("# none\n")); err != nil || got != nil {
		t.Errorf("an empty file gives %v, %v", got, err)
	}
}

func TestParseWaiversRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"no reason": {"- id: CVE-1\n  expires: 2026-12-31\n", "waivers.yaml:1: the waiver of CVE-1 has no reason"},
		"blank reason": {
			"- id: CVE-1\n  reason: \" \\u200b\\u3164\"\n  expires: 2026-12-31\n",
			"waivers.yaml:1: the waiver of CVE-1 has no reason that people can see",
		},
		"empty package": {"- id: CVE-1\n  package: ''\n  reason: x\n  expires: 2026-12-31\n", `waivers.yaml:2: package: "" names none`},
		"blank package": {"- id: CVE-1\n  package: \"\\u200b\"\n  reason: x\n  expires: 2026-12-31\n", "waivers.yaml:2: package:"},
		"no expiry":     {"\n- id: CVE-1\n  reason: x\n", "waivers.yaml:2: the waiver of CVE-1 has no expiry"},
		"no id":         {"- reason: x\n  expires: 2026-12-31\n", "waivers.yaml:1: the waiver has no id"},
		"unknown key":   {"- id: CVE-1\n  reason: x\n  expires: 2026-12-31\n  until: 2027\n", `waivers.yaml:4: unknown key "until"`},
		"bad expiry":    {"- id: CVE-1\n  reason: x\n  expires: soon\n", `waivers.yaml:3: expires: "soon" is neither a day`},
		"not a list":    {"id: CVE-1\n", "waivers.yaml:1: want a list of waivers"},
		"not a waiver":  {"- CVE-1\n", "waivers.yaml:1: want a waiver with id"},
		"nested value":  {"- id: [CVE-1]\n", "waivers.yaml:1: id: want one value"},
		"not YAML":      {"- id: CVE-1\n  reason\n  x: [", "waivers.yaml: yaml: line"},
		"second is bad": {
			"- {id: CVE-1, reason: x, expires: 2026-12-31}\n- {id: CVE-2}\n", "waivers.yaml:2: the waiver of CVE-2 has no reason",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseWaivers("waivers.yaml", []byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
