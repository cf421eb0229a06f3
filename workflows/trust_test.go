package workflows_test

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/examples"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
	"github.com/waybill-dev/waybill/workflows"
)

func deliver(t *testing.T) string {
	t.Helper()
	data, err := fs.ReadFile(workflows.Files, "config/deliver.yml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTrustIsFilledIn(t *testing.T) {
	t.Parallel()
	const root = "{\n \"a\": \"it's: #1\"\n}"
	text, err := workflows.Trust{Database: "mirror.example/db:2", TrustedRoot: root}.Fill(deliver(t))
	if err != nil {
		t.Fatal(err)
	}
	var w struct{ Env map[string]string }
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"DB_REPOSITORY": "mirror.example/db:2", "TRUSTED_ROOT": `{"a":"it's: #1"}`, "SIGNING_CONFIG": "", "BUILDERS": "",
	} {
		if got, has := w.Env[name]; !has || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if _, err := (workflows.Trust{TrustedRoot: "a file"}).Fill(deliver(t)); err == nil ||
		!strings.Contains(err.Error(), "TRUSTED_ROOT: it is not JSON") {
		t.Errorf("no JSON: %v", err)
	}
	if _, err := (workflows.Trust{Database: "x"}).Fill("name: deliver\n"); err == nil ||
		!strings.Contains(err.Error(), "has no line for it") {
		t.Errorf("another file: %v", err)
	}
}

type workflow struct {
	On struct {
		Call struct{ Inputs map[string]any } `yaml:"workflow_call"`
	}
	Jobs map[string]struct {
		RunsOn   string `yaml:"runs-on"`
		Strategy struct{ Matrix struct{ Include string } }
		Steps    []struct {
			Uses string
			Run  string
			With map[string]string
			Env  map[string]string
		}
	}
}

// What an application could choose in deliver.yml, GitHub takes from it: its
// variables, its inputs. Neither reaches what decides about trust.
func TestApplicationsChooseNoTrust(t *testing.T) {
	t.Parallel()
	var w workflow
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"builder", "builders", "signing_config", "trusted_root", "db_repository"} {
		if _, has := w.On.Call.Inputs[name]; has {
			t.Errorf("the caller chooses %s", name)
		}
	}
	seen := map[string]bool{}
	for name, job := range w.Jobs {
		native := name == "build" && job.RunsOn == "${{ matrix.runner }}" && job.Strategy.Matrix.Include ==
			"${{ fromJSON(needs.runners.result == 'success' && needs.runners.outputs.builds || '[]') }}"
		if name != "test" && !native && strings.Contains(job.RunsOn, "${{") {
			t.Errorf("job %s runs where %s says: an application may register a runner of its own", name, job.RunsOn)
		}
		for _, step := range job.Steps {
			if name != "test" && name != "prepare" && step.Run != "" && strings.Contains(step.Run, "go build") {
				t.Errorf("job %s compiles in a shell", name)
			}
			for input, value := range step.With {
				switch input {
				case "builder", "signing_config", "trusted_root", "db_repository", "allow_public_log":
					seen[input] = true
					if !strings.HasPrefix(value, "${{ env.") {
						t.Errorf("job %s: %s is %s", name, input, value)
					}
				}
				if strings.Contains(value, "vars.") && input != "app_id" {
					t.Errorf("job %s: %s comes from the caller's variables: %s", name, input, value)
				}
			}
		}
	}
	if len(seen) != 5 {
		t.Errorf("looked at %v only", seen)
	}
}

// withheld are the inputs of build that an application does not choose in
// deliver.yml, and why.
var withheld = map[string]string{
	"check": "builds nothing", "join": "the job join", "oci_layout": "the job preview", "archive": "pushes nothing",
	"archive_format": "pushes nothing", "load": "pushes nothing", "metadata": "a file that no later job sees",
	"secret": "files and variables of the runner; build_secrets has values", "ssh": "the runner has no agent",
	"network": "the network of the builder", "allow": "what reaches the builder",
}

