package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/text"
)

// Weakening is protection that a change takes away.
type Weakening struct {
	Change string // in the words that acknowledge it
	Path   []string
}

// Acknowledgement is somebody's word that a change means to take protection
// away. It counts in the change that brings it.
type Acknowledgement struct {
	Change string `yaml:"change"`
	Reason string `yaml:"reason"`
}

// Acknowledged lists the acknowledgements of c that base does not have.
func (c *Config) Acknowledged(base *Config) []Acknowledgement {
	var fresh []Acknowledgement
	for _, a := range c.acknowledge {
		if !slices.Contains(base.acknowledge, a) {
			fresh = append(fresh, a)
		}
	}
	return fresh
}

// Line is where a path of keys stands in the file; the nearest key above it
// where it is not there, and 0 where nothing is.
func (c *Config) Line(steps ...string) int {
	if c.root == nil || child(c.root, steps[0]) == nil {
		return 0
	}
	return locate(c.root, steps).Line
}

// Weaker lists the protection that head takes away, in a stable order. What
// this version of Waybill does not know how to compare counts as taken away
// where it changes.
func Weaker(base, head *Config, now time.Time) []Weakening {
	w := &weaker{base: base, head: head, now: now}
	w.policy([]string{"policy"}, base.policy, head.policy)
	common := slices.Clone(w.found)
	w.environments(common)
	w.newEnvironments(common)
	w.apps()
	w.sameImages()
	w.groupsWeaker()
	w.manifests()
	w.unknown([]string{"terraform"}, at(base.raw, "terraform"), at(head.raw, "terraform"), nil)
	return w.found
}

type weaker struct {
	base, head *Config
	now        time.Time
	found      []Weakening
}

func (w *weaker) add(path []string, format string, args ...any) {
	change := strings.Join(path, ".") + " " + fmt.Sprintf(format, args...)
	if !slices.ContainsFunc(w.found, func(f Weakening) bool { return f.Change == change }) {
		w.found = append(w.found, Weakening{Change: change, Path: path})
	}
}

func in(path []string, steps ...string) []string { return slices.Concat(path, steps) }

// limits names what a signer is bound to: machines that may be others than GitHub's,
// refs and events.
func limits(s evidence.SignerRule) string {
	said := ""
	if s.Runner != "" && s.Runner != evidence.RunnerHosted {
		said = " on " + s.Runner + " runners"
	}
	if len(s.Refs) > 0 {
		said += " for " + strings.Join(s.Refs, ", ")
	}
	if len(s.Events) > 0 {
		said += " started by " + strings.Join(s.Events, ", ")
	}
	return said
}

// policy compares what holds.
func (w *weaker) policy(path []string, base, head policy) {
	b, h := base.evidence("", ""), head.evidence("", "")
	for _, kind := range b.Require {
		if !slices.Contains(h.Require, kind) {
			w.add(in(path, "require"), "drops %s", kind)
		}
	}
	for _, signer := range h.Signers {
		if !slices.ContainsFunc(b.Signers, func(s evidence.SignerRule) bool { return s.Covers(signer) }) {
			w.add(
				in(path, "signers"), "adds %s %s %s%s", signer.Issuer, cmp.Or(signer.Identity, signer.Workflow),
				cmp.Or(signer.Source, "(any source)"),
				limits(signer),
			)
		}
	}
	for _, key := range h.Keys {
		if !slices.Contains(b.Keys, key) {
			w.add(in(path, "keys"), "adds %s", key)
		}
	}
	if stricter(b.Threshold.Severity, h.Threshold.Severity) {
		w.add(in(path, "scan", "severity"), "goes from %s to %s", b.Threshold.Severity, h.Threshold.Severity)
	}
	if h.Threshold.IgnoreUnfixed && !b.Threshold.IgnoreUnfixed {
		w.add(in(path, "scan", "ignoreUnfixed"), "becomes true")
	}
	if b.MaxAge != 0 && (h.MaxAge > b.MaxAge || h.MaxAge == 0) {
		w.add(in(path, "scan", "maxAge"), "goes from %s to %s", b.MaxAge, h.MaxAge)
	}
	w.origins(path, b, h)
	w.waivers(path, base.Waivers, head.Waivers)
	w.images(in(path, "images"), base.Images, head.Images)
	known := []string{
		"require", "signers", "keys", "builders", "waivers", "scan.severity", "scan.ignoreUnfixed", "scan.maxAge",
		"scan.databases", "scan.databaseMaxAge", "scan.vex", "scan.secrets", "scan.endOfLife", "scan.misconfiguration", "scan.licenses",
		"images", "signedBy", "maxAge.signature", "maxAge.provenance", "maxAge.sbom",
	}
	w.unknown(path, at(w.base.raw, path...), at(w.head.raw, path...), known)
}

