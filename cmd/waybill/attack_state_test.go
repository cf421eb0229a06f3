package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
)

// forge seals another plan in the place of the one with a fingerprint, as a job can
// that its pull request controls, and gives the fingerprint of what it sealed.
func (w *infraWorld) forge(f plan.Fingerprint, change func(*seal.Bundle)) (forged plan.Fingerprint) {
	w.t.Helper()
	w.reseal(f, func(b *seal.Bundle) {
		change(b)
		var err error
		for i, r := range b.Roots {
			record := &b.Document.Roots[i]
			if record.Plan, err = terraform.PlanDigest(r.Binary); err != nil {
				w.t.Fatal(err)
			}
			if record.Changes, err = plan.ChangesDigest(r.JSON); err != nil {
				w.t.Fatal(err)
			}
		}
		if forged, err = b.Document.Fingerprint(); err != nil {
			w.t.Fatal(err)
		}
	})
	return forged
}

// plannedIn is what terraform itself plans in a directory, in both forms.
func (w *infraWorld) plannedIn(dir string) (binary, shown []byte) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "plan")
	w.terraform(dir, "plan", "-out="+file)
	show := process.Command{
		Path: "terraform", Args: []string{"show", "-json", file}, Dir: dir,
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.t.TempDir()},
	}
	shown, err := show.Output(w.t.Context())
	if err == nil {
		binary, err = os.ReadFile(file)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return binary, shown
}

const labRules = `apiVersion: waybill.dev/v1
terraform:
  roots: [{dir: infra/lab}, {dir: infra/strict}]
  rules: [{dir: infra/lab, approvals: 0}, {dir: infra/strict, approvals: 2, from: [acme/dba]}]
`

const labRoot = "terraform {\n  backend \"local\" {}\n}\n"

// labWorld has a root that nobody needs to approve, and one that two people must,
// whose state holds a resource.
func labWorld(t *testing.T) *infraWorld {
	t.Helper()
	const precious = "resource \"terraform_data\" \"precious\" {\n  input = 1\n}\n"
	w := newInfraWorld(t, map[string]string{
		"waybill.yaml": labRules, "infra/lab/main.tf": labRoot, "infra/strict/main.tf": labRoot + precious,
	})
	strict := filepath.Join(w.clone, "infra/strict")
	w.terraform(strict, "init")
	w.terraform(strict, "apply", "-auto-approve")
	return w
}

// terraform applies a stored plan to the state of the backend that is in it. One that
// names another state than the root's would change what others must approve.
func TestApplyWritesTheStateOfTheRoot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attack func(w *infraWorld, lab string)
		says   string
	}{
		"of another root": {
			says: `infra/lab: the stored plan would write another state than the root's, its backend differs in: path\. Plan again`,
			attack: func(w *infraWorld, lab string) {
				write(w.t, lab, map[string]string{
					"main.tf": strings.Replace(labRoot, "{}", "{\n    path = \"../strict/terraform.tfstate\"\n  }", 1),
				})
			}},
		"of another workspace": {
			says: `infra/lab: the stored plan would write another state than the root's, its backend differs in: workspace\. Plan again`,
			attack: func(w *infraWorld, lab string) {
				w.terraform(lab, "init")
				w.terraform(lab, "workspace", "new", "other")
			}},
		"a state that was made up": {
			says: `infra/lab: the stored plan was made from another state than the one that was approved: lineage 1111.*, serial 9\. Plan again`,
			attack: func(w *infraWorld, lab string) {
				write(w.t, lab, map[string]string{"terraform.tfstate": `{"version":4,"terraform_version":"1.11.4","serial":9,` +
					`"lineage":"11111111-2222-3333-4444-555555555555","outputs":{},"resources":[]}`})
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := labWorld(t)
			w.open("ada", map[string]string{"infra/lab/note.tf": "output \"x\" {\n  value = 1\n}\n"})
			f := w.plan("--changed-since", "origin/main")
			// What the job has that its pull request controls.
			tree := filepath.Join(t.TempDir(), "infra")
			if err := os.CopyFS(tree, os.DirFS(filepath.Join(w.clone, "infra"))); err != nil {
				t.Fatal(err)
			}
			lab := filepath.Join(tree, "lab")
			c.attack(w, lab)
			w.terraform(lab, "init")
			binary, shown := w.plannedIn(lab)
			forged := w.forge(f, func(b *seal.Bundle) {
				b.Roots[0].Binary = rewrite(t, binary, "tfconfig/m-/main.tf", func(string) string { return labRoot })
				b.Roots[0].JSON = shown
			})
			w.merge()
			precious := read(t, filepath.Join(w.clone, "infra/strict/terraform.tfstate"))
			code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
			w.wants("apply", code, 3, words, c.says)
			if read(t, filepath.Join(w.clone, "infra/strict/terraform.tfstate")) != precious {
				t.Error("the state of another root was changed, and nobody had approved that")
			}
			if _, err := os.Stat(filepath.Join(w.clone, "infra/lab/terraform.tfstate.d/other/terraform.tfstate")); err == nil {
				t.Error("another workspace was applied")
			}
		})
	}
}

