package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// The applications in other languages pass their own tests, as their workflows run
// them, and their Dockerfiles are ones that BuildKit builds for both platforms.
func TestApplicationsInOtherLanguages(t *testing.T) {
	t.Parallel()
	for dir, test := range map[string][]string{
		"node": {"npm", "test"}, "site": {"npm", "test"}, "python": {"python3", "-m", "unittest"},
	} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			source := filepath.Join(tooltest.Root(t), "examples", dir)
			workflow, err := os.ReadFile(filepath.Join(source, ".github", "workflows", "ci.yml"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(workflow), strings.Join(test, " ")) {
				t.Errorf("the workflow does not run %q", test)
			}
			file, err := build.ReadDockerfile(source, "")
			if err != nil {
				t.Fatal(err)
			}
			platforms, err := build.ParsePlatforms([]string{"linux/amd64", "linux/arm64"})
			if err != nil {
				t.Fatal(err)
			}
			choice, err := build.Choose(build.Auto, build.Request{Context: source, Platforms: platforms}, file)
			if err != nil || choice.Engine != build.BuildKit {
				t.Errorf("built by %s: %v", choice.Engine, err)
			}
			program, err := process.LookPath(test[0])
			if err != nil {
				t.Skipf("needs %s: %v", test[0], err)
			}
			here := t.TempDir()
			if err := os.CopyFS(here, os.DirFS(source)); err != nil {
				t.Fatal(err)
			}
			command := process.Command{
				Path: program, Args: test[1:], Dir: here, Env: []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")},
			}
			if out, err := command.Output(t.Context()); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
