package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// scratch is a git repository with one reference of each kind.
type scratch struct {
	t   *testing.T
	dir string
}

var references = map[string]string{
	"actions/version.txt":    "0.1.0\n",
	"workflows/config/a.yml": "- uses: waybill-dev/waybill/actions/check@v0.1.0\n- uses: actions/checkout@v0.1.0\n",
	"examples/config/.github/workflows/a.yml": "- uses: waybill-dev/waybill/actions/check@0123456789012345678901234567890123456789 " +
		"# v0.0.9\n" +
		"- uses: waybill-dev/waybill@v0.1.0\n",
	"examples/infra/main.tf": `source = "git::https://github.com/waybill-dev/waybill.git//terraform/modules/state?ref=v0.1.0"` + "\n",
	"README.md":              "`uses: waybill-dev/waybill/actions/<command>@v0.1.0`\n",
	"docs/start.md": "SIGNER=https://github.com/waybill-dev/waybill/.github/workflows/release.yml@refs/tags/v0.1.0\n" +
		"--bundle waybill_0.1.0-rc.1.sigstore.json of waybill_VERSION.sigstore.json\n",
	"CHANGELOG.md": "waybill-dev/waybill/actions/check@v0.1.0\n",
}

func newScratch(t *testing.T) scratch {
	t.Helper()
	s := scratch{t, t.TempDir()}
	for name, text := range references {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.git("init", "--quiet")
	s.commit()
	return s
}

func (s scratch) git(args ...string) string {
	s.t.Helper()
	out, err := git.Run(s.t.Context(), s.dir, append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s scratch) commit() {
	s.t.Helper()
	s.git("add", "--all")
	s.git("commit", "--quiet", "-m", "x")
}

func (s scratch) bump(args ...string) error {
	s.t.Helper()
	script := filepath.Join(tooltest.Root(s.t), "scripts", "bump.sh")
	command := process.Command{Path: tooltest.Find(s.t, "bash"), Args: append([]string{script}, args...), Dir: s.dir, Env: os.Environ()}
	_, err := command.Output(s.t.Context())
	return err
}

func (s scratch) is(want map[string]string) {
	s.t.Helper()
	for name, text := range want {
		if got, err := os.ReadFile(filepath.Join(s.dir, name)); err != nil || string(got) != text {
			s.t.Errorf("%s is %q, want %q (%v)", name, got, text, err)
		}
	}
}

// One command writes every reference for a release, and one pins the starter
// workflows to the tag's commit. A second run changes nothing.
func TestBumpKeepsAllReferences(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	for range 2 {
		if err := s.bump("0.2.0"); err != nil {
			t.Fatal(err)
		}
		s.is(map[string]string{
			"actions/version.txt": "0.2.0\n",
			"workflows/config/a.yml": "- uses: waybill-dev/waybill/actions/check@v0.2.0\n- uses: " +
				"actions/checkout@v0.1.0\n",
			"examples/config/.github/workflows/a.yml": "- uses: waybill-dev/waybill/actions/check@v0.2.0\n- uses: " +
				"waybill-dev/waybill@v0.2.0\n",
			"examples/infra/main.tf": strings.ReplaceAll(references["examples/infra/main.tf"], "0.1.0", "0.2.0"),
			"README.md":              "`uses: waybill-dev/waybill/actions/<command>@v0.2.0`\n",
			"docs/start.md": "SIGNER=https://github.com/waybill-dev/waybill/.github/workflows/release.yml@refs/tags/v0.2.0\n" +
				"--bundle waybill_0.2.0.sigstore.json of waybill_VERSION.sigstore.json\n",
			"CHANGELOG.md": references["CHANGELOG.md"],
		})
	}
	if err := s.bump("--pin"); err == nil || !strings.Contains(err.Error(), "there is no tag v0.2.0") {
		t.Errorf("without the tag: %v", err)
	}
	s.commit()
	s.git("tag", "v0.2.0")
	commit := s.git("rev-parse", "HEAD")
	for range 2 {
		if err := s.bump("--pin"); err != nil {
			t.Fatal(err)
		}
		s.is(map[string]string{
			"workflows/config/a.yml": "- uses: waybill-dev/waybill/actions/check@" + commit + " # v0.2.0\n- uses: " +
				"actions/checkout@v0.1.0\n",
			"examples/config/.github/workflows/a.yml": "- uses: waybill-dev/waybill/actions/check@" + commit + " # v0.2.0\n" +
				"- uses: waybill-dev/waybill@" + commit + " # v0.2.0\n",
			"README.md": "`uses: waybill-dev/waybill/actions/<command>@v0.2.0`\n",
		})
	}
	for _, wrong := range []string{"", "next", "1.2", "1.2.3/../x"} {
		if err := s.bump(wrong); err == nil || !strings.Contains(err.Error(), "usage: scripts/bump.sh VERSION") {
			t.Errorf("bump.sh %q: %v", wrong, err)
		}
	}
}

// No page of the documentation goes on naming the version before.
func TestBumpKeepsTheDocumentation(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	root := tooltest.Root(t)
	version, err := os.ReadFile(filepath.Join(root, "actions", "version.txt"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		data, err := os.ReadFile(page)
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, "docs", filepath.Base(page)), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.commit()
	if err := s.bump("99.0.0"); err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "README.md") {
		data, err := os.ReadFile(filepath.Join(s.dir, "docs", filepath.Base(page)))
		if old := strings.TrimSpace(string(version)); err != nil || strings.Contains(string(data), old) {
			t.Errorf("%s names %s (%v)", filepath.Base(page), old, err)
		}
	}
}

// GitHub's Marketplace refuses a description of 125 characters or more.
// https://docs.github.com/en/actions/how-tos/create-and-publish-actions/publish-in-github-marketplace
func TestDescriptionsFitTheMarketplace(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(tooltest.Root(t), "actions", "*", "action.yml"))
	if err != nil || len(files) < 15 {
		t.Fatalf("%d actions: %v", len(files), err)
	}
	names := map[string]string{}
	for _, file := range append(files, filepath.Join(tooltest.Root(t), "action.yml")) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var action struct {
			Name, Description string
			Branding          struct{ Icon, Color string }
		}
		if err := yaml.Unmarshal(data, &action); err != nil {
			t.Fatal(err)
		}
		if n := len([]rune(action.Description)); n == 0 || n >= 125 {
			t.Errorf("%s: the description has %d characters", file, n)
		}
		if names[action.Name] != "" {
			t.Errorf("%s and %s are both called %s", file, names[action.Name], action.Name)
		}
		names[action.Name] = file
		top := filepath.Dir(file) == tooltest.Root(t) // the one that is published
		if top && (action.Branding.Icon == "" || action.Branding.Color == "") {
			t.Errorf("%s has no branding, which the Marketplace shows", file)
		}
	}
}
