package policy_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/outcome"
)

const lock = "provider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"6.0.0\"\n  hashes  = [\"h1:x\"]\n}\n"

func put(t *testing.T, top string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(top, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(text, "link:"); ok {
			if err := os.Symlink(target, path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parsed is the policy of a waybill.yaml; the default one where text is empty.
func parsed(t *testing.T, text string) config.TerraformPolicy {
	t.Helper()
	if text == "" {
		return config.DefaultTerraformPolicy()
	}
	c, err := config.Parse("waybill.yaml", []byte("apiVersion: waybill.dev/v1\nterraform:\n  policy: "+text+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c.Terraform().Policy
}

func committed(context.Context, string) (bool, error) { return true, nil }

// check judges the root r of a tree.
func check(t *testing.T, files map[string]string, dataDir string, policies ...config.TerraformPolicy) []policy.Finding {
	t.Helper()
	top := t.TempDir()
	put(t, top, files)
	findings, err := policy.Check(t.Context(), policy.Request{
		Top: top, Dir: "r", DataDir: dataDir, Policies: policies, Committed: committed,
	})
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// One file in the root, and what is found in it: rule and words, or nothing.
func TestRules(t *testing.T) {
	t.Parallel()
	const sha = "0123456789abcdef0123456789abcdef01234567"
	for name, a := range map[string]struct {
		file, text, policy, rule, says string
	}{
		"nothing": {
			text: "resource \"terraform_data\" \"x\" {\n}\nvariable \"a\" {\n}\nlocals {\n  b = 1\n}\noutput \"c\" {\n  value = " +
				"1\n}\nmoved {\n  from = a.b\n  to = a.c\n}\nimport {\n  to = a.c\n  id = \"x\"\n}\n",
		},
		"a locked provider":          {text: "provider \"aws\" {\n}\nresource \"aws_vpc\" \"x\" {\n}\n"},
		"a provider that is allowed": {text: "provider \"aws\" {\n}\n", policy: "{providers: {allow: ['hashicorp/aws']}}"},
		"allowed by any namespace":   {text: "provider \"aws\" {\n}\n", policy: "{providers: {allow: ['*/aws']}}"},
		"allowed by everything":      {text: "provider \"aws\" {\n}\n", policy: "{providers: {allow: ['**']}}"},
		"a short glob is of the public registry": {
			text:   "terraform {\n  required_providers {\n    aws = {\n      source = \"evil.example/hashicorp/aws\"\n    }\n  }\n}\n",
			policy: "{providers: {allow: ['hashicorp/aws']}}", rule: "provider", says: "evil.example/hashicorp/aws is not allowed",
		},
		"a glob is anchored": {
			text:   "terraform {\n  required_providers {\n    aws = {\n      source = \"xhashicorp/aws\"\n    }\n  }\n}\n",
			policy: "{providers: {allow: ['hashicorp/aws']}}", rule: "provider", says: "xhashicorp/aws is not allowed",
		},
		"a host's provider": {
			text:   "terraform {\n  required_providers {\n    aws = {\n      source = \"tf.acme.example/acme/aws\"\n    }\n  }\n}\n",
			policy: "{providers: {allow: ['tf.acme.example/acme/*']}}", rule: "lock-file",
			says: "does not name provider tf.acme.example/acme/aws",
		},
		"deny wins over allow": {
			text: "provider \"aws\" {\n}\n", policy: "{providers: {allow: ['**'], deny: ['hashicorp/aws']}}", rule: "provider",
			says: "is denied",
		},
		"a source in capitals": {
			text:   "terraform {\n  required_providers {\n    aws = {\n      source = \"Hashicorp/AWS\"\n    }\n  }\n}\n",
			policy: "{providers: {deny: ['hashicorp/aws']}}", rule: "provider", says: "hashicorp/aws is denied",
		},
		"the old form of a source": {
			text:   "terraform {\n  required_providers {\n    aws = \"6.0.0\"\n  }\n}\n",
			policy: "{providers: {deny: ['hashicorp/aws']}}", rule: "provider", says: "is denied",
		},
		"two sources in JSON": {
			file:   "x.tf.json",
			text:   `{"terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "source": "evil/aws"}}}}`,
			policy: "{providers: {allow: ['hashicorp/aws']}}", rule: "provider", says: "evil/aws is not allowed",
		},
		"a computed source": {
			text: "terraform {\n  required_providers {\n    aws = { source = var.x }\n  }\n}\n", rule: "unreadable",
			says: "aws is computed",
		},
		"a computed provider": {
			text: "resource \"terraform_data\" \"x\" {\n  provider = lookup(a, b)\n}\n", rule: "unreadable",
			says: "its provider is computed",
		},
		"a provider by an index": {
			text: "resource \"terraform_data\" \"x\" {\n  provider = evil.of[each.key]\n}\n", rule: "lock-file",
			says: "registry.terraform.io/hashicorp/evil",
		},
		"a provider by an alias": {
			text: "resource \"terraform_data\" \"x\" {\n  provider = evil.west\n}\n", rule: "lock-file",
			says: "registry.terraform.io/hashicorp/evil",
		},
		"a provider by a quoted alias": {
			file: "x.tf.json", text: `{"data": {"terraform_data": {"x": {"provider": "evil.west"}}}}`, rule: "lock-file",
			says: "registry.terraform.io/hashicorp/evil",
		},
		"remote-exec": {
			text: "resource \"terraform_data\" \"x\" {\n  provisioner \"remote-exec\" {\n  }\n}\n", rule: "provisioner",
			says: `"remote-exec" is denied`,
		},
		"the file provisioner": {
			text: "resource \"terraform_data\" \"x\" {\n  provisioner \"file\" {\n  }\n}\n", rule: "provisioner",
			says: `"file" is denied`,
		},
		"a provisioner that is allowed": {
			text:   "resource \"terraform_data\" \"x\" {\n  provisioner \"file\" {\n  }\n}\n",
			policy: "{provisioners: {allow: [file]}}",
		},
		"another one is not": {
			text:   "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n  }\n}\n",
			policy: "{provisioners: {allow: [file]}}", rule: "provisioner", says: `"local-exec" is not allowed`,
		},
		"an ephemeral resource": {
			text: "ephemeral \"terraform_http\" \"x\" {\n}\n", policy: "{dataSources: {deny: ['*_http']}}", rule: "data-source",
			says: `ephemeral resource "terraform_http" is denied`,
		},
		"a list resource": {
			file: "x.tfquery.hcl", text: "list \"terraform_x\" \"x\" {\n}\n", policy: "{dataSources: {deny: ['terraform_x']}}",
			rule: "data-source", says: `list resource "terraform_x" is denied`,
		},
		"an action": {
			text: "action \"local_command\" \"x\" {\n  provider = terraform\n}\n", rule: "action",
			says: `action "local_command" is denied`,
		},
		"local_command": {
			text: "data \"local_command\" \"x\" {\n  provider = terraform\n}\n", rule: "data-source",
			says: `"local_command" is denied`,
		},
		"an empty deny list opts out": {
			text: "data \"local_command\" \"x\" {\n  provider = terraform\n}\n", policy: "{dataSources: {deny: []}}",
		},
		"exec of a provider": {
			text: "provider \"aws\" {\n  exec {\n    command = \"./evil\"\n  }\n}\n", rule: "program",
			says: `provider aws: exec starts the program "./evil", which is not allowed`,
		},
		"exec that is allowed": {
			text: "provider \"aws\" {\n  exec {\n    command = \"aws\"\n  }\n}\n", policy: "{programs: {allow: [aws]}}",
		},
		"a path is not the name": {
			text: "provider \"aws\" {\n  exec {\n    command = \"./aws\"\n  }\n}\n", policy: "{programs: {allow: [aws]}}",
			rule: "program", says: `"./aws", which is not allowed`,
		},
		"exec in a block": {
			text: "provider \"aws\" {\n  kubernetes {\n    exec {\n      command = \"x\"\n    }\n  }\n}\n", rule: "program",
			says: `exec starts the program "x"`,
		},
		"exec in an attribute": {
			text: "provider \"aws\" {\n  kubernetes = {\n    exec = { command = \"x\" }\n  }\n}\n", rule: "program",
			says: `exec starts the program "x"`,
		},
		"exec in a dynamic block": {
			text: "provider \"aws\" {\n  dynamic \"exec\" {\n    for_each = [1]\n    content {\n      command = \"x\"\n    }\n  }\n}\n",
			rule: "program", says: `exec starts the program "x"`,
		},
		"exec in JSON": {
			file: "x.tf.json", text: `{"provider": {"aws": {"kubernetes": [{"exec": [{"command": "x"}]}]}}}`, rule: "program",
			says: `exec starts the program "x"`,
		},
		"a dynamic exec in JSON": {
			file: "x.tf.json", text: `{"provider": {"aws": {"dynamic": {"exec": {"for_each": [1], "content": {"command": "x"}}}}}}`,
			rule: "program", says: `exec starts the program "x"`,
		},
		"a computed exec": {
			text: "provider \"aws\" {\n  exec = local.x\n}\n", rule: "program", says: "exec is computed",
		},
		"what holds an exec computed": {
			text: "provider \"aws\" {\n  kubernetes = local.x\n}\n", rule: "program", says: "kubernetes is computed",
		},
		"a computed command": {
			text: "provider \"aws\" {\n  exec {\n    command = var.x\n  }\n}\n", rule: "program", says: "exec is computed",
		},
		"a computed command, and any allowed": {
			text: "provider \"aws\" {\n  exec {\n    command = var.x\n  }\n}\n", policy: "{programs: {allow: ['**']}}",
		},
		"what renders after Helm": {
			text: "resource \"helm_release\" \"x\" {\n  provider = terraform\n  postrender {\n    binary_path = \"/bin/sh\"\n  }\n}\n",
			rule: "program", says: `helm_release.x: postrender starts the program "/bin/sh", which is not allowed`,
		},
		"what renders after Helm, as an attribute": {
			text: "data \"helm_template\" \"x\" {\n  provider = terraform\n  postrender = { binary_path = \"./x\" }\n}\n",
			rule: "program", says: `data.helm_template.x: postrender starts the program "./x"`,
		},
		"what renders after Helm, in a dynamic block": {
			text: "resource \"helm_release\" \"x\" {\n  provider = terraform\n  dynamic \"postrender\" {\n    for_each = [1]\n    content {\n" +
				"      binary_path = \"./x\"\n    }\n  }\n}\n",
			rule: "program", says: `postrender starts the program "./x"`,
		},
		"what renders after Helm, computed": {
			text: "resource \"helm_release\" \"x\" {\n  provider = terraform\n  postrender = var.x\n}\n", rule: "program",
			says: "postrender is computed",
		},
		"what renders after Helm, in JSON": {
			file: "x.tf.json", rule: "program", says: `postrender starts the program "./x"`,
			text: `{"resource": {"helm_release": {"x": {"provider": "terraform", "dynamic": {"postrender": {"content": {"binary_path": "./x"}}}}}}}`,
		},
		"a release of Helm alone": {
			text: "resource \"helm_release\" \"x\" {\n  provider = terraform\n  values = [yamlencode({ exec = { command = \"x\" } })]\n}\n",
		},
		"files that name a program": {
			text: "provider \"aws\" {\n  shared_credentials_files = [\"x\"]\n}\n", rule: "program",
			says: "the files in shared_credentials_files can name a program",
		},
		"such files allowed": {
			text:   "provider \"aws\" {\n  shared_credentials_files = [\"x\"]\n}\n",
			policy: "{programs: {allow: [shared_credentials_files]}}",
		},
		"a kubeconfig": {
			text: "terraform {\n  backend \"kubernetes\" {\n    config_path = \"x\"\n  }\n}\n", rule: "program",
			says: "backend kubernetes: the files in config_path",
		},
		"a backend that is denied": {
			text: "terraform {\n  backend \"http\" {\n  }\n}\n", policy: "{backends: {allow: [s3]}}", rule: "backend",
			says: `backend "http" is not allowed`,
		},
		"a cloud that is denied": {
			text: "terraform {\n  cloud {\n  }\n}\n", policy: "{backends: {allow: [s3]}}", rule: "backend",
			says: `backend "cloud" is not allowed`,
		},
		"a state of the own kind": {
			text: "terraform {\n  backend \"s3\" {\n  }\n}\ndata \"terraform_remote_state\" \"x\" {\n  backend = \"s3\"\n}\n",
		},
		"a state of another kind": {
			text: "terraform {\n  backend \"s3\" {\n  }\n}\ndata \"terraform_remote_state\" \"x\" {\n  backend = \"pg\"\n}\n",
			rule: "remote-state", says: `reads from backend "pg"`,
		},
		"such a state allowed": {
			text: "data \"terraform_remote_state\" \"x\" {\n  backend = \"pg\"\n}\n", policy: "{remoteState: {allow: [pg]}}",
		},
		"http is never the own kind": {
			text: "terraform {\n  backend \"http\" {\n  }\n}\ndata \"terraform_remote_state\" \"x\" {\n  backend = \"http\"\n}\n",
			rule: "remote-state", says: `reads from backend "http"`,
		},
		"a state of the cloud": {
			text: "terraform {\n  cloud {\n  }\n}\ndata \"terraform_remote_state\" \"x\" {\n  backend = \"remote\"\n}\n",
		},
		"a computed kind of state": {
			text: "data \"terraform_remote_state\" \"x\" {\n  backend = var.x\n}\n", rule: "remote-state",
			says: "its backend is computed",
		},
		"a module by commit": {text: "module \"m\" {\n  source = \"git::https://example.com/m.git//sub?ref=" + sha + "\"\n}\n"},
		"github by commit":   {text: "module \"m\" {\n  source = \"github.com/acme/m?ref=" + sha + "\"\n}\n"},
		"github without": {
			text: "module \"m\" {\n  source = \"github.com/acme/m\"\n}\n", rule: "pin", says: "is of no commit",
		},
		"ssh without": {
			text: "module \"m\" {\n  source = \"git@github.com:acme/m.git\"\n}\n", rule: "pin", says: "is of no commit",
		},
		"two refs": {
			text: "module \"m\" {\n  source = \"github.com/acme/m?ref=" + sha + "&ref=main\"\n}\n", rule: "pin",
			says: "is of no commit",
		},
		"a short commit": {
			text: "module \"m\" {\n  source = \"github.com/acme/m?ref=0123456\"\n}\n", rule: "pin", says: "is of no commit",
		},
		"a tag": {
			text: "module \"m\" {\n  source = \"github.com/acme/m?ref=v1.2.3\"\n}\n", rule: "pin", says: "is of no commit",
		},
		"a tag by choice": {
			text: "module \"m\" {\n  source = \"github.com/acme/m?ref=v1.2.3\"\n}\n", policy: "{modules: {pin: tag}}",
		},
		"a branch is no tag": {
			text: "module \"m\" {\n  source = \"github.com/acme/m?ref=main\"\n}\n", policy: "{modules: {pin: tag}}", rule: "pin",
			says: "is of no commit or version tag",
		},
		"anything by choice": {text: "module \"m\" {\n  source = \"github.com/acme/m\"\n}\n", policy: "{modules: {pin: none}}"},
		"a tag that git takes for an option": {
			text:   "module \"m\" {\n  source = \"github.com/acme/m?ref=--upload-pack=evil-1.0.0\"\n}\n",
			policy: "{modules: {pin: tag}}", rule: "pin", says: "git would fetch it by no protocol or name that is known",
		},
		"an option, by choice": {
			text:   "module \"m\" {\n  source = \"hg::https://a.example/m?rev=--config=alias\"\n}\n",
			policy: "{modules: {pin: none}}", rule: "pin", says: "git would fetch it by no protocol or name that is known",
		},
		"a source that OpenTofu computes": {
			file: "x.tf.json", text: `{"module": {"m": {"source": "./${local.x}"}}}`, rule: "pin", says: "has no source that could be read",
		},
		"git by a program": {
			text: "module \"m\" {\n  source = \"git::ext::sh -c evil?ref=" + sha + "\"\n}\n", rule: "pin",
			says: "git would fetch it by no protocol or name that is known",
		},
		"a registry's version": {text: "module \"m\" {\n  source  = \"acme/m/aws\"\n  version = \"1.2.3\"\n}\n"},
		"an exact constraint": {
			text: "module \"m\" {\n  source  = \"tf.acme.example/acme/m/aws//sub\"\n  version = \"= 1.2.3\"\n}\n",
		},
		"no version": {
			text: "module \"m\" {\n  source = \"acme/m/aws\"\n}\n", rule: "pin", says: "is of no one version",
		},
		"a range": {
			text: "module \"m\" {\n  source  = \"acme/m/aws\"\n  version = \">= 1.2.3, < 2\"\n}\n", rule: "pin",
			says: "is of no one version",
		},
		"a computed version": {
			text: "module \"m\" {\n  source  = \"acme/m/aws\"\n  version = var.x\n}\n", rule: "unreadable",
			says: "its version is computed",
		},
		"an archive's checksum": {text: "module \"m\" {\n  source = " +
			"\"https://example.com/m.zip?checksum=sha256:" + strings.Repeat("a", 64) + "\"\n}\n"},
		"a weak checksum": {
			text: "module \"m\" {\n  source = \"https://example.com/m.zip?checksum=md5:" + strings.Repeat("a", 32) + "\"\n}\n",
			rule: "pin", says: "is an archive without a checksum",
		},
		"a bucket's archive": {
			text: "module \"m\" {\n  source = \"s3::https://s3.amazonaws.com/b/m.zip\"\n}\n", rule: "pin",
			says: "is an archive without a checksum",
		},
		"an artifact's tag": {
			text: "module \"m\" {\n  source = \"oci://ghcr.io/acme/m?tag=1.2.3\"\n}\n", rule: "pin", says: "is of no digest",
		},
		"an artifact's digest": {text: "module \"m\" {\n  source = \"oci://ghcr.io/acme/m?digest=sha256:" + strings.Repeat("a", 64) + "\"\n}\n"},
		"mercurial": {
			text: "module \"m\" {\n  source = \"hg::https://example.com/m\"\n}\n", rule: "pin", says: "is of no commit",
		},
		"a path of the machine": {
			text: "module \"m\" {\n  source = \"/etc/modules\"\n}\n", rule: "outside",
			says: "is fetched from the machine's own files",
		},
		"a module not on the list": {
			text:   "module \"m\" {\n  source = \"github.com/evil/m?ref=" + sha + "\"\n}\n",
			policy: "{modules: {allow: ['github.com/acme/**']}}", rule: "module", says: "source github.com/evil/m is not allowed",
		},
		"a module on the list": {
			text:   "module \"m\" {\n  source = \"git::https://github.com/acme/m.git//x?ref=" + sha + "\"\n}\n",
			policy: "{modules: {allow: ['github.com/acme/**']}}",
		},
		"no source": {text: "module \"m\" {\n}\n", rule: "pin", says: "has no source that could be read"},
		"a module that is not there": {
			text: "module \"m\" {\n  source = \"./none\"\n}\n", rule: "outside", says: "./none does not exist",
		},
		"a link that leads out": {
			file: "x.tf", text: "link:/etc/hostname", rule: "outside", says: `the link x.tf → "/etc/hostname" leaves`,
		},
		"a link to nowhere": {file: "x.txt", text: "link:../../../none", rule: "outside", says: "leaves what it lies in"},
		"a link inside":     {file: "x.tf", text: "link:../m/main.tf"},
		"a test's module": {
			file: "x.tftest.hcl", text: "run \"x\" {\n  module {\n    source = \"github.com/acme/m\"\n  }\n}\n", rule: "pin",
			says: "is of no commit",
		},
		"a test's provider": {
			file: "tests/x.tftest.hcl", text: "provider \"evil\" {\n}\n", rule: "lock-file",
			says: "registry.terraform.io/hashicorp/evil",
		},
		"an unknown block": {text: "machine \"x\" {\n}\n", rule: "unreadable", says: `block "machine" is not known`},
		"an unknown block in JSON": {
			file: "x.tf.json", text: `{"//": "a comment", "machine": {}}`, rule: "unreadable", says: `block "machine" is not known`,
		},
		"a file that terraform ignores": {file: ".hidden.tf", text: "machine \"x\" {\n"},
		"a file in OpenTofu's JSON": {
			file: "x.tofu.json", text: `{"data": {"http": {"x": {"provider": "terraform"}}}}`, rule: "data-source",
			says: `"http" is denied`,
		},
		"duplicates in JSON": {
			file: "x.tf.json", text: `{"module": {"m": {"source": "./a", "source": "github.com/evil/m"}}}`, rule: "unreadable",
			says: "cannot be read",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := "x.tf"
			if a.file != "" {
				file = a.file
			}
			findings := check(
				t, map[string]string{"r/.terraform.lock.hcl": lock, "m/main.tf": "", "r/" + file: a.text}, "", parsed(t, a.policy),
			)
			if a.rule == "" {
				if len(findings) > 0 {
					t.Errorf("found %v", findings)
				}
				return
			}
			if !slices.ContainsFunc(findings, func(f policy.Finding) bool {
				return f.Rule == a.rule && strings.Contains(f.Message, a.says) && f.File == "r/"+file && f.Line > 0 && f.Fix != ""
			}) {
				t.Errorf("found %v, want %s %q in r/%s", findings, a.rule, a.says, file)
			}
		})
	}
}

// Every policy has to hold; what two of them say is said once.
func TestSeveralPolicies(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"r/.terraform.lock.hcl": lock, "r/x.tf": "provider \"aws\" {\n}\ndata \"http\" \"x\" {\n  provider = aws\n}\n",
	}
	findings := check(t, files, "", parsed(t, ""), parsed(t, "{providers: {deny: ['hashicorp/aws']}}"))
	var rules []string
	for _, f := range findings {
		rules = append(rules, fmt.Sprintf("%s:%d", f.Rule, f.Line))
	}
	if got := strings.Join(rules, " "); got != "provider:1 data-source:3" {
		t.Errorf("found %s", got)
	}
	refused := policy.Refuse(findings)
	if outcome.Code(refused) != outcome.Refused || !strings.HasPrefix(
		refused.Error(), "policy: 2 findings, and nothing of the configuration was run\nr/x.tf:1: ",
	) {
		t.Errorf("it reads %v", refused)
	}
	if policy.Refuse(nil) != nil {
		t.Error("nothing is refused")
	}
	again := slices.Clone(findings)
	for i := range again {
		again[i].Roots = []string{"other"}
	}
	merged := policy.Merge(append(findings, again...))
	if len(merged) != 2 || strings.Join(merged[0].Roots, " ") != "r other" {
		t.Errorf("merged: %v", merged)
	}
}

// What terraform has put where it starts providers from is what counts, whatever
// asked for it: a state can.
func TestInstalledProviders(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	put(t, data, map[string]string{
		"providers/registry.terraform.io/hashicorp/aws/6.0.0/linux_amd64/p": "",
		"providers/registry.terraform.io/acme/evil/1.0.0/linux_amd64/p":     "",
	})
	files := map[string]string{"r/.terraform.lock.hcl": lock, "r/x.tf": "provider \"aws\" {\n}\n"}
	findings := check(t, files, data, parsed(t, "{providers: {allow: ['hashicorp/*']}}"))
	if len(findings) != 2 || !strings.Contains(
		findings[0].Message+findings[1].Message, "terraform fetched provider registry.terraform.io/acme/evil, which is not allowed",
	) ||
		!strings.Contains(
			findings[0].Message+findings[1].Message,
			"terraform fetched provider registry.terraform.io/acme/evil 1.0.0, which the lock file does not name",
		) {
		t.Errorf("found %v", findings)
	}
	other := t.TempDir()
	put(t, other, map[string]string{"providers/registry.opentofu.org/hashicorp/aws/6.0.1/linux_amd64/p": ""})
	if findings := check(t, files, other, parsed(t, "{providers: {allow: ['hashicorp/*']}}")); len(findings) != 1 ||
		!strings.Contains(findings[0].Message, "registry.opentofu.org/hashicorp/aws 6.0.1, which the lock file does not name") {
		t.Errorf("another version: %v", findings)
	}
	if findings := check(t, files, "", parsed(t, "{providers: {allow: ['hashicorp/*']}}")); len(findings) > 0 {
		t.Errorf("before: %v", findings)
	}
}

// Names out of a configuration are one line of text and no more.
func TestNamesAreText(t *testing.T) {
	t.Parallel()
	findings := check(
		t, map[string]string{"r/x.tf": "module \"m\" {\n  source = \"a\\n::error::b \\u001b[31m##[error]c\"\n}\n"}, "",
		parsed(t, ""),
	)
	if len(findings) != 1 || strings.ContainsAny(findings[0].String(), "\x1b") || strings.Contains(findings[0].Message, "\n") ||
		strings.Contains(findings[0].Message, "##[") {
		t.Errorf("%q", findings)
	}
}

// Trouble is no finding.
func TestTrouble(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	put(t, top, map[string]string{"r/.terraform.lock.hcl": lock, "r/x.tf": "provider \"aws\" {\n}\n"})
	_, err := policy.Check(t.Context(), policy.Request{Top: top, Dir: "r", Policies: []config.TerraformPolicy{parsed(t, "")},
		Committed: func(context.Context, string) (bool, error) { return false, fmt.Errorf("git is out") }})
	if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "ask whether the lock file is committed: git is out") {
		t.Errorf("git: %v", err)
	}
	if _, err := policy.Check(t.Context(), policy.Request{
		Top: top, Dir: "none", Policies: []config.TerraformPolicy{parsed(t, "")}, Committed: committed,
	}); outcome.Code(err) != outcome.Usage || err.Error() != "none does not exist" {
		t.Errorf("no such root: %v", err)
	}
}