// ownPolicy compares what holds in one environment. What is common to all, and
// said already, is not said again.
func (w *weaker) ownPolicy(path []string, base, head policy, common []Weakening) {
	own := &weaker{base: w.base, head: w.head, now: w.now}
	own.policy(path, base, head)
	for _, f := range own.found {
		same := func(c Weakening) bool {
			return strings.TrimPrefix(c.Change, "policy") == strings.TrimPrefix(f.Change, strings.Join(path, "."))
		}
		if !slices.ContainsFunc(common, same) {
			w.found = append(w.found, f)
		}
	}
}

// stricter reports whether a refuses findings that b lets pass.
func stricter(a, b evidence.Severity) bool { return a != "none" && (b == "none" || !a.AtLeast(b)) }

func (w *weaker) waivers(path []string, base, head []waiver) {
	for _, h := range head {
		covered := func(b waiver) bool {
			wide := func(b, h string) bool { return b == h || b == "" }
			return b.ID == h.ID && wide(b.Package, h.Package) && wide(b.App, h.App) && !time.Time(h.Expires).After(time.Time(b.Expires))
		}
		if time.Time(h.Expires).After(w.now) && !slices.ContainsFunc(base, covered) {
			w.add(in(path, "waivers"), "adds %s", words(h.ID, h.Package, h.App, "until "+text.Day(time.Time(h.Expires))))
		}
	}
}

func (w *weaker) images(path []string, base, head imagesPolicy) {
	for _, pattern := range head.Allow {
		if !slices.Contains(base.Allow, pattern) && !(strings.Count(pattern, "*") == 0 && Images(base).Allows(pattern)) {
			w.add(in(path, "allow"), "adds %s", pattern)
		}
	}
	for _, field := range head.Ignore {
		if !slices.Contains(base.Ignore, field) {
			w.add(in(path, "ignore"), "adds %s", field)
		}
	}
	for _, field := range base.Fields {
		if !slices.Contains(head.Fields, field) {
			w.add(in(path, "fields"), "drops %s", field)
		}
	}
}

func (w *weaker) environments(common []Weakening) {
	for _, b := range w.base.Environments {
		path := []string{"environments", b.Name}
		h, err := w.head.Environment(b.Name)
		if err != nil {
			w.add([]string{"environments"}, "drops %s", b.Name)
			continue
		}
		still := w.head.ancestors(b.Name)
		for _, before := range slices.Sorted(maps.Keys(w.base.ancestors(b.Name))) {
			if _, err := w.head.Environment(before); err == nil && !still[before] { // one that goes is said above
				w.add(path, "no longer comes after %s", before)
			}
		}
		switch {
		case h.Any && !b.Any:
			w.add(in(path, "needs"), "becomes any")
		case h.Any:
			for _, before := range w.head.comesAfter(b.Name) {
				if !slices.Contains(w.base.comesAfter(b.Name), before) {
					w.add(path, "may come from %s alone", before)
				}
			}
		}
		if h.Promotion == Auto && b.Promotion != Auto {
			w.add(in(path, "promotion"), "becomes auto")
		}
		if h.Soak < b.Soak {
			w.add(in(path, "soak"), "goes from %s to %s", b.Soak, h.Soak)
		}
		for _, r := range b.Reviewers {
			if !slices.Contains(h.Reviewers, r) {
				w.add(in(path, "reviewers"), "drops %s", r)
			}
		}
		w.freezes(path, b.Freeze, h.Freeze)
		w.windows(path, b.Windows, h.Windows)
		w.checks(path, b, h)
		w.ownPolicy(in(path, "policy"), w.base.policy.overriddenBy(b.policy), w.head.policy.overriddenBy(h.policy), common)
		w.unknown(
			path, named(w.base.raw, b.Name), named(w.head.raw, b.Name),
			[]string{"name", "promotion", "after", "needs", "soak", "reviewers", "freeze", "windows", "health", "verify", "policy"},
		)
	}
}

func (w *weaker) freezes(path []string, base, head []Freeze) {
	for _, b := range base {
		if !b.Until.After(w.now) {
			continue // over
		}
		covered := func(h Freeze) bool {
			return !h.Until.Before(b.Until) && (!h.From.After(b.From) || !h.From.After(w.now))
		}
		if !slices.ContainsFunc(head, covered) {
			w.add(in(path, "freeze"), "drops or shortens that from %s until %s", text.Day(b.From), text.Day(b.Until))
		}
	}
}

