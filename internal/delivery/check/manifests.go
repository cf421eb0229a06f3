package check

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/admission"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/text"
)

// RuleManifest is what the admission policies of the repository say.
const RuleManifest = "manifest"

// policies are those that a change is judged by: the base's, which it cannot
// weaken, and its own, because both hold once it is merged.
type policies struct {
	base, head *admission.Set
}

func (s *session) loadPolicies() {
	if s.base != nil && !slices.ContainsFunc(s.changed(), admission.Reads) {
		s.policies.base = admission.Load(s.base.Files) // and the head's are the same
		for _, p := range s.policies.base.Problems {
			s.note(Finding{File: p.File, Line: p.Line, Rule: RuleManifest, State: evidence.Refused, Message: p.Message})
		}
		return
	}
	s.policies.head = admission.Load(s.head.Files)
	known := make(map[string]bool)
	if s.base != nil {
		s.policies.base = admission.Load(s.base.Files)
		for _, p := range s.policies.base.Problems {
			known[p.File+p.Message] = true
		}
	}
	for _, p := range s.policies.head.Problems {
		f := Finding{File: p.File, Line: p.Line, Rule: RuleManifest, State: evidence.Refused, Message: p.Message}
		if known[p.File+p.Message] {
			s.note(f)
		} else {
			s.add(f)
		}
	}
}

// note says something that holds up nothing.
func (s *session) note(f Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.result.Notes {
		if n == f {
			return
		}
	}
	s.result.Notes = append(s.result.Notes, f)
}

// manifests holds the rendered objects of a place against the admission
// policies, and reports what is new.
func (s *session) manifests(ctx context.Context, p place, at Finding, before, objects []render.Object) error {
	at.Rule = RuleManifest
	said := make(map[string]bool)
	for _, set := range []*admission.Set{s.policies.base, s.policies.head} {
		if set == nil || set.Empty() {
			continue
		}
		namespace := s.namespace(p)
		was, err := judgeAll(ctx, set, namespace, before, before)
		if err != nil {
			return err
		}
		now, err := judgeAll(ctx, set, namespace, objects, before)
		if err != nil {
			return err
		}
		for _, key := range now.order {
			f := now.findings[key]
			if said[key] {
				continue
			}
			said[key] = true
			finding := s.locate(at, f.object)
			finding.Message = f.message
			_, old := was.findings[key]
			switch {
			case old && set == s.policies.head && s.policies.base != nil: // and not by the base's
				finding.Message = "by the policy that this change brings, what is deployed already is refused: " + f.message
				s.note(finding)
			case old:
			case f.blocks && s.waived(p, f, &finding):
				s.note(finding)
			case f.blocks:
				s.add(finding)
			default:
				s.note(finding)
			}
		}
	}
	return nil
}

// waived reports whether the rules accept what was found, and adds until when.
func (s *session) waived(p place, f judged, finding *Finding) bool {
	for _, w := range s.rules.ManifestWaivers() {
		if w.Waives(f.policy, p.app.Name, p.env.Name, f.name, s.checker.now()) {
			finding.Message += fmt.Sprintf(" (waived until %s: %s; the cluster refuses it all the same)", text.Day(w.Expires), w.Reason)
			return true
		}
	}
	return false
}

// judged is one thing that was found in one object.
type judged struct {
	object  render.Object
	name    string // KIND NAME, as policies name it
	policy  string
	message string
	blocks  bool
}

type judgement struct {
	order    []string
	findings map[string]judged
}

