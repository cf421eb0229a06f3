package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

// tofu makes a world's jobs run OpenTofu.
func (w *infraWorld) tofu() { w.env["WAYBILL_INPUT_TERRAFORM"] = tooltest.Find(w.t, "tofu") }

const encryptedTofu = "variable \"password_of_state\" {\n  type      = string\n  sensitive = true\n}\n\nterraform {\n " +
	" encryption {\n    key_provider \"pbkdf2\" \"k\" {\n      passphrase = var.password_of_state\n      iterations = " +
	"200000\n    }\n    method \"aes_gcm\" \"m\" {\n      keys = key_provider.pbkdf2.k\n    }\n    state {\n      " +
	"method   = method.aes_gcm.m\n      enforced = true\n    }\n    plan {\n      method   = method.aes_gcm.m\n      " +
	"enforced = true\n    }\n  }\n}\n\noutput \"note\" {\n  value = \"hello\"\n}\n"

// The same gate with the real OpenTofu: planned, approved, applied; with its own
// files, and with plan and state encrypted.
func TestOpenTofu(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]map[string]string{
		"plain": {"infra/prod/note.tofu": "output \"note\" {\n  value = \"hello\"\n}\n"},
		"encrypted": {
			"infra/prod/note.tofu": encryptedTofu,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			allowed := map[string]string{"waybill.yaml": infraRules + "  encryptedPlans: true\n"}
			w := newInfraWorld(t, allowed)
			w.tofu()
			w.env["TF_VAR_password_of_state"] = "a long passphrase of this test"
			w.open("ada", change)
			f := w.plan()
			code, _, words := w.apply()
			w.wants("apply before it is approved", code, 4, words, `0 of 1 approvals`)
			w.approve("bob", f)
			code, _, words = w.gate()
			w.wants("gate", code, 0, words)
			code, _, words = w.apply()
			w.wants("apply", code, 0, words, "infra/prod: applied")
			if state := w.state(); name == "encrypted" && !strings.Contains(state, "encrypted_data") ||
				name == "plain" && !strings.Contains(state, `"note"`) {
				t.Errorf("the state is %.200s", state)
			}
			code, _, words = w.apply()
			w.wants("apply again", code, 3, words, `infra/prod: state lineage was none when planned, is [0-9a-f-]+ now`)
			w.noSecrets(secret, "a long passphrase of this test")
		})
	}
}

// Nobody can look into a plan that OpenTofu encrypts, so that the default branch must
// allow it: when it is planned, and when it is applied.
func TestEncryptedPlansAreRefused(t *testing.T) {
	t.Parallel()
	const why = "infra/prod: OpenTofu encrypts the plan, so that nobody can compare"
	allowed := infraRules + "  encryptedPlans: true\n"
	for _, rules := range []string{infraRules, allowed} {
		w := newInfraWorld(t, map[string]string{"waybill.yaml": rules})
		w.tofu()
		w.env["TF_VAR_password_of_state"] = "a long passphrase of this test"
		w.open("ada", map[string]string{"infra/prod/note.tofu": encryptedTofu, "waybill.yaml": allowed})
		if rules == infraRules {
			code, _, words := w.run("plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone)
			w.wants("plan", code, 3, words, why)
			continue
		}
		w.approve("bob", w.plan())
		w.merge()
		w.commitOnMain(map[string]string{"waybill.yaml": infraRules})
		w.git(w.clone, "fetch", "-q", w.remote("ada"), "main")
		w.git(w.clone, "checkout", "-q", "--detach", "FETCH_HEAD")
		code, _, words := w.apply()
		w.wants("apply", code, 3, words, why)
		if w.state() != "" {
			t.Error("something was applied")
		}
	}
}

// A fingerprint names the program: what one planned, the other does not apply.
func TestOpenTofuIsNotTerraform(t *testing.T) {
	t.Parallel()
	w, f := approved(t)
	w.tofu()
	code, _, words := w.apply()
	w.wants(
		"tofu with terraform's plan", code, 3, words,
		`infra/prod: terraform version was terraform 1\.\d+\.\d+ when planned, is opentofu 1\.\d+\.\d+ now`,
	)
	g := w.plan()
	if f == g {
		t.Error("both plans have one fingerprint")
	}
	w.approve("bob", g)
	delete(w.env, "WAYBILL_INPUT_TERRAFORM")
	code, _, words = w.apply()
	w.wants(
		"terraform with tofu's plan", code, 3, words,
		`infra/prod: terraform version was opentofu 1\.\d+\.\d+ when planned, is terraform 1\.\d+\.\d+ now`,
	)
	if w.state() != "" {
		t.Error("something was applied")
	}
}

// Attacks on what tofu reads and terraform does not.
func TestOpenTofuRefusesWhatMoved(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]struct {
		do   func(w *infraWorld)
		says string
	}{
		"a file of tofu's in the root": {func(w *infraWorld) {
			write(w.t, w.clone, map[string]string{"infra/prod/x.tofu": "locals {\n  x = 1\n}\n"})
		}, `infra/prod: configuration was sha256:`},
		"in a module that tofu alone sees": {func(w *infraWorld) {
			write(w.t, w.clone, map[string]string{"modules/extra/main.tofu": "resource \"terraform_data\" \"y\" {\n}\n"})
		}, `infra/prod: configuration was sha256:`},
		"the state moved on": {func(w *infraWorld) {
			write(
				w.t, w.clone,
				map[string]string{
					"infra/prod/terraform.tfstate": `{"version":4,"terraform_version":"1.9.0","serial":3,"lineage":"11111111-2222-3333-4444-555555555555","outputs":{},"resources":[]}`,
				},
			)
		}, `state lineage was none when planned`},
		"a variable changed": {
			func(w *infraWorld) { w.env["TF_VAR_password"] = "something else" }, `variable password was another value when planned`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newInfraWorld(t, map[string]string{
				"modules/extra/main.tf": "", "modules/extra/main.tofu": "resource \"terraform_data\" \"x\" {\n}\n",
			})
			w.tofu()
			w.open("ada", map[string]string{"infra/prod/extra.tofu": "module \"extra\" {\n  source = \"../../modules/extra\"\n}\n"})
			w.approve("bob", w.plan())
			a.do(w)
			before := w.state()
			code, _, words := w.apply()
			w.wants("apply", code, 3, words, a.says)
			if w.state() != before {
				t.Error("something was applied")
			}
		})
	}
}

