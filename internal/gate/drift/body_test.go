package drift_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/internal/gate/drift"
	"github.com/waybill-dev/waybill/internal/gate/summary"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// However much drifts and whatever it is called, the body is one that GitHub
// takes.
func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("|<`é", 500)
	r := drift.Root{Dir: long, Workspace: "default", Status: drift.Drifted, Unmanaged: 3, Problem: long}
	for i := range 3000 {
		d := drift.Resource{Back: "changed back", Resource: summary.Resource{Address: fmt.Sprint("x.", i, long), Action: summary.Change}}
		for range 200 {
			d.Attributes = append(d.Attributes, summary.Attribute{Path: long, Before: long, After: long})
		}
		r.Drift = append(r.Drift, d)
		r.Unapplied = append(r.Unapplied, drift.Unapplied{Address: long, Action: summary.Add})
		r.Ignored = append(r.Ignored, drift.Ignored{Address: long, Attributes: []string{long}, Reason: long, Expires: time.Unix(0, 0)})
	}
	for name, text := range map[string]string{
		"body":   r.Body(markdown.MaxComment),
		"report": (&drift.Report{Roots: []drift.Root{r, r, r, r, r}}).Markdown(markdown.MaxComment),
	} {
		if n := utf8.RuneCountInString(text); n > markdown.MaxComment || n < 10000 {
			t.Errorf("the %s has %d characters", name, n)
		}
	}
	if n := utf8.RuneCountInString(r.Title()); n > 256 {
		t.Errorf("the title has %d characters", n)
	}
	if text := r.Body(markdown.MaxComment); !strings.Contains(text, "resources more.") || !strings.Contains(text, "To end this") {
		t.Errorf("the body does not say that it is cut: %s", text[:2000])
	}
}

// Names from outside stay what they are: text.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	const hostile = "x[\"\n::error::boo\n```\n</details>\n@acme/all #1 | <!-- x --> --> ##[group]\x1b[31m\u202e\"]"
	r := drift.Root{Dir: hostile, Workspace: hostile, Status: drift.Drifted, Problem: "p\n```\n##[group]",
		Drift: []drift.Resource{{
			Back: "changed back",
			Resource: summary.Resource{
				Address: hostile, Action: summary.Change,
				Attributes: []summary.Attribute{{Path: hostile, Before: hostile, After: hostile}},
			},
		}},
		Ignored:   []drift.Ignored{{Address: hostile, Attributes: []string{hostile}, Reason: hostile}},
		Unapplied: []drift.Unapplied{{Address: hostile, Action: summary.Add}}}
	ignore := drift.Ignore{Address: hostile, Reason: hostile, Why: drift.Expired}
	bad := r
	bad.Status = drift.Broken
	for name, whole := range map[string]string{
		"body": r.Body(markdown.MaxComment), "gone": r.Gone(),
		"report": (&drift.Report{Roots: []drift.Root{r, bad}, Ignores: []drift.Ignore{ignore}}).Markdown(markdown.MaxComment),
		"title":  r.Title(),
	} {
		fenced := false
		_, text, marked := strings.Cut(whole, " -->\n")
		if !marked {
			text = whole
		}
		for i, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
				if line != "```" && line != "```diff" && line != "````" && line != "````diff" {
					t.Errorf("%s: a fence of outside: %q", name, line)
				}
				continue
			}
			if strings.HasPrefix(line, "::") || strings.Contains(line, "##[") || strings.ContainsAny(line, "\x1b\u202e") {
				t.Errorf("%s: %q", name, line)
			}
			if !fenced && i > 0 && (strings.HasPrefix(line, "</details>") && line != "</details>" ||
				strings.Contains(line, "<!--") && !strings.Contains(line, "`")) {
				t.Errorf("%s: %q", name, line)
			}
		}
		if strings.HasPrefix(whole, "<!--") {
			if first, _, _ := strings.Cut(whole, "\n"); strings.Count(first, "-->") != 1 || !strings.HasSuffix(first, "-->") {
				t.Errorf("%s: the marker ends early: %s", name, first)
			}
		}
	}
}
