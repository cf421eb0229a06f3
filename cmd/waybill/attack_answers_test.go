package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// The provider is asked for facts, as a service is, and connects where its settings say.
const answersRoot = `terraform {
  required_providers {
    world = { source = "registry.terraform.io/waybill-dev/world" }
  }
  backend "local" {}
}
provider "world" {
  alias = "reader"
}
data "world_fact" "it" {
  provider = world.reader
  path     = "THINGS/fact"
}
`

const (
	truth = "https://true.example"
	lie   = "https://evil.example"
)

// answersWorld is a repository whose root infra/net asks for a fact, and a pull request
// that adds more to it.
func answersWorld(t *testing.T, more string) (w *infraWorld, things string) {
	t.Helper()
	things = t.TempDir()
	rc, dir := tooltest.World(t), t.TempDir()
	put := func(text string) string { return strings.ReplaceAll(text, "THINGS", things) }
	write(t, things, map[string]string{"fact": truth})
	write(t, dir, map[string]string{"main.tf": put(answersRoot)})
	command := process.Command{Path: tooltest.Find(t, "terraform"), Args: []string{"init", "-input=false"}, Dir: dir, Env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TF_CLI_CONFIG_FILE=" + rc,
	}}
	if _, err := command.Output(t.Context()); err != nil {
		t.Fatal(err)
	}
	w = newInfraWorld(t, map[string]string{
		"infra/net/main.tf": put(answersRoot), "infra/net/.terraform.lock.hcl": read(t, filepath.Join(dir, ".terraform.lock.hcl")),
		"waybill.yaml": infraRules + "  roots: [{dir: infra/net}, {dir: infra/prod}]\n  mayDiffer: [differs]\n" +
			"  policy: {provisioners: {allow: [remote-exec]}}\n",
	})
	w.env["TF_CLI_CONFIG_FILE"] = rc
	w.open("ada", map[string]string{"infra/net/more.tf": put(more)})
	return w, things
}

const madeThing = "resource \"world_thing\" \"made\" {\n  path = \"THINGS/made\"\nMORE}\n"

// server is to which one the provider connected that made the thing.
func server(t *testing.T, things string) string {
	t.Helper()
	var made struct{ Server string }
	if err := json.Unmarshal([]byte(read(t, filepath.Join(things, "made"))), &made); err != nil {
		t.Fatal(err)
	}
	return made.Server
}

// A sealed plan holds what data sources answered when it was planned, and terraform
// configures providers from that. Who controls the plan job can write other answers into
// it: the provider, which has the writing role, must be configured with the true one.
func TestProvidersAreConfiguredWithTrueAnswers(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{
		"a data source": `provider "world" {
  server = data.world_fact.it.answer
}
`,
		"through locals": `locals {
  a = { b = [data.world_fact.it.answer] }
  c = local.a
}
provider "world" {
  server = local.c.b[0]
}
`,
		"through a module": `module "ask" {
  source = "../ask"
  given  = data.world_fact.it.answer
}
provider "world" {
  server = module.ask.given
}
`,
	} {
		for _, program := range []string{"terraform", "tofu"} {
			t.Run(name+" by "+program, func(t *testing.T) {
				t.Parallel()
				w, things := answersWorld(t, more+strings.Replace(madeThing, "MORE", "", 1))
				if program == "tofu" {
					w.tofu()
				}
				w.push("ada", map[string]string{
					"infra/ask/main.tf": "variable \"given\" {}\noutput \"given\" {\n  value = var.given\n}\n",
				})
				f := w.plan("--changed-since", "origin/main")
				forged := w.forge(f, func(b *seal.Bundle) {
					b.Roots[0].Binary = rewrite(t, b.Roots[0].Binary, "tfstate", func(text string) string {
						if !strings.Contains(text, truth) {
							t.Fatalf("no answer to change in %s", text)
						}
						return strings.ReplaceAll(text, truth, lie)
					})
					b.Roots[0].JSON = []byte(strings.ReplaceAll(string(b.Roots[0].JSON), truth, lie))
				})
				w.approve("bob", forged)
				w.merge()
				w.onMain()
				code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
				w.wants("apply", code, 0, words, "infra/net  planned again because provider world may depend on what data sources answer",
					"infra/net: applied")
				if got := server(t, things); got != truth {
					t.Errorf("the provider connected to %q", got)
				}
				w.noSecrets(secret)
			})
		}
	}
}

