package starter_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"github.com/waybill-dev/waybill/internal/command/starter"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var acme = starter.Names{Owner: "acme"}

// umbrella differs from the example in every name.
var umbrella = starter.Names{
	Owner: "Umbrella-Corp", ConfigRepo: "Umbrella-Corp/deploy_config", App: "shop-api", Registry: "registry.example:5000/umbrella",
	Environments: []string{"test", "qa", "preprod", "live"}, Account: "999988887777", Region: "us-east-2", Domain: "umbrella.test",
	Issuer: "https://git.umbrella.test/_services/token",
}

func sortFiles(files []txtar.File) {
	slices.SortFunc(files, func(a, b txtar.File) int { return strings.Compare(a.Name, b.Name) })
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func written(t *testing.T, kind string, n starter.Names) map[string]string {
	t.Helper()
	dir := t.TempDir()
	result, err := starter.Write(dir, kind, n, false)
	if err != nil {
		t.Fatal(err)
	}
	got := tree(t, dir)
	if len(got) != len(result.Written) || len(result.Same)+len(result.Kept)+len(result.Replaced) != 0 {
		t.Errorf("%s: wrote %d files, said %+v", kind, len(got), result)
	}
	if got[".waybill/init.json"] == "" {
		t.Errorf("%s: what was written is not recorded", kind)
	}
	delete(got, ".waybill/init.json")
	return got
}

// marks are where the example says what holds for AWS alone, or elsewhere.
var marks = regexp.MustCompile(`(?m)^ *(?:#|<!--)\[[a-z!+ -]*\](?: .*|-->)?\n| (?:#|<!--)\[[a-z!+ -]+\].*$`)

// The example organisation gets exactly the example files, without their marks.
func TestTheExamples(t *testing.T) {
	t.Parallel()
	names := acme
	names.Domain = "acme.example"
	app, frontend := names, names
	app.Template, frontend.Template, frontend.App = starter.Backend, starter.Frontend, "frontend"
	for _, c := range []struct {
		kind, dir string
		names     starter.Names
	}{
		{starter.Config, "config", names}, {starter.Infra, "infra", names}, {starter.App, "app", app}, {starter.App, "frontend", frontend},
	} {
		want := tree(t, filepath.Join(tooltest.Root(t), "examples", c.dir))
		for name := range want {
			if strings.Contains(name, ".terraform/") || strings.HasPrefix(name, "dist/") || name == "coverage.out" {
				delete(want, name)
				continue
			}
			want[name] = marks.ReplaceAllLiteralString(want[name], "")
			if strings.HasSuffix(name, ".md") {
				want[name] = strings.ReplaceAll(want[name], "\n\n\n", "\n\n")
			}
		}
		if text, ok := want["waybill.yaml"]; ok {
			want["waybill.yaml"] = strings.Replace(text, "../../internal/config/waybill.schema.json", ".waybill/waybill.schema.json", 1)
			want[".waybill/waybill.schema.json"] = string(config.Schema)
		}
		if diff := cmp.Diff(want, written(t, c.kind, c.names)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", c.dir, diff)
		}
	}
	want := tree(t, filepath.Join(tooltest.Root(t), "workflows", "app"))
	if diff := cmp.Diff(want["ci.yml"], written(t, starter.App, names)[".github/workflows/ci.yml"]); diff != "" {
		t.Error(diff)
	}
}

// The schema is where the first line of waybill.yaml says that it is, in the
// examples and in what init writes.
func TestModelinesResolve(t *testing.T) {
	t.Parallel()
	modeline := regexp.MustCompile(`^# yaml-language-server: \$schema=(\S+)\n`)
	dirs := []string{filepath.Join(tooltest.Root(t), "examples", "config"), filepath.Join(tooltest.Root(t), "examples", "infra")}
	for _, kind := range []string{starter.Config, starter.Infra} {
		dir := t.TempDir()
		if _, err := starter.Write(dir, kind, umbrella, false); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	for _, dir := range dirs {
		m := modeline.FindStringSubmatch(tree(t, dir)["waybill.yaml"])
		if m == nil {
			t.Errorf("%s: waybill.yaml has no modeline", dir)
			continue
		}
		if data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(m[1]))); err != nil || string(data) != string(config.Schema) {
			t.Errorf("%s: $schema=%s is not the schema (%v)", dir, m[1], err)
		}
	}
}