func (w *weaker) apps() {
	for _, name := range w.base.AppNames() {
		path := []string{"apps", name}
		b := w.base.apps[name]
		h, ok := w.head.apps[name]
		if !ok {
			w.add([]string{"apps"}, "drops %s", name)
			continue
		}
		for _, env := range b.Environments {
			if _, err := w.head.Environment(env); err == nil && !h.RunsIn(env) {
				w.add(in(path, "environments"), "drops %s", env)
			}
		}
		if b.Source != "" && h.Source != b.Source {
			w.add(in(path, "source"), "goes from %s to %s", b.Source, cmp.Or(h.Source, "any"))
		}
		w.fewerImages(path, b, h)
		known := []string{"image", "images", "source", "overlay", "environments", "helm"}
		w.unknown(path, at(w.base.raw, path...), at(w.head.raw, path...), known)
	}
}

func (w *weaker) manifests() {
	for _, h := range w.head.manifestWaivers {
		covered := func(b ManifestWaiver) bool {
			wide := func(b, h string) bool { return b == h || b == "" }
			return b.Policy == h.Policy && wide(b.App, h.App) && wide(b.Env, h.Env) && wide(b.Object, h.Object) &&
				!h.Expires.After(b.Expires)
		}
		if h.Expires.After(w.now) && !slices.ContainsFunc(w.base.manifestWaivers, covered) {
			w.add([]string{"manifests", "waivers"}, "adds %s", words(h.Policy, h.App, h.Env, h.Object, "until "+text.Day(h.Expires)))
		}
	}
	w.rules()
	w.unknown([]string{"manifests"}, at(w.base.raw, "manifests"), at(w.head.raw, "manifests"), []string{"waivers", "rules", "kubernetes"})
}

// rules compares the checklist, whether a rule is named or left to its default.
func (w *weaker) rules() {
	strength := []string{Off, Note, Refuse}
	for _, id := range slices.Sorted(maps.Keys(ManifestRules)) {
		b, h := w.base.ManifestRule(id), w.head.ManifestRule(id)
		if slices.Index(strength, h) < slices.Index(strength, b) {
			w.add([]string{"manifests", "rules", id}, "goes from %s to %s", b, h)
		}
	}
	if w.head.kubernetes < w.base.kubernetes {
		w.add([]string{"manifests", "kubernetes"}, "goes from 1.%d to 1.%d", w.base.kubernetes, w.head.kubernetes)
	}
}

// unknown reports keys that the base has and the head has otherwise, or not at
// all. known are those that are compared with understanding, by their path.
func (w *weaker) unknown(path []string, base, head any, known []string) {
	b, isMap := base.(map[string]any)
	if !isMap {
		if base != nil && !reflect.DeepEqual(base, head) {
			w.add(path, "changes")
		}
		return
	}
	h, _ := head.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(b)) {
		below := inside(known, key)
		if slices.Contains(known, key) || reflect.DeepEqual(b[key], h[key]) || key != "rules" && keepsAll(b[key], h[key]) {
			continue
		}
		if len(below) > 0 {
			w.unknown(in(path, key), b[key], h[key], below)
			continue
		}
		w.add(in(path, key), "changes")
	}
}

// keepsAll reports whether a list only gets longer.
func keepsAll(base, head any) bool {
	b, isList := base.([]any)
	h, _ := head.([]any)
	return isList && !slices.ContainsFunc(b, func(e any) bool {
		return !slices.ContainsFunc(h, func(o any) bool { return reflect.DeepEqual(e, o) })
	})
}

// inside gives the paths below a key.
func inside(paths []string, key string) []string {
	var below []string
	for _, p := range paths {
		if rest, ok := strings.CutPrefix(p, key+"."); ok {
			below = append(below, rest)
		}
	}
	return below
}

// named finds an environment in the plain document.
func named(raw map[string]any, name string) any {
	list, _ := raw["environments"].([]any)
	for _, e := range list {
		if m, ok := e.(map[string]any); ok && m["name"] == name {
			return m
		}
	}
	return nil
}

// at finds the value at a path of keys; an environment is found by its name.
func at(raw map[string]any, path ...string) any {
	if len(path) > 1 && path[0] == "environments" {
		m, _ := named(raw, path[1]).(map[string]any)
		return at(m, path[2:]...)
	}
	var v any = raw
	for _, step := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[step]
	}
	return v
}

func words(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), " ")
}