// An answer that no change shows decides nothing that was not approved: where it is
// mixed with what is known later, where it is sensitive, and where a condition asks for it.
func TestAnswersThatNoPlanShows(t *testing.T) {
	t.Parallel()
	thing := func(more string) string { return strings.Replace(madeThing, "MORE", more, 1) }
	for name, c := range map[string]struct {
		more string
		code int
		says string
		made string // of the file, where it is made
	}{
		"mixed with what is known later": {
			more: "resource \"terraform_data\" \"id\" {}\n" +
				thing("  settings = { to = \"${data.world_fact.it.answer}/${terraform_data.id.id}\" }\n"),
			says: `planned again because settings of world_thing\.made may depend`, made: truth + "/",
		},
		"of a time": {
			more: thing("  settings = { to = \"${data.world_fact.it.answer}/${timestamp()}\" }\n"),
			says: `planned again because settings of world_thing\.made may depend`, made: truth + "/",
		},
		"an output that is known later": {
			more: "resource \"terraform_data\" \"id\" {}\noutput \"to\" {\n  value = \"${data.world_fact.it.answer}/${terraform_data.id.id}\"\n}\n",
			says: `planned again because output to may depend`,
		},
		"sensitive": {
			more: thing("  secret = data.world_fact.it.secret\n"), code: 4,
			says: `(?s)planned again because secret of world_thing\.made may depend.*` +
				`it is not what was approved: comment /plan, approve what it says, and comment /apply`,
		},
		"a condition": {
			more: thing("  lifecycle {\n    precondition {\n      condition     = data.world_fact.it.answer != \"" + truth +
				"\"\n      error_message = \"stay away\"\n    }\n  }\n"), code: 1,
			says: `(?s)plan again because a condition of world_thing\.made may depend.*stay away`,
		},
		"a program that connects": {
			more: thing("") + "resource \"terraform_data\" \"run\" {\n  connection {\n    type    = \"ssh\"\n    timeout = \"1s\"\n" +
				"    host    = data.world_fact.it.answer\n  }\n  provisioner \"remote-exec\" {\n    inline = [\"true\"]\n  }\n}\n",
			code: 1, says: `planned again because connection of terraform_data\.run may depend`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, things := answersWorld(t, c.more)
			write(t, things, map[string]string{"fact": lie}) // as the plan job has it
			f := w.plan("--changed-since", "origin/main")
			write(t, things, map[string]string{"fact": truth})
			w.approve("bob", f)
			w.merge()
			w.onMain()
			code, _, words := w.apply()
			w.wants("apply", code, c.code, words, c.says)
			if c.made != "" && !strings.Contains(read(t, filepath.Join(things, "made")), c.made) {
				t.Errorf("it made %s", read(t, filepath.Join(things, "made")))
			}
			if strings.Contains(words, "true.example") && strings.Contains(name, "sensitive") {
				t.Error("a sensitive answer was shown")
			}
		})
	}
}

// What needs no other plan gets none: the approved one is applied, also where the answer
// is another one by now.
func TestAnswersThatAPlanShows(t *testing.T) {
	t.Parallel()
	w, things := answersWorld(t, "provider \"world\" {\n  server = \"https://fixed.example\"\n}\n"+
		strings.Replace(madeThing, "MORE", "  settings = { to = data.world_fact.it.answer }\n", 1))
	f := w.plan("--changed-since", "origin/main")
	write(t, things, map[string]string{"fact": "another"})
	w.approve("bob", f)
	w.merge()
	w.onMain()
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/net: applied")
	if strings.Contains(words, "planned again") {
		t.Errorf("it was planned again: %s", words)
	}
	if made := read(t, filepath.Join(things, "made")); !strings.Contains(made, truth) {
		t.Errorf("it made %s", made)
	}
}