// The starter workflows are those of the example.
func TestWorkflowsAreTheExamples(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"config", "infra"} {
		example := tree(t, filepath.Join(tooltest.Root(t), "examples", kind, ".github", "workflows"))
		for name, want := range tree(t, filepath.Join(tooltest.Root(t), "workflows", kind)) {
			if diff := cmp.Diff(want, example[name]); diff != "" {
				t.Errorf("examples/%s/.github/workflows/%s is not workflows/%s/%s:\n%s", kind, name, kind, name, diff)
			}
		}
	}
}

var (
	comment     = regexp.MustCompile(`(?m)(^|\s)#.*$`)
	protocol    = regexp.MustCompile(`acme-(staging-)?v02\.api|acme\.cert-manager\.io|\bacme:|/spec/acme/|letsencrypt-staging|waybill-dev|\.\]?dev\b|/dev/(null|xvda)|environment +=.*`)
	exampleWord = regexp.MustCompile(`\bacme\b|111122223333|eu-central-1|token\.actions`)
	exampleEnv  = regexp.MustCompile(`\b(dev|staging|prod)\b|_(DEV|STAGING|PROD)\b`)
)

// No name of the example is left, whatever the names, and the environments are
// those that were asked for.
func TestEveryNameIsFilledIn(t *testing.T) {
	t.Parallel()
	two := umbrella
	two.Environments = []string{"test", "live"}
	for _, n := range []starter.Names{umbrella, two} {
		for _, kind := range []string{starter.Config, starter.Infra} {
			for name, data := range written(t, kind, n) {
				if data == string(config.Schema) { // the same for everybody
					continue
				}
				text := protocol.ReplaceAllString(data, "")
				if found := exampleWord.FindString(name + text); found != "" {
					t.Errorf("%s %s still names the example: %q", kind, name, found)
				}
				if kind == starter.Config && strings.HasSuffix(name, ".md") &&
					regexp.MustCompile(`(^|[^-\w])backend([^-\w]|$)`).MatchString(data) {
					t.Errorf("%s still names the example's application", name)
				}
				if found := regexp.MustCompile(`letsencrypt-(\w+)`).FindStringSubmatch(data); found != nil &&
					found[1] != "staging" && found[1] != "account" {
					t.Errorf("%s %s names an issuer that is not there: %s", kind, name, found[0])
				}
				if strings.HasSuffix(name, ".md") || strings.HasPrefix(name, "modules/platform/") {
					continue
				}
				if found := exampleEnv.FindString(name + comment.ReplaceAllString(text, "")); found != "" {
					t.Errorf("%s %s still names the example's environment %q", kind, name, found)
				}
			}
		}
	}
	app := umbrella
	app.Template = starter.Backend
	for name, data := range written(t, starter.App, app) {
		if found := regexp.MustCompile(`\backme\b|\bbackend\b`).FindString(name + data); found != "" {
			t.Errorf("%s still names the example: %q", name, found)
		}
	}
}

// The module and the actions are pinned to this version.
func TestPins(t *testing.T) {
	t.Parallel()
	version, err := os.ReadFile(filepath.Join(tooltest.Root(t), "actions", "version.txt"))
	if err != nil {
		t.Fatal(err)
	}
	pin, found := regexp.MustCompile(`waybill-dev/waybill(?:\.git//terraform\S*\?ref=|/actions/\w+@)(?:[0-9a-f]{40} # )?(v[^"\s]+)`), 0
	for _, kind := range []string{starter.Config, starter.Infra} {
		for name, data := range written(t, kind, acme) {
			for _, m := range pin.FindAllStringSubmatch(data, -1) {
				if found++; m[1] != "v"+strings.TrimSpace(string(version)) {
					t.Errorf("%s names %s, and this is %s", name, m[0], version)
				}
			}
		}
	}
	if found < 8 {
		t.Errorf("%d pins", found)
	}
}

