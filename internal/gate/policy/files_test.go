package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/policy"
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
		if c.want == "" && len(findings) > 0 || c.want != "" && (len(findings) != 1 || findings[0].Rule != policy.RuleFile ||
			findings[0].Line != 2 || !strings.Contains(findings[0].Message, c.want)) {
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
		files := map[string]string{
			"r/main.tf": "module \"m\" {\n  source = \"acme/m/aws\"\n  version = \"1.0.0\"\n  p = " + argument + "\n}\n",
		}
		findings := check(t, files, data, parsed(t, ""))
		if want == "" && len(findings) > 0 || want != "" && (len(findings) != 1 || !strings.Contains(findings[0].Message, want)) {
			t.Errorf("%s: %+v, want %q", argument, findings, want)
		}
	}
}

// A local state that another root's data source reads is a file, too.
func TestLocalStatesThatAreRead(t *testing.T) {
	t.Parallel()
	const environ = `config opens "/proc/self/environ", which is outside of the repository`
	const backend = "remoteState: {allow: [local]}"
	for name, c := range map[string]struct{ config, policy, want string }{
		"absolute":       {`{ path = "/proc/self/environ" }`, backend, environ},
		"not there":      {`{ path = "/nowhere/at/all" }`, backend, `config opens "/nowhere/at/all", which is outside`},
		"allowed":        {`{ path = "/proc/self/environ" }`, backend + `, files: {allow: ["/proc/*/environ"]}`, ""},
		"a directory":    {`{ workspace_dir = "/etc" }`, backend, `opens "/etc", which is outside`},
		"a quoted key":   {`{ "path" = "/proc/self/environ" }`, backend, environ},
		"a computed key": {`{ (join("", ["pa", "th"])) = "/proc/self/environ" }`, backend, environ},
		"by a local":     {`local.config`, backend, environ},
		"merged":         {`merge({}, { path = "/proc/self/environ" })`, backend, environ},
		"computed": {
			`{ path = terraform_data.x.output }`, backend, "config opens a file whose path is known only when terraform runs",
		},
		"computed, whole":  {`terraform_data.x.output`, backend, "config opens a file whose path is known only when terraform runs"},
		"through a link":   {`{ path = "lnk/../terraform.tfstate" }`, backend, `opens "lnk/../terraform.tfstate", which is outside`},
		"of git":           {`{ path = "../.git/x" }`, backend, "which is outside of the repository"},
		"beside":           {`{ path = "../other/terraform.tfstate" }`, backend, ""},
		"beside, a module": {`{ path = "${path.module}/../other/terraform.tfstate" }`, backend, ""},
	} {
		data := "data \"terraform_remote_state\" \"x\" {\n  backend = \"local\"\n  config = " + c.config + "\n}\n"
		locals := "locals {\n  config = { path = \"/proc/self/environ\" }\n}\n"
		for _, text := range []string{
			data + locals,
			"check \"c\" {\n" + data + "  assert {\n    condition = true\n    error_message = \"x\"\n  }\n}\n" + locals,
		} {
			expectFile(t, name, check(t, map[string]string{"r/main.tf": text, "other/x.tf": ""}, "", parsed(t, "{"+c.policy+"}")), c.want)
		}
	}
	for _, config := range []string{
		`{"path": "/proc/self/environ"}`, `[{"path": "${join(\"/\", [\"\", \"proc\", \"self\", \"environ\"])}"}]`,
	} {
		text := `{"data": {"terraform_remote_state": {"x": {"backend": "local", "config": ` + config + `}}}}`
		expectFile(t, config, check(t, map[string]string{"r/main.tf.json": text}, "", parsed(t, "{"+backend+"}")), environ)
	}
	other := "data \"terraform_remote_state\" \"x\" {\n  backend = \"consul\"\n  config = { path = \"/a/b\" }\n}\n"
	expectFile(
		t, "a path of another backend",
		check(t, map[string]string{"r/main.tf": other}, "", parsed(t, "{remoteState: {allow: [consul]}}")), "",
	)
}

func expectFile(t *testing.T, name string, findings []policy.Finding, want string) {
	t.Helper()
	if want == "" && len(findings) > 0 || want != "" && (len(findings) != 1 || findings[0].Rule != policy.RuleFile ||
		!strings.Contains(findings[0].Message, want)) {
		t.Errorf("%s: %+v, want %q", name, findings, want)
	}
}
