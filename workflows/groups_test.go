package workflows_test

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/workflows"
)

var inGroup = regexp.MustCompile(`\$\{\{(.*?)\}\}`)

// group fills in a concurrency group of names that stand beside ||.
func group(t *testing.T, text string, of map[string]string) string {
	t.Helper()
	return inGroup.ReplaceAllStringFunc(text, func(match string) string {
		for name := range strings.SplitSeq(inGroup.FindStringSubmatch(match)[1], "||") {
			if name = strings.TrimSpace(name); !regexp.MustCompile(`^[a-z_.]+$`).MatchString(name) {
				t.Errorf("the group has %q, of which this test knows nothing", name)
			}
			if of[name] != "" {
				return of[name]
			}
		}
		return ""
	})
}

// Anybody may comment and review, and GitHub tells who they are only inside of a job. A
// concurrency group keeps one run that waits and drops the one before: what somebody wrote
// must share its group with nothing, or it could drop a run that others wait for.
func TestStrangersShareNoGroup(t *testing.T) {
	t.Parallel()
	strangers := map[string]string{"issue_comment": "github.event.comment.id", "pull_request_review": "github.event.review.id"}
	seen := 0
	err := fs.WalkDir(workflows.Files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(workflows.Files, path)
		if err != nil {
			return err
		}
		var w struct {
			On          yaml.Node
			Concurrency yaml.Node
			Jobs        map[string]struct{ Concurrency yaml.Node }
		}
		if err := yaml.Unmarshal(data, &w); err != nil {
			return err
		}
		events := map[string]any{}
		if w.On.Kind != yaml.MappingNode || w.On.Decode(&events) != nil {
			return nil
		}
		var concurrency struct{ Group string }
		if !w.Concurrency.IsZero() && w.Concurrency.Decode(&concurrency) != nil {
			t.Fatalf("%s: concurrency is no mapping", path)
		}
		for _, other := range []string{"issues", "discussion", "discussion_comment", "pull_request_review_comment"} {
			if _, there := events[other]; there {
				t.Errorf("%s runs on %s, of which this test knows nothing", path, other)
			}
		}
		for _, event := range slices.Sorted(maps.Keys(strangers)) {
			if _, there := events[event]; !there {
				continue
			}
			seen++
			for name, job := range w.Jobs {
				if !job.Concurrency.IsZero() {
					t.Errorf("%s: the job %s has a group of its own: who asks must be known before", path, name)
				}
			}
			if concurrency.Group == "" {
				continue
			}
			one := func(number int) string { // what each of them writes on pull request 1
				return group(t, concurrency.Group, map[string]string{
					"github.event_name": event, strangers[event]: fmt.Sprint(90 + number), "github.event.issue.number": "1",
					"github.event.pull_request.number": "1", "github.ref": "refs/heads/main", "github.run_id": "7", "github.sha": "abc",
				})
			}
			planned := group(t, concurrency.Group, map[string]string{
				"github.event_name": "pull_request", "github.event.pull_request.number": "1", "inputs.pull_request": "1",
				"github.ref": "refs/heads/main", "github.run_id": "8", "github.sha": "abc",
			})
			if one(1) == one(2) || one(1) == planned {
				t.Errorf("%s: %s of anybody enters the group %s, which is also %s and %s", path, event, one(1), one(2), planned)
			}
		}
		return nil
	})
	if err != nil || seen < 4 {
		t.Errorf("%d triggers looked at: %v", seen, err)
	}
}

// The comment that asks for a plan is seen before anything of it enters the group in which
// plans wait for each other: its own run plans nothing, and starts the run that does.
func TestACommentStartsThePlan(t *testing.T) {
	t.Parallel()
	jobs := infra(t, "plan.yml").Jobs
	asked := jobs["asked"]
	if asked.Permissions["actions"] != "write" || asked.Permissions["id-token"] != "" || len(asked.Permissions) != 2 {
		t.Errorf("the job that sees the comment has %v", asked.Permissions)
	}
	run := asked.Steps[0].Run
	may, starts := strings.Index(run, `"(admin|write)"`), strings.Index(run, "plan.yml/dispatches")
	if may < 0 || starts < may || !strings.Contains(run[may:starts], "exit 1") {
		t.Errorf("it starts the plan before it knows who asks: %s", run)
	}
	for name, job := range jobs {
		if name != "asked" && strings.Contains(job.If, "issue_comment") {
			t.Errorf("the job %s runs for a comment: %s", name, job.If)
		}
		for _, step := range job.Steps {
			_, plans := step.With["changed_since"]
			if plans && step.With["validate_only"] == "" && step.With["asked_by"] != "${{ inputs.comment }}" {
				t.Errorf("the job %s does not know who asked", name)
			}
		}
	}
}