// Every action of Waybill's is named by the commit that was given, with the tag
// as a comment, and Dependabot keeps both.
func TestActionsAreNamedByCommit(t *testing.T) {
	t.Parallel()
	n, seen := acme, 0
	n.ActionsCommit = strings.Repeat("0a", 20)
	own := regexp.MustCompile(`uses: waybill-dev/waybill/actions/\w+@(.*)`)
	pinned := regexp.MustCompile(`^` + n.ActionsCommit + ` # v\d+\.\d+\.\d+$`)
	for _, kind := range []string{starter.Config, starter.Infra} {
		files := written(t, kind, n)
		for name, data := range files {
			for _, m := range own.FindAllStringSubmatch(data, -1) {
				if seen++; !pinned.MatchString(m[1]) {
					t.Errorf("%s names %s", name, m[0])
				}
			}
		}
		if text := files[".github/dependabot.yml"]; !strings.Contains(text, "package-ecosystem: github-actions") {
			t.Errorf("%s: Dependabot keeps nothing: %q", kind, text)
		}
	}
	if seen < 8 {
		t.Errorf("%d actions", seen)
	}
	n.ActionsCommit = "0a0a0a"
	if _, err := starter.Write(t.TempDir(), starter.Config, n, false); outcome.Code(err) != outcome.Usage ||
		!strings.Contains(err.Error(), "give all 40 digits") {
		t.Errorf("a short commit: %v", err)
	}
}

