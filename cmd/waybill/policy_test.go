package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/gate/policy"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// policyWorld is a repository, without GitHub, whose change would write a canary
// if anything of it ran. The provider acme/evil, which a mirror on this machine
// has, does so as soon as it is started.
type policyWorld struct {
	t                      *testing.T
	dir, canary, cliConfig string
	terraform              string // program
	env                    map[string]string
}

// What every world has beside the attack: a root, a module, and a module of the
// module.
var policySeed = map[string]string{
	"infra/prod/main.tf":  "terraform {\n  backend \"local\" {}\n}\n\nmodule \"a\" {\n  source = \"../../modules/a\"\n}\n",
	"modules/a/main.tf":   "module \"b\" {\n  source = \"../b\"\n}\n",
	"modules/b/main.tf":   "resource \"terraform_data\" \"b\" {\n  input = \"b\"\n}\n",
	"modules/git/main.tf": "output \"x\" {\n  value = 1\n}\n",
	".gitignore":          "*.tfstate*\n",
}

func newPolicyWorld(t *testing.T, program string) *policyWorld {
	t.Helper()
	dir := t.TempDir()
	w := &policyWorld{
		t: t, dir: filepath.Join(dir, "repo"), canary: filepath.Join(dir, "canary"), cliConfig: filepath.Join(dir, "cli.tfrc"),
		terraform: tooltest.Find(t, program),
	}
	mirror := filepath.Join(dir, "mirror")
	for _, registry := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		place := filepath.Join(mirror, registry, "acme/evil/1.0.0", runtime.GOOS+"_"+runtime.GOARCH)
		write(t, place, map[string]string{"terraform-provider-evil_v1.0.0": "#!/bin/sh\ntouch " + w.canary + "\nexit 1\n"})
		if err := os.Chmod(filepath.Join(place, "terraform-provider-evil_v1.0.0"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(
		t, dir,
		map[string]string{"cli.tfrc": fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)},
	)
	w.env = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": dir, "TF_CLI_CONFIG_FILE": w.cliConfig, "AWS_EC2_METADATA_DISABLED": "true",
	}
	return w
}

// commit writes files with the canary's path in them, and commits all.
func (w *policyWorld) commit(files map[string]string) {
	w.t.Helper()
	for name, content := range files {
		write(w.t, w.dir, map[string]string{name: strings.ReplaceAll(content, "CANARY", w.canary)})
	}
	if _, err := os.Stat(filepath.Join(w.dir, ".git")); err != nil {
		w.git("init", "-q", "-b", "main")
	}
	w.git("add", "-A", "-f")
	w.git("commit", "-q", "--allow-empty", "-m", "change")
}

