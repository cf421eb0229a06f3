package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/terraform"
	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

const refreshRoot = `terraform {
  required_providers {
    world = { source = "registry.terraform.io/waybill-dev/world" }
  }
  backend "local" {
    path = %[1]q
  }
}

variable "password" {
  type      = string
  sensitive = true
}

resource "world_thing" "kept" {
  path     = "%[2]s/kept"
  settings = { size = "1" }
  secret   = var.password
}

resource "world_thing" "gone" {
  path     = "%[2]s/gone"
  settings = { size = "1" }
}

output "size" {
  value = world_thing.kept.settings["size"]
}
`

// refreshWorld is a repository whose root infra/net is applied; things are in a
// directory that a test changes, as people do in a cloud's console.
func refreshWorld(t *testing.T, program string) (w *infraWorld, things string) {
	t.Helper()
	path, rc := tooltest.Find(t, program), tooltest.World(t)
	dir, things := t.TempDir(), t.TempDir()
	root := fmt.Sprintf(refreshRoot, filepath.Join(things, "tfstate"), things)
	write(t, dir, map[string]string{"main.tf": root})
	for _, args := range [][]string{{"init", "-input=false"}, {"apply", "-input=false", "-auto-approve"}} {
		command := process.Command{Path: path, Args: args, Dir: dir, Env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TF_CLI_CONFIG_FILE=" + rc, "TF_VAR_password=" + secret,
		}}
		if _, err := command.Output(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w = newInfraWorld(t, map[string]string{
		"infra/net/main.tf": root, "infra/net/.terraform.lock.hcl": read(t, filepath.Join(dir, ".terraform.lock.hcl")),
		"waybill.yaml": infraRules + "  roots: [{dir: infra/net}, {dir: infra/prod}]\n",
	})
	w.env["TF_CLI_CONFIG_FILE"] = rc
	if program == "tofu" {
		w.tofu()
	}
	return w, things
}

// refreshes asks for the state to be brought up to date.
var refreshes = map[string]string{
	"waybill.yaml": infraRules + "  roots: [{dir: infra/net, refreshOnly: true}, {dir: infra/prod}]\n",
}

const console = `{"settings": {"size": "9"}, "secret": "` + secret + `-new", "version": 3}`

// The state is brought up to date with what exists: shown whole, approved and applied as
// any other plan, and nothing of what exists is changed.
func TestRefreshOnly(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"terraform", "tofu"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			w, things := refreshWorld(t, program)
			write(t, things, map[string]string{"kept": console})
			if err := os.Remove(filepath.Join(things, "gone")); err != nil {
				t.Fatal(err)
			}
			w.open("ada", refreshes)
			f := w.plan("--changed-since", "origin/main")
			body := w.github.Pulls("acme/infra")[0].Comments[0]
			w.wants("the comment", 0, 0, body, `0 to destroy\*\* · 1 to forget · 1 to take into the state`,
				"The state of\\*\\* `infra/net` \\*\\*is brought up to date with what exists; nothing is changed there",
				"- +world_thing.gone is forgotten", "~ +world_thing.kept is taken into the state as it is",
				`settings\.size "1" → "9"`)
			if claim := w.firstClaim(); !claim.Roots[0].Changes || !claim.Roots[0].Destroys {
				t.Errorf("the claim is %+v", claim.Roots[0])
			}
			code, _, words := w.apply()
			w.wants("apply before it is approved", code, 4, words, "0 of 2 approvals")
			w.approve("bob", f)
			w.approve("dan", f)
			code, _, words = w.gate("--checkout", w.clone)
			w.wants("gate", code, 0, words)
			w.merge()
			w.onMain()
			code, _, words = w.apply()
			w.wants("apply", code, 0, words, "infra/net: applied")
			state := read(t, filepath.Join(things, "tfstate"))
			if !strings.Contains(state, `"size": "9"`) || strings.Contains(state, `"gone"`) {
				t.Errorf("the state is %s", state)
			}
			if now := read(t, filepath.Join(things, "kept")); now != console {
				t.Errorf("what exists is changed: %s", now)
			}
			if _, err := os.Stat(filepath.Join(things, "gone")); err == nil {
				t.Error("what is gone was made again")
			}
			code, _, words = w.apply()
			w.wants("apply again", code, 3, words, "state serial was")
			w.noSecrets(secret + "-new")
		})
	}
}

