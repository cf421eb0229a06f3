package roots_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/gate/roots"
)

// committed makes a repository of files; a name that ends in -> is a link.
func committed(t *testing.T, files map[string]string) string {
	t.Helper()
	top := t.TempDir()
	for name, text := range files {
		link, isLink := strings.CutSuffix(name, "->")
		if isLink {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(top, link)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(text, filepath.Join(top, link)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		put(t, top, map[string]string{name: text})
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A", "-f"}, {
		"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "begin",
	}} {
		if _, err := git.Run(t.Context(), top, args...); err != nil {
			t.Fatal(err)
		}
	}
	return top
}

// Whatever terraform reads counts: it asks for a new plan when it changes, and a
// plan is bound to it.
func TestEverythingThatIsReadCounts(t *testing.T) {
	t.Parallel()
	const root = "terraform {\n  backend \"local\" {}\n}\n"
	for name, c := range map[string]struct {
		files map[string]string
		file  string
		free  bool // does not count
		whole bool
	}{
		"a template beside the root": {
			map[string]string{
				"infra/a/b.tf":   "locals {\n  x = templatefile(\"${path.module}/../../shared/t.tftpl\", {})\n}\n",
				"shared/t.tftpl": "x",
			},
			"shared/t.tftpl", false, false,
		},
		"its neighbour": {
			map[string]string{
				"infra/a/b.tf":   "locals {\n  x = templatefile(\"${path.module}/../../shared/t.tftpl\", {})\n}\n",
				"shared/t.tftpl": "x", "shared/u.tftpl": "x",
			},
			"shared/u.tftpl", true, false,
		},
		"a file that could come": {
			map[string]string{"infra/a/b.tf": "locals {\n  x = fileexists(\"../../shared/new\")\n}\n"}, "shared/new", false, false,
		},
		"one of a set": {
			map[string]string{"infra/a/b.tf": "locals {\n  x = fileset(\"../../shared\", \"*\")\n}\n", "shared/a": "x"}, "shared/b",
			false, false,
		},
		"the workspace's own": {
			map[string]string{"infra/a/b.tf": "locals {\n  x = file(\"../../shared/${terraform.workspace}\")\n}\n", "shared/a": "x"},
			"shared/a", false, false,
		},
		"what a program reads": {
			map[string]string{
				"infra/a/b.tf": "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"sh ../../shared/run\"\n  }\n}\n",
			},
			"shared/lib", false, true,
		},
		"what a program of a module reads": {
			map[string]string{
				"infra/a/b.tf": "module \"m\" {\n  source = \"../../m\"\n}\n",
				"m/x.tf.json":  `{"data":{"external":{"x":{"program":["python3","../../shared/run.py"]}}}}`,
			},
			"shared/lib", false, true,
		},
		"what a program of an action reads": {
			map[string]string{"infra/a/b.tf": "action \"local_command\" \"x\" {\n  config {\n    command = \"make\"\n  }\n}\n"},
			"shared/lib", false, true,
		},
		"what a program reads that renders after Helm": {
			map[string]string{
				"infra/a/b.tf": "resource \"helm_release\" \"x\" {\n  postrender {\n    binary_path = \"../../shared/run\"\n  }\n}\n",
			},
			"shared/lib", false, true,
		},
		"what is copied to another machine": {
			map[string]string{
				"infra/a/b.tf": "resource \"terraform_data\" \"x\" {\n  provisioner \"remote-exec\" {\n    script = \"../../shared/run\"\n  }\n}\n",
				"shared/run":   "x",
			},
			"shared/lib", true, false,
		},
		"a script that runs on another machine": {
			map[string]string{
				"infra/a/b.tf": "resource \"terraform_data\" \"x\" {\n  provisioner \"remote-exec\" {\n    script = \"../../shared/run\"\n  }\n}\n",
				"shared/run":   "x",
			},
			"shared/run", false, false,
		},
		"a variable's, from outside": {
			map[string]string{"infra/a/b.tf": "variable \"e\" {}\nlocals {\n  x = file(\"../../shared/${var.e}\")\n}\n", "other/a": "x"},
			"other/a", false, true,
		},
		"everything, by waybill.yaml": {
			map[string]string{
				"waybill.yaml": "apiVersion: waybill.dev/v1\nterraform:\n  roots: [{dir: infra/a, files: [.]}]\n", "other/a": "x",
			}, "other/a", false, true,
		},
		"a computed path": {
			map[string]string{"infra/a/b.tf": "locals {\n  x = file(terraform_data.x.output)\n}\n", "other/a": "x"}, "other/a",
			false, true,
		},
		"a module's template": {
			map[string]string{
				"infra/a/b.tf": "module \"m\" {\n  source = \"../../m\"\n  p = \"../../shared/t\"\n}\n",
				"m/main.tf":    "variable \"p\" {}\nlocals {\n  x = file(var.p)\n}\n", "shared/t": "x",
			},
			"shared/t", false, false,
		},
		"an archive at apply": {
			map[string]string{
				"infra/a/b.tf": "resource \"aws_lambda_function\" \"x\" {\n  filename = \"../../dist/x.zip\"\n}\n",
				"dist/x.zip":   "x",
			},
			"dist/x.zip", false, false,
		},
		"one that is built later": {
			map[string]string{"infra/a/b.tf": "resource \"aws_lambda_function\" \"x\" {\n  filename = \"../../dist/x.zip\"\n}\n"},
			"dist/x.zip", false, false,
		},
		"a computed archive": {
			map[string]string{
				"infra/a/b.tf": "resource \"aws_lambda_function\" \"x\" {\n  filename = data.archive_file.x.output_path\n}\n",
			},
			"dist/x.zip", false, true,
		},
		"the target of a link": {
			map[string]string{"infra/a/common.tf->": "../../shared/common.tf", "shared/common.tf": "# x\n"}, "shared/common.tf",
			false, false,
		},
		"a link's target that is gone": {
			map[string]string{"infra/a/rules->": "../../shared/rules", "shared/x": "x"}, "shared/rules/r", false, false,
		},
		"a target behind another link": {
			map[string]string{"infra/a/rules->": "../../current/rules", "current->": "v1", "v1/x": "x"}, "v1/rules", false, false,
		},
		"a target behind a link that leads nowhere": {
			map[string]string{"infra/a/rules->": "../../current/rules", "current->": "v1"}, "v1/rules", false, false,
		},
		"a target behind as many links as Linux follows": {chain("infra/a/rules->", 40, "v1/rules"), "v1/rules", false, false},
		"links in a circle": {
			map[string]string{"infra/a/rules->": "../../current/rules", "current->": "infra/a/rules/x"}, "current", false, false,
		},
		"a file below a linked dir": {
			map[string]string{"infra/a/files->": "../../shared", "shared/deep/x": "x"}, "shared/deep/x", false, false,
		},
		"a link on the way to a module": {
			map[string]string{
				"infra/a/b.tf": "module \"m\" {\n  source = \"../../modules/current/m\"\n}\n", "modules/current->": "v1",
				"modules/v1/m/m.tf": "", "modules/v2/m/m.tf": "",
			},
			"modules/current", false, false,
		},
		"a link on the way to a template": {
			map[string]string{
				"infra/a/b.tf": "locals {\n  x = file(\"../../modules/current/t\")\n}\n", "modules/current->": "v1",
				"modules/v1/t": "", "modules/v2/t": "2",
			},
			"modules/current", false, false,
		},
		"a committed state's name":  {map[string]string{"infra/a/x.tfstate": "x"}, "infra/a/x.tfstate", false, false},
		"a committed backup's name": {map[string]string{"infra/a/x.tfstate.tf": "# x\n"}, "infra/a/x.tfstate.tf", false, false},
		"below .terraform": {
			map[string]string{"infra/a/sub/.terraform/x.tf": "# x\n"}, "infra/a/sub/.terraform/x.tf", false, false,
		},
		"below terraform.tfstate.d": {
			map[string]string{"infra/a/terraform.tfstate.d/x": "x"}, "infra/a/terraform.tfstate.d/x", false, false,
		},
		"the lock file": {
			map[string]string{"infra/a/.terraform.lock.hcl": ""}, "infra/a/.terraform.lock.hcl", false, false,
		},
		"variables that are read alone": {map[string]string{"infra/a/x.auto.tfvars": ""}, "infra/a/x.auto.tfvars", false, false},
		"another root":                  {map[string]string{"infra/b/b.tf": root}, "infra/b/b.tf", true, false},
	} {
		files := map[string]string{"infra/a/main.tf": root, "README.md": "x"}
		for f, text := range c.files {
			files[f] = text
		}
		top := committed(t, files)
		before, err := roots.ReadSources(t.Context(), top, "infra/a", nil)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, isLink := files[c.file+"->"]; isLink {
			if err := os.Remove(filepath.Join(top, c.file)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("v2", filepath.Join(top, c.file)); err != nil {
				t.Fatal(err)
			}
		} else {
			put(t, top, map[string]string{c.file: "# changed\n"})
		}
		if _, err := git.Run(t.Context(), top, "add", "-A", "-f"); err != nil {
			t.Fatal(err)
		}
		after, err := roots.ReadSources(t.Context(), top, "infra/a", nil)
		if err != nil {
			t.Fatal(name, err)
		}
		if counts := before.Digest != after.Digest; counts == c.free || before.Whole != c.whole {
			t.Errorf("%s: counts %t, whole %t, files %q", name, counts, before.Whole, before.Files)
		}
		changed, err := roots.Changed(t.Context(), top, []roots.Root{{Dir: "infra/a"}}, []string{c.file})
		if err != nil || (len(changed) == 1) == c.free {
			t.Errorf("%s: is planned: %v %v", name, changed, err)
		}
	}
	top := committed(t, map[string]string{"infra/a/main.tf": root})
	for _, file := range []string{".terraform-version", "infra/.terraform-version", "infra/a/.opentofu-version"} {
		if changed, err := roots.Changed(t.Context(), top, []roots.Root{{Dir: "infra/a"}}, []string{file}); err != nil ||
			len(changed) != 1 {
			t.Errorf("%s chooses the terraform: %v %v", file, changed, err)
		}
	}
	s, err := roots.ReadSources(t.Context(), top, "infra/a", nil)
	if err != nil || slices.Contains(s.Files, "README.md") {
		t.Errorf("%+v %v", s, err)
	}
}

// chain is a link that leads to a target over so many links, itself among them.
func chain(first string, links int, target string) map[string]string {
	files := map[string]string{first: "/missing", "v1/x": "x"}
	at, up := first, "../../"
	for i := range links - 1 {
		files[at] = fmt.Sprintf("%sc%d", up, i)
		at, up = fmt.Sprintf("c%d->", i), ""
	}
	files[at] = target
	return files
}