// A value of a variable that the plan job alone gives is its word, as an answer is.
func TestVariablesThatThePlanAloneGives(t *testing.T) {
	t.Parallel()
	const uses = "provider \"world\" {\n  server = var.%s\n}\nvariable \"%[1]s\" {\n%s}\n"
	for name, c := range map[string]struct {
		variable, standard, file string
		code                     int
		says, server             string
	}{
		"one that has a default": {
			variable: "server", standard: "  default = \"" + truth + "\"\n", says: "planned again because provider world", server: truth,
		},
		"one without any value here": {
			variable: "server", code: 3,
			says: "and this job has no value of server: set TF_VAR_NAME in the job that applies as in the one that plans",
		},
		"one that may differ": {variable: "differs", says: "infra/net: applied", server: lie},
		"one that a file gives": {
			variable: "other", standard: "  type = string\n", file: "other = \"" + lie + "\"\n", says: "infra/net: applied", server: lie,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, things := answersWorld(t, fmt.Sprintf(uses, c.variable, c.standard)+strings.Replace(madeThing, "MORE", "", 1))
			if c.file != "" {
				w.push("ada", map[string]string{"infra/net/x.auto.tfvars": c.file})
			} else {
				w.env["TF_VAR_"+c.variable] = lie
			}
			f := w.plan("--changed-since", "origin/main")
			delete(w.env, "TF_VAR_"+c.variable)
			w.approve("bob", f)
			w.merge()
			w.onMain()
			code, _, words := w.apply()
			w.wants("apply", code, c.code, words, c.says)
			if c.server == lie && strings.Contains(words, "planned again") {
				t.Errorf("it was planned again: %s", words)
			}
			if c.server != "" && server(t, things) != c.server {
				t.Errorf("the provider connected to %q", server(t, things))
			}
		})
	}
}

// What a plan leaves as it is may drift until it is applied: that is no other plan.
func TestPlannedAgainBesideDrift(t *testing.T) {
	t.Parallel()
	w, things := answersWorld(t, "provider \"world\" {\n  server = data.world_fact.it.answer\n}\n"+strings.Replace(madeThing, "MORE", "", 1))
	root := filepath.Join(w.clone, "infra/net")
	for _, args := range [][]string{{"init"}, {"apply", "-auto-approve"}} {
		command := process.Command{Path: tooltest.Find(t, "terraform"), Args: args, Dir: root, Env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TF_CLI_CONFIG_FILE=" + w.env["TF_CLI_CONFIG_FILE"],
		}}
		if _, err := command.Output(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	other := strings.NewReplacer("\"made\"", "\"other\"", "/made", "/other", "THINGS", things, "MORE", "").Replace(madeThing)
	w.push("ada", map[string]string{"infra/net/other.tf": other})
	f := w.plan("--changed-since", "origin/main")
	write(t, things, map[string]string{"made": `{"version": 9}`}) // as a cloud counts
	w.approve("bob", f)
	w.merge()
	w.onMain()
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "planned again because provider world", "infra/net: applied")
	if _, err := os.Stat(filepath.Join(things, "other")); err != nil {
		t.Error(err)
	}
}

// An answer that is another one each time, such as a token, is taken anew: a saved plan
// would bring one that has expired.
func TestAnswersThatExpire(t *testing.T) {
	t.Parallel()
	w, things := answersWorld(t, "provider \"world\" {\n  server = data.world_fact.it.secret\n}\n"+strings.Replace(madeThing, "MORE", "", 1))
	f := w.plan("--changed-since", "origin/main")
	write(t, things, map[string]string{"fact": "token-of-today"})
	w.approve("bob", f)
	w.merge()
	w.onMain()
	code, out, words := w.apply("--dry-run")
	w.wants("apply --dry-run", code, 0, words, "planned again")
	if _, err := os.Stat(filepath.Join(things, "made")); err == nil {
		t.Error("a dry run applied something")
	}
	code, out, words = w.apply("--format", "json")
	w.wants("apply", code, 0, words, "planned again because provider world may depend")
	if got := server(t, things); got != "token-of-today" {
		t.Errorf("the provider connected with %q", got)
	}
	if !strings.Contains(out, `"planned_again":`) {
		t.Errorf("the record does not say so: %s", out)
	}
	if strings.Contains(out+words, "token-of-today") {
		t.Error("a sensitive answer was shown")
	}
}

