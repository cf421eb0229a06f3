package check

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/admission"
	"github.com/waybill-dev/waybill/internal/delivery/check/owners"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/limit"
)

// RuleProtection is what says that a change takes protection away.
const RuleProtection = "protection"

// protection reports the protection that the change takes away. It may only do
// so in a change of waybill.yaml that says it, so that the file's owners review
// it.
func (s *session) protection() error {
	if s.base == nil {
		return nil
	}
	if s.baseReads {
		for _, w := range config.Weaker(s.rules, s.cfg, s.checker.now()) {
			s.weaker(config.FileName, s.cfg.Line(w.Path...), w.Change)
		}
	} else {
		s.withoutBase()
	}
	if s.policies.base != nil && s.policies.head != nil {
		for _, w := range admission.Weaker(s.policies.base, s.policies.head) {
			if !s.follows(w.File) {
				s.weaker(w.File, w.Line, w.Change)
			}
		}
	}
	for _, w := range owners.Weaker(s.base, s.head) {
		s.weaker(w.File, 0, w.Change)
	}
	s.pruned()
	for _, file := range s.changed() {
		switch {
		case strings.HasPrefix(file, hold.Dir):
			s.heldNoLonger(file)
		case strings.HasPrefix(path.Base(file), "kustomization") && admission.Reads(file):
			s.policiesOf(file)
		}
	}
	return nil
}

// weaker refuses what takes protection away, unless the change acknowledges it.
// Without a base there is nothing to take away.
func (s *session) weaker(file string, line int, change string) {
	if s.base == nil {
		return
	}
	f := Finding{File: file, Line: line, Rule: RuleProtection, State: evidence.Refused}
	for _, a := range s.acknowledged() {
		if a.Change == change {
			f.Message = fmt.Sprintf("this change takes protection away, and says so: %s (%s)", change, a.Reason)
			s.note(f)
			return
		}
	}
	f.Message = fmt.Sprintf("this change takes protection away: %s → if that is meant, say so in %s, for its owners to review: "+
		"acknowledge: [{change: %q, reason: …}]", change, config.FileName, change)
	s.add(f)
}

// pruned reports places that the change leaves without anything to run.
func (s *session) pruned() {
	each(s.rules, func(app config.App, env config.Environment) {
		if _, err := history.ReadSet(s.base.Files, app, env.Name); err != nil {
			return // was not deployed
		}
		at := app.Overlay(env.Name)
		for _, gone := range []bool{false, true} {
			set, rendered := s.sets[place{app: app, env: env, gone: gone}.key()]
			if rendered && set.before > 0 && set.after == 0 {
				s.weaker(at, 0, fmt.Sprintf("%s in %s runs nothing any more", app.Name, env.Name))
			}
		}
		if now, _, err := s.cfg.Place(app.Name, env.Name); err == nil {
			app = now // what cannot be read of that is a finding already
		} else if !s.isGone(app.Name, env.Name) {
			s.weaker(at, 0, fmt.Sprintf("%s in %s is deployed no longer", app.Name, env.Name))
		}
	})
}

// isGone reports whether the files of a place are still there, though the
// configuration has it no longer.
func (s *session) isGone(app, env string) bool {
	s.allPlaces()
	return slices.ContainsFunc(s.gone, func(p place) bool { return p.app.Name == app && p.env.Name == env })
}

// heldNoLonger reports a hold that lets in what it kept out.
func (s *session) heldNoLonger(file string) {
	env, app, ok := hold.Named(file)
	before, held := s.base.Files[file]
	if !ok || !held {
		return
	}
	was := hold.Parse(file, before, app, env)
	after, still := s.head.Files[file]
	if !still || !hold.Parse(file, after, app, env).Covers(was) {
		s.weaker(file, 0, fmt.Sprintf("the hold of %s in %s is lifted", app, env))
	}
}

// policiesOf reports a kustomization that no longer lists admission policies,
// or changes them on their way to the cluster.
func (s *session) policiesOf(file string) {
	before, after := kustomization(file, s.base.Files[file]), kustomization(file, s.head.Files[file])
	dir := path.Dir(file)
	lists := false
	for _, entry := range resources(before) {
		at := path.Join(dir, entry)
		if !s.holdsPolicies(at) {
			continue
		}
		lists = true
		if !slices.Contains(resources(after), entry) {
			s.weaker(file, 0, fmt.Sprintf("%s no longer lists %s, which holds admission policies", file, entry))
		}
	}
	if !lists {
		return
	}
	for key, value := range after {
		if key != "resources" && !reflect.DeepEqual(before[key], value) {
			s.weaker(file, 0, fmt.Sprintf("%s changes %s, which may change admission policies", file, key))
		}
	}
}

func (s *session) holdsPolicies(at string) bool {
	for name, data := range s.base.Files {
		if (name == at || strings.HasPrefix(name, at+"/")) && admission.Reads(name) && admission.Holds(name, data) {
			return true
		}
	}
	return false
}

func kustomization(file string, data []byte) map[string]any {
	var content map[string]any
	if limit.YAML(file, data) != nil || yaml.Unmarshal(data, &content) != nil {
		return nil
	}
	return content
}

func resources(content map[string]any) []string {
	var list []string
	for _, key := range []string{"resources", "bases"} {
		entries, _ := content[key].([]any)
		for _, e := range entries {
			if text, ok := e.(string); ok {
				list = append(list, text)
			}
		}
	}
	return list
}
