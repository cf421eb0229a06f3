package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/gate/seal"
)

const workspaceRules = `apiVersion: waybill.dev/v1
terraform:
  roots:
    - {dir: infra/app, workspaces: ["customer-*", prod], varFiles: ["infra/{workspace}.tfvars"]}
  environments:
    - {dir: infra/app, workspace: prod, name: infra-prod}
  rules:
    - {dir: "infra/*", approvals: 1, from: [acme/dba]}
    - {dir: infra/app, workspace: "pro?", approvals: 1, from: [dan]}
`

// newWorkspaceWorld has a root with a workspace for each customer, and a pull request
// that changes it.
func newWorkspaceWorld(t *testing.T, rules string) *infraWorld {
	t.Helper()
	states := t.TempDir()
	files := map[string]string{
		"waybill.yaml": rules,
		"infra/app/main.tf": "terraform {\n  backend \"local\" {\n    path          = \"" + states + "/default.tfstate\"\n" +
			"    workspace_dir = \"" + states + "\"\n  }\n}\n\nvariable \"size\" {\n  type = number\n}\n\n" +
			"resource \"terraform_data\" \"app\" {\n  input = { size = var.size }\n}\n",
	}
	for i, name := range []string{"customer-a", "customer-b", "customer-c", "prod"} {
		files["infra/"+name+".tfvars"] = "size = " + string(rune('1'+i)) + "\n"
	}
	w := newInfraWorld(t, files)
	w.terraform(w.clone+"/infra/app", "init", "-input=false")
	for _, name := range []string{"customer-a", "customer-b", "other", "prod"} {
		w.terraform(w.clone+"/infra/app", "workspace", "new", name)
	}
	w.terraform(w.clone+"/infra/app", "workspace", "select", "default")
	write(t, w.clone, map[string]string{".git/info/exclude": ".terraform*\n"})
	w.open("ada", map[string]string{"infra/app/note.tf": "# note\n"})
	return w
}

// The workspaces of a pattern are those that the backend lists. Each is a root with its
// own approvers, environment and state.
func TestWorkspacesByPattern(t *testing.T) {
	t.Parallel()
	w := newWorkspaceWorld(t, workspaceRules)
	f := w.plan("--changed-since", "origin/main")
	var names []string
	for _, r := range w.firstClaim().Roots {
		names = append(names, r.Workspace)
	}
	if got := strings.Join(names, " "); got != "customer-a customer-b prod" {
		t.Errorf("planned: %s", got)
	}
	w.approve("bob", f)
	code, _, words := w.gate("--checkout", w.clone)
	w.wants("gate", code, 4, words, "infra/app in workspace prod: 0 of 1 approvals; still needed: 1 of dan")
	w.approve("dan", f)
	code, _, words = w.gate("--checkout", w.clone)
	w.wants("gate", code, 0, words, "approved by bob, dan")
	w.merge()
	w.onMain()
	code, _, words = w.apply("--environment", "infra-prod")
	w.wants("apply in prod", code, 0, words, "infra/app in workspace prod: applied, 1 done")
	if strings.Contains(words, "in workspace customer-a: ") {
		t.Errorf("more than prod was applied: %s", words)
	}
	w.terraform(w.clone+"/infra/app", "workspace", "new", "customer-c")
	w.terraform(w.clone+"/infra/app", "workspace", "select", "default")
	code, _, words = w.apply("--environment", "infra")
	w.wants("apply after a new workspace", code, 3, words,
		"the plan leaves out infra/app in workspace customer-c, which waybill.yaml names by a pattern")
	w.terraform(w.clone+"/infra/app", "workspace", "delete", "customer-c")
	code, _, words = w.apply("--environment", "infra")
	w.wants("apply", code, 0, words, "infra/app in workspace customer-a: applied, 1 done\ninfra/app in workspace customer-b: applied, 1 done")
}

// A plan that leaves out a workspace which was there is refused by who may ask the backend.
func TestPatternsThatMatchNothing(t *testing.T) {
	t.Parallel()
	w := newWorkspaceWorld(t, strings.Replace(workspaceRules, `"customer-*", prod`, `"client-*", prod`, 1))
	w.plan("--changed-since", "origin/main")
	w.wants("the comment", 0, 0, w.saidOn(1), `infra/app: no workspace matches client-\\\*: nothing of it is planned`)
	w = newWorkspaceWorld(t, strings.Replace(workspaceRules, `"customer-*", prod`, `"client-*"`, 1))
	code, _, words := w.run("plan", "--checkout", w.clone)
	w.wants("plan", code, 2, words, "infra/app: no workspace matches client-\\*")
}

