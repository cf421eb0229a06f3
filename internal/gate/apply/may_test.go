package apply

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/asked"
	"github.com/waybill-dev/waybill/internal/gate/site"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// What a comment must be, before anybody is asked who wrote it.
func TestComments(t *testing.T) {
	t.Parallel()
	pull := &github.PullRequest{Number: 1}
	for name, c := range map[string]struct {
		comment asked.Comment
		pull    *github.PullRequest
		code    int
		says    string
	}{
		"no pull request": {asked.Comment{Action: "created", Body: "/apply"}, nil, outcome.Usage, "not on a pull request"},
		"edited": {
			asked.Comment{Action: "edited", Body: "/apply"}, pull, outcome.Refused, "the comment was edited: only a new one asks",
		},
		"deleted":      {asked.Comment{Action: "deleted", Body: "/apply"}, pull, outcome.Refused, "the comment was deleted"},
		"a sentence":   {asked.Comment{Action: "created", Body: "please /apply"}, pull, outcome.Usage, "does not ask for anything"},
		"another word": {asked.Comment{Action: "created", Body: "/apply-later"}, pull, outcome.Usage, "does not ask for anything"},
		"a later line": {asked.Comment{Action: "created", Body: "hello\n/apply"}, pull, outcome.Usage, "does not ask for anything"},
	} {
		_, err := Order{Site: &site.Site{Pull: c.pull}, Asked: &c.comment}.asker(t.Context())
		if outcome.Code(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whoever asked by a comment is told of a refusal, in Markdown that it cannot
// leave; trouble stands in the run alone.
func TestAnswers(t *testing.T) {
	t.Parallel()
	var told *NotApplied
	err := Order{}.answer("bob", outcome.Refusedf("```\n@acme/all\x1b"))
	if !errors.As(err, &told) || outcome.Code(err) != outcome.Refused {
		t.Fatalf("%v", err)
	}
	text := told.Markdown()
	if !strings.HasPrefix(text, Marker+"\n@bob: nothing was applied.\n\n````") || strings.Contains(text, "\x1b") {
		t.Errorf("%q", text)
	}
	order := Order{Asked: &asked.Comment{Body: "/unlock"}}
	if !errors.As(order.answer("bob", outcome.Refusedf("x")), &told) ||
		!strings.HasPrefix(told.Markdown(), Marker+"\n@bob: nothing was unlocked.") {
		t.Errorf("%q", told.Markdown())
	}
	for name, err := range map[string]error{
		"trouble": Order{}.answer("bob", errors.New("x")), "no comment": Order{}.answer("", outcome.Refusedf("x")),
		"nothing": Order{}.answer("bob", nil),
	} {
		if errors.As(err, &told) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
