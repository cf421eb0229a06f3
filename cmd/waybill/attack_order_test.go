package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/seal"
)

// A job of an earlier push that is run again finds the tree as it was then. What main
// does not hold any more is not applied.
func TestOldJobsApplyNothingThatWasReverted(t *testing.T) {
	t.Parallel()
	const reverted = `infra/prod: main has changed since the checkout %.7s: infra/prod/note\.tf\n` +
		`comment /apply on #1, which applies main as it is now`
	many := map[string]string{}
	for i := range 300 {
		many[fmt.Sprintf("docs/%d.md", i)] = "words\n"
	}
	for name, c := range map[string]struct {
		main map[string]string
		head bool // the head is checked out, not the merge
		says string
	}{
		"reverted":              {main: map[string]string{"infra/prod/note.tf": "# nothing\n"}, says: reverted},
		"reverted, on the head": {main: map[string]string{"infra/prod/note.tf": "# nothing\n"}, says: reverted, head: true},
		"a module of it changed": {
			main: map[string]string{"modules/service/main.tf": changedModule},
			says: `main has changed .*: modules/service/main\.tf`,
		},
		"too much to know": {main: many, says: `main has moved from .* by more files than GitHub lists: comment /apply on #1`},
		"something else":   {main: map[string]string{"README.md": "words\n"}},
		"something else, on the head": {
			main: map[string]string{"README.md": "words\n"}, head: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, f := ready(t)
			w.approve("bob", f)
			w.merge()
			if !c.head {
				w.onMain()
			}
			w.commitOnMain(c.main)
			code, _, words := w.apply()
			if c.says == "" {
				w.wants("apply", code, 0, words, "infra/prod: applied")
				return
			}
			says := c.says
			if strings.Contains(says, "%") {
				says = fmt.Sprintf(says, w.git(w.clone, "rev-parse", "HEAD"))
			}
			w.wants("apply", code, 3, words, says)
			if w.state() != "" {
				t.Error("something was applied")
			}
		})
	}
	t.Run("a tree that is not on main", func(t *testing.T) {
		t.Parallel()
		w, f := ready(t)
		w.approve("bob", f)
		w.merge()
		w.onMain()
		w.git(w.clone, "commit", "-q", "--allow-empty", "-m", "elsewhere")
		w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/elsewhere")
		code, _, words := w.apply()
		w.wants("apply", code, 3, words, fmt.Sprintf("the checkout %.7s is not on main", w.git(w.clone, "rev-parse", "HEAD")))
	})
}

// An App's status stays on the head. While the merge of that head is not there, or an
// earlier one is in its place, the gate says nothing that counts.
func TestGateWaitsForTheMergeOfTheHead(t *testing.T) {
	t.Parallel()
	w, _ := ready(t)
	w.asApp()
	stale := w.cloneAs("dan")
	w.git(stale, "checkout", "-q", "origin/change")
	head := w.push("ada", map[string]string{"infra/prod/more.tf": "# more\n"})
	w.approve("bob", w.plan())
	code, _, words := w.gate("--status")
	w.wants("without a merge", code, 0, words,
		fmt.Sprintf("pending: what merging %.7s would bring is not there: resolve the conflicts with main, or give --checkout the merge", head))
	w.wants("the status", 0, 0, w.status(head), "^pending: what merging")
	code, _, words = w.gate("--status", "--checkout", stale)
	w.wants("an earlier merge", code, 0, words, fmt.Sprintf("pending: the checkout %.7s is not what merging %.7s would bring",
		w.git(stale, "rev-parse", "HEAD"), head))
	w.wants("the status", 0, 0, w.status(head), "^pending: the checkout")
	code, _, words = w.gate("--status", "--checkout", w.clone)
	w.wants("the merge", code, 0, words, "approved by bob")
}

// A root that says that it comes after another one is merged without a plan. Those who
// approve that root approve its code too, or it is not merged.
func TestRootsThatWaitAskForTheirRule(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{"waybill.yaml": strings.Replace(wavesRules, `{dir: "**", approvals: 1, from: [dan]}`,
		`{dir: infra/network, approvals: 1, from: [dan]}, {dir: infra/service, approvals: 1, from: [bob]}`, 1)})
	w.git(w.clone, "rm", "-rq", "infra/prod")
	w.open("ada", map[string]string{"infra/network/main.tf": network, "infra/service/main.tf": service})
	f := w.plan("--changed-since", "origin/main")
	w.wants("the comment", 0, 0, w.github.Pulls("acme/infra")[0].Comments[0], "1 of bob for `infra/service`")
	w.approve("dan", f)
	code, _, words := w.gate("--checkout", w.clone)
	w.wants("gate", code, 4, words, "infra/service: 0 of 1 approvals; still needed: 1 of bob")
	w.approve("bob", f)
	code, _, words = w.gate("--checkout", w.clone)
	w.wants("gate", code, 0, words, "approved by dan, bob")
}

