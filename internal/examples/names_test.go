package examples_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var (
	moduleOfWaybill = regexp.MustCompile(`git::https://github\.com/waybill-dev/waybill\.git//(terraform[a-z/]*)\?ref=v[0-9.]+`)
	stateBlock      = regexp.MustCompile(`(?ms)^  # The bucket encrypts.*?^  \}\n`)
)

// unique are the fields by which AWS tells things of one type apart, in an
// account and region or everywhere. Inline policies belong to their role, and a
// record to its zone.
var unique = []string{"name", "bucket", "identifier", "alarm_name", "cluster_identifier"}

// Every root of examples/infra is planned, with AWS mocked, and an environment with
// everything that the modules can make.
func TestRootsOnAWS(t *testing.T) {
	t.Parallel()
	plans := planRoots(t)
	t.Run("no name twice", func(t *testing.T) { noNameTwice(t, plans) })
	t.Run("what a root makes its role may change", func(t *testing.T) { rolesMayChange(t, plans) })
	t.Run("and nothing else", func(t *testing.T) { rolesMayNotChange(t, plans) })
}

// everything is the plan of terraform/examples/environment.
const everything = "everything"

// planned is something that a root would make.
type planned struct {
	Address string `json:"address"`
	Type    string `json:"type"`
	Mode    string `json:"mode"`
	Change  struct {
		After map[string]any `json:"after"`
	} `json:"change"`
}

func planRoots(t *testing.T) map[string][]planned {
	t.Helper()
	root, terraform := tooltest.Root(t), tooltest.Find(t, "terraform")
	work := t.TempDir()
	for from, to := range map[string]string{"terraform": "terraform", "examples/infra": "infra"} {
		if err := os.CopyFS(filepath.Join(work, to), os.DirFS(filepath.Join(root, from))); err != nil {
			t.Fatal(err)
		}
	}
	for dir, up := range map[string]string{"modules/platform": "../../../", "infra/aws/account": "../../../../"} {
		rewrite(t, filepath.Join(work, "infra", dir, "main.tf"), func(text string) string {
			return moduleOfWaybill.ReplaceAllString(text, up+"${1}")
		})
	}
	mocks, err := filepath.Glob(filepath.Join(work, "terraform/testing/aws/*.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, mock := range mocks { // the region of the example
		rewrite(t, mock, func(text string) string { return strings.ReplaceAll(text, "eu-west-1", "eu-central-1") })
	}
	bash := process.Command{Path: tooltest.Find(t, "bash"), Args: []string{"scripts/terraform-provider.sh"}, Dir: root, Env: os.Environ()}
	provider, err := bash.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"TF_CLI_CONFIG_FILE=" + strings.TrimSpace(string(provider)), "TF_IN_AUTOMATION=1",
	}
	roots, err := filepath.Glob(filepath.Join(work, "infra/infra/aws/*"))
	if err != nil || len(roots) != 4 {
		t.Fatalf("roots %v, %v", roots, err)
	}
	mocked, environment := filepath.Join(work, "terraform/testing/aws"), filepath.Join(work, "terraform/examples/environment")
	rewrite(t, filepath.Join(environment, "main.tf"), func(text string) string {
		return strings.ReplaceAll(text, "eu-central-1", "eu-north-1") // where it copies its backups to
	})
	plans := map[string][]planned{everything: plan(t, terraform, environment, mocked, env)}
	for _, dir := range roots {
		plans[filepath.Base(dir)] = plan(t, terraform, dir, mocked, env)
	}
	return plans
}

// plan lists what a root would make.
func plan(t *testing.T, terraform, dir, mocked string, env []string) (made []planned) {
	t.Helper()
	rewrite(t, filepath.Join(dir, "main.tf"), func(text string) string { return stateBlock.ReplaceAllLiteralString(text, "") })
	test := "mock_provider \"aws\" {\n  source = \"" + mocked + "\"\n}\nrun \"plan\" {\n  command = plan\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "names.tftest.hcl"), []byte(test), 0o600); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, args := range [][]string{{"init", "-backend=false", "-input=false", "-no-color"}, {"test", "-json", "-verbose"}} {
		var err error
		if out, err = (process.Command{Path: terraform, Args: args, Dir: dir, Env: env}).Output(t.Context()); err != nil {
			t.Fatalf("%s: terraform %s: %v\n%s", dir, args[0], err, out)
		}
	}
	for line := range bytes.Lines(out) {
		var event struct {
			Plan struct {
				Changes []planned `json:"resource_changes"`
			} `json:"test_plan"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		made = append(made, event.Plan.Changes...)
	}
	return made
}

// All roots may stand in one account, so no two may make what has one name.
func noNameTwice(t *testing.T, plans map[string][]planned) {
	t.Helper()
	owner := make(map[string]string)
	for _, root := range slices.Sorted(maps.Keys(plans)) {
		if root == everything { // no root beside the others
			continue
		}
		names := namesOf(plans[root])
		if root != "account" && !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "aws_sns_topic name ") }) {
			t.Errorf("%s: no topic was planned: is everything planned?", root)
		}
		for _, name := range names {
			if other := owner[name]; other != "" && other != root {
				t.Errorf("%s and %s both make %s", other, root, name)
			}
			owner[name] = root
		}
	}
}

// namesOf lists "TYPE FIELD NAME" of what a root would make.
func namesOf(made []planned) (names []string) {
	for _, c := range made {
		if c.Mode == "data" || c.Type == "aws_iam_role_policy" || c.Type == "aws_route53_record" {
			continue
		}
		for _, field := range unique {
			if name, ok := c.Change.After[field].(string); ok {
				names = append(names, c.Type+" "+field+" "+name)
			}
		}
	}
	return names
}

func rewrite(t *testing.T, file string, change func(string) string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(change(string(data))), 0o600); err != nil {
		t.Fatal(err)
	}
}