// What changes outside between plan and apply is not what was approved; nor is a plan
// that says of itself what it is not.
func TestRefreshOnlyIsBound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		forge func(t *testing.T, b *seal.Bundle) plan.Fingerprint
		says  string
	}{
		"other words": {func(t *testing.T, b *seal.Bundle) plan.Fingerprint {
			// Its JSON says another thing of what it was than its binary form.
			b.Roots[0].JSON = []byte(strings.ReplaceAll(string(b.Roots[0].JSON), `"size":"1"`, `"size":"7"`))
			changes, err := plan.ChangesDigest(b.Roots[0].JSON)
			if err != nil {
				t.Fatal(err)
			}
			b.Document.Roots[0].Changes = changes
			f, err := b.Document.Fingerprint()
			if err != nil {
				t.Fatal(err)
			}
			return f
		}, "infra/net: changes was as approved when planned, is other than approved now"},
		"no words": {func(t *testing.T, b *seal.Bundle) plan.Fingerprint {
			b.Roots[0].JSON = []byte(strings.Replace(string(b.Roots[0].JSON), `"size":"9"`, `"size":"7"`, 1))
			return forge(t, b)
		}, "the changes of infra/net are not those that the fingerprint is of"},
		"another state": {func(t *testing.T, b *seal.Bundle) plan.Fingerprint {
			// It shows one size, and writes another one into the state.
			b.Roots[0].Binary = rewrite(t, b.Roots[0].Binary, "tfstate", func(state string) string {
				return strings.Replace(state, `"size": "9"`, `"size": "7"`, 1)
			})
			return refingered(t, b)
		}, `infra/net: the stored plan holds these otherwise than the state, and says nothing of it: world_thing\.kept`},
		"a state without it": {func(t *testing.T, b *seal.Bundle) plan.Fingerprint {
			b.Roots[0].Binary = rewrite(t, b.Roots[0].Binary, "tfstate", func(state string) string {
				return strings.Replace(state, `"name": "kept"`, `"name": "other"`, 1)
			})
			return refingered(t, b)
		}, `infra/net: the stored plan holds these otherwise than the state, and says nothing of it: .*world_thing\.kept`},
		"as another plan": {func(t *testing.T, b *seal.Bundle) plan.Fingerprint {
			b.Document.Roots[0].RefreshOnly = false // nobody is told, and fewer are asked
			return refingered(t, b)
		}, "the binary plan of infra/net is not what its record says: its mode is refresh-only, and it is called normal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, things := refreshWorld(t, "terraform")
			write(t, things, map[string]string{"kept": console})
			w.open("ada", refreshes)
			f := w.plan("--changed-since", "origin/main")
			var forged plan.Fingerprint
			w.reseal(f, func(b *seal.Bundle) { forged = c.forge(t, b) })
			w.approve("bob", forged)
			code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
			w.wants("apply", code, 3, words, c.says)
			if state := read(t, filepath.Join(things, "tfstate")); strings.Contains(state, `"size": "9"`) {
				t.Error("something was applied")
			}
		})
	}
}

// refingered makes a forged bundle agree with itself, and gives its fingerprint.
func refingered(t *testing.T, b *seal.Bundle) plan.Fingerprint {
	t.Helper()
	record := &b.Document.Roots[0]
	var err error
	if record.Plan, err = terraform.PlanDigest(b.Roots[0].Binary); err == nil {
		record.Changes, err = plan.ChangesDigest(b.Roots[0].JSON)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := b.Document.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A root of which nothing changed outside changes nothing, whatever its code says. That
// code is merged, so that its approvers are asked all the same. What changed again since is
// in another plan, with another fingerprint.
func TestRefreshOnlyOfNothing(t *testing.T) {
	t.Parallel()
	w, things := refreshWorld(t, "terraform")
	w.open("ada", map[string]string{
		"waybill.yaml":         refreshes["waybill.yaml"],
		"infra/net/another.tf": "resource \"world_thing\" \"new\" {\n  path = \"" + things + "/new\"\n}\n",
	})
	nothing := w.plan("--changed-since", "origin/main")
	w.wants("the comment", 0, 0, w.github.Pulls("acme/infra")[0].Comments[0], "the state is up to date")
	code, _, words := w.gate("--checkout", w.clone)
	w.wants("gate", code, 4, words, "infra/net: 0 of 1 approvals")
	code, _, words = w.apply()
	w.wants("apply", code, 4, words, "infra/net: 0 of 1 approvals")
	prints := map[plan.Fingerprint]bool{nothing: true}
	for _, size := range []string{"9", "8"} {
		write(t, things, map[string]string{"kept": strings.Replace(console, `"9"`, `"`+size+`"`, 1)})
		prints[w.plan("--changed-since", "origin/main")] = true
	}
	if len(prints) != 3 {
		t.Errorf("three plans have %d fingerprints", len(prints))
	}
	if again := w.plan("--changed-since", "origin/main"); !prints[again] {
		t.Errorf("planned again, it is %s", again.Short())
	}
}

// Drift is what the code would change back, also where the entry of a root asks for no
// more than its state.
func TestDriftOfARootThatIsRefreshed(t *testing.T) {
	t.Parallel()
	w, things := refreshWorld(t, "terraform")
	write(t, things, map[string]string{"kept": console})
	w.commitOnMain(refreshes)
	w.onMain()
	code, out, words := w.run("drift", "--checkout", w.clone, "--issues=false", "--format", "json")
	w.wants("drift", code, 0, words)
	w.wants("drift", 0, 0, out, `"address": "world_thing.kept"`, `"action": "change"`)
}
