package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/plan/policy"
)

// What a configuration may open is judged before anything runs, also in
// modules that terraform has fetched, and can be allowed on the default branch.
func TestFilesThatAreOpened(t *testing.T) {
	t.Parallel()
	const environ = `opens "/proc/self/environ", which is outside of the repository`
	const computed = "opens a file whose path is known only when terraform runs"
	for name, c := range map[string]struct{ text, allowed, want string }{
		"absolute":         {`file("/proc/self/environ")`, "", environ},
		"another's":        {`file("/proc/self/environ")`, "files: {allow: [/etc/hosts]}", environ},
		"allowed":          {`file("/proc/self/environ")`, `files: {allow: ["/proc/*/environ"]}`, ""},
		"computed":         {`file(terraform_data.x.output)`, "", computed},
		"computed allowed": {`file(terraform_data.x.output)`, `files: {allow: ["(computed)"]}`, ""},
		"inside":           {`file("${path.module}/../a.txt")`, "", ""},
		"of git":           {`file("${path.module}/../.git/config")`, "", "outside of the repository"},
	} {
		text := ""
		if c.allowed != "" {
			text = "{" + c.allowed + "}"
		}
		findings := check(t, map[string]string{"r/main.tf": "locals {\n  x = " + c.text + "\n}\n"}, "", parsed(t, text))
		if c.want == "" && len(findings) > 0 || c.want != "" && (len(findings) != 1 || findings[0].Rule != policy.RuleFile || findings[0].Line != 2 || !strings.Contains(findings[0].Message, c.want)) {
			t.Errorf("%s: %+v, want %q", name, findings, c.want)
		}
	}
}

// A fetched module opens what its caller names; what lies beside it in its
// package is its own.
func TestFilesThatFetchedModulesOpen(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	put(t, data, map[string]string{
		"modules/modules.json":      `{"Modules": [{"Key": "", "Dir": "."}, {"Key": "m", "Source": "registry.terraform.io/acme/m/aws", "Dir": "` + filepath.ToSlash(data) + `/modules/m/inner"}]}`,
		"modules/m/inner/main.tf":   "variable \"p\" {}\nlocals {\n  a = file(\"${path.module}/../shared.txt\")\n  b = file(var.p)\n}\n",
		"modules/m/shared.txt":      "x",
		"modules/m/.git/config":     "token",
		"modules/m/inner/again.txt": "x",
	})
	if err := os.MkdirAll(filepath.Join(data, "providers"), 0o755); err != nil {
		t.Fatal(err)
	}
	for argument, want := range map[string]string{
		`"${path.root}/a.txt"`:                                   "",
		`"/proc/self/environ"`:                                   `module.m (registry.terraform.io/acme/m/aws) main.tf:4: file opens "/proc/self/environ"`,
		`terraform_data.x.output`:                                "known only when terraform runs",
		`"` + filepath.ToSlash(data) + `/modules/m/.git/config"`: "outside of the repository",
	} {
		files := map[string]string{"r/main.tf": "module \"m\" {\n  source = \"acme/m/aws\"\n  version = \"1.0.0\"\n  p = " + argument + "\n}\n"}
		findings := check(t, files, data, parsed(t, ""))
		if want == "" && len(findings) > 0 || want != "" && (len(findings) != 1 || !strings.Contains(findings[0].Message, want)) {
			t.Errorf("%s: %+v, want %q", argument, findings, want)
		}
	}
}
