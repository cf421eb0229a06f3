package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const wavesRules = `apiVersion: waybill.dev/v1
terraform:
  roots:
    - {dir: infra/network}
    - {dir: infra/service, after: [infra/network]}
  rules: [{dir: "**", approvals: 1, from: [dan]}]
`

const network = `terraform {
  backend "local" {}
}
resource "terraform_data" "net" {
  input = "NAME"
}
output "name" {
  value = terraform_data.net.output
}
`

const service = `terraform {
  backend "local" {}
}
data "terraform_remote_state" "network" {
  backend = "local"
  config  = { path = "${path.module}/../network/terraform.tfstate" }
}
resource "terraform_data" "service" {
  input = data.terraform_remote_state.network.outputs.name
}
`

// A root that reads what another one of the same pull request makes is planned when
// that one is applied, and approved then.
func TestRootsInWaves(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{"waybill.yaml": wavesRules})
	if err := os.RemoveAll(filepath.Join(w.clone, "infra/prod")); err != nil {
		t.Fatal(err)
	}
	w.open("ada", map[string]string{"infra/network/main.tf": network, "infra/service/main.tf": service})
	// Both are new: the state that the second one reads is not there yet.
	f := w.plan("--changed-since", "origin/main")
	first := w.github.Pulls("acme/infra")[0].Comments[0]
	w.wants("the comment", 0, 0, first, "`infra/service` is planned when infra/network is applied: comment `/plan` then",
		"Unable to find remote state")
	w.approve("dan", f)
	code, _, words := w.gate("--checkout", w.clone)
	w.wants("gate", code, 0, words, "approved by dan")
	w.merge()
	w.onMain()
	code, _, words = w.apply()
	w.wants("apply", code, 0, words, "infra/network: applied")
	second := w.planOf("1", "--changed-since", "HEAD^1")
	w.approve("dan", second)
	code, _, words = w.apply()
	w.wants("apply", code, 0, words, "infra/network: unchanged", "infra/service: applied")

	// What the second one reads changes: it is planned again after the first, and is
	// not what was approved.
	w.git(w.clone, "checkout", "-q", "-b", "next")
	write(t, w.clone, map[string]string{
		"infra/network/main.tf": strings.Replace(network, "NAME", "other", 1),
		"infra/service/more.tf": "resource \"terraform_data\" \"more\" {}\n",
	})
	w.git(w.clone, "add", "-A")
	w.git(w.clone, "commit", "-q", "-m", "next")
	w.git(w.clone, "push", "-q", w.remote("ada"), "HEAD:refs/heads/next")
	w.api("ada", "POST", "/repos/acme/infra/pulls", `{"title":"next","head":"next","base":"main"}`)
	third := w.planOf("2", "--changed-since", "HEAD~1")
	w.reviewOf(2, "dan", third)
	if _, err := w.github.MergePull(t.Context(), "acme/infra", 2, "ada", "squash"); err != nil {
		t.Fatal(err)
	}
	w.onMain()
	apply := func() (int, string) {
		code, _, words := w.run("apply", "--repo", "acme/infra", "--pull-request", "2", "--checkout", w.clone)
		return code, words
	}
	code, words = apply()
	w.wants("apply", code, 4, words, "infra/network: applied", "infra/service: untouched",
		"terraform_data.service: approved: nothing; now: changes",
		"planned again after infra/network, it is not what was approved: comment /plan, approve what it says, and comment /apply")
	fourth := w.planOf("2", "--changed-since", "HEAD^1")
	w.reviewOf(2, "dan", fourth)
	code, words = apply()
	w.wants("apply", code, 0, words, "infra/service: applied")
}

