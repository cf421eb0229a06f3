package comment_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// Two sides that differ never look the same: in values, in lines, in keys.
func TestTwoSidesLookDifferent(t *testing.T) {
	t.Parallel()
	for _, hidden := range []string{`\u3164`, `\ufe0f`, `\u115f`, `\u2800`, `\u0430`} {
		for place, values := range map[string]string{
			"a value": `"before":{"n":"payb"},"after":{"n":"pay%sb"}`,
			"a line":  `"before":{"n":"x\npayb"},"after":{"n":"x\npay%sb"}`,
			"a list":  `"before":{"n":1},"after":{"n":["pay%sb"]}`,
			"a key":   `"before":{"n":{"pay":"1"}},"after":{"n":{"pay%sb":"1"}}`,
		} {
			s := summarize(t, parse(t, change("a.b", "x", `"actions":["update"],`+fmt.Sprintf(values, hidden))))
			var all strings.Builder
			for _, a := range s.Resources[0].Attributes {
				all.WriteString(strings.Join(a.Lines, "\n"))
				if len(a.Lines) == 0 {
					all.WriteString(strings.Join([]string{a.Path, a.Before, a.After}, "\n"))
				}
			}
			if !strings.Contains(all.String(), `pay`+hidden+`b`) {
				t.Errorf("%s in %s: %s", hidden, place, all.String())
			}
		}
	}
	s := summarize(t, parse(t, change("a.b[\"pay\u3164b\"]", "x", `"actions":["delete"],"before":{"n":1}`)))
	shown := comment.View{
		Fingerprint: plan.Fingerprint(strings.Repeat("a", 64)), Roots: []comment.RootView{{Dir: "d", Summary: s}},
	}.Comment(markdown.MaxComment)
	if strings.Contains(shown, "\u3164") || !strings.Contains(shown, `pay\u3164b`) {
		t.Errorf("an address: %s", shown)
	}
	secrets := redact.GivenSecrets([]string{"TF_VAR_s=p\u0430ssword-\u00e9"})
	if got := secrets.Redact(`say p\u0430ssword-` + "\u00e9"); got != "say "+redact.Hidden {
		t.Errorf("a secret as a summary writes it: %s", got)
	}
}

// What is forgotten asks for what destroying asks for.
func TestForgettingCountsAsDestroying(t *testing.T) {
	t.Parallel()
	for actions, want := range map[string]bool{
		`["forget"]`: true, `["forget","create"]`: true, `["delete"]`: true, `["update"]`: false, `["create"]`: false,
	} {
		if got := summarize(t, parse(t, change(
			"a.b", "x", `"actions":`+actions+`,"before":{"n":1},"after":{"n":2}`,
		))).Destroys(); got != want {
			t.Errorf("%s: %v, want %v", actions, got, want)
		}
	}
}
