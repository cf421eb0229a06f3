package starter_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/workflows"
)

// within writes what init does for a kind in a directory of a repository.
func within(t *testing.T, kind, dir string) starter.Result {
	t.Helper()
	names := starter.Names{App: "shop", Platform: starter.AWS}
	top, err := names.Directory(t.Context(), kind, dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := names.Derive(t.Context(), kind, top); err != nil {
		t.Fatal(err)
	}
	result, err := starter.Write(top, kind, names, false)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestADirectoryOfARepository(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	for _, args := range [][]string{{"init", "--quiet"}, {"remote", "add", "origin", "https://github.com/acme/shop.git"}} {
		if _, err := git.Run(t.Context(), top, args...); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	within(t, starter.Config, filepath.Join(top, "deploy", "a"))
	// The application of the repository asks its own directory, and what Waybill commits
	// there starts no delivery.
	within(t, starter.App, top)
	ci := read(".github/workflows/ci.yml")
	for _, want := range []string{
		"uses: acme/shop/.github/workflows/deliver-deploy-a.yml@main",
		`push: {branches: ["**"], tags: ["v[0-9]*"], paths-ignore: ["deploy/a/**"]}`, `pull_request: {paths-ignore: ["deploy/a/**"]}`,
	} {
		if !strings.Contains(ci, want) {
			t.Errorf("ci.yml lacks %s:\n%s", want, ci)
		}
	}
	again := within(t, starter.Config, filepath.Join(top, "deploy", "b"))
	for _, kept := range again.Kept {
		if kept != ".github/CODEOWNERS" { // one for the whole repository
			t.Errorf("two directories share %s", kept)
		}
	}
	dispatch := regexp.MustCompile(`[a-z_]+_workflow: (\S+)`)
	starts := 0
	err := fs.WalkDir(workflows.Files, "config", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		for dir, slug := range map[string]string{"deploy/a": "deploy-a", "deploy/b": "deploy-b"} {
			file := strings.TrimSuffix(path.Base(name), ".yml") + "-" + slug + ".yml"
			text := read(".github/workflows/" + file)
			own := strings.Contains(text, "waybill-dev/waybill/actions/") // the others know no directory
			if own && !strings.Contains(text, " path: "+dir+"\n") || !strings.Contains(text, " ("+dir+")\n") {
				t.Errorf("%s names no directory", file)
			}
			for _, m := range dispatch.FindAllStringSubmatch(text, -1) {
				read(".github/workflows/" + m[1]) // is there
				starts++
			}
			if group := regexp.MustCompile(`(?m)^  group: (.*)$`).FindString(text); group != "" && !strings.Contains(group, slug+"-") {
				t.Errorf("%s shares %q", file, group)
			}
		}
		return nil
	})
	if err != nil || starts < 8 {
		t.Errorf("%d workflows are started, %v", starts, err)
	}
	for name, want := range map[string]string{
		".github/workflows/bump-deploy-a.yml":    "github.event.deployment.payload.path == 'deploy/a'",
		".github/workflows/promote-deploy-b.yml": `push: {branches: [main], paths: ["deploy/b/**"]}`,
		".github/CODEOWNERS":                     "\n/deploy/a/ @acme/platform\n",
		".github/workflows/check-deploy-a.yml":   "status waybill/check/deploy/a on its head.",
		"deploy/a/README.md":                     "`waybill/check/deploy/a` verifies",
		"deploy/a/waybill.yaml":                  "workflow: acme/shop/.github/workflows/deliver-deploy-a.yml@refs/heads/main",
	} {
		if !strings.Contains(read(name), want) {
			t.Errorf("%s lacks %q", name, want)
		}
	}
	upgraded, err := starter.Upgrade(t.Context(), starter.UpgradeRequest{Dir: filepath.Join(top, "deploy", "b"), Version: "9.9.9"})
	if err != nil || upgraded.Conflicts() > 0 {
		t.Fatalf("%+v %v", upgraded, err)
	}
	for _, f := range upgraded.Files {
		t.Errorf("an upgrade of the same version changes %s: %s", f.Path, f.Change)
	}
	if _, err := os.Stat(filepath.Join(top, ".waybill")); err == nil {
		t.Error("the upgrade wrote a record at the top")
	}
}

// A platform that somebody asks for is not left out silently.
func TestADirectoryHasNoPlatform(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	if _, err := git.Run(t.Context(), top, "init", "--quiet"); err != nil {
		t.Fatal(err)
	}
	names := starter.Names{Platform: starter.Kubernetes}
	_, err := names.Directory(t.Context(), starter.Config, filepath.Join(top, "deploy"))
	if err == nil || !strings.Contains(err.Error(), "--platform kubernetes: the clusters' platform needs a config repository of its own") {
		t.Errorf("got %v", err)
	}
	names = starter.Names{Platform: starter.AWS, Owner: "acme"}
	if _, err := names.Directory(t.Context(), starter.Config, filepath.Join(top, "deploy")); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		starter.Config: "No platform for clusters was written", starter.App: "acme/config's deliver-deploy.yml has all",
	} {
		if next := strings.Join(starter.NextSteps(kind, names), "\n"); !strings.Contains(next, want) {
			t.Errorf("%q is not among %s", want, next)
		}
	}
}

// The starter workflows hold what a directory changes in them.
func TestWorkflowsCanBeOfADirectory(t *testing.T) {
	t.Parallel()
	for name, wants := range map[string][]string{
		"config/bump.yml":    {"!github.event.deployment.payload.path"},
		"config/promote.yml": {"push: {branches: [main]}"},
		"config/running.yml": {"running: \"true\"\n"},
		"app/ci.yml":         {`push: {branches: ["**"], tags: ["v[0-9]*"]}`, "pull_request: {}"},
	} {
		data, err := fs.ReadFile(workflows.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(data), want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
	}
}

// GitHub Enterprise Server runs no workflow with a permission that it does not know.
func TestAServerIsNotToldOfArtifacts(t *testing.T) {
	t.Parallel()
	for issuer, wants := range map[string]bool{"": true, "https://ghe.example/_services/token": false} {
		dir := t.TempDir()
		names := starter.Names{Owner: "acme", Issuer: issuer, Platform: starter.None}
		if _, err := starter.Write(dir, starter.Config, names, false); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, ".github/workflows/promote.yml"))
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if strings.Contains(text, "artifact-metadata: write") != wants || strings.Contains(text, "record_artifacts: false\n") == wants ||
			!strings.Contains(text, "record_deployments: true") {
			t.Errorf("issuer %q:\n%s", issuer, text)
		}
	}
}