func (w *policyWorld) git(args ...string) string {
	w.t.Helper()
	out, err := git.RunEnv(
		w.t.Context(), w.dir,
		[]string{"GIT_AUTHOR_NAME=ada", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=ada", "GIT_COMMITTER_EMAIL=a@example.com"},
		args...,
	)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// lock lets terraform itself write the lock file of a root that requires acme/evil.
func (w *policyWorld) lock() string {
	w.t.Helper()
	dir := w.t.TempDir()
	write(w.t, dir, map[string]string{"main.tf": evilRequired})
	command := process.Command{
		Path: w.terraform, Args: []string{"init", "-no-color"}, Dir: dir,
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TF_CLI_CONFIG_FILE=" + w.cliConfig, "CHECKPOINT_DISABLE=1"},
	}
	if err := command.Run(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return read(w.t, filepath.Join(dir, ".terraform.lock.hcl"))
}

func (w *policyWorld) run(args ...string) (code int, out, words string) {
	w.t.Helper()
	return w.raw(append(args, "--checkout", w.dir, "--terraform", w.terraform)...)
}

func (w *policyWorld) raw(args ...string) (code int, out, words string) {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	code = program.Run(w.t.Context(), cli.Process{
		Args: args, Getenv: func(name string) string { return w.env[name] }, Stdout: &stdout, Stderr: &stderr,
	})
	return code, stdout.String(), stderr.String()
}

func (w *policyWorld) sang() bool {
	_, err := os.Stat(w.canary)
	return err == nil
}

const evilRequired = "terraform {\n  required_providers {\n    evil = {\n      source  = \"acme/evil\"\n      version = \"1.0.0\"\n " +
	"   }\n  }\n}\n"

// withPolicy is a waybill.yaml; the root is the one of the seed.
func withPolicy(text string) string {
	return "apiVersion: waybill.dev/v1\nterraform:\n  roots: [{dir: infra/prod}]\n  policy: " + text + "\n"
}

// allowAll is the policy under which an attack succeeds.
const allowAll = `{providers: {deny: []}, provisioners: {deny: []}, dataSources: {deny: []}, programs: {allow: ["**"]}, remoteState: {allow: ["**"]}, modules: {pin: none}}`

const localExec = "provisioner \"local-exec\" {\n    command = \"touch CANARY\"\n  }\n"

type policyAttack struct {
	files  map[string]string
	policy string // the default one where empty
	locked bool   // the lock file of acme/evil is committed
	says   []string
	// sings says that the attack has been seen to work where the policy allows
	// it: by plan, or by apply.
	sings string
}

var policyAttacks = map[string]policyAttack{
	"a provider that the policy does not name": {files: map[string]string{
		"infra/prod/provider.tf": evilRequired,
	}, locked: true, policy: "{providers: {allow: ['hashicorp/*']}}", sings: "plan",
		says: []string{`infra/prod/provider\.tf:3: provider registry\.terraform\.io/acme/evil is not allowed \(provider\)\n.*terraform\.policy\.providers\.allow`}},
	"a provider that the policy denies": {files: map[string]string{
		"infra/prod/provider.tf": evilRequired,
	}, locked: true, policy: "{providers: {deny: ['acme/*']}}",
		says: []string{`infra/prod/provider\.tf:3: provider registry\.terraform\.io/acme/evil is denied \(provider\)`}},
	"a provider of a module's module": {files: map[string]string{
		"modules/b/provider.tf": evilRequired,
	}, locked: true, policy: "{providers: {allow: ['hashicorp/*']}}", sings: "plan",
		says: []string{`modules/b/provider\.tf:3: provider registry\.terraform\.io/acme/evil is not allowed`}},
	"a provider in JSON": {files: map[string]string{
		"infra/prod/provider.tf.json": `{"terraform": {"required_providers": {"evil": {"source": "acme/evil"}}}}`,
	}, locked: true, policy: "{providers: {allow: ['hashicorp/*']}}", sings: "plan",
		says: []string{`infra/prod/provider\.tf\.json:1: provider registry\.terraform\.io/acme/evil is not allowed`}},
	"a provider whose source an override changes": {files: map[string]string{
		"infra/prod/provider.tf":          strings.Replace(evilRequired, "acme/evil", "hashicorp/evil", 1),
		"infra/prod/provider_override.tf": evilRequired}, locked: true, policy: "{providers: {allow: ['hashicorp/*']}}", sings: "plan",
		says: []string{`infra/prod/provider_override\.tf:3: provider registry\.terraform\.io/acme/evil is not allowed`}},
	"a provider without a lock file": {files: map[string]string{"infra/prod/provider.tf": evilRequired},
		says: []string{`infra/prod/\.terraform\.lock\.hcl:1: there is no lock file, .* which registry\.terraform\.io/acme/evil runs \(lock-file\)\n.*run terraform init, and commit`}},
	"a provider that the lock file does not name": {files: map[string]string{
		"infra/prod/provider.tf": evilRequired,
		"infra/prod/.terraform.lock.hcl": "provider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"6.0.0\"\n  hashes = " +
			"[\"h1:x\"]\n}\n",
	},
		says: []string{`infra/prod/provider\.tf:3: the lock file of infra/prod does not name provider registry\.terraform\.io/acme/evil`}},
	"a provider that is only used": {files: map[string]string{
		"modules/b/use.tf": "resource \"evil_thing\" \"x\" {\n}\n",
	}, policy: "{providers: {allow: [acme/good]}}",
		says: []string{`modules/b/use\.tf:1: provider registry\.terraform\.io/hashicorp/evil is not allowed`}},
	"a provider that lies in the root": {files: map[string]string{
		"infra/prod/terraform.d/plugins/registry.terraform.io/acme/good/1.0.0/linux_amd64/terraform-provider-good_v1.0.0": "#!/bin/sh\ntouch CANARY\n",
	},
		says: []string{`infra/prod/terraform\.d:1: terraform\.d in the root: terraform would start providers that lie in it`}},
	"local-exec in the root": {files: map[string]string{
		"infra/prod/exec.tf": "resource \"terraform_data\" \"x\" {\n  " + localExec + "}\n",
	}, sings: "apply",
		says: []string{`infra/prod/exec\.tf:2: provisioner "local-exec" is denied \(provisioner\)\n.*terraform\.policy\.provisioners`}},
	"local-exec in a module": {files: map[string]string{
		"modules/a/exec.tf": "resource \"terraform_data\" \"x\" {\n  for_each = toset([\"a\"])\n  " + localExec + "}\n",
	}, sings: "apply",
		says: []string{`modules/a/exec\.tf:3: provisioner "local-exec" is denied`}},
	"local-exec in a module's module": {files: map[string]string{
		"modules/b/exec.tf": "resource \"terraform_data\" \"x\" {\n  count = 1\n  " + localExec + "}\n",
	}, sings: "apply",
		says: []string{`modules/b/exec\.tf:3: provisioner "local-exec" is denied`}},
	"local-exec in JSON": {files: map[string]string{"modules/b/exec.tf.json": `{"resource": {"terraform_data": {"x": [{
  "provisioner": [{"local-exec": {"command": "touch CANARY"}}]}]}}}`}, sings: "apply",
		says: []string{`modules/b/exec\.tf\.json:2: provisioner "local-exec" is denied`}},
	"local-exec in an override": {files: map[string]string{
		"modules/b/override.tf": "resource \"terraform_data\" \"b\" {\n  " + localExec + "}\n",
	}, sings: "apply",
		says: []string{`modules/b/override\.tf:2: provisioner "local-exec" is denied`}},
	"local-exec for what is removed": {files: map[string]string{
		"infra/prod/removed.tf": "removed {\n  from = terraform_data.gone\n  lifecycle {\n    destroy = true\n  }\n  provisioner " +
			"\"local-exec\" {\n    when    = destroy\n    command = \"touch CANARY\"\n  }\n}\n",
	},
		says: []string{`infra/prod/removed\.tf:6: provisioner "local-exec" is denied`}},
	"local-exec in a file of OpenTofu's": {files: map[string]string{
		"modules/b/exec.tofu": "resource \"terraform_data\" \"x\" {\n  " + localExec + "}\n",
	},
		says: []string{`modules/b/exec\.tofu:2: provisioner "local-exec" is denied`}},
	"a dynamic provisioner": {files: map[string]string{
		"modules/b/exec.tf": "resource \"terraform_data\" \"x\" {\n  dynamic \"provisioner\" {\n    for_each = [1]\n    labels   = " +
			"[\"local-exec\"]\n    content {\n    }\n  }\n}\n",
	},
		says: []string{`modules/b/exec\.tf:2: terraform_data\.x: a dynamic provisioner cannot be judged \(unreadable\)`}},
	"data that runs a program": {files: map[string]string{
		"infra/prod/data.tf": "data \"external\" \"x\" {\n  program = [\"touch\", \"CANARY\"]\n}\n",
	},
		says: []string{`infra/prod/data\.tf:1: data source "external" is denied \(data-source\)`}},
	"data inside a check": {files: map[string]string{
		"modules/a/check.tf": "check \"x\" {\n  data \"http\" \"x\" {\n    url = \"https://example.com\"\n  }\n  assert {\n    " +
			"condition     = true\n    error_message = \"x\"\n  }\n}\n",
	},
		says: []string{`modules/a/check\.tf:2: data source "http" is denied`}},
	"a backend's files that name a program": {files: map[string]string{"infra/prod/main.tf": "terraform {\n  backend \"s3\" {\n    " +
		"bucket              = \"b\"\n    key                 = \"k\"\n    region              = \"eu-west-1\"\n    profile         " +
		"    = \"p\"\n    shared_config_files = [\"./settings\"]\n  }\n}\n",
		"infra/prod/settings": "[profile p]\ncredential_process = touch CANARY\n"}, sings: "plan",
		says: []string{`infra/prod/main\.tf:7: backend s3: the files in shared_config_files can name a program to start \(program\)`}},
	"a remote state's files that name a program": {files: map[string]string{
		"infra/prod/state.tf": "data \"terraform_remote_state\" \"x\" {\n  backend = \"kubernetes\"\n  config = {\n    " +
			"secret_suffix = \"x\"\n    config_path   = \"./kubeconfig\"\n  }\n}\n",
		"infra/prod/kubeconfig": "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: " +
			"\"https://127.0.0.1:1\"}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\ncurrent-context: c\n" +
			"users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: touch, args: [CANARY], " +
			"interactiveMode: Never}}}]\n"}, sings: "plan",
		says: []string{
			`infra/prod/state\.tf:1: data\.terraform_remote_state\.x reads from backend "kubernetes", which is not the root's own kind \(remote-state\)`,
			`infra/prod/state\.tf:5: .*the files in config_path can name a program`,
		}},
	"a module of a branch": {files: map[string]string{
		"infra/prod/mod.tf": "module \"m\" {\n  source = \"git::https://example.invalid/m.git?ref=main\"\n}\n",
	},
		says: []string{`infra/prod/mod\.tf:2: module "m" is of no commit: git::https://example\.invalid/m\.git\?ref=main \(pin\)`}},
	"a module of a range of versions": {files: map[string]string{
		"infra/prod/mod.tf": "module \"m\" {\n  source  = \"acme/m/aws\"\n  version = \"~> 1.0\"\n}\n",
	},
		says: []string{`infra/prod/mod\.tf:2: module "m" is of no one version: acme/m/aws \(pin\)`}},
	"a module in an archive": {files: map[string]string{
		"infra/prod/mod.tf": "module \"m\" {\n  source = \"https://example.invalid/m.zip\"\n}\n",
	},
		says: []string{`infra/prod/mod\.tf:2: module "m" is an archive without a checksum`}},
	"a module outside the repository": {files: map[string]string{"infra/prod/mod.tf": "module \"m\" {\n  source = \"../../..\"\n}\n"},
		says: []string{`infra/prod/mod\.tf:2: module "m": \.\./\.\./\.\. leaves the repository \(outside\)`}},
	"a block that nobody knows": {files: map[string]string{"infra/prod/new.tf": "terraform {\n  state_store \"evil\" {\n  }\n}\n"},
		says: []string{`infra/prod/new\.tf:2: terraform block with "state_store" is not known to this version of Waybill`}},
	"a file that cannot be read": {files: map[string]string{"modules/b/broken.tofu": "resource {{\n"},
		says: []string{`modules/b/broken\.tofu:1: cannot be read`}},
	"everything at once": {files: map[string]string{
		"infra/prod/a.tf": "data \"http\" \"x\" {\n}\n\ndata \"external\" \"y\" {\n}\n",
		"modules/b/b.tf":  "resource \"terraform_data\" \"x\" {\n  " + localExec + "}\n",
	},
		says: []string{
			`policy: 4 findings, and nothing of the configuration was run`, `a\.tf:1: .*"http"`, `a\.tf:4: .*"external"`,
			`b\.tf:2: .*"local-exec"`,
		}},
}

// What would run something of a pull request's own is refused before it does,
// with the place. That most of these attacks work where the policy allows them
// is tried too.
func TestPolicyBeforePlan(t *testing.T) {
	t.Parallel()
	for name, a := range policyAttacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newPolicyWorld(t, "terraform").attacked(a)
		})
	}
}

