package drift_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/drift"
	"github.com/waybill-dev/waybill/internal/gate/redact"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/tool"
	"github.com/waybill-dev/waybill/internal/markdown"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// secret is planted in a sensitive attribute, moved is what somebody sets it
// to; nothing may show either.
const (
	secret = "planted-Sesame-4711"
	moved  = "Sesame-moved-0815"
)

const providers = `terraform {
  required_providers {
    world = { source = "waybill-dev/world" }
  }
}
`

// root is a terraform root that was applied, and the world it made.
type root struct {
	t   *testing.T
	top string
	dir string
	env []string
}

// applied makes a root of the configuration, in which WORLD is a directory, and
// applies it with the real terraform.
func applied(t *testing.T, configuration string, modules map[string]string) *root {
	t.Helper()
	r := &root{t: t, top: t.TempDir(), dir: "infra"}
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TF_CLI_CONFIG_FILE=" + tooltest.World(t), "TF_VAR_secret=" + secret,
	}
	if err := os.MkdirAll(filepath.Join(r.top, "world"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range modules {
		r.dir = name
		r.write(text)
	}
	r.dir = "infra"
	r.write(configuration)
	r.terraform("init", "-input=false")
	r.terraform("apply", "-input=false", "-auto-approve")
	return r
}

func (r *root) write(configuration string) {
	r.t.Helper()
	dir := filepath.Join(r.top, r.dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(
		filepath.Join(dir, "main.tf"), []byte(providers+strings.ReplaceAll(configuration, "WORLD", filepath.Join(r.top, "world"))),
		0o644,
	); err != nil {
		r.t.Fatal(err)
	}
}

func (r *root) terraform(args ...string) {
	r.t.Helper()
	if _, err := (process.Command{
		Path: tooltest.Find(r.t, "terraform"), Args: args, Env: r.env, Dir: filepath.Join(r.top, r.dir),
	}).Output(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// change does to a thing what somebody does behind terraform's back.
func (r *root) change(name string, change func(thing map[string]any)) {
	r.t.Helper()
	file := filepath.Join(r.top, "world", name)
	data, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	thing := map[string]any{}
	if err := json.Unmarshal(data, &thing); err != nil {
		r.t.Fatal(err)
	}
	change(thing)
	if data, err = json.Marshal(thing); err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *root) remove(name string) {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.top, "world", name)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *root) find(change func(*drift.Request)) *drift.Report {
	r.t.Helper()
	request := drift.Request{
		Top: r.top, Roots: []roots.Root{{Dir: r.dir}}, All: true, Now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC),
		Tool: tool.Tool{Program: tooltest.Find(r.t, "terraform"), Work: r.t.TempDir(), LockTimeout: time.Minute,
			Env: func(variables []string) []string {
				return append(
					r.env[:3:3],
					terraform.Env(func(name string) string { return map[string]string{"TF_VAR_secret": secret}[name] }, nil, variables)...,
				)
			}},
	}
	if change != nil {
		change(&request)
	}
	report, err := drift.Find(r.t.Context(), request)
	if err != nil {
		r.t.Fatal(err)
	}
	data, err := json.Marshal(report)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, text := range []string{string(data), report.Markdown(markdown.MaxComment), report.Roots[0].Body(markdown.MaxComment)} {
		if strings.Contains(text, secret) || strings.Contains(text, moved) {
			r.t.Errorf("a secret is shown: %s", text)
		}
	}
	return report
}

// said is a report in lines: address, action, paths, back; then what is beside.
func said(r drift.Root) []string {
	lines := []string{r.Status}
	for _, d := range r.Drift {
		text := d.Address + " " + d.Action
		for _, a := range d.Attributes {
			text += " " + a.Path + " " + a.Before + ">" + a.After
		}
		lines = append(lines, text+" "+d.Back)
	}
	for _, u := range r.Unapplied {
		lines = append(lines, "unapplied "+u.Address+" "+u.Action)
	}
	for _, i := range r.Ignored {
		lines = append(lines, "ignored "+i.Address+" "+strings.Join(i.Attributes, " "))
	}
	if r.Unmanaged > 0 {
		lines = append(lines, "unmanaged")
	}
	return lines
}

const things = `variable "secret" {
  type      = string
  sensitive = true
}

resource "world_thing" "a" {
  path     = "WORLD/a"
  settings = { size = "1", tags = "x" }
  secret   = var.secret
}

module "deep" {
  source = "./deep"
  for_each = toset(["k.1"])
  path   = "WORLD/b"
}
`

var deep = map[string]string{
	"infra/deep": "variable \"path\" {\n  type = string\n}\n\nresource \"world_thing\" \"b\" {\n  path     = var.path\n  settings = " +
		"{ size = \"1\" }\n}\n",
}

// What changed outside is drift where the configuration asks for something
// else; what it does not ask about is not, and neither is code that nobody
// applied yet.
func TestDriftIsToldFromTheRest(t *testing.T) {
	t.Parallel()
	r := applied(t, things, deep)
	if diff := cmp.Diff([]string{"clean"}, said(r.find(nil).Roots[0])); diff != "" {
		t.Error(diff)
	}
	// A counter alone, which the world counts, is none.
	r.change("a", func(thing map[string]any) { thing["version"] = 7 })
	if diff := cmp.Diff([]string{"clean", "unmanaged"}, said(r.find(nil).Roots[0])); diff != "" {
		t.Error(diff)
	}
	// Unless it is asked for.
	if diff := cmp.Diff(
		[]string{"drifted", "world_thing.a change version 1>7 left as it is"},
		said(r.find(func(r *drift.Request) { r.Unmanaged = true }).Roots[0]),
	); diff != "" {
		t.Error(diff)
	}
	// The counter stays one where the same resource is changed by code.
	r.write(strings.Replace(things, `tags = "x"`, `tags = "y"`, 1))
	if diff := cmp.Diff([]string{"clean", "unapplied world_thing.a change", "unmanaged"}, said(r.find(nil).Roots[0])); diff != "" {
		t.Error(diff)
	}
	// Drift and code at once: of the resource, only what somebody changed.
	r.change("a", func(thing map[string]any) {
		thing["settings"], thing["secret"] = map[string]any{"size": "9", "tags": "x", "extra": "z"}, moved
	})
	r.remove("b")
	want := []string{
		"drifted", `module.deep["k.1"].world_thing.b destroy made again`,
		`world_thing.a change secret (sensitive value)>(sensitive value) settings.extra >"z" settings.size "1">"9" changed back`,
	}
	if diff := cmp.Diff(want, said(r.find(nil).Roots[0])); diff != "" {
		t.Error(diff)
	}
	// What neither the world nor the code has any more is not drift.
	r.write(`variable "secret" {
  type      = string
  sensitive = true
}
`)
	if diff := cmp.Diff([]string{"clean", "unapplied world_thing.a destroy", "unmanaged"}, said(r.find(nil).Roots[0])); diff != "" {
		t.Error(diff)
	}
}

// Where drift itself keeps terraform from planning, it is found all the same.
func TestNoWayBack(t *testing.T) {
	t.Parallel()
	const kept = `resource "world_thing" "b" {
  path     = var.path
  settings = { size = "1" }

  lifecycle {
    prevent_destroy      = true
    replace_triggered_by = [terraform_data.x]
  }
}

resource "terraform_data" "x" {
  input = "1"
}

variable "path" {
  type = string
}
`
	const call = "module \"deep\" {\n  source   = \"./deep\"\n  for_each = toset([\"k.1\"])\n  path     = \"WORLD/a\"\n}\n"
	r := applied(t, call, map[string]string{"infra/deep": kept})
	r.change("a", func(thing map[string]any) { thing["settings"], thing["version"] = map[string]any{"size": "9"}, 7 })
	r.dir = "infra/deep"
	r.write(strings.Replace(kept, `input = "1"`, `input = "2"`, 1))
	r.dir = "infra"
	report := r.find(nil)
	if diff := cmp.Diff(
		[]string{"drifted", `module.deep["k.1"].world_thing.b change settings.size "1">"9" terraform cannot plan the way back`},
		said(report.Roots[0]),
	); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(report.Roots[0].Problem, "prevent_destroy") ||
		strings.Contains(report.Roots[0].Body(markdown.MaxComment), "lifecycle.prevent_destroy") ||
		!strings.Contains(report.Markdown(markdown.MaxComment), "prevent_destroy") {
		t.Errorf("the reason is not where it belongs: %s", report.Roots[0].Problem)
	}
	r.remove("a")
	if diff := cmp.Diff(
		[]string{"drifted", `module.deep["k.1"].world_thing.b destroy made again`, `unapplied module.deep["k.1"].terraform_data.x change`},
		said(r.find(nil).Roots[0]),
	); diff != "" {
		t.Error(diff)
	}
	// What broken code keeps from being refreshed is broken.
	r.write(call + "resource \"world_thing\" \"b\" {\n}\n")
	if got := r.find(nil).Roots[0]; got.Status != drift.Broken || !strings.Contains(got.Problem, "path") {
		t.Errorf("%+v", got)
	}
}

// An attribute that the configuration sets, to what is not known yet, drifted.
func TestUnknown(t *testing.T) {
	t.Parallel()
	const made = `resource "terraform_data" "x" {
  triggers_replace = "1"
}

resource "world_thing" "a" {
  path     = "WORLD/a"
  settings = { id = terraform_data.x.id }
}
`
	r := applied(t, made, nil)
	r.change("a", func(thing map[string]any) { thing["settings"] = map[string]any{"id": "9"} })
	r.write(strings.Replace(made, `= "1"`, `= "2"`, 1))
	got := said(r.find(nil).Roots[0])
	if len(got) != 3 || !strings.HasPrefix(got[1], "world_thing.a change settings.id ") || got[2] != "unapplied terraform_data.x replace" {
		t.Errorf("%q", got)
	}
}

// A credential of the job that somebody, or a provider, writes into a resource is shown
// nowhere, though no plan calls it sensitive.
func TestDriftShowsNoCredentialOfTheJob(t *testing.T) {
	t.Parallel()
	r := applied(t, "resource \"world_thing\" \"a\" {\n  path     = \"WORLD/a\"\n  settings = { size = \"1\" }\n}\n", nil)
	const credential = "planted-credential-of-the-job"
	r.change("a", func(thing map[string]any) { thing["settings"] = map[string]any{"size": "x" + credential} })
	got := r.find(func(request *drift.Request) {
		env := request.Tool.Env
		request.Tool.Env = func(variables []string) []string { return append(env(variables), "AWS_SECRET_ACCESS_KEY="+credential) }
	}).Roots[0]
	want := []string{"drifted", `world_thing.a change settings.size "1">"x(sensitive value)" changed back`}
	if diff := cmp.Diff(want, said(got)); diff != "" {
		t.Error(diff)
	}
}

// Code that is merged and not applied is clean until its time is over; and where nobody
// knows when it was merged, or nothing of it is left to apply, it stays so.
func TestOverdue(t *testing.T) {
	t.Parallel()
	const code = "resource \"world_thing\" \"a\" {\n  path     = \"WORLD/a\"\n  settings = { size = \"1\" }\n}\n"
	r := applied(t, code, nil)
	commit := func(at string) {
		t.Helper()
		for _, args := range [][]string{{"init", "-q"}, {"add", "infra/main.tf"}, {"commit", "-q", "-m", "change"}} {
			if _, err := (process.Command{Path: tooltest.Find(t, "git"), Args: args, Dir: r.top, Env: []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
				"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_AUTHOR_DATE=" + at, "GIT_COMMITTER_DATE=" + at,
			}}).Output(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	find := func(days int) drift.Root {
		return r.find(func(request *drift.Request) { request.Unapplied = time.Duration(days) * 24 * time.Hour }).Roots[0]
	}
	r.write(strings.Replace(code, `"1"`, `"2"`, 1))
	if got := find(1); got.Status != drift.Clean || got.Since != "" || len(got.Unapplied) != 1 {
		t.Errorf("without a commit: %+v", got)
	}
	commit("2026-11-19T02:00:00+14:00") // two days before it is looked at, where it is the 18th
	for days, want := range map[int]string{0: drift.Clean, 1: drift.Overdue, 3: drift.Clean} {
		got := find(days)
		if got.Status != want || strings.HasPrefix(got.Since, "2026-11-18 (") != (want == drift.Overdue) || len(got.Unapplied) != 1 {
			t.Errorf("after %d days: %+v, want %s", days, got, want)
		}
	}
	r.change("a", func(thing map[string]any) { thing["settings"] = map[string]any{"size": "9"} })
	if got := find(1); got.Status != drift.Drifted {
		t.Errorf("what drifted is %+v", got)
	}
	r.terraform("apply", "-input=false", "-auto-approve")
	if got := find(1); got.Status != drift.Clean || got.Since != "" {
		t.Errorf("after the apply: %+v", got)
	}
}

// A root whose entry asks for no more than its state is planned in full: what its code would
// change back is drift.
func TestDriftOfARootThatIsOnlyRefreshed(t *testing.T) {
	t.Parallel()
	r := applied(t, "resource \"world_thing\" \"a\" {\n  path     = \"WORLD/a\"\n  settings = { size = \"1\" }\n}\n", nil)
	r.change("a", func(thing map[string]any) { thing["settings"] = map[string]any{"size": "9"} })
	got := r.find(func(request *drift.Request) { request.Roots[0].RefreshOnly = true }).Roots[0]
	if diff := cmp.Diff([]string{"drifted", `world_thing.a change settings.size "1">"9" changed back`}, said(got)); diff != "" {
		t.Error(diff)
	}
}

// A state that somebody locks says nothing of drift. It is not looked at in another way
// either, as soon as the lock is free: that would call the root drifted or clean by half.
func TestLockedStateIsBroken(t *testing.T) {
	t.Parallel()
	r := applied(t, "resource \"world_thing\" \"a\" {\n  path     = \"WORLD/a\"\n  settings = { size = \"1\" }\n}\n", nil)
	program := filepath.Join(t.TempDir(), "terraform") // the state is locked when it plans for the first time
	script := "#!/bin/sh\ncase \"$*\" in plan*-refresh-only*) ;; plan*) echo 'Error: Error acquiring the state lock' >&2; exit 1;; esac\n" +
		"exec '" + tooltest.Find(t, "terraform") + "' \"$@\"\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	got := r.find(func(request *drift.Request) { request.Tool.Program = program }).Roots[0]
	if got.Status != drift.Broken || !strings.Contains(got.Problem, "Error acquiring the state lock") {
		t.Errorf("%+v", got)
	}
}

// What a provider says when it fails may quote a secret.
func TestBrokenTellsNoSecret(t *testing.T) {
	t.Parallel()
	r := applied(
		t,
		"variable \"secret\" {\n  type      = string\n  sensitive = true\n}\n\nresource \"world_thing\" \"a\" {\n  path = "+
			"\"WORLD/${nonsensitive(var.secret)}\"\n}\n",
		nil,
	)
	r.remove(secret)
	if err := os.Mkdir(filepath.Join(r.top, "world", secret), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := r.find(nil).Roots[0]; got.Status != drift.Broken || !strings.Contains(got.Problem, redact.Hidden) {
		t.Errorf("%+v", got)
	}
}

func TestIgnores(t *testing.T) {
	t.Parallel()
	r := applied(t, things, deep)
	r.change("a", func(thing map[string]any) { thing["settings"] = map[string]any{"size": "9", "tags": "y"} })
	r.remove("b")
	later, earlier := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	entry := func(dir, address string, expires time.Time, attributes ...string) config.DriftIgnore {
		return config.DriftIgnore{Dir: dir, Address: address, Attributes: attributes, Reason: "why", Expires: expires}
	}
	const gone, size, tags = `module.deep["k.1"].world_thing.b destroy made again`, `settings.size "1">"9"`, `settings.tags "x">"y"`
	for name, w := range map[string]struct {
		entry config.DriftIgnore
		want  []string
		idle  string
	}{
		"whole": {entry("", "world_thing.a", later), []string{"drifted", gone, "ignored world_thing.a "}, ""},
		"gone": {
			entry("infra", "module.*.world_thing.b", later),
			[]string{"drifted", "world_thing.a change " + size + " " + tags + " changed back", `ignored module.deep["k.1"].world_thing.b `},
			"",
		},
		"deep": {
			entry("**", "**", later), []string{"clean", "ignored world_thing.a ", `ignored module.deep["k.1"].world_thing.b `}, "",
		},
		"attribute": {
			entry("", "world_thing.a", later, "settings.size"),
			[]string{"drifted", gone, "world_thing.a change " + tags + " changed back", "ignored world_thing.a settings.size"}, "",
		},
		"parent": {
			entry("", "world_thing.*", later, "settings"),
			[]string{"drifted", gone, "ignored world_thing.a settings.size settings.tags"}, "",
		},
		"expired": {
			entry("", "world_thing.a", earlier),
			[]string{"drifted", gone, "world_thing.a change " + size + " " + tags + " changed back"}, drift.Expired,
		},
		"anchored": {
			entry("", "world_thing", later),
			[]string{"drifted", gone, "world_thing.a change " + size + " " + tags + " changed back"}, drift.Unmatched,
		},
		"elsewhere": {
			entry("infra/*", "world_thing.a", later),
			[]string{"drifted", gone, "world_thing.a change " + size + " " + tags + " changed back"}, drift.Unmatched,
		},
		"another attribute": {
			entry("", "**", later, "settings.s"),
			[]string{"drifted", gone, "world_thing.a change " + size + " " + tags + " changed back"}, drift.Unmatched,
		},
	} {
		// One after another: they plan one root, and terraform does not wait for a lock that
		// somebody is just taking or giving back.
		t.Run(name, func(t *testing.T) {
			r := *r
			r.t = t
			report := r.find(func(q *drift.Request) { q.Ignores = []config.DriftIgnore{w.entry} })
			if diff := cmp.Diff(w.want, said(report.Roots[0])); diff != "" {
				t.Error(diff)
			}
			idle := ""
			if len(report.Ignores) > 0 {
				idle = report.Ignores[0].Why
			}
			if idle != w.idle {
				t.Errorf("the entry is %q, want %q", idle, w.idle)
			}
		})
	}
}

// Only where every root was planned is an entry without a match one for good.
func TestUnmatchedNeedsAllRoots(t *testing.T) {
	t.Parallel()
	r := applied(t, "resource \"world_thing\" \"a\" {\n  path = \"WORLD/a\"\n}\n", nil)
	ignores := []config.DriftIgnore{{Address: "x.y", Reason: "why", Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}}
	for name, change := range map[string]func(*drift.Request){
		"some roots":  func(q *drift.Request) { q.All = false },
		"broken root": func(q *drift.Request) { q.Roots = append(q.Roots, roots.Root{Dir: "none"}) },
	} {
		report := r.find(func(q *drift.Request) { q.Ignores = ignores; change(q) })
		if len(report.Ignores) != 0 {
			t.Errorf("%s: %+v", name, report.Ignores)
		}
	}
	report := r.find(func(q *drift.Request) { q.Roots = append(q.Roots, roots.Root{Dir: "none"}) })
	if report.Roots[0].Status != drift.Clean || report.Roots[1].Status != drift.Broken ||
		!strings.Contains(report.Roots[1].Problem, "does not exist") {
		t.Errorf("%+v", report.Roots)
	}
}