// A root is planned again as it was planned: in its mode and its workspace, and once where
// it also comes after another root.
func TestPlannedAgainInItsMode(t *testing.T) {
	t.Parallel()
	const (
		configured = "provider \"world\" {\n  server = data.world_fact.it.answer\n}\n"
		network    = "terraform {\n  backend \"local\" {}\n}\nresource \"terraform_data\" \"x\" {}\n"
		again      = `infra/net  planned again because provider world may depend on what data sources answer\n`
	)
	made := strings.Replace(madeThing, "MORE", "", 1)
	for name, c := range map[string]struct {
		entry, before, after string // of the root in waybill.yaml; how the thing is before and afterwards
		says                 []string
	}{
		"destroy": {entry: "destroy: true", before: `{"version": 1}`, says: []string{again, "infra/net: applied"}},
		"refresh-only": {
			entry: "refreshOnly: true", before: `{"settings": {"size": "9"}, "version": 3}`,
			after: `{"settings": {"size": "9"}, "version": 3}`, says: []string{again, "infra/net: applied"},
		},
		"a workspace": {entry: "workspaces: [east]", after: truth, says: []string{again, `infra/net in workspace east: applied`}},
		"after another": {
			entry: "after: [infra/other]", after: truth,
			says: []string{"infra/other: applied", "infra/net: applied",
				`infra/net  planned again after infra/other, and because provider world may depend on what data sources answer\n`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, things := answersWorld(t, configured+made)
			root := filepath.Join(w.clone, "infra/net")
			apply := func(args ...string) {
				command := process.Command{Path: tooltest.Find(t, "terraform"), Args: args, Dir: root, Env: []string{
					"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TF_CLI_CONFIG_FILE=" + w.env["TF_CLI_CONFIG_FILE"],
				}}
				if _, err := command.Output(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			apply("init")
			if c.before != "" {
				apply("apply", "-auto-approve")
				write(t, things, map[string]string{"made": c.before})
			}
			if strings.HasPrefix(c.entry, "workspaces") {
				apply("workspace", "new", "east")
			}
			rules := read(t, filepath.Join(w.clone, "waybill.yaml"))
			listed := strings.Replace(rules, "{dir: infra/net}", "{dir: infra/net, "+c.entry+"}, {dir: infra/other}", 1)
			w.push("ada", map[string]string{"waybill.yaml": listed, "infra/other/main.tf": network})
			write(t, things, map[string]string{"fact": lie}) // as the plan job has it
			f := w.plan("--changed-since", "origin/main")
			write(t, things, map[string]string{"fact": truth})
			w.approve("bob", f)
			w.approve("carol", f)
			w.merge()
			w.onMain()
			code, _, words := w.apply()
			w.wants("apply", code, 0, words, c.says...)
			if strings.Count(words, "planned again") != 1 {
				t.Errorf("it was planned again several times: %s", words)
			}
			now, err := os.ReadFile(filepath.Join(things, "made"))
			if c.after == "" && err == nil || !strings.Contains(string(now), c.after) {
				t.Errorf("it is %s", now)
			}
		})
	}
}

// Planning again changes nothing, and an apply that is stopped meanwhile can run again.
func TestStoppedWhilePlannedAgain(t *testing.T) {
	t.Parallel()
	w, things := answersWorld(t, "provider \"world\" {\n  server = data.world_fact.it.answer\n}\n"+strings.Replace(madeThing, "MORE", "", 1))
	f := w.plan("--changed-since", "origin/main")
	w.approve("bob", f)
	w.merge()
	w.onMain()
	fact := filepath.Join(things, "fact")
	if err := os.Remove(fact); err != nil {
		t.Fatal(err)
	}
	code, _, words := w.apply()
	w.wants("apply", code, 1, words, "infra/net: plan again because provider world may depend on what data sources answer: plan: ",
		"infra/net: untouched", "no such file")
	write(t, things, map[string]string{"fact": truth})
	code, _, words = w.apply()
	w.wants("apply", code, 0, words, "infra/net: applied")
}

// What a data source answers beside the changes is in no fingerprint, so that a token of
// some minutes takes no approval. Hooks read it: it is what the binary plan says.
func TestAnswersThatHooksReadAreThePlans(t *testing.T) {
	t.Parallel()
	w, things := answersWorld(t, strings.Replace(madeThing, "MORE", "", 1)+"provider \"world\" {\n  server = data.world_fact.it.answer\n}\n")
	f := w.plan("--changed-since", "origin/main")
	write(t, things, map[string]string{"fact": "https://another.example"})
	if again := w.plan("--changed-since", "origin/main"); again != f {
		t.Errorf("another answer is another plan: %s, %s before", again, f)
	}
	write(t, things, map[string]string{"fact": truth})
	forged := w.forge(f, func(b *seal.Bundle) {
		was := string(b.Roots[0].JSON)
		b.Roots[0].JSON = []byte(strings.NewReplacer(truth, lie, "https://another.example", lie).Replace(was))
		if string(b.Roots[0].JSON) == was {
			t.Fatalf("no answer to change in %s", was)
		}
	})
	if forged != f {
		t.Errorf("another answer is another plan: %s, %s before", forged, f)
	}
	w.approve("bob", f)
	w.merge()
	w.onMain()
	code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(f))
	w.wants("apply", code, 3, words, "what people and hooks read of the stored plan of infra/net is not what its binary form says: plan again")
}