// Whatever build can, an application can ask of deliver.yml, but what is withheld.
// A pull request is built in the same way.
func TestBuildGetsEveryInput(t *testing.T) {
	t.Parallel()
	var w workflow
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	given := map[string]map[string]string{}
	for _, job := range []string{"build", "preview"} {
		for _, step := range w.Jobs[job].Steps {
			if strings.Contains(step.Uses, "/actions/build@") {
				given[job] = step.With
			}
		}
	}
	action, err := os.ReadFile(filepath.Join(tooltest.Root(t), "actions", "build", "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var build struct{ Inputs map[string]any }
	if err := yaml.Unmarshal(action, &build); err != nil {
		t.Fatal(err)
	}
	for name := range build.Inputs {
		if (given["build"][name] != "") == (withheld[name] != "") {
			t.Errorf("build gets %s: %q, which is withheld: %q", name, given["build"][name], withheld[name])
		}
	}
	for name, value := range given["build"] {
		other := given["preview"][name]
		ofBuild := name == "image" || name == "platform" || strings.HasPrefix(name, "registry_") || slices.Contains(
			[]string{"cache", "cache_to", "secret_values", "binaries", "builder", "create_repository"}, name)
		if value != other && !ofBuild {
			t.Errorf("%s is %q in build and %q in preview", name, value, other)
		}
	}
}

// Every repository that the build pushes to is signed and tagged: the jobs get
// one list. Jobs that build one of several platforms push to the first alone.
func TestCopiesAreSigned(t *testing.T) {
	t.Parallel()
	var w struct {
		On struct {
			Call struct {
				Outputs map[string]struct{ Value string }
			} `yaml:"workflow_call"`
		}
		Jobs map[string]struct {
			Outputs map[string]string
			Steps   []struct {
				ID, Uses  string
				With, Env map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"build image": "${{ inputs.image }}\n${{ needs.runners.outputs.several != 'true' && inputs.copies || '' }}\n",
		"join image":  "${{ inputs.image }}\n${{ inputs.copies }}\n", "sign copies": "${{ inputs.copies }}",
		"tag copies": "${{ inputs.copies }}", "version copies": "${{ inputs.copies }}",
	}
	for name, job := range w.Jobs {
		for _, step := range job.Steps {
			for input, value := range step.With {
				if at := name + " " + input; strings.Contains(value, "inputs.copies") || want[at] != "" {
					if value != want[at] {
						t.Errorf("%s is %q, want %q", at, value, want[at])
					}
					delete(want, at)
				}
			}
			if step.With["registry_password"] != "" && step.Env["DOCKER_AUTH_CONFIG"] != "${{ secrets.registry_logins }}" {
				t.Errorf("job %s has no logins for other registries", name)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("the other repositories do not reach %v", want)
	}
	for _, output := range []string{"image", "images"} {
		if got := w.On.Call.Outputs[output].Value; got != "${{ jobs.sign.outputs."+output+" }}" ||
			w.Jobs["sign"].Outputs[output] != "${{ steps.sign.outputs."+output+" }}" {
			t.Errorf("the output %s is %s, of %v", output, got, w.Jobs["sign"].Outputs)
		}
	}
}

// What an application may choose of a build reaches the job that builds, and its
// secrets reach no other job.
func TestBuildGetsItsInputs(t *testing.T) {
	t.Parallel()
	var w workflow
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"cache":   "inputs.registry_identity != '' || env.SHARED_CACHE == 'true'", // else any workflow could change it
		"context": "inputs.context", "file": "inputs.file", "target": "inputs.target", "build_arg": "inputs.build_args",
		"label":      "inputs.labels",
		"annotation": "inputs.annotations", "cache_from": "inputs.cache_from", "cache_to": "inputs.cache_to",
		"secret_values": "secrets.build_secrets",
	}
	for name, job := range w.Jobs {
		for _, step := range job.Steps {
			for input, value := range step.With {
				if strings.Contains(value, "secrets.build_secrets") && name != "build" {
					t.Errorf("job %s gets the build secrets", name)
				}
				if name == "build" && want[input] != "" && value == "${{ "+want[input]+" }}" {
					delete(want, input)
				}
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("build does not get %v", want)
	}
}

// The labels of runners are those that deliver.yml names, whatever platforms the
// application asks for.
func TestRunners(t *testing.T) {
	t.Parallel()
	var w workflow
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	const native = "linux/arm64=arm\n\nlinux/s390x=z\nlinux/386=i\nlinux/arm/v7=v\n"
	for _, c := range []struct{ runners, platforms, want string }{
		{"", "linux/amd64\nlinux/arm64\n",
			`builds=[{"index":0,"runner":"ubuntu-latest","platforms":"linux/amd64,linux/arm64"}]` + "\nseveral=\n"},
		{native, "linux/arm64, linux/amd64\nlinux/riscv64", `builds=[{"index":0,"runner":"arm","platforms":"linux/arm64"},` +
			`{"index":1,"runner":"ubuntu-latest","platforms":"linux/amd64,linux/riscv64"}]` + "\nseveral=true\n"},
		{native, "linux/arm64", `builds=[{"index":0,"runner":"arm","platforms":"linux/arm64"}]` + "\nseveral=\n"},
		{native, `linux/arm64","runner":"mine`, ""}, {native, "$(touch x)/`id`", ""}, {native, "*/*", ""}, {native, " \n", ""},
		{native, "linux/arm64 linux/s390x linux/386 linux/arm/v7 linux/amd64", ""},
	} {
		output := filepath.Join(t.TempDir(), "output")
		script := w.Jobs["runners"].Steps[0].Run
		err := process.Command{Path: "bash", Args: []string{"-eo", "pipefail", "-c", script}, Dir: t.TempDir(), Env: []string{
			"PATH=/usr/bin:/bin", "PLATFORMS=" + c.platforms, "RUNNERS=" + c.runners, "GITHUB_OUTPUT=" + output,
		}}.Run(t.Context())
		got, _ := os.ReadFile(output)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s, %q: %v\n%s\nwant\n%s", c.runners, c.platforms, err, got, c.want)
		}
	}
}

// Toolchains are those of the runner, by version; one that is not there is said
// with those that are.
func TestToolchains(t *testing.T) {
	t.Parallel()
	var w workflow
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	script := w.Jobs["test"].Steps[1].Run
	if w.Jobs["prepare"].Steps[1].Run != script {
		t.Error("prepare finds its toolchains in another way than test")
	}
	cache := t.TempDir()
	for _, dir := range []string{
		"node/20.18.2", "node/22.9.1", "node/22.13.1", "node/220.1.1", "Python/3.12.8", "Python/3.1.0", "go/1.24.13", "java21", "java17",
	} {
		if err := os.MkdirAll(filepath.Join(cache, dir, "x64", "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ asked, path, env, says string }{
		{"node=22\n\npython=3.12\ngo=1.24\n", "node/22.13.1 Python/3.12.8 go/1.24.13", "", ""},
		{"node=22.9.1", "node/22.9.1", "", ""}, {"java=21", "java21", "JAVA_HOME=" + cache + "/java21/x64\n", ""},
		{"node=18", "", "", "this runner has no node 18, but 20.18.2 22.9.1 22.13.1 220.1.1: name one of them"},
		{"python=3", "Python/3.12.8", "", ""}, {"java=11", "", "", "this runner has no java 11, but 17 21: name one"},
		{"go=1.2", "", "", "this runner has no go 1.2, but 1.24.13"}, {"rust=1", "", "", "is not node, python, go or java"},
		{"node=../../etc", "", "", "is not node"}, {"node=22;id", "", "", "is not node"}, {"node", "", "", "is not node"},
	} {
		dir := t.TempDir()
		var out bytes.Buffer
		err := process.Command{Path: "bash", Args: []string{"-eo", "pipefail", "-c", script}, Dir: dir, Stdout: &out, Env: []string{
			"PATH=/usr/bin:/bin", "TOOLCHAINS=" + c.asked, "RUNNER_TOOL_CACHE=" + cache, "RUNNER_ARCH=X64", "GITHUB_PATH=" + dir + "/path",
			"GITHUB_ENV=" + dir + "/env", "JAVA_HOME_21_X64=" + cache + "/java21/x64", "JAVA_HOME_17_X64=" + cache + "/java17/x64",
		}}.Run(t.Context())
		path, _ := os.ReadFile(dir + "/path")
		env, _ := os.ReadFile(dir + "/env")
		got := strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(string(path), cache+"/", "")), "/x64/bin", "")
		if (err == nil) != (c.says == "") || !strings.Contains(out.String(), c.says) ||
			c.says == "" && (strings.Join(strings.Fields(got), " ") != c.path || string(env) != c.env) {
			t.Errorf("%q: %v, path %q, env %q: %s", c.asked, err, got, env, out.String())
		}
	}
}

// What prepare makes is packed with its modes; what it has not made is said before
// a build misses it.
func TestPrepare(t *testing.T) {
	t.Parallel()
	var w workflow
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	script := w.Jobs["prepare"].Steps[2].Run
	const command = "mkdir -p target; echo '$HOME' > 'target/a b'; chmod 700 'target/a b'"
	for _, c := range []struct{ prepare, prepared, artifact, want, says string }{
		{command, "target\n", "", "drwx target/,-rwx target/a b", ""},
		{command, "\ntarget/a b\n\n", "", "-rwx target/a b", ""},
		{"touch ./--version", "--version", "", "-rw- --version", ""},
		{command, "", "", "", "the input prepare needs prepared"}, {command, "\n", "", "", "the input prepare needs prepared"},
		{command, "target", "jar", "", "the inputs prepare and artifact exclude each other"},
		{command, "target\ndist", "", "", "has not made an entry of the input prepared"},
		{"echo no; false; touch x", "x", "", "", "no\n"}, {"touch $(id)", "$(id)", "", "", "has not made an entry"},
	} {
		dir := t.TempDir()
		var out bytes.Buffer
		err := process.Command{Path: "bash", Args: []string{"-eo", "pipefail", "-c", script + "\necho packed"}, Dir: dir,
			Stdout: &out, Env: []string{
				"PATH=/usr/bin:/bin", "PREPARE=" + c.prepare, "PREPARED=" + c.prepared, "ARTIFACT=" + c.artifact, "RUNNER_TEMP=" + dir,
			}}.Run(t.Context())
		if (err == nil) != (c.says == "") || !strings.Contains(out.String(), c.says) {
			t.Errorf("%q, %q: %v: %s", c.prepare, c.prepared, err, out.String())
		}
		if c.want != packed(t, dir+"/waybill-prepared.tar") {
			t.Errorf("%q: packed %s, want %s", c.prepared, packed(t, dir+"/waybill-prepared.tar"), c.want)
		}
	}
}

// packed are the files of a tar, with what their owner may do.
func packed(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	var list []string
	for r := tar.NewReader(f); ; {
		header, err := r.Next()
		if err != nil {
			return strings.Join(list, ",")
		}
		list = append(list, header.FileInfo().Mode().String()[:4]+" "+header.Name)
	}
}

// What another job has made reaches each build as an artifact of this run: with a
// token or the number of a run it could be another one's.
func TestPreparedFilesAreOfThisRun(t *testing.T) {
	t.Parallel()
	var w workflow
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	made := ""
	for _, step := range w.Jobs["prepare"].Steps {
		if strings.HasPrefix(step.Uses, "actions/upload-artifact@") {
			made = step.With["name"]
		}
		for name, value := range step.Env {
			if strings.Contains(value, "secrets.") || strings.Contains(value, "token") {
				t.Errorf("prepare gets %s: %s", name, value)
			}
		}
	}
	if made != "waybill-${{ inputs.app }}" {
		t.Errorf("prepare uploads %q", made)
	}
	want := map[string]string{
		"name": "${{ inputs.artifact || format('waybill-{0}', inputs.app) }}", "path": "${{ runner.temp }}/waybill-prepared",
	}
	for _, name := range []string{"build", "preview"} {
		found := false
		for _, step := range w.Jobs[name].Steps {
			if strings.HasPrefix(step.Uses, "actions/download-artifact@") {
				found = maps.Equal(step.With, want)
			}
		}
		if !found {
			t.Errorf("job %s does not take the artifact %v of its own run", name, want)
		}
	}
}

// No job that has an identity or a token that writes runs the application's
// code: the commands that it names run in `test` and `prepare`, which may only read.
func TestJobsOfTrust(t *testing.T) {
	t.Parallel()
	var w struct {
		Jobs map[string]struct {
			Permissions map[string]string
			Steps       []struct {
				Run  string
				Uses string
				With map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	for name, job := range w.Jobs {
		for _, step := range job.Steps {
			switch {
			case name == "test", name == "prepare":
			case name == "runners" && step.Uses == "" && len(job.Permissions) == 0: // TestRunners
			case step.Run != "" && step.Run != `printf '%s' "$POLICY" > waybill-tag.yaml`:
				t.Errorf("job %s runs %q", name, step.Run)
			case strings.HasPrefix(step.Uses, "actions/checkout@") && name != "compile" && name != "build" &&
				name != "preview" && name != "changed":
				t.Errorf("job %s checks the application out", name)
			}
			if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != "false" {
				t.Errorf("job %s leaves the token in the checkout", name)
			}
		}
		if write := job.Permissions["id-token"]; (write == "write") != (name == "sign") {
			t.Errorf("job %s has id-token: %q", name, write)
		}
		if (name == "test" || name == "prepare") && (len(job.Permissions) != 1 || job.Permissions["contents"] != "read") {
			t.Errorf("the job that runs the application's code has %v", job.Permissions)
		}
	}
}

// A pull request is anybody's: its job has no secret, no identity, no builder or
// runner of the organisation's, pushes nothing, and may only read. The jobs that
// hold more do not run for it.
func TestPullRequestsHoldNothing(t *testing.T) {
	t.Parallel()
	var w struct {
		Jobs map[string]struct {
			If          string
			RunsOn      string `yaml:"runs-on"`
			Needs       any
			Permissions map[string]string
			Env         map[string]string
			Steps       []struct {
				Uses, Run string
				With, Env map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(deliver(t)), &w); err != nil {
		t.Fatal(err)
	}
	job := w.Jobs["preview"]
	if !strings.HasPrefix(job.If, "github.event_name == 'pull_request' &&") || job.RunsOn != "ubuntu-latest" || job.Env != nil {
		t.Errorf("preview runs if %s on %s with %v", job.If, job.RunsOn, job.Env)
	}
	for scope, access := range job.Permissions {
		if access != "read" {
			t.Errorf("preview may %s %s", access, scope)
		}
	}
	layouts := 0
	for _, step := range job.Steps {
		for name, value := range step.With {
			if strings.Contains(value, "secrets.") || strings.Contains(value, "vars.") ||
				strings.Contains(value, "env.") && name != "db_repository" ||
				slices.Contains([]string{"builder", "cache", "cache_to", "documents", "registry_identity", "secret_values"}, name) {
				t.Errorf("preview gets %s: %s", name, value)
			}
		}
		for name, value := range step.Env { // logins go to their registries, and into no RUN
			if name != "DOCKER_AUTH_CONFIG" || value != "${{ secrets.registry_logins }}" || step.Run != "" {
				t.Errorf("preview gets the variable %s: %s", name, value)
			}
		}
		if step.With["oci_layout"] != "" || step.With["place"] != "" {
			layouts++
		}
	}
	if layouts != 3 {
		t.Errorf("%d of 3 steps keep what they make on the job's disk", layouts)
	}
	for name, job := range w.Jobs {
		writes := false
		for _, access := range job.Permissions {
			writes = writes || access == "write"
		}
		if writes && job.Needs == nil && !strings.Contains(job.If, "github.event_name != 'pull_request'") &&
			!strings.HasPrefix(job.If, "github.event_name == 'push' &&") {
			t.Errorf("job %s runs for a pull request", name)
		}
	}
	for _, name := range []string{"compile", "runners", "build"} { // all others need one of them
		if !strings.Contains(w.Jobs[name].If, "github.event_name != 'pull_request'") {
			t.Errorf("job %s runs for a pull request", name)
		}
	}
}

// Going back without a pull request has a workflow and an environment of its
// own, and a person starts it: whoever may dispatch rollback.yml can only open a
// pull request.
func TestDirectRollback(t *testing.T) {
	t.Parallel()
	type rollback struct {
		On struct {
			Dispatch struct{ Inputs map[string]any } `yaml:"workflow_dispatch"`
		}
		Jobs map[string]struct {
			If, Environment string
			Steps           []struct{ With map[string]string }
		}
	}
	read := func(name string) (w rollback) {
		t.Helper()
		data, err := fs.ReadFile(workflows.Files, "config/"+name)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, &w); err != nil {
			t.Fatal(err)
		}
		return w
	}
	byPull, direct := read("rollback.yml"), read("rollback-direct.yml")
	if _, has := byPull.On.Dispatch.Inputs["direct"]; has || byPull.Jobs["rollback"].Steps[0].With["direct"] != "" {
		t.Error("rollback.yml can commit")
	}
	job := direct.Jobs["rollback"]
	if job.Environment != "waybill-direct" || job.Environment == byPull.Jobs["rollback"].Environment {
		t.Errorf("rollback-direct.yml uses the environment %q", job.Environment)
	}
	if !strings.Contains(job.If, "github.event.sender.type == 'User'") {
		t.Errorf("an App can start rollback-direct.yml: %q", job.If)
	}
}

// A hold is lifted behind the reviewers of the environment that goes back
// directly, by a person; holding is not.
func TestLiftingWaitsForReviewers(t *testing.T) {
	t.Parallel()
	data, err := fs.ReadFile(workflows.Files, "config/hold.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Jobs map[string]struct {
			If, Environment string
			Steps           []struct{ With map[string]string }
		}
	}
	if err := yaml.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct{ environment, condition, lift string }{
		"hold": {"waybill", "!inputs.lift && github.event.sender.type == 'User'", ""},
		"lift": {"waybill-direct", "inputs.lift && github.event.sender.type == 'User'", "true"},
	} {
		job := w.Jobs[name]
		if job.Environment != want.environment || !strings.HasPrefix(job.If, want.condition) || job.Steps[0].With["lift"] != want.lift {
			t.Errorf("%s: %+v", name, job)
		}
	}
}

// The key that moves digests is named by jobs of the environment that is
// limited to the default branch, and by no other job.
func TestKeysAreOfEnvironments(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(workflows.Files, "*/*.yml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d workflows, %v", len(files), err)
	}
	keys := map[string][]string{
		"WAYBILL_APP_KEY": {"waybill", "waybill-direct"},
		// apply has a job for each of terraform.environments; infra, if there are none.
		"WAYBILL_SEAL_KEY": {"infra", "waybill", "${{ matrix.environment }}"},
	}
	for _, file := range files {
		data, err := fs.ReadFile(workflows.Files, file)
		if err != nil {
			t.Fatal(err)
		}
		var w struct{ Jobs map[string]yaml.Node }
		if err := yaml.Unmarshal(data, &w); err != nil {
			t.Fatal(err)
		}
		for name, node := range w.Jobs {
			var job struct{ Environment string }
			text, err := yaml.Marshal(&node)
			if err != nil {
				t.Fatal(err)
			}
			if err := node.Decode(&job); err != nil {
				t.Fatal(err)
			}
			for key, environments := range keys {
				if strings.Contains(string(text), "secrets."+key) && !slices.Contains(environments, job.Environment) {
					t.Errorf("%s, job %s: %s outside of %v", file, name, key, environments)
				}
			}
		}
	}
}

// Evidence has one place: who signs, and everybody who judges, is told of it, and an
// application tells nobody.
func TestEvidenceHasOnePlace(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(workflows.Files, "config/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	judging := regexp.MustCompile(`actions/(bump|check|promote|rollback|scan|sign|tag|verify)@`)
	found := 0
	for _, file := range files {
		data, err := fs.ReadFile(workflows.Files, file)
		if err != nil {
			t.Fatal(err)
		}
		var w struct{ Env map[string]string }
		if err := yaml.Unmarshal(data, &w); err != nil {
			t.Fatal(err)
		}
		want := "${{ vars.COSIGN_REPOSITORY }}"
		if file == "config/deliver.yml" {
			want = "" // a reusable workflow's variables are its caller's
		}
		if got, told := w.Env["COSIGN_REPOSITORY"]; judging.Match(data) && (!told || got != want) {
			t.Errorf("%s: COSIGN_REPOSITORY is %q (there: %t), want %q", file, got, told, want)
		} else if told {
			found++
		}
	}
	if found < 7 {
		t.Errorf("%d workflows are told", found)
	}
}

// The policy pins the database that deliveries scan with.
func TestTrustIsPinned(t *testing.T) {
	t.Parallel()
	data, err := fs.ReadFile(examples.Files, "config/waybill.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for database, want := range map[string]string{
		"":                               "databases: [ghcr.io/aquasecurity/trivy-db]",
		"127.0.0.1:5000/acme/trivy-db:2": `databases: ["127.0.0.1:5000/acme/trivy-db"]`,
		"mirror.example/db":              `databases: ["mirror.example/db"]`,
	} {
		text, err := workflows.Trust{Database: database}.Pin(string(data))
		if err != nil || !strings.Contains(text, want) {
			t.Errorf("%q: %v, lacks %s", database, err, want)
		}
	}
	if _, err := (workflows.Trust{Database: "x"}).Pin("policy: {}\n"); err == nil || !strings.Contains(err.Error(), "has no line") {
		t.Errorf("a file that pins nothing: %v", err)
	}
}
