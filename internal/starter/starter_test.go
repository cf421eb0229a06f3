package starter_test

import (
	"fmt"
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

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/render"
	"github.com/waybill-dev/waybill/internal/starter"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var acme = starter.Names{Owner: "acme"}

// umbrella differs from the example in every name.
var umbrella = starter.Names{
	Owner: "Umbrella-Corp", ConfigRepo: "Umbrella-Corp/deploy_config", App: "shop-api", Registry: "registry.example:5000/umbrella",
	Environments: []string{"test", "qa", "preprod", "live"}, Account: "999988887777", Region: "us-east-2", Domain: "umbrella.test", Issuer: "https://git.umbrella.test/_services/token",
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
	return got
}

// The example organisation gets exactly the example files.
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
			}
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
				text := protocol.ReplaceAllString(data, "")
				if found := exampleWord.FindString(name + text); found != "" {
					t.Errorf("%s %s still names the example: %q", kind, name, found)
				}
				if kind == starter.Config && strings.HasSuffix(name, ".md") && regexp.MustCompile(`\bbackend\b`).MatchString(data) {
					t.Errorf("%s still names the example's application", name)
				}
				if found := regexp.MustCompile(`letsencrypt-(\w+)`).FindStringSubmatch(data); found != nil && found[1] != "staging" && found[1] != "account" {
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

// Names in the cloud are made from the owner's within AWS's and the module's
// limits, and backups are copied to another region.
func TestNamesInTheCloud(t *testing.T) {
	t.Parallel()
	for owner, want := range map[string]string{
		"acme": "acme", "Umbrella-Corp": "umbrella-corp", "37signals": "o37signals", "hp": "hp-org", "a-very-long-organisation": "a-very-long-orga", "fifteen-letter-org": "fifteen-letter-o",
		"dash-at-sixteen-x": "dash-at-sixteen",
	} {
		for region, copied := range map[string]string{"eu-central-1": "eu-west-1", "eu-west-1": "eu-central-1", "us-east-2": "eu-west-1"} {
			text := written(t, starter.Infra, starter.Names{Owner: owner, Region: region})["infra/aws/prod/main.tf"]
			for _, line := range []string{`bucket       = "` + want + `-111122223333-state"`, `region       = "` + region + `"`, `copy_region = "` + copied + `"`, `environment = "prod"`} {
				if !strings.Contains(text, line) {
					t.Errorf("%s in %s: no %s in\n%s", owner, region, line, text)
				}
			}
		}
	}
	live := starter.Names{Owner: "acme", Environments: []string{"test", "live"}}
	if text := written(t, starter.Infra, live)["infra/aws/live/main.tf"]; !strings.Contains(text, `environment = "prod"`) || !strings.Contains(text, `cluster     = "live"`) {
		t.Errorf("the kind of environment is the module's word, its name is ours:\n%s", text)
	}
}

// The module and the actions are pinned to this version.
func TestPins(t *testing.T) {
	t.Parallel()
	version, err := os.ReadFile(filepath.Join(tooltest.Root(t), "actions", "version.txt"))
	if err != nil {
		t.Fatal(err)
	}
	pin, found := regexp.MustCompile(`waybill-dev/waybill(?:\.git//terraform\S*\?ref=|/actions/\w+@)(v[^"\s]+)`), 0
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

// Every environment gets its files, each with its own name.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	for _, environments := range [][]string{{"a", "z"}, {"dev", "prod"}, {"prod", "staging", "dev"}, {"test", "qa", "preprod", "live"}} {
		n := umbrella
		n.Environments = environments
		files := written(t, starter.Config, n)
		infra := written(t, starter.Infra, n)
		cfg, err := config.Parse(config.FileName, []byte(files[config.FileName]))
		if err != nil {
			t.Fatalf("%v\n%s", err, files[config.FileName])
		}
		if got := cfg.EnvironmentNames(); !slices.Equal(got, environments) {
			t.Errorf("waybill.yaml has %v, want %v", got, environments)
		}
		for i, env := range environments {
			e, err := cfg.Environment(env)
			if err != nil {
				t.Fatal(err)
			}
			if last := i == len(environments)-1; (e.Promotion == "auto") != (i == 0) || (e.Soak > 0) != last || (len(e.Reviewers) > 0) != last {
				t.Errorf("%v: %s is %+v", environments, env, e)
			}
			for name, want := range map[string]string{
				"apps/shop-api/overlays/" + env + "/kustomization.yaml": "umbrella-corp-" + env + "/shop-api",
				"apps/frontend/overlays/" + env + "/values.yaml":        "environment: " + env + "\n",
				"clusters/" + env + "/cluster.yaml":                     "environment: " + env + "\n",
				"clusters/" + env + "/root.yaml":                        "path: clusters/" + env + "\n",
			} {
				if !strings.Contains(files[name], want) {
					t.Errorf("%v: %s does not say %q:\n%s", environments, name, want, files[name])
				}
			}
			if text := infra["infra/aws/"+env+"/main.tf"]; !strings.Contains(text, `"`+env+`/terraform.tfstate"`) || !strings.Contains(text, fmt.Sprintf(`"10.%d.0.0/16"`, 20+10*i)) {
				t.Errorf("%v: infra/aws/%s/main.tf is\n%s", environments, env, text)
			}
		}
		if !strings.Contains(files[".github/workflows/deliver.yml"], "default: "+environments[0]+"\n") {
			t.Errorf("%v: deliver.yml has another first environment", environments)
		}
		drill := files[".github/workflows/restore-drill.yml"]
		for _, want := range environments {
			variable := strings.ToUpper(want)
			for _, line := range []string{"- {env: " + want + ", namespace: ", "ROLE_" + variable + ": ${{ vars.RESTORE_DRILL_ROLE_" + variable + " }}\n", want + ") role=$ROLE_" + variable + " ;;"} {
				if strings.Count(drill, line) != 1 {
					t.Errorf("%v: the restore drill does not say %q once:\n%s", environments, line, drill)
				}
			}
		}
		tf, err := config.Parse(config.FileName, []byte(infra[config.FileName]))
		if err != nil {
			t.Fatalf("%v\n%s", err, infra[config.FileName])
		}
		var roots []string
		for _, r := range tf.Terraform().Roots {
			if env, ok := strings.CutPrefix(r.Dir, "infra/aws/"); ok {
				roots = append(roots, env)
				if i := len(roots) - 1; i > 0 && !slices.Equal(r.After, []string{"infra/aws/" + roots[i-1]}) {
					t.Errorf("%v: %s comes after %v", environments, env, r.After)
				}
			}
		}
		if want := append([]string{"account"}, environments...); !slices.Equal(roots, want) {
			t.Errorf("roots %v, want %v", roots, want)
		}
		if states := `["account", "` + strings.Join(environments, `", "`) + `"]`; !strings.Contains(infra["infra/aws/account/main.tf"], states) {
			t.Errorf("the workflows' roles do not reach %s", states)
		}
		if rule, found := tf.Terraform().Approval("infra/aws/"+environments[len(environments)-1], false); !found || rule.Approvals != 2 {
			t.Errorf("%v: the last one's rule is %+v", environments, rule)
		}
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
	if err != nil || policy.Signers[0].Workflow != "Umbrella-Corp/deploy_config/.github/workflows/deliver.yml@refs/heads/main" || policy.Signers[0].Source != "Umbrella-Corp/*" || len(policy.Require) != len(evidence.Kinds()) {
		t.Errorf("policy: %+v, %v", policy, err)
	}
	renderer, err := render.New(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range cfg.AppNames() {
		app, err := cfg.App(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, env := range cfg.EnvironmentNames() {
			objects, err := renderer.App(app, env)
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
					if err.Error() != "EOF" {
						t.Errorf("%s: %v", name, err)
					}
					break
				}
			}
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
		if !regexp.MustCompile(`^(apps/|README\.md$|waybill\.yaml$|\.github/CODEOWNERS$|\.github/workflows/(bump|check|deliver|promote|rollback)\.yml$)`).MatchString(name) {
			t.Errorf("wrote %s", name)
		}
	}
	infra := written(t, starter.Infra, n)
	for name, data := range infra {
		if !strings.HasPrefix(name, ".github/") && (strings.Contains(name+data, "infra/aws") || strings.Contains(data, "AWS") || strings.Contains(data, "bootstrap")) {
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
	if err != nil || !slices.Equal(again.Kept, []string{"waybill.yaml"}) || !slices.Equal(again.Written, []string{".github/workflows/bump.yml"}) || len(again.Same) != len(first.Written)-2 {
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

func TestHostileNames(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*starter.Names){
		`--owner "a/b" is not`:             func(n *starter.Names) { n.Owner = "a/b" },
		`--owner "" is not`:                func(n *starter.Names) { n.Owner = "" },
		`--owner "x\ny: z" is not`:         func(n *starter.Names) { n.Owner = "x\ny: z" },
		"--config-repo":                    func(n *starter.Names) { n.ConfigRepo = "acme/config@main\n  evil: true" },
		`"acme" is not OWNER/NAME`:         func(n *starter.Names) { n.ConfigRepo = "acme" },
		`--app "../../x"`:                  func(n *starter.Names) { n.App = "../../x" },
		`--app "a: b" is not a name`:       func(n *starter.Names) { n.App = "a: b" },
		`--app frontend: the example`:      func(n *starter.Names) { n.App = "frontend" },
		"--image":                          func(n *starter.Names) { n.Image = "ghcr.io/acme/x\nevil: true" },
		"--registry":                       func(n *starter.Names) { n.Registry = "ghcr.io/$(id)" },
		`repository "x: y/z" is not OWNER`: func(n *starter.Names) { n.Source = "x: y/z" },
		"one environment has none":         func(n *starter.Names) { n.Environments = []string{"dev"} },
		`"../x" is not a name`:             func(n *starter.Names) { n.Environments = []string{"dev", "../x"} },
		`"" is not a name`:                 func(n *starter.Names) { n.Environments = []string{"dev", ""} },
		`"Dev" is not a name`:              func(n *starter.Names) { n.Environments = []string{"Dev", "prod"} },
		`"dev" stands there twice`:         func(n *starter.Names) { n.Environments = []string{"dev", "dev"} },
		`"base" is what all`:               func(n *starter.Names) { n.Environments = []string{"base", "prod"} },
		"9 are more than 8":                func(n *starter.Names) { n.Environments = strings.Split("a,b,c,d,e,f,g,h,i", ",") },
		"namespaces/monitoring/":           func(n *starter.Names) { n.Environments = []string{"dev", "monitoring", "prod"} },
		"--cloud-account":                  func(n *starter.Names) { n.Account = "12345" },
		`--issuer "https://x/\" y"`:        func(n *starter.Names) { n.Issuer = "https://x/\" y" },
		"--region":                         func(n *starter.Names) { n.Region = "eu\"west" },
		"--domain":                         func(n *starter.Names) { n.Domain = "Shop.example; rm" },
	} {
		dir, names := t.TempDir(), acme
		change(&names)
		if _, err := starter.Write(dir, starter.Config, names, false); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if got := tree(t, dir); len(got) != 0 {
			t.Errorf("%s: wrote %v", want, got)
		}
	}
	if _, err := starter.Write(t.TempDir(), "nothing", acme, false); outcome.Code(err) != outcome.Usage {
		t.Errorf("an unknown kind: %v", err)
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
	if _, err := starter.Write(dir, starter.App, acme, false); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}