// Each environment of GitHub has a job of its own, which applies the roots that the
// default branch puts there, and no others.
func TestOneJobPerEnvironment(t *testing.T) {
	t.Parallel()
	const net = "  environments: [{dir: infra/network, name: net, role: \"arn:aws:iam::1:role/net\"}]\n  rules:"
	rules := strings.Replace(wavesRules, "  rules:", net, 1)
	w := newInfraWorld(t, map[string]string{"waybill.yaml": strings.Replace(rules, ", after: [infra/network]", "", 1)})
	if err := os.RemoveAll(filepath.Join(w.clone, "infra/prod")); err != nil {
		t.Fatal(err)
	}
	w.open("ada", map[string]string{
		"infra/network/main.tf": network, "infra/service/main.tf": strings.Replace(network, "NAME", "service", 1),
	})
	f := w.plan("--changed-since", "origin/main")
	w.approve("dan", f)
	code, out, words := w.apply("--list")
	w.wants("apply --list", code, 0, words, "")
	if want := `{"include":[{"environment":"net","role":"arn:aws:iam::1:role/net"},{"environment":"infra","role":""}]}`; !strings.Contains(
		out+words, want,
	) {
		t.Errorf("the matrix is %s%s", out, words)
	}
	w.merge()
	code, _, words = w.apply("--environment", "other")
	w.wants("apply", code, 3, words, "no root of the plan is applied in the environment other, by terraform.environments in waybill.yaml")
	code, _, words = w.apply("--environment", "net")
	w.wants("apply", code, 0, words, "infra/network: applied")
	if strings.Contains(words, "infra/service") {
		t.Errorf("a root of another environment: %s", words)
	}
	code, _, words = w.apply("--environment", "infra")
	w.wants("apply", code, 0, words, "infra/service: applied")
	if strings.Contains(words, "infra/network") {
		t.Errorf("a root of another environment: %s", words)
	}
}

// A variable that is ephemeral is in no plan: it is read again when the plan is
// applied, and may be another one then.
func TestEphemeralVariables(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{
		"waybill.yaml": "apiVersion: waybill.dev/v1\nterraform:\n  roots: [{dir: infra/prod, varFiles: [infra/common.tfvars]}]\n" +
			"  rules: [{dir: \"**\", approvals: 1, from: [dan]}]\n",
		"infra/common.tfvars": "role = \"of the file\"\nname = \"x\"\n",
	})
	w.open("ada", map[string]string{"infra/prod/main.tf": `terraform {
  backend "local" {}
}
variable "role" {
  type      = string
  ephemeral = true
}
variable "other" {
  type      = string
  ephemeral = true
}
variable "name" {
  type = string
}
resource "terraform_data" "a" {
  input = var.name
}
`})
	w.env["TF_VAR_other"] = "when planned"
	w.approve("dan", w.plan("--changed-since", "origin/main"))
	w.merge()
	w.env["TF_VAR_other"] = "when applied"
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied")
}

// A variable that the default branch lets differ has the plan's value when it is applied.
func TestVariablesThatMayDiffer(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{"waybill.yaml": infraRules + "  mayDiffer: [note]\n"})
	w.env["TF_VAR_note"] = "of-the-plan"
	w.open("ada", map[string]string{
		"infra/prod/note.tf": "variable \"note\" {}\n\nresource \"terraform_data\" \"note\" {\n  input = var.note\n}\n",
	})
	w.approve("bob", w.plan())
	w.env["TF_VAR_note"] = "of-the-apply"
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied")
	if state := w.state(); !strings.Contains(state, "of-the-plan") || strings.Contains(state, "of-the-apply") {
		t.Errorf("the state holds %s", state)
	}
}

// A merged pull request is planned again by the files that it changed, whatever was merged
// after it and whatever the job compares with.
func TestAMergedPullRequestIsPlannedAgain(t *testing.T) {
	t.Parallel()
	w, first := ready(t)
	w.merge()
	other := strings.Replace(network, "NAME", "other", 1)
	w.commitOnMain(map[string]string{"infra/other/main.tf": other, "README.md": "words\n"})
	w.onMain()
	w.planOf("1", "--changed-since", "HEAD^1")
	comment := w.github.Pulls("acme/infra")[0].Comments[0]
	if !strings.Contains(comment, "| `infra/prod` |") || strings.Contains(comment, "infra/other") {
		t.Errorf("the plan is of other roots: %s", comment)
	}
	w.wants("the claim", 0, 0, comment, `"fingerprint":"`+string(first))
}