// A change of the pattern takes workspaces away, and the plan must say so: gate and apply
// do not take the plan job's word.
func TestNarrowerPatterns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ entry, gate, apply string }{
		"one workspace": {
			`{dir: infra/app, workspaces: [customer-a, prod], varFiles: ["infra/{workspace}.tfvars"]}`, "",
			"the plan leaves out infra/app in workspace customer-b, which waybill.yaml names by a pattern",
		},
		"all of the pattern": {`{dir: infra/app, workspaces: [prod], varFiles: ["infra/{workspace}.tfvars"]}`, "",
			"the plan leaves out infra/app in workspace customer-a, infra/app in workspace customer-b",
		},
		"the directory": {`{dir: infra/other}`, "infra/app in workspace customer-a is taken away, and the plan does not say so", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorkspaceWorld(t, workspaceRules)
			rules := strings.Split(workspaceRules, "\n")
			rules[3] = "    - " + c.entry
			w.push("ada", map[string]string{
				"waybill.yaml":        strings.Join(rules, "\n"),
				"infra/other/main.tf": "terraform {\n  backend \"local\" {}\n}\n",
			})
			f := w.plan("--changed-since", "origin/main")
			removed := 0
			for _, r := range w.firstClaim().Roots {
				if r.Removed {
					removed++
				}
			}
			if removed == 0 {
				t.Fatalf("nothing is taken away: %+v", w.firstClaim())
			}
			forged := w.forge(f, func(b *seal.Bundle) { b.Document.Removed = nil })
			claim := w.firstClaim()
			claim.Roots = slices.DeleteFunc(claim.Roots, func(r comment.ClaimRoot) bool { return r.Removed })
			claim.Parts, claim.Fingerprint, claim.Plan = claim.Parts[:len(claim.Roots)], forged, w.sealedFile(f)
			data, err := json.Marshal(claim)
			if err != nil {
				t.Fatal(err)
			}
			w.editFirstComment(comment.Marker + "\n<!-- waybill:claim " + string(data) + " -->\n")
			w.approve("bob", forged)
			w.approve("dan", forged)
			code, _, words := w.gate("--checkout", w.clone)
			if c.gate != "" {
				w.wants("gate", code, 3, words, c.gate)
				return
			}
			w.merge()
			w.onMain()
			code, _, words = w.apply()
			w.wants("apply", code, 3, words, c.apply)
		})
	}
}

// Several jobs plan the workspaces that the first one found.
func TestWorkspacesInSeveralJobs(t *testing.T) {
	t.Parallel()
	w := newWorkspaceWorld(t, workspaceRules)
	f := w.plan("--changed-since", "origin/main")
	job := func(args ...string) (int, string, string) {
		return w.run(append([]string{
			"plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--seal-to", w.recipient, "--store", w.store,
			"--changed-since", "origin/main", "--run", "7", "--format", "json",
		}, args...)...)
	}
	code, out, words := job("--list")
	w.wants("list", code, 0, words, "")
	w.wants("list", code, 0, out, `"environment": "infra",\s+"roots": 2`, `"environment": "infra-prod",\s+"roots": 1`)
	found := parseOutputs(t, w.env["GITHUB_OUTPUT"])["workspaces"]
	var listed map[string][]string
	if err := json.Unmarshal([]byte(found), &listed); err != nil || len(listed["infra/app"]) != 5 {
		t.Fatalf("%s: %v", found, err)
	}
	for _, group := range []string{"1/2", "2/2"} {
		code, _, words = job("--group", group, "--workspaces", found)
		w.wants(group, code, 0, words)
	}
	code, out, words = job("--join", "--workspaces", found)
	w.wants("join", code, 0, words)
	if !strings.Contains(out, string(f)) {
		t.Errorf("joined, the plan is another than %s", f.Short())
	}
	code, _, words = job("--join", "--workspaces", "[]")
	w.wants("workspaces that are none", code, 2, words, "--workspaces: it is not what plan --list gave")
	code, _, words = job("--join", "--workspaces", `{"infra/app":["customer-a","prod"]}`)
	w.wants("a workspace is left out", code, 3, words, "infra/app in workspace customer-b, which belongs to another group or was not selected")
}

// What reaches no backend looks at the directory once.
func TestValidateWithoutWorkspaces(t *testing.T) {
	t.Parallel()
	w := newWorkspaceWorld(t, workspaceRules)
	code, _, words := w.run("plan", "--checkout", w.clone, "--validate-only")
	w.wants("validate", code, 0, words, "roots pass the policy, are formatted and valid")
}
