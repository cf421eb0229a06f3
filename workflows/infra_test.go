package workflows_test

import (
	"io/fs"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/workflows"
)

type infraWorkflow struct {
	On   map[string]any
	Jobs map[string]struct {
		If          string
		Needs       any
		Environment string
		Permissions map[string]string
		Steps       []struct {
			Uses, Run string
			With      map[string]string
		}
	}
}

func infra(t *testing.T, name string) (w infraWorkflow) {
	t.Helper()
	data, err := fs.ReadFile(workflows.Files, "infra/"+name)
	if err == nil {
		err = yaml.Unmarshal(data, &w)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// The job that may write to the repository merges, and can do nothing else: it holds no
// cloud role, no key and no environment.
func TestOneJobMayMerge(t *testing.T) {
	t.Parallel()
	seen := 0
	for _, file := range []string{"plan.yml", "gate.yml", "apply.yml", "drift.yml"} {
		for name, job := range infra(t, file).Jobs {
			if job.Permissions["contents"] != "write" {
				continue
			}
			seen++
			if file != "apply.yml" || name != "merge" || job.Environment != "" || job.Permissions["id-token"] != "" {
				t.Errorf("%s, job %s: %+v", file, name, job)
			}
			for _, step := range job.Steps {
				for input, value := range step.With {
					if strings.Contains(value, "secrets.") || strings.Contains(input, "role") || strings.Contains(value, "pull/") {
						t.Errorf("%s, job %s gets %s: %s", file, name, input, value)
					}
				}
			}
			if !strings.Contains(job.If, "needs.apply.result == 'success'") || !strings.Contains(job.If, "needs.list.outputs.merge_head") {
				t.Errorf("%s, job %s runs if %s", file, name, job.If)
			}
		}
	}
	if seen != 1 {
		t.Errorf("%d jobs may write", seen)
	}
}

// A comment /unlock runs in the default branch, never in what a pull request holds, and
// passes the same question as /apply before it reaches an environment.
func TestUnlockRunsTheDefaultBranch(t *testing.T) {
	t.Parallel()
	jobs := infra(t, "apply.yml").Jobs
	if asked := jobs["asked"].If; !strings.Contains(asked, "'/apply'") || !strings.Contains(asked, "'/unlock'") {
		t.Errorf("nobody is asked: %s", asked)
	}
	if list := jobs["list"].If; !strings.Contains(list, "needs.asked.result == 'success'") {
		t.Errorf("the job list runs if %s", list)
	}
	for _, step := range jobs["apply"].Steps {
		ref := step.With["ref"]
		const merge = "startsWith(github.event.comment.body, '/apply') && vars.WAYBILL_APPLY"
		if strings.HasPrefix(step.Uses, "actions/checkout@") && !strings.Contains(ref, merge) {
			t.Errorf("the checkout is of %s", ref)
		}
	}
}

// Plans that are out of date are planned again, and drift is looked for, on a schedule. A
// scheduled run of plan.yml plans nothing by itself.
func TestSchedules(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"plan.yml", "drift.yml"} {
		if infra(t, file).On["schedule"] == nil {
			t.Errorf("%s has no schedule", file)
		}
	}
	for name, job := range infra(t, "plan.yml").Jobs {
		first := job.Needs == nil
		if scheduled := strings.Contains(job.If, "schedule"); first && scheduled != (name == "stale") {
			t.Errorf("job %s runs if %s", name, job.If)
		}
	}
}

// A comment that is deleted may have been an approval, or have taken one back: the gate
// decides anew, whatever it said.
func TestGateHearsOfDeletedComments(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"hooks", "gate"} {
		if job := infra(t, "gate.yml").Jobs[name]; !strings.Contains(job.If, "github.event.action == 'deleted' ||") {
			t.Errorf("job %s runs if %s", name, job.If)
		}
	}
}
