package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

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
