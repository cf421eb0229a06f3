package examples_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// state is a config repository and what it renders to.
type state struct {
	files tree
	units []unit
}

// rule is one line of the production checklist. It says what is wrong, in terms
// of the object that is.
type rule struct {
	name  string
	check func(s state) []string
}

var checklist = slices.Concat(podRules, pullRules, serviceRules, applicationRules, tenancyRules, clusterRules, platformRules, dnsRules)

func TestProductionChecklist(t *testing.T) {
	t.Parallel()
	s := exampleState(t)
	for _, r := range checklist {
		for _, problem := range r.check(s) {
			t.Errorf("%s: %s", r.name, problem)
		}
	}
}

func exampleState(t *testing.T) state {
	t.Helper()
	files := exampleTree(t)
	return state{files, files.render(t)}
}

// TestEveryRuleTurnsRed breaks one thing at a time: the rule has to say so, and
// for the reason expected.
func TestEveryRuleTurnsRed(t *testing.T) {
	t.Parallel()
	s := exampleState(t)
	for _, r := range checklist {
		if !slices.ContainsFunc(mutations, func(m mutation) bool { return m.rule == r.name }) {
			t.Errorf("nothing shows that %q turns red", r.name)
		}
	}
	for _, m := range mutations {
		t.Run(m.rule+"/"+m.file, func(t *testing.T) {
			t.Parallel()
			turnsRed(t, s, m)
		})
	}
}

// turnsRed makes the one change, and asks the rule what is wrong.
func turnsRed(t *testing.T, s state, m mutation) {
	t.Helper()
	changed := s.files.with(t, m.file, m.old, m.new)
	broken := state{changed, changed.renderChanged(t, s.units, m.file)}
	at := slices.IndexFunc(checklist, func(r rule) bool { return r.name == m.rule })
	if at < 0 {
		t.Fatalf("there is no rule %q", m.rule)
	}
	problems := checklist[at].check(broken)
	if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.want) }) {
		t.Errorf("got %q, want %q", problems, m.want)
	}
}

// objects calls f with every object of a kind, and where it is from.
func (s state) objects(kind string, f func(u unit, o render.Object)) {
	for _, u := range s.units {
		for _, o := range u.objects {
			if o.Kind == kind {
				f(u, o)
			}
		}
	}
}

// every applies a check to every object of a kind, and says where it failed.
func (s state) every(kind string, check func(u unit, o render.Object) []string) []string {
	var problems []string
	s.objects(kind, func(u unit, o render.Object) {
		for _, p := range check(u, o) {
			problems = append(problems, fmt.Sprintf("%s: %s: %s", u.name, o, p))
		}
	})
	return problems
}

// labelled reports whether a selector's labels are all among labels.
func labelled(selector, labels any) bool {
	wanted, ok := selector.(map[string]any)
	if !ok || len(wanted) == 0 {
		return false
	}
	for key, value := range wanted {
		if dig(labels, key) != value {
			return false
		}
	}
	return true
}