// attacked wants the attack refused, before anything of it runs; and that it
// works where it is allowed.
func (w *policyWorld) attacked(a policyAttack) {
	w.t.Helper()
	w.commit(policySeed)
	if a.locked {
		w.commit(map[string]string{"infra/prod/.terraform.lock.hcl": w.lock()})
	}
	if a.policy != "" {
		w.commit(map[string]string{"waybill.yaml": withPolicy(a.policy)})
	}
	w.commit(a.files)
	for _, args := range [][]string{{"plan", "--dir", "infra/prod"}, {"plan", "--dir", "infra/prod", "--validate-only"}} {
		code, _, words := w.run(args...)
		(&infraWorld{t: w.t}).wants(strings.Join(args, " "), code, 3, words, a.says...)
		if w.sang() {
			w.t.Fatal("something of the change was run")
		}
	}
	if a.sings != "" {
		w.commit(map[string]string{"waybill.yaml": withPolicy(allowAll)})
		w.sings(a.sings)
	}
}

// sings plans, and applies where need be, and wants the canary.
func (w *policyWorld) sings(by string) {
	w.t.Helper()
	args := []string{"plan", "--dir", "infra/prod"}
	_, _, words := w.run(args...)
	if by == "apply" {
		if w.sang() {
			w.t.Error("planning was enough")
		}
		command := process.Command{
			Path: w.terraform, Args: []string{"apply", "-auto-approve", "-no-color"}, Dir: filepath.Join(w.dir, "infra/prod"),
			Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "CHECKPOINT_DISABLE=1"},
		}
		initialise := command
		initialise.Args = []string{"init", "-no-color"}
		if err := initialise.Run(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		if err := command.Run(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	if !w.sang() {
		w.t.Errorf("the attack does nothing even where it is allowed, so that it proves nothing: %s", words)
	}
}

// A module that terraform fetches is judged when it is there and nothing of it
// has run; a module of that module as well.
func TestPolicyOfFetchedModules(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]struct {
		module map[string]string
		policy string
		says   string
	}{
		"a provisioner": {
			module: map[string]string{"main.tf": "\n\nresource \"terraform_data\" \"x\" {\n  " + localExec + "}\n"},
			says:   `infra/prod/mod\.tf:2: module\.far \(git::file://.*\) main\.tf:4: provisioner "local-exec" is denied`,
		},
		"in a directory of it": {
			module: map[string]string{
				"main.tf":     "module \"sub\" {\n  source = \"./sub\"\n}\n",
				"sub/main.tf": "resource \"terraform_data\" \"x\" {\n  " + localExec + "}\n",
			},
			says: `infra/prod/mod\.tf:2: module\.far\.module\.sub \(\./sub\) main\.tf:2: provisioner "local-exec" is denied`,
		},
		"a module of a branch": {
			module: map[string]string{"main.tf": "module \"sub\" {\n  source = \"git::https://example.invalid/m.git?ref=main\"\n}\n"},
			says:   `infra/prod/mod\.tf:2: module\.far \(git::file://.*\) main\.tf:2: module "sub" is of no commit`,
		},
		"a provider without a lock": {
			module: map[string]string{"main.tf": evilRequired},
			says:   `infra/prod/\.terraform\.lock\.hcl:1: there is no lock file, .* registry\.terraform\.io/acme/evil runs`,
		},
		"a provider not on the list": {
			module: map[string]string{"main.tf": evilRequired}, policy: "{providers: {allow: ['hashicorp/*']}}",
			says: `infra/prod/mod\.tf:2: module\.far \(.*\) main\.tf:3: provider registry\.terraform\.io/acme/evil is not allowed`,
		},
		"a link out of it": {
			module: map[string]string{"main.tf": "", "LINK": "/etc"}, says: `the link LINK → "/etc" leaves what it lies in`,
		},
		"a source that is not on one": {
			module: map[string]string{"main.tf": ""}, policy: "{modules: {deny: ['**']}}",
			says: `infra/prod/mod\.tf:2: module "far": source .* is denied \(module\)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPolicyWorld(t, "terraform")
			far := &policyWorld{t: t, dir: filepath.Join(t.TempDir(), "far"), canary: w.canary}
			if target, ok := a.module["LINK"]; ok {
				write(t, far.dir, map[string]string{"main.tf": ""})
				if err := os.Symlink(target, filepath.Join(far.dir, "LINK")); err != nil {
					t.Fatal(err)
				}
				delete(a.module, "LINK")
			}
			far.commit(a.module)
			files := map[string]string{"infra/prod/mod.tf": fmt.Sprintf(
				"module \"far\" {\n  source = \"git::file://%s?ref=%s\"\n}\n", far.dir, far.git("rev-parse", "HEAD"),
			)}
			if a.policy != "" {
				files["waybill.yaml"] = withPolicy(a.policy)
			}
			w.commit(policySeed)
			w.commit(files)
			code, _, words := w.run("plan", "--dir", "infra/prod")
			(&infraWorld{t: t}).wants("plan", code, 3, words, a.says)
			if w.sang() {
				t.Error("something of the module was run")
			}
		})
	}
}

// A state in the tree can ask for a provider that no file of the configuration
// names: what terraform then fetches is judged as well, before it is started.
func TestPolicyOfWhatAStateNames(t *testing.T) {
	t.Parallel()
	w := newPolicyWorld(t, "terraform")
	w.commit(policySeed)
	w.commit(map[string]string{"infra/prod/.terraform.lock.hcl": w.lock(),
		"waybill.yaml":                 withPolicy("{providers: {allow: ['hashicorp/*']}}"),
		"infra/prod/terraform.tfstate": `{"version":4,"terraform_version":"1.9.0","serial":1,"lineage":"11111111-2222-3333-4444-555555555555","outputs":{},"resources":[{"mode":"managed","type":"evil_thing","name":"x","provider":"provider[\"registry.terraform.io/acme/evil\"]","instances":[{"schema_version":0,"attributes":{}}]}]}`})
	code, _, words := w.run("plan", "--dir", "infra/prod")
	(&infraWorld{t: t}).wants(
		"plan", code, 3, words, `infra/prod:1: terraform fetched provider registry\.terraform\.io/acme/evil, which is not allowed`,
	)
	if w.sang() {
		t.Error("the provider was started")
	}
	w.commit(map[string]string{"waybill.yaml": withPolicy(allowAll)})
	w.sings("plan")
}

// A lock file that is not the commit's is not believed; nor is a link.
func TestPolicyOfLockFiles(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]struct {
		do   func(w *policyWorld, file string)
		says string
	}{
		"changed": {func(w *policyWorld, file string) {
			write(w.t, w.dir, map[string]string{file: read(w.t, filepath.Join(w.dir, file)) + "# more\n"})
		}, `the lock file is not as the commit has it`},
		"in no commit": {func(w *policyWorld, file string) {
			w.git("rm", "-q", "--cached", file)
			w.git("commit", "-q", "-m", "gone")
		}, `the lock file is not as the commit has it, or in no commit`},
		"ignored": {func(w *policyWorld, file string) {
			w.git("rm", "-q", "--cached", file)
			write(w.t, w.dir, map[string]string{".gitignore": ".terraform.lock.hcl\n*.tfstate*\n"})
			w.git("commit", "-q", "-a", "-m", "gone")
		}, `the lock file is not as the commit has it, or in no commit`},
		"without hashes": {func(w *policyWorld, file string) {
			w.commit(map[string]string{file: "provider \"registry.terraform.io/acme/evil\" {\n  version = \"1.0.0\"\n}\n"})
		}, `does not name provider registry\.terraform\.io/acme/evil with a version and hashes`},
		"a link": {func(w *policyWorld, file string) {
			write(w.t, w.dir, map[string]string{"lock": read(w.t, filepath.Join(w.dir, file))})
			if err := os.Remove(filepath.Join(w.dir, file)); err != nil {
				w.t.Fatal(err)
			}
			if err := os.Symlink("../../lock", filepath.Join(w.dir, file)); err != nil {
				w.t.Fatal(err)
			}
			w.commit(nil)
		}, `the lock file cannot be read: .* is not a regular file`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPolicyWorld(t, "terraform")
			w.commit(policySeed)
			const file = "infra/prod/.terraform.lock.hcl"
			w.commit(map[string]string{
				file: w.lock(), "infra/prod/provider.tf": evilRequired,
				"waybill.yaml": withPolicy("{providers: {allow: ['acme/evil']}}"),
			})
			a.do(w, file)
			code, _, words := w.run("plan", "--dir", "infra/prod")
			(&infraWorld{t: t}).wants("plan", code, 3, words, a.says)
			if w.sang() {
				t.Error("the provider was started")
			}
		})
	}
}

// In a job every finding is an annotation at its line; as JSON it can be read by
// a program.
func TestPolicyFindingsAreShown(t *testing.T) {
	t.Parallel()
	w := newPolicyWorld(t, "terraform")
	summary := filepath.Join(t.TempDir(), "summary")
	w.env["GITHUB_ACTIONS"], w.env["GITHUB_STEP_SUMMARY"], w.env["GITHUB_OUTPUT"] = "true", summary, filepath.Join(t.TempDir(), "output")
	w.commit(policySeed)
	w.commit(map[string]string{
		"modules/b/exec.tf": "resource \"terraform_data\" \"x\" {\n  " + localExec + "}\n",
		"infra/prod/mod.tf": "module \"m\" {\n  source = \"x\\n::error::y \\u001b[31m|\"\n}\n",
	})
	code, out, words := w.run("plan", "--dir", "infra/prod", "--format", "json")
	(&infraWorld{t: t}).wants(
		"plan", code, 3, words,
		`(?m)^::error .*file=modules/b/exec\.tf,line=2,?.*title=waybill policy%3A provisioner|(?m)^::error col=3,file=modules/b/exec\.tf,line=2`,
	)
	var document struct{ Findings []policy.Finding }
	if err := json.Unmarshal([]byte(out), &document); err != nil || len(document.Findings) != 2 {
		t.Fatalf("%v: %s", err, out)
	}
	if f := document.Findings[1]; f.Rule != policy.RuleProvisioner || f.File != "modules/b/exec.tf" || f.Line != 2 ||
		f.Roots[0] != "infra/prod" || f.Fix == "" {
		t.Errorf("the finding is %+v", f)
	}
	if text := read(t, summary); !strings.Contains(text, "`modules/b/exec.tf:2`") || !strings.Contains(text, "provisioner") {
		t.Errorf("the summary is %s", text)
	}
	for line := range strings.SplitSeq(words+out, "\n") {
		if strings.HasPrefix(line, "::error::y") || strings.ContainsRune(line, '\x1b') {
			t.Errorf("a name becomes a command: %q", line)
		}
	}
	if !strings.Contains(read(t, w.env["GITHUB_OUTPUT"]), "findings<<") {
		t.Error("there is no output")
	}
}

// Without a finding of the policy, format and validity are said together.
func TestValidateOnlySaysAll(t *testing.T) {
	t.Parallel()
	w := newPolicyWorld(t, "terraform")
	w.commit(policySeed)
	w.commit(map[string]string{
		"infra/prod/a.tf": "output \"a\" {\nvalue = 1\n}\n", "infra/prod/b.tf": "output \"b\" {\n  value = local.none\n}\n",
	})
	code, _, words := w.run("plan", "--dir", "infra/prod", "--validate-only")
	(&infraWorld{t: t}).wants("plan", code, 3, words, `infra/prod/a\.tf: not formatted`, `Reference to undeclared local value`)
}

// What is found in one root, even in a module that had to be fetched, keeps the
// providers of all of them from starting.
func TestPolicyOfAllRootsFirst(t *testing.T) {
	t.Parallel()
	w := newPolicyWorld(t, "terraform")
	far := &policyWorld{t: t, dir: filepath.Join(t.TempDir(), "far"), canary: w.canary}
	far.commit(map[string]string{"main.tf": "resource \"terraform_data\" \"x\" {\n  " + localExec + "}\n"})
	w.commit(policySeed)
	w.commit(map[string]string{
		"infra/prod/.terraform.lock.hcl": w.lock(), "infra/prod/provider.tf": evilRequired,
		"waybill.yaml": withPolicy("{providers: {allow: ['acme/evil']}}"),
		"infra/other/main.tf": fmt.Sprintf(
			"terraform {\n  backend \"local\" {}\n}\n\nmodule \"far\" {\n  source = \"git::file://%s?ref=%s\"\n}\n", far.dir,
			far.git("rev-parse", "HEAD"),
		),
	})
	for _, args := range [][]string{nil, {"--validate-only"}} {
		code, _, words := w.run(append([]string{"plan", "--dir", "infra/prod", "--dir", "infra/other"}, args...)...)
		(&infraWorld{t: t}).wants("plan", code, 3, words, `infra/other/main\.tf:6: module\.far .* provisioner "local-exec" is denied`)
		if w.sang() {
			t.Fatal("a provider was started all the same")
		}
	}
	w.run("plan", "--dir", "infra/prod")
	if !w.sang() {
		t.Error("the provider does nothing even by itself, so that it proves nothing")
	}
}
