package examples_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var (
	developerGroups = regexp.MustCompile(`(?s)developer_groups = \{\n(.*?)\n {6}\}`)
	groupName       = regexp.MustCompile(`(?m)^\s*([a-z-]+)\s*= \{ role_arn`)
	serviceAccount  = regexp.MustCompile(`\{ namespace = "([a-z-]+)", name = "([a-z-]+)" \}`)
)

func source(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{tooltest.Root(t)}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Who has rights here are groups that Terraform makes: another name would be a
// right that nobody has.
func TestGroupsAreTerraforms(t *testing.T) {
	t.Parallel()
	known := []string{"waybill:admins", "waybill:break-glass", "waybill:read-only"}
	access := source(t, "terraform", "modules", "cluster", "access.tf")
	for _, group := range known {
		if !strings.Contains(access, `"`+group+`"`) {
			t.Errorf("terraform makes no group %s", group)
		}
	}
	block := developerGroups.FindStringSubmatch(source(t, "examples", "infra", "modules", "platform", "main.tf"))
	if block == nil {
		t.Fatal("examples/infra has no developer_groups")
	}
	for _, match := range groupName.FindAllStringSubmatch(block[1], -1) {
		known = append(known, "waybill:"+match[1])
	}
	exampleState(t).objects("RoleBinding", func(u unit, o render.Object) {
		for _, subject := range list(o.Content, "subjects") {
			if !slices.Contains(known, text(subject, "name")) {
				t.Errorf("%s: %s: there is no group %s: %v", u.name, o, text(subject, "name"), known)
			}
		}
	})
}

var (
	declaredType = regexp.MustCompile(`(?m)^(?:resource|data) "(aws_[a-z0-9_]+)"`)
	readType     = regexp.MustCompile(`(?m)^    (aws_[a-z0-9_]+) += \[`)
)

// What a plan's role may read is what the types need that the modules and the example
// roots declare, and nothing for a type that none of them has.
func TestPlansReadWhatTheyDeclare(t *testing.T) {
	t.Parallel()
	reads := make(map[string]bool)
	for _, m := range readType.FindAllStringSubmatch(source(t, "terraform", "modules", "identity", "reads.tf"), -1) {
		reads[m[1]] = false
	}
	for _, dir := range []string{"terraform", "examples/infra"} {
		err := filepath.WalkDir(filepath.Join(tooltest.Root(t), dir), func(name string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(name) != ".tf" {
				return err
			}
			data, err := os.ReadFile(name)
			for _, m := range declaredType.FindAllSubmatch(data, -1) {
				if _, there := reads[string(m[1])]; !there {
					t.Errorf("%s: a plan cannot read %s: terraform/modules/identity/reads.tf does not have it", name, m[1])
				}
				reads[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, declared := range reads {
		if !declared {
			t.Errorf("terraform/modules/identity/reads.tf has %s, which nothing declares", name)
		}
	}
}

// Pod Identity knows a component by namespace and service account: the chart has
// to be told the same, and to be deployed there.
func TestServiceAccountsAreTerraforms(t *testing.T) {
	t.Parallel()
	s := exampleState(t)
	accounts := serviceAccount.FindAllStringSubmatch(source(t, "terraform", "modules", "cluster", "components.tf"), -1)
	if len(accounts) < 8 {
		t.Fatalf("terraform names %d service accounts", len(accounts))
	}
	for _, match := range accounts {
		namespace, name := match[1], match[2]
		app, ok := find(s.all("clusters/prod"), "Application", func(o render.Object) bool { return o.Name == name })
		if !ok || text(app.Content, "spec", "destination", "namespace") != namespace {
			t.Errorf("%s is not deployed to %s", name, namespace)
		}
		if values := string(s.files["platform/"+name+"/values.yaml"]); !strings.Contains(values, "create: true, name: "+name+"}") &&
			!strings.Contains(values, "serviceAccount: {name: "+name+"}") {
			t.Errorf("platform/%s/values.yaml does not name the service account %s", name, name)
		}
	}
}

var (
	workingHour = regexp.MustCompile(`(start|end) += optional\(string, "(\d+) (\d+) \* \* (\S+)"\)`)
	timeZone    = regexp.MustCompile(`time_zone += optional\(string, "([A-Za-z/]+)"\)`)
	cronTime    = regexp.MustCompile(`^(\d+) (\d+) \* \* (\S+)$`)
)

// hoursRules hold Karpenter's nodes to the working hours of dev's managed ones: they are
// drained while Karpenter still runs, and there is room again when it does.
func hoursRules(t *testing.T) rule {
	t.Helper()
	variables := source(t, "terraform", "modules", "cluster", "variables.tf")
	hours := make(map[string][]string)
	for _, m := range workingHour.FindAllStringSubmatch(variables, -1) {
		hours[m[1]] = m[2:]
	}
	return rule{"Karpenter's nodes end with the working hours", func(s state) (problems []string) {
		objects := s.all("clusters/dev/nodes")
		pool, _ := find(objects, "NodePool", func(o render.Object) bool { return o.Name == "general" })
		grace, err := time.ParseDuration(text(pool.Content, "spec", "template", "spec", "terminationGracePeriod"))
		if err != nil || len(hours) != 2 {
			return []string{fmt.Sprintf("%v; terraform has the hours %v", err, hours)}
		}
		for _, c := range []hoursJob{
			{"nodes-end", "end", -2 * time.Hour, -grace - 5*time.Minute, `{"spec":{"limits":{"pods":"0"}}}`},
			{"nodes-start", "start", 0, time.Hour, `{"spec":{"limits":{"pods":null}}}`},
		} {
			job, ok := find(objects, "CronJob", func(o render.Object) bool { return o.Name == c.name })
			if !ok {
				problems = append(problems, "nothing does "+c.name)
				continue
			}
			problems = append(problems, c.check(job, hours[c.of], timeZone.FindStringSubmatch(variables)[1])...)
		}
		for _, env := range []string{"staging", "prod"} {
			if _, there := find(s.all("clusters/"+env+"/nodes"), "CronJob", func(render.Object) bool { return true }); there {
				problems = append(problems, env+" loses its nodes in the evening")
			}
		}
		return problems
	}}
}

// hoursJob is what has to be done around one end of the working hours.
type hoursJob struct {
	name, of string
	from, to time.Duration // from that end
	patch    string
}

func (c hoursJob) check(job render.Object, hour []string, zone string) (problems []string) {
	at := cronTime.FindStringSubmatch(text(job.Content, "spec", "schedule"))
	if at == nil || text(job.Content, "spec", "timeZone") != zone || at[3] != hour[2] {
		return []string{c.name + " is in another time zone, or on other days"}
	}
	if off := clock(at[1:]) - clock(hour); off < c.from || off > c.to {
		problems = append(
			problems, fmt.Sprintf("%s is %s from the %s of the working hours: want %s to %s", c.name, off, c.of, c.from, c.to),
		)
	}
	containers := slices.Concat(list(pod(job), "initContainers"), list(pod(job), "containers"))
	first, last := fmt.Sprint(dig(containers[0], "args")), fmt.Sprint(dig(containers[len(containers)-1], "args"))
	if !strings.Contains(first, "patch nodepool general") || !strings.Contains(first, c.patch) {
		problems = append(problems, c.name+" does not first change the room of the pool: "+first)
	}
	if c.of == "end" && !strings.Contains(last, "delete nodeclaims") {
		problems = append(problems, c.name+" leaves the nodes: "+last)
	}
	return problems
}

func clock(minuteAndHour []string) time.Duration {
	minute, _ := strconv.Atoi(minuteAndHour[0])
	hour, _ := strconv.Atoi(minuteAndHour[1])
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
}

func TestNodesEndWithTheWorkingHours(t *testing.T) {
	t.Parallel()
	hours, s := hoursRules(t), exampleState(t)
	for _, problem := range hours.check(s) {
		t.Error(problem)
	}
	const jobs, nodes = "platform/working-hours/jobs.yaml", "clusters/dev/nodes/kustomization.yaml"
	for name, m := range map[string]struct{ file, old, new, want string }{
		"too late":         {jobs, "25 19", "50 19", "nodes-end is -10m0s from the end of the working hours"},
		"before the nodes": {jobs, "10 7", "10 6", "nodes-start is -50m0s from the start"},
		"another zone": {
			jobs, "timeZone: Etc/UTC", "timeZone: Europe/Berlin", "nodes-end is in another time zone",
		},
		"weekends":         {jobs, "25 19 * * MON-FRI", "25 19 * * SUN", "on other days"},
		"pool without end": {jobs, `"pods":"0"`, `"pods":"9"`, "nodes-end does not first change the room of the pool"},
		"nodes that stay":  {jobs, "delete, nodeclaims", "get, nodeclaims", "nodes-end leaves the nodes"},
		"a long drain": {
			nodes, "value: 20m", "value: 1h", "nodes-end is -35m0s from the end of the working hours",
		},
		"nothing": {nodes, "  - ../../../platform/working-hours\n", "", "nothing does nodes-end"},
		"prod is no office": {
			"clusters/prod/nodes/kustomization.yaml", "  - ../../../platform/nodes\n",
			"  - ../../../platform/nodes\n  - ../../../platform/working-hours\n", "prod loses its nodes",
		},
	} {
		changed := s.files.with(t, m.file, m.old, m.new)
		problems := hours.check(state{changed, changed.renderChanged(t, s.units, m.file)})
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, m.want) }) {
			t.Errorf("%s: got %q, want %q", name, problems, m.want)
		}
	}
}

var mostNodes = regexp.MustCompile(`<= (\d+)\n +error_message = "node_groups: all groups`)

// The quota of the agents is for the biggest cluster that Terraform makes, with the nodes
// of Karpenter: the smallest that its pool starts, until its limit of CPU is reached.
func TestQuotasFollowTheBiggestCluster(t *testing.T) {
	t.Parallel()
	m := mostNodes.FindStringSubmatch(source(t, "terraform", "modules", "cluster", "variables.tf"))
	if m == nil {
		t.Fatal("terraform/modules/cluster does not say how many nodes a cluster may have")
	}
	managed, _ := strconv.Atoi(m[1])
	s := exampleState(t)
	for env := range environments {
		pool, _ := find(s.all("clusters/"+env+"/nodes"), "NodePool", func(o render.Object) bool { return o.Name == "general" })
		cpu, err := strconv.Atoi(text(pool.Content, "spec", "limits", "cpu"))
		inside := s.all("clusters/" + env + "/namespaces")
		quota, ok := find(inside, "ResourceQuota", func(o render.Object) bool { return o.Namespace == "node-agents" })
		pods, _ := strconv.Atoi(text(quota.Content, "spec", "hard", "pods"))
		if most := 2 * (managed + cpu); err != nil || !ok || cpu == 0 || pods < most { // a node has a CPU at least, and two agents
			t.Errorf("%s: node-agents may have %d pods: the biggest cluster has %d", env, pods, most)
		}
	}
}