func judgeAll(ctx context.Context, set *admission.Set, namespace string, objects, before []render.Object) (judgement, error) {
	out := judgement{findings: make(map[string]judged)}
	add := func(key string, j judged) {
		if _, twice := out.findings[key]; !twice {
			out.order = append(out.order, key)
		}
		out.findings[key] = j
	}
	old := make(map[string]map[string]any, len(before))
	for i, id := range distinct(before) {
		old[id] = before[i].Content
	}
	ids := distinct(objects)
	for i, o := range objects {
		violations, gaps, err := set.Judge(ctx, admission.Object{ID: ids[i], Content: o.Content, Old: old[ids[i]], Namespace: namespace})
		if err != nil {
			return out, err
		}
		for _, v := range violations {
			word := map[string]string{admission.Deny: "is refused", admission.Warn: "is warned of"}[v.Action]
			add(v.Key(), judged{
				object: o, name: v.Object, policy: v.Policy, blocks: v.Action == admission.Deny,
				message: v.Object + " " + word + " by the admission policy " + v.Policy + ": " + v.Message,
			})
		}
		for _, g := range gaps {
			message := g.Object + ": the admission policy " + g.Policy + " cannot be evaluated here, so the cluster alone decides: " + g.Why
			add(ids[i]+"\x00"+message, judged{object: o, policy: g.Policy, message: message})
		}
	}
	return out, nil
}

// distinct gives the ids of objects, and those a number that have the id of one
// before them: names that the cluster is to make, say.
func distinct(objects []render.Object) []string {
	seen := make(map[string]int, len(objects))
	ids := make([]string, len(objects))
	for i, o := range objects {
		ids[i] = o.ID()
		if n := seen[o.ID()]; n > 0 {
			ids[i] = fmt.Sprintf("%s#%d", o.ID(), n)
		}
		seen[o.ID()]++
	}
	return ids
}

// namespace is where objects go that name none: known for Helm's releases.
func (s *session) namespace(p place) string {
	target := overlay.Target{Path: p.app.Overlay(p.env.Name), Image: p.app.Image, Values: p.app.Helm(p.env.Name).Image}
	if _, form, err := overlay.Find(s.head.Files, target); err == nil && form == overlay.Helm {
		return p.app.Helm(p.env.Name).Namespace
	}
	return ""
}

// locate finds the manifest that the object was rendered from: in the overlay,
// else elsewhere in the application's directory, else in what the kustomization
// names. What is nowhere by that kind and name (a chart's template, a name with a
// prefix) is at the overlay.
func (s *session) locate(at Finding, o render.Object) Finding {
	at.Line = 0
	own := path.Dir(at.File) + "/"
	tree := own
	if parts := strings.SplitN(own, "/", 3); len(parts) == 3 {
		tree = parts[0] + "/" + parts[1] + "/"
	}
	names := slices.Sorted(maps.Keys(s.head.Files))
	for _, prefix := range []string{own, tree} {
		for _, name := range names {
			ext := path.Ext(name)
			if !strings.HasPrefix(name, prefix) || ext != ".yaml" && ext != ".yml" ||
				strings.Contains(name, "/overlays/") && !strings.HasPrefix(name, own) {
				continue
			}
			if line, ok := s.objectsOf(name)[o.Kind+"/"+o.Name]; ok {
				at.File, at.Line = name, line
				return at
			}
		}
	}
	if render.IsKustomization(at.File) {
		for _, name := range s.filesOf(path.Dir(at.File)) {
			if line, ok := s.objectsOf(name)[o.Kind+"/"+o.Name]; ok {
				at.File, at.Line = name, line
				return at
			}
		}
	}
	return at
}

// filesOf are the files that the kustomization of a directory of the head names, itself or
// by other kustomizations.
func (s *session) filesOf(dir string) (files []string) {
	seen, open := map[string]bool{dir: true}, []string{dir}
	for len(open) > 0 {
		named := render.Named(s.head.Files, open[0])
		open = open[1:]
		slices.Sort(named)
		for _, name := range named {
			switch {
			case seen[name]:
			case s.head.Files[name] != nil:
				files = append(files, name)
			default:
				open = append(open, name)
			}
			seen[name] = true
		}
	}
	return files
}

// objectsOf reads where the objects of a file of the head stand, once.
func (s *session) objectsOf(file string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines, known := s.lines[file]
	if !known {
		lines = admission.Locate(file, s.head.Files[file])
		s.lines[file] = lines
	}
	return lines
}
