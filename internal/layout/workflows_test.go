package layout_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// workflow is the part of a workflow or a composite action that the rules are
// about.
type workflow struct {
	Permissions *map[string]string
	Jobs        map[string]struct {
		Permissions *map[string]string
		Uses        string
		Environment string
		Steps       []step
		Timeout     int `yaml:"timeout-minutes"`
	}
	Runs struct{ Steps []step }
}

type step struct {
	Run, Uses, Shell string
	With             map[string]any
}

func workflowFiles(t *testing.T) map[string]workflow {
	t.Helper()
	root := tooltest.Root(t)
	files := make(map[string]workflow)
	for _, pattern := range []string{
		"action.yml", "actions/*/action.yml", "workflows/*/*.yml", ".github/workflows/*.yml", "examples/*/.github/workflows/*.yml",
	} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: nothing there %v", pattern, err)
		}
		for _, file := range found {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var w workflow
			if err := yaml.Unmarshal(data, &w); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.ToSlash(name)] = w
		}
	}
	return files
}

func (w workflow) steps() []step {
	steps := w.Runs.Steps
	for _, job := range w.Jobs {
		steps = append(steps, job.Steps...)
	}
	return steps
}

func TestNoExpressionInAScript(t *testing.T) {
	t.Parallel()
	for name, w := range workflowFiles(t) {
		for _, s := range w.steps() {
			if strings.Contains(s.Run, "${{") {
				t.Errorf("%s: an expression stands inside run, where its value becomes code: pass it by env:\n%s", name, s.Run)
			}
		}
	}
}

var (
	pinned      = regexp.MustCompile(`^[^@]+@[0-9a-f]{40}$`)
	ownAction   = regexp.MustCompile(`^waybill-dev/waybill(/actions/[a-z]+)?@v(.+)$`)
	ownByCommit = regexp.MustCompile(`^waybill-dev/waybill(/actions/[a-z]+)?@[0-9a-f]{40}$`)
	ownHere     = regexp.MustCompile(`^\./(actions/[a-z]+)?$`) // of this commit, in this repository's own workflows
	// What only GitHub's own actions can do, by workflow: files between the jobs of a run,
	// and a site. No composite action has one of them.
	githubs = map[string]*regexp.Regexp{
		"deliver.yml": regexp.MustCompile(`^actions/(upload|download)-artifact@`),
		"site.yml":    regexp.MustCompile(`^actions/(upload-pages-artifact|deploy-pages)@`),
	}
	reusable = regexp.MustCompile(`^acme/config/\.github/workflows/deliver\.yml@main$`)
)

// Everything used is pinned: to a commit, or, what is released with it, to this
// version. The reusable workflow of the platform team is theirs to move.
func TestUsesArePinned(t *testing.T) {
	t.Parallel()
	version, err := os.ReadFile(filepath.Join(tooltest.Root(t), "actions", "version.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range workflowFiles(t) {
		var uses []string
		for _, s := range w.steps() {
			uses = append(uses, s.Uses)
		}
		for _, job := range w.Jobs {
			uses = append(uses, job.Uses)
		}
		for _, u := range uses {
			if own := ownAction.FindStringSubmatch(u); own != nil {
				if own[2] != strings.TrimSpace(string(version)) {
					t.Errorf("%s uses %s, and this is version %s", name, u, version)
				}
				continue
			}
			if starters := strings.HasPrefix(name, "workflows/"); starters && strings.HasPrefix(u, "./") {
				t.Errorf("%s uses %s: gh actions-lock takes no path of the repository itself", name, u)
			}
			if u != "" && !ownHere.MatchString(u) && !pinned.MatchString(u) && !reusable.MatchString(u) {
				t.Errorf("%s uses %s, which is not pinned to a commit", name, u)
			}
			if may := githubs[path.Base(name)]; may != nil && pinned.MatchString(u) && may.MatchString(u) {
				continue
			}
			if u != "" && pinned.MatchString(u) && !strings.HasPrefix(u, "actions/checkout@") && !ownByCommit.MatchString(u) {
				t.Errorf("%s uses %s: the only action of others is actions/checkout", name, u)
			}
		}
	}
}

func TestWorkflowsGrantByJob(t *testing.T) {
	t.Parallel()
	for name, w := range workflowFiles(t) {
		if len(w.Jobs) == 0 {
			continue
		}
		if w.Permissions == nil || len(*w.Permissions) > 0 {
			t.Errorf("%s: want permissions: {} at the top", name)
		}
		for id, job := range w.Jobs {
			if job.Permissions == nil {
				t.Errorf("%s: job %s says no permissions", name, id)
			}
			if job.Uses == "" && job.Timeout == 0 {
				t.Errorf("%s: job %s has no time limit", name, id)
			}
			for _, s := range job.Steps {
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
					t.Errorf("%s: job %s leaves the token in the checkout", name, id)
				}
			}
		}
	}
}

// Only the job that signs can get an identity, and it runs nothing of others.
func TestOnlySigningHasAnIdentity(t *testing.T) {
	t.Parallel()
	for id, job := range workflowFiles(t)["workflows/config/deliver.yml"].Jobs {
		if job.Permissions == nil || (*job.Permissions)["id-token"] == "" {
			continue
		}
		if id != "sign" {
			t.Errorf("job %s can get an identity", id)
		}
		for _, s := range job.Steps {
			if s.Run != "" || !ownAction.MatchString(s.Uses) {
				t.Errorf("job %s runs %q %q", id, s.Uses, s.Run)
			}
		}
	}
}

// The release is signed and published by one job, which waits for the protected
// environment and compiles nothing. Publishing is its last step.
func TestReleaseIsPublishedBehindItsEnvironment(t *testing.T) {
	t.Parallel()
	jobs := workflowFiles(t)[".github/workflows/release.yml"].Jobs
	for id, job := range jobs {
		if identity := (*job.Permissions)["id-token"] != ""; identity != (id == "publish") {
			t.Errorf("job %s: an identity is for the job publish alone", id)
		}
	}
	publish := jobs["publish"]
	if publish.Environment != "release" {
		t.Errorf("the job publish waits for the environment %q, want release", publish.Environment)
	}
	for i, s := range publish.Steps {
		if strings.Contains(s.Run, "go ") || strings.Contains(s.Run, "release.sh") {
			t.Errorf("the job publish compiles: %s", s.Run)
		}
		if last := i == len(publish.Steps)-1; last != strings.Contains(s.Run, "publish.sh publish") {
			t.Errorf("step %d of %d of the job publish is %q: publishing is the last step", i+1, len(publish.Steps), s.Run)
		}
	}
}