// What is written is right from the first commit on, for any names.
func TestConfigRenders(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{}
	for name, data := range written(t, starter.Config, umbrella) {
		files[name] = []byte(data)
	}
	cfg, err := config.Parse(config.FileName, files[config.FileName])
	if err != nil {
		t.Fatal(err)
	}
	app, err := cfg.App("shop-api")
	if err != nil {
		t.Fatal(err)
	}
	if app.Source != "Umbrella-Corp/shop-api" || app.Image.Name() != "registry.example:5000/umbrella/shop-api" {
		t.Errorf("got %+v", app)
	}
	policy, err := cfg.Policy("shop-api", "live")
	if err != nil || policy.Signers[0].Workflow != "Umbrella-Corp/deploy_config/.github/workflows/deliver.yml@refs/heads/main" ||
		policy.Signers[0].Source != "Umbrella-Corp/*" || len(policy.Require) != len(evidence.Kinds()) {
		t.Errorf("policy: %+v, %v", policy, err)
	}
	renderer := render.New(files)
	for _, name := range cfg.AppNames() {
		app, err := cfg.App(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, env := range cfg.EnvironmentNames() {
			objects, err := renderer.App(t.Context(), app, env)
			if err != nil {
				t.Fatal(err)
			}
			if images := render.Images(objects); len(images) != 1 || !strings.HasPrefix(images[0], app.Image.Name()+"@sha256:0000") {
				t.Errorf("%s runs %v", env, images)
			}
		}
	}
	rendered := 0
	for name := range files {
		dir, isKustomization := strings.CutSuffix(name, "/kustomization.yaml")
		if !isKustomization || strings.Contains(string(files[name]), "kind: Component") {
			continue
		}
		rendered++
		if _, err := renderer.Kustomize(dir); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if rendered < 20 {
		t.Errorf("rendered %d directories", rendered)
	}
}

// Every YAML file loads.
func TestYAML(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{starter.Config, starter.Infra, starter.App} {
		for name, data := range written(t, kind, umbrella) {
			if !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") || strings.Contains(name, "/templates/") {
				continue
			}
			decoder := yaml.NewDecoder(strings.NewReader(data))
			for {
				var node yaml.Node
				if err := decoder.Decode(&node); err != nil {
					if !errors.Is(err, io.EOF) {
						t.Errorf("%s: %v", name, err)
					}
					break
				}
			}
		}
	}
}

// What looks at night asks the database that deliveries ask.
func TestOneDatabaseForAll(t *testing.T) {
	t.Parallel()
	n := umbrella
	n.Trust.Database = "registry.example.org/mirror/trivy-db:2"
	files := written(t, starter.Config, n)
	for _, name := range []string{"deliver", "running"} {
		if text := files[".github/workflows/"+name+".yml"]; !strings.Contains(text, "  DB_REPOSITORY: '"+n.Trust.Database+"'\n") {
			t.Errorf("%s.yml does not ask %s", name, n.Trust.Database)
		}
	}
}

// Without the platform, the delivery alone is written.
func TestWithoutPlatform(t *testing.T) {
	t.Parallel()
	n := umbrella
	n.Platform = starter.None
	for name, data := range written(t, starter.Config, n) {
		if strings.HasSuffix(name, ".md") && regexp.MustCompile(`clusters|docs/`).MatchString(data) {
			t.Errorf("%s names what is not there:\n%s", name, data)
		}
		if !regexp.MustCompile(`^(apps/|\.waybill/waybill\.schema\.json$|README\.md$|waybill\.yaml$|\.github/(CODEOWNERS|dependabot\.yml)$|\.github/workflows/(bump|check|deliver|doctor|hold|promote|rollback|rollback-direct|running|smoke)\.yml$)`).MatchString(name) {
			t.Errorf("wrote %s", name)
		}
	}
	infra := written(t, starter.Infra, n)
	for name, data := range infra {
		if !strings.HasPrefix(name, ".github/") && (strings.Contains(name+data, "infra/aws") || strings.Contains(data, "AWS") ||
			strings.Contains(data, "bootstrap")) {
			t.Errorf("%s names AWS:\n%s", name, data)
		}
	}
	if !strings.Contains(infra["README.md"], "\n## The gate\n") {
		t.Errorf("the README is\n%s", infra["README.md"])
	}
	if cfg, err := config.Parse(config.FileName, []byte(infra[config.FileName])); err != nil || len(cfg.Terraform().Roots) != 2 {
		t.Errorf("%v:\n%s", err, infra[config.FileName])
	}
}

func TestAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := starter.Write(dir, starter.Config, acme, false)
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "waybill.yaml")
	if err := os.WriteFile(mine, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, ".github/workflows/bump.yml")); err != nil {
		t.Fatal(err)
	}
	again, err := starter.Write(dir, starter.Config, acme, false)
	if err != nil || !slices.Equal(again.Kept, []string{"waybill.yaml"}) ||
		!slices.Equal(again.Written, []string{".github/workflows/bump.yml"}) || len(again.Same) != len(first.Written)-2 {
		t.Errorf("got %+v, %v", again, err)
	}
	if data, _ := os.ReadFile(mine); string(data) != "# mine\n" {
		t.Errorf("a file that differs was changed: %q", data)
	}
	forced, err := starter.Write(dir, starter.Config, acme, true)
	if err != nil || !slices.Equal(forced.Replaced, []string{"waybill.yaml"}) || len(forced.Written)+len(forced.Kept) != 0 {
		t.Errorf("got %+v, %v", forced, err)
	}
	if data, _ := os.ReadFile(mine); !strings.Contains(string(data), "environments:") {
		t.Errorf("it was not replaced: %q", data)
	}
}

// A link that leads out of the repository is not written through.
func TestLinks(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, ".github")); err != nil {
		t.Fatal(err)
	}
	if _, err := starter.Write(dir, starter.App, acme, true); err == nil || len(tree(t, outside)) != 0 {
		t.Errorf("got %v, and outside %v", err, tree(t, outside))
	}
}

func TestDirectoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := starter.Write(dir, starter.App, acme, false); outcome.Code(err) != outcome.Usage ||
		!strings.Contains(err.Error(), "git init "+dir) {
		t.Errorf("got %v", err)
	}
}

// An application's own ci.yml is kept, and the workflow that delivers is written
// beside it: otherwise nothing would be delivered.
func TestAnotherWorkflowIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := filepath.Join(dir, ".github", "workflows", "ci.yml")
	if err := os.MkdirAll(filepath.Dir(own), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte("name: lint\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there already
		if _, err := starter.Write(dir, starter.App, acme, false); err != nil {
			t.Fatal(err)
		}
		files := tree(t, dir)
		if files[".github/workflows/ci.yml"] != "name: lint\n" ||
			!strings.Contains(files[".github/workflows/waybill.yml"], "acme/config/.github/workflows/deliver.yml@") || len(files) != 3 {
			t.Errorf("got %v", files)
		}
	}
}
