package roots_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func repository(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	put(t, top, map[string]string{
		"infra/a/m.tf":   "terraform {\n  backend \"local\" {}\n}\nmodule \"x\" {\n  source = \"../../modules/x\"\n}\n",
		"infra/b/m.tf":   "provider \"aws\" {}\n",
		"modules/x/m.tf": "module \"y\" {\n  source = \"../y\"\n}\n", "modules/y/m.tf": "locals {}\n", "modules/y/files/text": "1",
		"modules/z/m.tf":      "locals {}\n",
		"infra/common.tfvars": "a = 1\n", ".hidden/m.tf": "provider \"aws\" {}\n", "README.md": "",
	})
	return top
}

func put(t *testing.T, top string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDiscoverAndChanged(t *testing.T) {
	t.Parallel()
	top := repository(t)
	found, err := roots.Discover(top)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]roots.Root{{Dir: "infra/a"}, {Dir: "infra/b"}}, found); diff != "" {
		t.Fatal(diff)
	}
	found[1].VarFiles = []string{"infra/common.tfvars"}
	for file, want := range map[string]string{
		"infra/a/m.tf": "infra/a", "modules/x/m.tf": "infra/a", "modules/y/files/text": "infra/a", "modules/z/m.tf": "",
		"infra/common.tfvars": "infra/b", "README.md": "", "infra/ab": "",
	} {
		changed, err := roots.Changed(t.Context(), top, found, []string{file})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range changed {
			got += r.Dir
		}
		if got != want {
			t.Errorf("%s touches %q, want %q", file, got, want)
		}
	}
}

func TestSourcesDigest(t *testing.T) {
	t.Parallel()
	top := repository(t)
	digest := func() string {
		s, err := roots.ReadSources(t.Context(), top, "infra/a", []string{"infra/common.tfvars"})
		if err != nil {
			t.Fatal(err)
		}
		return s.Digest
	}
	before := digest()
	put(t, top, map[string]string{
		"infra/a/terraform.tfstate": "{}", "infra/a/.terraform.tfstate.lock.info": "", "infra/a/.terraform/x": "",
		"infra/b/more.tf": "", "infra/a/terraform.tfstate.backup": "",
	})
	if digest() != before {
		t.Error("state, terraform's own files or another root count")
	}
	for _, file := range []string{"infra/a/m.tf", "infra/a/new.txt", "modules/x/m.tf", "modules/y/files/text", "infra/common.tfvars"} {
		last := digest()
		data, _ := os.ReadFile(filepath.Join(top, file))
		put(t, top, map[string]string{file: string(data) + "\n# more\n"})
		if digest() == last {
			t.Errorf("%s does not count", file)
		}
	}
	for dir, want := range map[string]string{"../out": "exist", "none": "does not exist"} {
		if _, err := roots.ReadSources(t.Context(), top, dir, nil); outcome.Code(err) != outcome.Usage ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	outside := t.TempDir()
	put(t, outside, map[string]string{"m.tf": ""})
	if err := os.Symlink(outside, filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := roots.ReadSources(t.Context(), top, "link", nil); outcome.Code(err) != outcome.Refused ||
		!strings.Contains(err.Error(), "outside the repository") {
		t.Errorf("a link that leads out: %v", err)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	ordered, err := roots.Order([]roots.Root{{Dir: "c", After: []string{"b"}}, {Dir: "a"}, {Dir: "b", After: []string{"a", "gone"}}})
	got := ""
	for _, r := range ordered {
		got += r.Dir
	}
	if err != nil || got != "abc" {
		t.Errorf("%s %v", got, err)
	}
	if _, err := roots.Order([]roots.Root{{Dir: "a", After: []string{"b"}}, {Dir: "b", After: []string{"a"}}}); err == nil ||
		!strings.Contains(err.Error(), "a → b → a") {
		t.Errorf("a circle: %v", err)
	}
}
