package evidence

import (
	"testing"
	"time"
)

func TestDistinctTakesTheWorstOccurrence(t *testing.T) {
	t.Parallel()
	finding := func(change func(*Finding)) Finding {
		f := Finding{ID: "CVE-1", Package: "openssl", Version: "1", Severity: High}
		change(&f)
		return f
	}
	for name, test := range map[string]struct{ mild, bad Finding }{
		"waived on one platform alone": {finding(func(f *Finding) { f.Waived = "VEX" }), finding(func(*Finding) {})},
		"fixed on one platform alone":  {finding(func(*Finding) {}), finding(func(f *Finding) { f.FixedVersion = "2" })},
		"worse on one platform": {
			finding(func(f *Finding) { f.Severity = Low; f.FixedVersion = "2" }), finding(func(*Finding) {}),
		},
		"waived and worse is still mild": {
			finding(func(f *Finding) { f.Waived = "VEX"; f.Severity = Critical }), finding(func(*Finding) {}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, order := range [][]Finding{{test.mild, test.bad}, {test.bad, test.mild}} {
				r := ScanReport{Platforms: []PlatformScan{{Findings: order[:1]}, {Findings: order[1:]}}}
				if got := r.Distinct(); len(got) != 1 || got[0] != test.bad {
					t.Errorf("got %+v, want %+v", got, test.bad)
				}
			}
		})
	}
}

func TestBlockingWhereOnePlatformHasAFix(t *testing.T) {
	t.Parallel()
	unfixed := Finding{ID: "CVE-1", Package: "openssl", Version: "1", Severity: High}
	fixed := unfixed
	fixed.FixedVersion = "2"
	r := ScanReport{Platforms: []PlatformScan{{Findings: []Finding{unfixed}}, {Findings: []Finding{fixed}}}}
	if got := (Threshold{Severity: High, IgnoreUnfixed: true}).Blocking(r, time.Time{}); len(got) != 1 {
		t.Errorf("got %v: the fix on the second platform counts", got)
	}
	r.Platforms = r.Platforms[:1]
	if got := (Threshold{Severity: High, IgnoreUnfixed: true}).Blocking(r, time.Time{}); len(got) != 0 {
		t.Errorf("got %v, want none: there is no fix", got)
	}
}

// A waiver whose reason nobody can see waives nothing, and the verdict says so.
func TestBlankReasonsWaiveNothing(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	f := Finding{ID: "CVE-2026-1", Package: "openssl", Severity: High}
	for _, reason := range []string{"", " ", "\u200b", "\u3164\u2800"} {
		w := Waiver{ID: f.ID, Reason: reason, Expires: now.Add(time.Hour)}
		if w.Covers(f, now) {
			t.Errorf("a waiver for the reason %q waives", reason)
		}
		notes := lapsedWaivers([]Waiver{w}, []Finding{f}, now)
		if len(notes) != 1 || notes[0] != "the waiver for CVE-2026-1 gives no reason and does not count" {
			t.Errorf("%q: notes %q", reason, notes)
		}
	}
	if !(Waiver{ID: f.ID, Reason: "not reachable", Expires: now.Add(time.Hour)}).Covers(f, now) {
		t.Error("a waiver with a reason does not waive")
	}
}