// bothChange is a world with network and service in being, and a change of both.
func bothChange(t *testing.T, rules string) (*infraWorld, plan.Fingerprint) {
	t.Helper()
	// In the repository, its file would count as a part of what reads it.
	state := filepath.Join(t.TempDir(), "network.tfstate")
	network := strings.Replace(network, "\"local\" {}", "\"local\" {\n    path = \""+state+"\"\n  }", 1)
	service := strings.Replace(service, "${path.module}/../network/terraform.tfstate", state, 1)
	w := newInfraWorld(t, map[string]string{
		"waybill.yaml":          rules + "  policy: {files: {allow: [\"" + state + "\"]}}\n",
		"infra/network/main.tf": network, "infra/service/main.tf": service,
	})
	for _, dir := range []string{"infra/network", "infra/service"} {
		w.terraform(filepath.Join(w.clone, dir), "init")
		w.terraform(filepath.Join(w.clone, dir), "apply", "-auto-approve")
	}
	w.open("ada", map[string]string{
		"infra/network/main.tf": strings.Replace(network, "NAME", "other", 1),
		"infra/service/more.tf": "resource \"terraform_data\" \"more\" {}\n",
	})
	return w, w.plan("--changed-since", "origin/main")
}

// after holds between the jobs of several environments too: the job that comes later
// plans again what comes after a root of the earlier one.
func TestAfterHoldsBetweenEnvironments(t *testing.T) {
	t.Parallel()
	w, f := bothChange(t, strings.Replace(wavesRules, "  rules:", "  environments: [{dir: infra/network, name: net}]\n  rules:", 1))
	w.approve("dan", f)
	w.merge()
	code, _, words := w.apply("--environment", "net")
	w.wants("apply", code, 0, words, "infra/network: applied")
	code, _, words = w.apply("--environment", "infra")
	w.wants("apply", code, 4, words, "infra/service: untouched",
		"planned again after infra/network, it is not what was approved: comment /plan, approve what it says, and comment /apply")
}

// The order of a plan is the plan job's word; waybill.yaml decides.
func TestPlansInAnotherOrderAreRefused(t *testing.T) {
	t.Parallel()
	w, f := bothChange(t, wavesRules)
	forged := w.forge(f, func(b *seal.Bundle) {
		slices.Reverse(b.Roots)
		slices.Reverse(b.Document.Roots)
	})
	w.approve("dan", forged)
	w.merge()
	code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
	w.wants("apply", code, 3, words, "the plan has infra/service before infra/network, which it comes after by waybill.yaml: plan again")
}

// Which variables a plan was made with, the binary plan says: the JSON beside it is the
// plan job's word.
func TestVariablesOfTheBinaryPlan(t *testing.T) {
	t.Parallel()
	w, f := ready(t)
	forged := w.forge(f, func(b *seal.Bundle) {
		b.Roots[0].JSON = []byte(strings.Replace(string(b.Roots[0].JSON), `"variables":`, `"others":`, 1))
	})
	w.approve("bob", forged)
	w.env["TF_VAR_password"] = "something else"
	code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
	w.wants("apply", code, 3, words, `infra/prod: variable password was another value when planned`)
	if w.state() != "" {
		t.Error("something was applied")
	}
}

// What the apply of one root writes was approved for that root. It changes no other one,
// whose files terraform opens when it applies.
func TestOneRootWritesNoOther(t *testing.T) {
	t.Parallel()
	const backend = "terraform {\n  backend \"local\" {}\n}\n"
	w := newInfraWorld(t, map[string]string{
		"waybill.yaml": strings.Replace(execAllowed, "infra/*", "infra/**", 1), "infra/a/main.tf": backend, "infra/b/main.tf": backend,
		"infra/b/init.tftpl": "echo ${id}\n",
	})
	w.open("ada", map[string]string{
		"infra/a/write.tf": "resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"echo 'evil $${id}' > " +
			"../b/init.tftpl\"\n  }\n}\n",
		"infra/b/read.tf": "resource \"terraform_data\" \"id\" {}\n\nresource \"terraform_data\" \"b\" {\n  input = " +
			"templatefile(\"init.tftpl\", { id = terraform_data.id.id })\n}\n",
	})
	w.approve("bob", w.plan("--changed-since", "origin/main"))
	code, _, words := w.apply()
	w.wants("apply", code, 3, words, `(?s)infra/b: configuration was sha256:.*not as in the planned commit: infra/b/init\.tftpl`)
	w.wants("apply", code, 3, words, "infra/a: applied")
	if _, err := os.Stat(filepath.Join(w.clone, "infra/b/terraform.tfstate")); err == nil {
		t.Error("infra/b was applied")
	}
}
