package examples_test

import (
	"bytes"
	"encoding/json"
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

// Every root of examples/infra is planned, with AWS mocked. All of them may stand
// in one account, so no two may make what has one name.
func TestRootsMakeNoNameTwice(t *testing.T) {
	t.Parallel()
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
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	bash := process.Command{Path: tooltest.Find(t, "bash"), Args: []string{"scripts/terraform-provider.sh"}, Dir: root, Env: os.Environ()}
	provider, err := bash.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env = append(env, "TF_CLI_CONFIG_FILE="+strings.TrimSpace(string(provider)), "TF_IN_AUTOMATION=1")
	owner := make(map[string]string)
	roots, err := filepath.Glob(filepath.Join(work, "infra/infra/aws/*"))
	if err != nil || len(roots) < 3 {
		t.Fatalf("roots %v, %v", roots, err)
	}
	for _, dir := range roots {
		names := plannedNames(t, terraform, dir, env)
		if filepath.Base(dir) != "account" && !slices.ContainsFunc(
			names, func(n string) bool { return strings.HasPrefix(n, "aws_sns_topic name ") },
		) {
			t.Errorf("%s: no topic was planned: is everything planned?", filepath.Base(dir))
		}
		for _, name := range names {
			if other := owner[name]; other != "" && other != filepath.Base(dir) {
				t.Errorf("%s and %s both make %s", other, filepath.Base(dir), name)
			}
			owner[name] = filepath.Base(dir)
		}
	}
}

// plannedNames plans a root and lists "TYPE FIELD NAME" of what it would make.
func plannedNames(t *testing.T, terraform, dir string, env []string) (names []string) {
	t.Helper()
	rewrite(t, filepath.Join(dir, "main.tf"), func(text string) string { return stateBlock.ReplaceAllLiteralString(text, "") })
	test := "mock_provider \"aws\" {\n  source = \"../../../../terraform/testing/aws\"\n}\nrun \"plan\" {\n  command = plan\n}\n"
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
				Changes []struct {
					Type   string `json:"type"`
					Change struct {
						After map[string]any `json:"after"`
					} `json:"change"`
				} `json:"resource_changes"`
			} `json:"test_plan"`
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatal(err)
		}
		for _, c := range event.Plan.Changes {
			if c.Type == "aws_iam_role_policy" || c.Type == "aws_route53_record" {
				continue
			}
			for _, field := range unique {
				if name, ok := c.Change.After[field].(string); ok {
					names = append(names, c.Type+" "+field+" "+name)
				}
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
