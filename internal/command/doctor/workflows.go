package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/workflows"
)

const (
	workflowDir = ".github/workflows/"
	ours        = "waybill-dev/waybill/"
	checkout    = "actions/checkout"
	appVariable = "WAYBILL_APP_ID"
	direct      = "waybill-direct" // made only where GitHub offers reviewers for it
)

// job is a job of a workflow, and what it reads.
type job struct {
	file, environment string
	secrets, vars     []string
}

var (
	reads = regexp.MustCompile(`\b(secrets|vars)\.([A-Za-z_][A-Za-z0-9_]*)`)
	uses  = regexp.MustCompile(`(?m)^[ -]*uses:[ \t]*["']?([^\s@"'#]+)@([^\s"'#]+)["']?(?:[ \t]+#[ \t]*(\S+))?`)
)

// readWorkflows reads what the jobs need. A reusable workflow takes variables
// and secrets from its caller.
func (d *doctor) readWorkflows() bool {
	for _, name := range slices.Sorted(maps.Keys(d.Files)) {
		if path.Dir(name)+"/" != workflowDir || path.Ext(name) != ".yml" && path.Ext(name) != ".yaml" {
			continue
		}
		documents, err := limit.Documents(name, d.Files[name])
		var workflow struct {
			On   yaml.Node
			Jobs map[string]yaml.Node
		}
		if err == nil && len(documents) == 1 {
			err = documents[0].Decode(&workflow)
		}
		if err != nil {
			d.add(Fail, "workflows", "correct the file", "%s cannot be read: %v", name, err)
			return false
		}
		if contains(&workflow.On, "workflow_call") {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(workflow.Jobs)) {
			d.jobs = append(d.jobs, d.inEach(readJob(name, workflow.Jobs[key]))...)
		}
	}
	return true
}

// inEach gives a job whose environment waybill.yaml names once for each of them.
func (d *doctor) inEach(j job) (jobs []job) {
	if j.environment != "${{ matrix.environment }}" {
		return []job{j}
	}
	for _, name := range d.config.Terraform().EnvironmentNames() {
		j.environment = name
		jobs = append(jobs, j)
	}
	return jobs
}

func contains(n *yaml.Node, value string) bool {
	return n.Value == value || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return contains(c, value) })
}

func readJob(file string, n yaml.Node) job {
	var declared struct{ Environment yaml.Node }
	_ = n.Decode(&declared) // what is no mapping declares nothing
	j := job{file: file, environment: declared.Environment.Value}
	if declared.Environment.Kind == yaml.MappingNode {
		var named struct{ Name string }
		_ = declared.Environment.Decode(&named)
		j.environment = named.Name
	}
	text, _ := yaml.Marshal(&n) // it was just parsed
	for _, m := range reads.FindAllStringSubmatch(string(text), -1) {
		switch {
		case m[2] == "GITHUB_TOKEN":
		case m[1] == "secrets":
			j.secrets = append(j.secrets, m[2])
		default:
			j.vars = append(j.vars, m[2])
		}
	}
	return j
}

// environmentNames are those that the workflows name.
func (d *doctor) environmentNames() []string {
	var names []string
	for _, j := range d.jobs {
		if j.environment != "" && !strings.Contains(j.environment, "${{") {
			names = append(names, j.environment)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// environments looks at which branches reach the keys.
func (d *doctor) environments(ctx context.Context) error {
	for _, name := range d.environmentNames() {
		limited, err := d.API.Environment(ctx, d.Repository, name)
		put := d.limit(name)
		if github.IsNotFound(err) {
			d.absent = append(d.absent, name)
		}
		switch {
		case github.IsNotFound(err) && name == direct:
		case github.IsNotFound(err):
			d.add(Fail, "environment", put, "the environment %s does not exist, or the token may not see it", name)
		case err != nil:
			if err := d.unread("environment", "which branches may use the environment "+name, "actions: read", err); err != nil {
				return err
			}
		case limited.Protected:
			d.add(Warn, "environment", put, "every branch with protection may use the environment %s, not %s alone", name, d.Branch)
		case limited.Branches == nil:
			d.add(Fail, "environment", put, "every branch may use the environment %s and the keys in it", name)
		case !slices.Equal(limited.Branches, []string{d.Branch}):
			d.add(Fail, "environment", "take the others out at "+d.API.ServerURL()+"/"+d.Repository.String()+"/settings/environments",
				"the environment %s is open to the branches %s, not to %s alone", name,
				strings.Join(limited.Branches, ", "), d.Branch)
		default:
			d.add(OK, "environment", "", "the environment %s is open to %s alone", name, d.Branch)
		}
	}
	return nil
}

// limit is the command that opens an environment to the default branch alone.
func (d *doctor) limit(environment string) string {
	const policy = `{"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}}`
	at := fmt.Sprintf("repos/%s/environments/%s", d.Repository, environment)
	return "gh api -X PUT " + at + " --input - <<< '" + policy + "' && gh api " + at + "/deployment-branch-policies -f name=" + d.Branch
}

// version reads v1.2.3; ok is false for anything else.
func version(s string) (v [3]int, ok bool) {
	n, err := fmt.Sscanf(strings.TrimPrefix(s, "v"), "%d.%d.%d", &v[0], &v[1], &v[2])
	return v, err == nil && n == 3
}

func older(a, b string) bool {
	va, oka := version(a)
	vb, okb := version(b)
	return oka && okb && slices.Compare(va[:], vb[:]) < 0
}

// versions looks at what the workflow files use.
func (d *doctor) versions() {
	current := currentCheckout()
	var old, unpinned, stale []string
	for _, u := range d.used() {
		switch {
		case !git.IsObjectID(u.ref):
			unpinned = append(unpinned, u.String())
		case u.action == checkout && older(u.written, current):
			stale = append(stale, u.String())
		}
		if strings.HasPrefix(u.action, ours) && older(u.written, d.Version) {
			old = append(old, u.String())
		}
	}
	d.say(Warn, "workflows", old, "waybill upgrade --pull-request", "workflows were written for an older Waybill than "+d.Version)
	d.say(Warn, "workflows", unpinned, "pin each to a commit, with the tag as a comment",
		"workflows use actions by a name that can be moved")
	d.say(Warn, "workflows", stale, "pin "+checkout+" "+current, "workflows use an old "+checkout)
	if len(old)+len(unpinned)+len(stale) == 0 {
		d.add(OK, "workflows", "", "every workflow file is of this version, and its actions are pinned to commits")
	}
}

// say adds one line about everything that was found, if there is something.
func (d *doctor) say(state State, check string, found []string, fix, text string) {
	slices.Sort(found)
	if found = slices.Compact(found); len(found) > 0 {
		d.add(state, check, fix, "%s: %s", text, strings.Join(found, ", "))
	}
}

// currentCheckout is the version that the starter workflows use.
func currentCheckout() (newest string) {
	starters(func(text string) {
		for _, m := range uses.FindAllStringSubmatch(text, -1) {
			if m[1] == checkout && (newest == "" || older(newest, m[3])) {
				newest = m[3]
			}
		}
	})
	return newest
}

// starters calls f with each workflow that waybill init writes.
func starters(f func(text string)) {
	_ = fs.WalkDir(workflows.Files, ".", func(name string, entry fs.DirEntry, err error) error { // embedded files can be read
		if err == nil && !entry.IsDir() {
			data, _ := workflows.Files.ReadFile(name)
			f(string(data))
		}
		return err
	})
}