// Hooks read any part of a plan's JSON. One that says there what its binary form does not,
// also under a name that some readers take for another, is not applied.
func TestApplyRefusesAPlanOfWhichHooksReadAnother(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ find, put string }{
		"planned values":        {`"planned_values":{`, `"planned_values":{"more":1,`},
		"the configuration":     {`"configuration":{`, `"configuration":{"more":1,`},
		"the state before":      {`"prior_state":{`, `"prior_state":{"more":1,`},
		"a name in upper case":  {`"format_version":`, `"Planned_Values":{},"format_version":`},
		"what nobody knows yet": {`"format_version":`, `"news":[],"format_version":`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := labWorld(t)
			w.open("ada", map[string]string{"infra/strict/note.tf": "output \"x\" {\n  value = 1\n}\n"})
			f := w.plan("--changed-since", "origin/main")
			forged := w.forge(f, func(b *seal.Bundle) {
				was := string(b.Roots[0].JSON)
				b.Roots[0].JSON = []byte(strings.Replace(was, c.find, c.put, 1))
				if string(b.Roots[0].JSON) == was {
					t.Fatalf("there is no %s in %s", c.find, was)
				}
			})
			w.approve("bob", forged)
			w.approve("carol", forged)
			w.merge()
			code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
			w.wants("apply", code, 3, words, "infra/strict: changes was as approved when planned, is other than approved now",
				"infra/strict: the two forms of the stored plan say different things, though of the same changes")
		})
	}
}

// terraform writes back the state that is in a plan. Objects that are left out, made up
// or other ones there would be lost or changed, and no change says so.
func TestApplyKeepsTheObjectsOfTheState(t *testing.T) {
	t.Parallel()
	const resources = `(?s)"resources": \[.*\n  \]`
	const drift = `"resource_drift":[{"address":"terraform_data.precious","mode":"managed","type":"terraform_data","name":"precious",` +
		`"provider_name":"terraform.io/builtin/terraform","change":{"actions":["update"],"before":{"id":"a"},"after":{"id":"b"}}}],`
	for name, c := range map[string]struct{ find, put, says, drift string }{
		"one is left out":   {find: resources, put: `"resources": []`, says: `terraform_data\.precious\. Plan again`},
		"one of another id": {find: `"id": "[^"]+"`, put: `"id": "other"`, says: `terraform_data\.precious\. Plan again`},
		"another value":     {find: `"value": 1`, put: `"value": 2`, says: `terraform_data\.precious\. Plan again`},
		"one that is made up": {
			find: `"name": "precious"`, put: `"name": "x"`, says: `terraform_data\.precious, terraform_data\.x\. Plan again`,
		},
		"drift that its binary form does not have": {
			find: `"id": "[^"]+"`, put: `"id": "b"`, says: `terraform_data\.precious\. Plan again`, drift: drift,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := labWorld(t)
			w.open("ada", map[string]string{"infra/strict/note.tf": "output \"x\" {\n  value = 1\n}\n"})
			f := w.plan("--changed-since", "origin/main")
			forged := w.forge(f, func(b *seal.Bundle) {
				b.Roots[0].Binary = rewrite(t, b.Roots[0].Binary, "tfstate", func(text string) string {
					changed := regexp.MustCompile(c.find).ReplaceAllString(text, c.put)
					if changed == text {
						t.Fatalf("nothing to change in %s", text)
					}
					return changed
				})
				b.Roots[0].JSON = []byte(strings.Replace(string(b.Roots[0].JSON), "{", "{"+c.drift, 1))
			})
			w.approve("bob", forged)
			w.approve("carol", forged)
			w.merge()
			before := read(t, filepath.Join(w.clone, "infra/strict/terraform.tfstate"))
			code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
			w.wants("apply", code, 3, words,
				"infra/strict: the stored plan holds these otherwise than the state, and says nothing of it: "+c.says)
			if read(t, filepath.Join(w.clone, "infra/strict/terraform.tfstate")) != before {
				t.Error("the state was changed")
			}
		})
	}
	t.Run("what the plan says", func(t *testing.T) {
		t.Parallel()
		w := labWorld(t)
		w.open("ada", map[string]string{"infra/strict/main.tf": labRoot + `resource "terraform_data" "moved" {
  count = 1
  input = 1
}
moved {
  from = terraform_data.precious
  to   = terraform_data.moved
}
resource "terraform_data" "imported" {
  for_each = toset(["a\"b"])
}
import {
  to = terraform_data.imported["a\"b"]
  id = "12"
}
`})
		f := w.plan("--changed-since", "origin/main")
		w.approve("bob", f)
		w.approve("carol", f)
		w.merge()
		code, _, words := w.apply()
		w.wants("apply", code, 0, words, "infra/strict: applied")
	})
}

