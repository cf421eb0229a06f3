package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	sandbox "github.com/waybill-dev/waybill/internal/rehearsal/githubd"
)

const httpData = "data \"http\" \"x\" {\n  url = \"https://example.invalid\"\n}\n"

// A pull request cannot loosen the policy that it is held against.
func TestPolicyIsOfTheDefaultBranch(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{"waybill.yaml": infraRules + "  policy: {resources: {deny: [terraform_data]}}\n"})
	w.open("ada", map[string]string{
		"waybill.yaml": infraRules + "  policy: {resources: {deny: []}, dataSources: {deny: []}}\n", "infra/prod/data.tf": httpData,
	})
	code, _, words := w.run("plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone)
	w.wants(
		"plan", code, 3, words, `infra/prod/data\.tf:1: data source "http" is denied`,
		`modules/service/main\.tf:10: resource "terraform_data" is denied`,
	)
	// The pull request says so, and names nothing that could be approved.
	comments := w.github.Pulls("acme/infra")[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0], "was refused.** There is nothing to approve") ||
		!strings.Contains(comments[0], `data source "http" is denied`) || strings.Contains(comments[0], "waybill:claim") {
		t.Errorf("it comments %q", comments)
	}
}

// Without waybill.yaml on the default branch the policy is the default one.
func TestPolicyWithoutAFile(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	if err := w.github.CreateRepository(t.Context(), sandbox.Seed{Name: "acme/bare", Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	w.open("ada", map[string]string{"infra/prod/data.tf": httpData})
	code, _, words := w.run("plan", "--repo", "acme/bare", "--checkout", w.clone, "--validate-only")
	w.wants("plan", code, 3, words, `infra/prod/data\.tf:1: data source "http" is denied`)
}

// What was allowed when it was planned and approved, and is not any more, is not
// applied: the policy is that of the default branch as it is then.
func TestPolicyBeforeApply(t *testing.T) {
	t.Parallel()
	w, _ := approved(t)
	w.merge()
	w.policyOnMain("  policy: {resources: {deny: [terraform_data]}}\n")
	code, _, words := w.apply()
	w.wants(
		"apply", code, 3, words, `policy: 1 finding, and nothing of the configuration was run`,
		`modules/service/main\.tf:10: resource "terraform_data" is denied`,
	)
	if w.state() != "" {
		t.Error("it was applied")
	}
	w.policyOnMain("")
	code, _, words = w.apply()
	w.wants("apply when it is allowed again", code, 0, words)
	w.noSecrets(secret)
}

// policyOnMain pushes a waybill.yaml with this policy to the default branch.
func (w *infraWorld) policyOnMain(text string) {
	w.t.Helper()
	dir := w.cloneAs("ada")
	if err := os.WriteFile(filepath.Join(dir, "waybill.yaml"), []byte(strings.TrimRight(infraRules, "\n")+"\n"+text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.git(dir, "add", "-A")
	w.git(dir, "commit", "-q", "--allow-empty", "-m", "policy")
	w.git(dir, "push", "-q", w.remote("ada"), "HEAD:refs/heads/main")
}