// What tofu would run before and while it plans.
func TestPolicyBeforeTofu(t *testing.T) {
	t.Parallel()
	encrypted := "terraform {\n  encryption {\n    key_provider \"external\" \"k\" {\n      command = [\"CANARY.sh\"]\n    }\n    " +
		"method \"aes_gcm\" \"m\" {\n      keys = key_provider.external.k\n    }\n    state {\n      method = method.aes_gcm.m\n    " +
		"}\n    plan {\n      method = method.aes_gcm.m\n    }\n  }\n}\n"
	attacks := map[string]policyAttack{
		"a program that gives keys": {files: map[string]string{"infra/prod/encryption.tofu": encrypted}, sings: "plan",
			says: []string{`infra/prod/encryption\.tofu:4: key_provider external: command starts the program ".*canary\.sh", which is not allowed \(program\)`}},
		"a program that encrypts": {files: map[string]string{
			"infra/prod/encryption.tf": "terraform {\n  encryption {\n    method \"external\" \"m\" {\n      encrypt_command = " +
				"[\"CANARY.sh\"]\n      decrypt_command = [var.x]\n    }\n  }\n}\n",
		},
			says: []string{
				`encryption\.tf:4: method external: encrypt_command starts the program`,
				`encryption\.tf:5: method external: decrypt_command is computed`,
			}},
		"local-exec where tofu alone looks": {files: map[string]string{
			"modules/b/exec.tofu": "resource \"terraform_data\" \"x\" {\n  " + localExec + "}\n",
		}, sings: "apply",
			says: []string{`modules/b/exec\.tofu:2: provisioner "local-exec" is denied`}},
		"a provider in a file that replaces another": {files: map[string]string{
			"infra/prod/provider.tf": "", "infra/prod/provider.tofu": evilRequired,
		}, locked: true, policy: "{providers: {allow: ['hashicorp/*']}}", sings: "plan",
			says: []string{`infra/prod/provider\.tofu:3: provider registry\.terraform\.io/acme/evil is not allowed`}},
		"a module from a computed place": {files: map[string]string{
			"infra/prod/mod.tofu": "variable \"from\" {\n  type    = string\n  default = \"x\"\n}\n\nmodule \"m\" {\n  source = " +
				"var.from\n}\n",
		},
			says: []string{`infra/prod/mod\.tofu:7: module "m" has no source that could be read`}},
	}
	for name, a := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newPolicyWorld(t, "tofu")
			write(t, filepath.Dir(w.canary), map[string]string{"canary.sh": "#!/bin/sh\ntouch " + w.canary + "\nexit 1\n"})
			if err := os.Chmod(w.canary+".sh", 0o755); err != nil {
				t.Fatal(err)
			}
			w.attacked(a)
		})
	}
}

// A backend whose settings OpenTofu computes takes no state of another root, however the
// variables change.
func TestOpenTofuTakesNoStateByAVariable(t *testing.T) {
	t.Parallel()
	backend := func(path string) string {
		return "variable \"p\" {\n  default = " + path + "\n}\n\nterraform {\n  backend \"local\" {\n    path = var.p\n  }\n}\n"
	}
	w := newInfraWorld(t, map[string]string{"infra/lab/main.tf": backend(`"terraform.tfstate"`)})
	w.tofu()
	w.open("ada", map[string]string{"infra/lab/main.tf": backend(`"../prod/terraform.tfstate"`)})
	code, _, words := w.run("plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--dir", "infra/lab")
	w.wants("plan", code, 3, words, `infra/lab keeps its state in infra/prod/terraform\.tfstate, outside of its own directory`)
	w.push("ada", map[string]string{"infra/lab/main.tf": strings.Replace(backend("null"), "  default = null\n", "", 1)})
	code, _, words = w.run("plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--dir", "infra/lab")
	w.wants("plan", code, 3, words, "infra/lab: nobody can tell where it keeps its state, because the tree does not say what path")
}