// Rules, environments and owners are found by the name of a directory. A plan that
// spells it otherwise would be judged by the rules of another one.
func TestDirectoriesHaveOneSpelling(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{
		"infra/./strict", "infra//strict", "infra/strict/", "./infra/strict", "infra/lab/../strict", "link/strict",
	} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			w := newInfraWorld(t, map[string]string{
				"waybill.yaml":      strings.Replace(labRules, "{dir: infra/lab, approvals", `{dir: "**", approvals`, 1),
				"infra/lab/main.tf": labRoot, "infra/strict/main.tf": labRoot,
			})
			if err := os.Symlink("infra", filepath.Join(w.clone, "link")); err != nil {
				t.Fatal(err)
			}
			w.open("ada", map[string]string{"infra/strict/note.tf": "output \"x\" {\n  value = 1\n}\n"})
			f := w.plan("--dir", "infra/strict")
			forged := w.forge(f, func(b *seal.Bundle) { b.Document.Roots[0].Dir = dir })
			w.merge()
			says := regexp.QuoteMeta("(other-root): it has a plan of " + dir + ", which is another name of infra/strict: plan again")
			if strings.HasPrefix(dir, "link") {
				says = "link/strict keeps its state where infra/strict does"
			}
			code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
			w.wants("apply", code, 3, words, says)
			if _, err := os.Stat(filepath.Join(w.clone, "infra/strict/terraform.tfstate")); err == nil {
				t.Error("a plan that two must approve was applied, and nobody had approved it")
			}
		})
	}
}

// Another root may take a state over from one that ends, if the approvers of that one
// agree. A plan that keeps quiet about the end asks nobody, and a root whose directory
// cannot be read has not ended.
func TestOnlyAnApprovedEndGivesAStateAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change map[string]string // of the pull request, beside the takeover
		quiet  bool
		says   string
	}{
		"the end is not said": {
			change: map[string]string{"waybill.yaml": strings.Replace(labRules, ", {dir: infra/strict}]", "]", 1)}, quiet: true,
			says: `infra/lab keeps its state where infra/strict does`,
		},
		"its directory is gone, and it is a root": {
			change: map[string]string{"infra/lab/note.tf": "# x\n"}, quiet: true,
			says: `infra/lab keeps its state where infra/strict does`,
		},
		"the end is said": {
			change: map[string]string{"waybill.yaml": strings.Replace(labRules, ", {dir: infra/strict}]", "]", 1)},
			says:   `0 of 2 approvals`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := filepath.Join(t.TempDir(), "strict.tfstate")
			taken := strings.Replace(labRoot, "{}", "{\n    path = \""+state+"\"\n  }", 1)
			w := newInfraWorld(t, map[string]string{
				"waybill.yaml":      strings.Replace(labRules, "terraform:", "terraform:\n  apply: before-merge", 1),
				"infra/lab/main.tf": labRoot, "infra/strict/main.tf": taken + "resource \"terraform_data\" \"precious\" {}\n",
			})
			strict := filepath.Join(w.clone, "infra/strict")
			w.terraform(strict, "init")
			w.terraform(strict, "apply", "-auto-approve")
			precious := read(t, state)
			if err := os.RemoveAll(strict); err != nil {
				t.Fatal(err)
			}
			write(t, w.clone, map[string]string{"infra/lab/main.tf": taken})
			w.open("ada", c.change)
			plan, code := []string{"--changed-since", "origin/main"}, 4
			if c.quiet { // as a job can that the pull request controls
				plan, code = []string{"--dir", "infra/lab"}, 3
			}
			f := w.plan(plan...)
			got, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(f))
			if w.wants("apply", got, code, words, c.says); read(t, state) != precious {
				t.Error("the state of another root was changed, and nobody had approved that")
			}
		})
	}
}
