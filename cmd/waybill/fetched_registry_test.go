package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/terraform/modulestest"
)

// registryWorld is an infraWorld whose root can fetch a module from a registry, and as an
// archive. Its policy is the default one, but for programs.
func registryWorld(t *testing.T, program, modules string) (w *infraWorld, far *modulestest.Server, files map[string]string) {
	t.Helper()
	far = modulestest.Start(t)
	w = newInfraWorld(t, map[string]string{
		"waybill.yaml": infraRules + "  policy:\n    provisioners: {allow: [local-exec]}\n" + modules,
	})
	if program == "tofu" {
		w.tofu()
	}
	w.env["SSL_CERT_FILE"] = far.CAFile
	canary := filepath.Join(t.TempDir(), "canary")
	return w, far, map[string]string{
		"main.tf": farModule, "init.tftpl": "good ${id}\n", "run.sh": "#!/bin/sh\necho good >" + canary + "\n", "canary.txt": canary,
	}
}

// fetches are the ways to fetch a module beside git.
func fetches(far *modulestest.Server, sum string) map[string]string {
	return map[string]string{
		"a registry": fmt.Sprintf("  source  = %q\n  version = \"1.0.0\"\n", far.Host+"/"+modulestest.Module),
		"an archive": fmt.Sprintf("  source = %q\n", far.Archive("1.0.0")+"?checksum=sha256:"+sum),
	}
}

// freshModules removes what terraform fetched, as the checkout of another job has it.
func (w *infraWorld) freshModules() {
	w.t.Helper()
	if err := os.RemoveAll(filepath.Join(w.clone, "infra/prod/.terraform")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *infraWorld) openFar(call string) {
	w.t.Helper()
	w.open("ada", map[string]string{"infra/prod/far.tf": "module \"far\" {\n" + call + "}\n"})
}

// A module of a registry, and one of an archive, is planned, approved and applied as one
// of git is: every file of it is bound, and is there when the plan is applied.
func TestModulesOfARegistryAndOfAnArchive(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"terraform", "tofu"} {
		for _, from := range []string{"a registry", "an archive"} {
			t.Run(program+" "+from, func(t *testing.T) {
				t.Parallel()
				w, far, files := registryWorld(t, program, "")
				sum := far.Publish(t, "1.0.0", files)
				w.openFar(fetches(far, sum)[from])
				f := w.plan()
				w.freshModules()
				if again := w.plan(); again != f {
					t.Errorf("planned again, the fingerprint is %s, and was %s", again, f)
				}
				far.Publish(t, "1.1.0", map[string]string{"main.tf": "output \"newer\" {\n  value = 1\n}\n"}) // changes nothing
				w.approve("bob", f)
				code, _, words := w.gate("--checkout", w.clone)
				w.wants("gate", code, 0, words)
				w.freshModules()
				code, _, words = w.apply()
				w.wants("apply", code, 0, words, "infra/prod: applied")
				if got := read(t, files["canary.txt"]); got != "good\n" {
					t.Errorf("the module's script wrote %q", got)
				}
				if state := w.state(); !strings.Contains(state, `"good `) {
					t.Errorf("the state is %s", state)
				}
				if len(far.Asked()) == 0 {
					t.Error("nothing was fetched")
				}
				w.noSecrets(secret)
			})
		}
	}
}

// A server that answers otherwise when the plan is applied: nothing is applied, and the
// refusal names the module.
func TestServersOfModulesThatAnswerOtherwise(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"terraform", "tofu"} {
		for from, says := range map[string]string{
			"a registry": `infra/prod: fetched module far \(127\.0\.0\.1:\d+/acme/far/null 1\.0\.0\) was sha256:\w+ when planned, is ` +
				`sha256:\w+ now \(its source gave other files`,
			"an archive": `infra/prod: a fetched module is not the archive whose checksum its source names \(its server answers otherwise.*` +
				`\n(.*\n)*.*module "far"`,
			"an archive without a checksum": `infra/prod: fetched module far \(https://127\.0\.0\.1:\d+/archives/1\.0\.0\.zip\) was sha256:\w+ ` +
				`when planned, is sha256:\w+ now`,
		} {
			t.Run(program+" "+from, func(t *testing.T) {
				t.Parallel()
				pin := ""
				if strings.HasSuffix(from, "without a checksum") {
					pin = "    modules: {pin: none}\n"
				}
				w, far, files := registryWorld(t, program, pin)
				calls := fetches(far, far.Publish(t, "1.0.0", files))
				calls["an archive without a checksum"] = fmt.Sprintf("  source = %q\n", far.Archive("1.0.0"))
				w.openFar(calls[from])
				f := w.plan()
				w.approve("bob", f)
				files["run.sh"] = strings.Replace(files["run.sh"], "good", "evil", 1)
				far.Publish(t, "1.0.0", files)
				for _, where := range []string{"the same checkout", "a fresh one"} {
					code, _, words := w.apply()
					w.wants("apply in "+where, code, 3, words, says)
					w.freshModules()
				}
				if _, err := os.Stat(files["canary.txt"]); err == nil || w.state() != "" {
					t.Error("something of it was applied")
				}
			})
		}
	}
}

// A module can lie in a directory of its package, and open what lies beside it there: all
// of the package is bound.
func TestModulesInADirectoryOfTheirPackage(t *testing.T) {
	t.Parallel()
	w, far, files := registryWorld(t, "terraform", "")
	module := "resource \"terraform_data\" \"x\" {\n  input = file(\"${path.module}/../note.txt\")\n}\n"
	far.Publish(t, "1.0.0", map[string]string{"net/main.tf": module, "note.txt": "good", "other.txt": "x"})
	w.openFar(strings.Replace(fetches(far, "")["a registry"], "/null", "/null//net", 1))
	f := w.plan()
	w.approve("bob", f)
	for _, name := range []string{"note.txt", "other.txt"} {
		files = map[string]string{"net/main.tf": module, "note.txt": "good", "other.txt": "x"}
		files[name] = "evil"
		far.Publish(t, "1.0.0", files)
		w.freshModules()
		code, _, words := w.apply()
		w.wants(name, code, 3, words, `fetched module far \(.*/acme/far/null//net 1\.0\.0\) was sha256:\w+ when planned`)
	}
	far.Publish(t, "1.0.0", map[string]string{"net/main.tf": module, "note.txt": "good", "other.txt": "x"})
	w.freshModules()
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied")
}
