package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
)

func TestTerraformProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"roots: [{dir: a, destroy: true, refreshOnly: true}]":                                        "names both destroy and refreshOnly",
		"roots: [{dir: a, files: [../b]}]":                                                           "leaves the repository",
		"rules: [{dir: 'infra/*', approvals: 1}]":                                                    "from",
		"rules: [{dir: 'infra/*', approvals: 1, from: []}]":                                          "minItems",
		"rules: [{dir: 'infra/*', from: [bob]}]":                                                     "approvals",
		"rules: [{dir: 'infra/*', approvals: -1, from: [bob]}]":                                      "-1",
		"rules: [{dir: 'infra/[', approvals: 0}]":                                                    "is not a glob",
		"rules: [{dir: 'infra/*', approvals: 0, destroy: {approvals: 1}}]":                           "not who",
		"rules: [{dir: 'infra/*', approvals: 2, from: [bob], destroy: {approvals: 1, from: [bob]}}]": "fewer approvals",
		"rules: [{dir: 'infra/*', approvals: 1, from: ['a b']}]":                                     "a user, or a team",
		"roots: [{dir: ../out}]":                                                                     "leaves the repository",
		"roots: [{dir: a, varFiles: [x/../../y]}]":                                                   "leaves the repository",
		"roots: [{dir: a}, {dir: ./a}]":                                                              "a second time",
		"roots: [{dir: a, after: [b]}]":                                                              "is not one of the roots",
		"rules: [{dir: 'infra/*', approvals: 1, from: bob}]":                                         "codeowners",
		"apply: sometimes":                                                                           "after-merge",
		"digits: 8":                                                                                  "12",
		"unknown: 1":                                                                                 "unknown",
	} {
		_, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nterraform:\n  "+text+"\n"))
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) ||
			!strings.HasPrefix(err.Error(), "waybill.yaml:3:") {
			t.Errorf("%s: %v, want %q with its place", text, err, want)
		}
	}
	// Environments and applications still belong together.
	for _, text := range []string{
		"apiVersion: waybill.dev/v1\n", "apiVersion: waybill.dev/v1\nterraform: {}\nenvironments: [{name: dev}]\n",
	} {
		if _, err := config.Parse("waybill.yaml", []byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestTheLastRuleDecides(t *testing.T) {
	t.Parallel()
	c, err := config.Parse("waybill.yaml", []byte(`apiVersion: waybill.dev/v1
terraform:
  rules:
    - {dir: "infra/**", approvals: 1, from: [a]}
    - {dir: "infra/prod/*", approvals: 2, from: [b], destroy: {approvals: 3}}
    - {dir: "infra/prod/lab", approvals: 0}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []struct {
		dir      string
		destroys bool
		want     int
		from     string
		found    bool
	}{
		{"infra/dev", false, 1, "a", true}, {"infra/dev", true, 1, "a", true}, {"infra/prod/db", false, 2, "b", true},
		{"infra/prod/db", true, 3, "b", true},
		{"infra/prod/db/deep", false, 1, "a", true}, {"infra/prod/lab", true, 0, "", true}, {"other", false, 0, "", false},
		{"infrared", false, 0, "", false},
	} {
		got, found := c.Terraform().Approval(w.dir, "", w.destroys)
		if found != w.found || got.Approvals != w.want || strings.Join(got.From, ",") != w.from {
			t.Errorf("%s: %+v %v", w.dir, got, found)
		}
	}
	if c.Terraform().Digits != 12 {
		t.Errorf("%d digits", c.Terraform().Digits)
	}
}

// What was applied before the merge can be merged, and nothing else.
func TestMergeNeedsAnApplyBefore(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"  apply: before-merge\n  merge: squash\n":  "",
		"  merge: squash\n":                         "3:10: terraform.merge: is for what was applied before the merge",
		"  apply: before-merge\n  merge: octopus\n": "merge",
	} {
		c, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nterraform:\n"+text))
		is := err == nil && c.Terraform().Merge == "squash"
		if want != "" {
			is = err != nil && strings.Contains(err.Error(), want)
		}
		if !is {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCodeOwnersApprove(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"from: codeowners":        "true true ",
		"from: [codeowners, bob]": "true true bob",
		"from: [bob, acme/dba]":   "false false bob,acme/dba",
		"from: [bob], destroy: {approvals: 1, from: [codeowners, carol]}": "false true bob",
	} {
		c, err := config.Parse(
			"waybill.yaml",
			[]byte("apiVersion: waybill.dev/v1\nterraform:\n  apply: before-merge\n  rules: [{dir: a, approvals: 1, "+text+"}]\n"),
		)
		if err != nil {
			t.Fatal(err)
		}
		from := c.Terraform().Rules[0].Plan.From
		if got := fmt.Sprint(
			from.CodeOwners(), c.Terraform().NeedsCodeOwners(), " ", strings.Join(from.Named(), ","),
		); got != want || !c.Terraform().BeforeMerge {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Each workspace of an entry is a root, with its own files of variables.
func TestEachWorkspaceIsARoot(t *testing.T) {
	t.Parallel()
	parse := func(entry string) (*config.Config, error) {
		return config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nterraform:\n  roots:\n    - "+entry+"\n"))
	}
	c, err := parse(`{dir: app, workspaces: [dev, prod], varFiles: [common.tfvars, "{workspace}.tfvars"]}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range c.Terraform().Roots {
		got = append(got, r.Dir+" "+r.Workspace+" "+strings.Join(r.VarFiles, ","))
	}
	if want := "app dev common.tfvars,dev.tfvars; app prod common.tfvars,prod.tfvars"; strings.Join(got, "; ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	for entry, want := range map[string]string{
		"{dir: app, workspace: dev, workspaces: [prod]}":                       "names both workspace and workspaces",
		"{dir: app, workspaces: [dev]}\n    - {dir: app, workspace: dev}":      `"app" stands here a second time`,
		"{dir: app, workspaces: [dev, dev]}":                                   "workspaces",
		"{dir: app, workspaces: [../x]}":                                       "workspaces",
		"{dir: app, workspaces: [dev], varFiles: [\"../{workspace}.tfvars\"]}": "leaves the repository",
	} {
		if _, err := parse(entry); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", entry, err)
		}
	}
}
