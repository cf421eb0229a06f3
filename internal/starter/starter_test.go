package starter_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/render"
	"github.com/waybill-dev/waybill/internal/starter"
)

var acme = starter.Names{ConfigRepo: "acme/config", App: "backend", Image: "ghcr.io/acme/backend"}

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

// The example organisation gets exactly the example files.
func TestTheExamples(t *testing.T) {
	t.Parallel()
	for kind, source := range map[string]string{starter.Config: "../../examples/config/.github/workflows", starter.App: "../../workflows/app"} {
		dir := t.TempDir()
		result, err := starter.Write(dir, kind, acme)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tree(t, source), tree(t, filepath.Join(dir, ".github/workflows"))); diff != "" {
			t.Errorf("%s: workflows (-want +got):\n%s", kind, diff)
		}
		if got := tree(t, dir); len(got) != len(result.Written) || len(result.Same)+len(result.Kept) != 0 {
			t.Errorf("%s: wrote %v, said %+v", kind, got, result)
		}
	}
}

// What is written is right from the first commit on, for any names.
func TestConfigParsesAndRenders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := starter.Names{ConfigRepo: "Umbrella.Corp/deploy_config", App: "shop-9", Image: "registry.example:5000/umbrella/shop"}
	if _, err := starter.Write(dir, starter.Config, names); err != nil {
		t.Fatal(err)
	}
	text := tree(t, dir)
	files := map[string][]byte{}
	for name, data := range text {
		if strings.Contains(data, "acme") || strings.Contains(data, "backend") {
			t.Errorf("%s still names the example:\n%s", name, data)
		}
		files[name] = []byte(data)
	}
	cfg, err := config.Parse(config.FileName, files[config.FileName])
	if err != nil {
		t.Fatal(err)
	}
	app, err := cfg.App("shop-9")
	if err != nil {
		t.Fatal(err)
	}
	if app.Source != "Umbrella.Corp/shop-9" || app.Image.Name() != names.Image {
		t.Errorf("got %+v", app)
	}
	policy, err := cfg.Policy("shop-9", "prod")
	if err != nil || policy.Signers[0].Workflow != "Umbrella.Corp/deploy_config/.github/workflows/deliver.yml@refs/heads/main" || len(policy.Require) != len(evidence.Kinds()) {
		t.Errorf("policy: %+v, %v", policy, err)
	}
	renderer, err := render.New(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range cfg.EnvironmentNames() {
		objects, err := renderer.App(app, env)
		if err != nil {
			t.Fatal(err)
		}
		if images := render.Images(objects); len(images) != 1 || !strings.HasPrefix(images[0], names.Image+"@sha256:0000") {
			t.Errorf("%s runs %v", env, images)
		}
	}
}

func TestAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := starter.Write(dir, starter.Config, acme)
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
	again, err := starter.Write(dir, starter.Config, acme)
	if err != nil || !slices.Equal(again.Kept, []string{"waybill.yaml"}) || !slices.Equal(again.Written, []string{".github/workflows/bump.yml"}) || len(again.Same) != len(first.Written)-2 {
		t.Errorf("got %+v, %v", again, err)
	}
	if data, _ := os.ReadFile(mine); string(data) != "# mine\n" {
		t.Errorf("a file that differs was changed: %q", data)
	}
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*starter.Names){
		"--config-repo":                    func(n *starter.Names) { n.ConfigRepo = "acme/config@main\n  evil: true" },
		`"acme" is not OWNER/NAME`:         func(n *starter.Names) { n.ConfigRepo = "acme" },
		"--app":                            func(n *starter.Names) { n.App = "../../x" },
		`"a: b" is not a name`:             func(n *starter.Names) { n.App = "a: b" },
		`"" is not a name`:                 func(n *starter.Names) { n.App = "" },
		"--image":                          func(n *starter.Names) { n.Image = "ghcr.io/acme/x\nevil: true" },
		`repository "x: y/z" is not OWNER`: func(n *starter.Names) { n.Source = "x: y/z" },
	} {
		dir, names := t.TempDir(), acme
		change(&names)
		if _, err := starter.Write(dir, starter.Config, names); outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if got := tree(t, dir); len(got) != 0 {
			t.Errorf("%s: wrote %v", want, got)
		}
	}
	if _, err := starter.Write(t.TempDir(), "nothing", acme); outcome.Code(err) != outcome.Usage {
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
	if _, err := starter.Write(dir, starter.App, acme); err == nil || len(tree(t, outside)) != 0 {
		t.Errorf("got %v, and outside %v", err, tree(t, outside))
	}
}

func TestDirectoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := starter.Write(dir, starter.App, acme); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}
