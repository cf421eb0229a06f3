package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/gate/plan"
	"github.com/waybill-dev/waybill/internal/gate/roots"
	"github.com/waybill-dev/waybill/internal/gate/seal"
)

// fetchedRules let programs start, and believe tags, which can be moved.
const fetchedRules = infraRules + `  policy:
    provisioners: {allow: [local-exec]}
    modules: {pin: tag}
`

// farModule opens a template when it is applied and not before, and starts a script.
const farModule = `resource "terraform_data" "id" {}

resource "terraform_data" "server" {
  input = templatefile("${path.module}/init.tftpl", { id = terraform_data.id.id })
}

resource "terraform_data" "run" {
  input = "${path.module}/run.sh"
  provisioner "local-exec" {
    command = "${path.module}/run.sh"
  }
}
`

// farWorld is an infraWorld whose root fetches a module from git.
type farWorld struct {
	*infraWorld
	far, canary string
}

func newFarWorld(t *testing.T, module map[string]string) *farWorld {
	t.Helper()
	w := &farWorld{far: t.TempDir(), canary: filepath.Join(t.TempDir(), "canary")}
	w.infraWorld = newInfraWorld(t, map[string]string{"waybill.yaml": fetchedRules, "shared/note.tftpl": "note ${id}\n"})
	w.git(w.far, "init", "-q", "-b", "main")
	files := map[string]string{
		"main.tf": farModule, "init.tftpl": "good ${id}\n", "run.sh": "#!/bin/sh\necho good >" + w.canary + "\n", "data.txt": "x",
	}
	for name, content := range module {
		files[name] = content
	}
	w.tag(func() {
		write(t, w.far, files)
		w.mode("run.sh", 0o755)
	})
	return w
}

// tag makes version v1.0.0 of what change makes of the module; it moves the tag.
func (w *farWorld) tag(change func()) {
	w.t.Helper()
	change()
	w.git(w.far, "add", "-A")
	w.git(w.far, "commit", "-q", "-m", "module")
	w.git(w.far, "tag", "-f", "v1.0.0")
}

func (w *farWorld) mode(name string, mode os.FileMode) {
	w.t.Helper()
	if err := os.Chmod(filepath.Join(w.far, name), mode); err != nil {
		w.t.Fatal(err)
	}
}

// begin opens the pull request that calls the module, and plans it.
func (w *farWorld) begin() plan.Fingerprint {
	w.t.Helper()
	w.opens()
	return w.infraWorld.plan()
}

// opens opens the pull request that calls the module.
func (w *farWorld) opens() {
	w.t.Helper()
	w.open("ada", map[string]string{"infra/prod/far.tf": fmt.Sprintf(
		"module \"far\" {\n  source = \"git::file://%s?ref=v1.0.0\"\n}\n", w.far,
	)})
}

// fresh removes what terraform fetched, as the checkout of another job has it.
func (w *farWorld) fresh() {
	w.t.Helper()
	if err := os.RemoveAll(filepath.Join(w.clone, "infra/prod/.terraform")); err != nil {
		w.t.Fatal(err)
	}
}

// A module that terraform fetches has the same place in every job: its templates and
// scripts are there when the plan is applied, and the plan is the same when it is made
// again.
func TestFetchedModules(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"terraform", "tofu"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			w := newFarWorld(t, nil)
			if program == "tofu" {
				w.tofu()
			}
			f := w.begin()
			w.fresh()
			if again := w.infraWorld.plan(); again != f {
				t.Errorf("planned again, the fingerprint is %s, and was %s", again, f)
			}
			w.approve("bob", f)
			code, _, words := w.gate("--checkout", w.clone)
			w.wants("gate", code, 0, words)
			w.fresh()
			code, _, words = w.apply()
			w.wants("apply", code, 0, words, "infra/prod: applied")
			if got := read(t, w.canary); got != "good\n" {
				t.Errorf("the module's script wrote %q", got)
			}
			if state := w.state(); !strings.Contains(state, `"good `) || !strings.Contains(state, `".terraform/modules/far/run.sh"`) {
				t.Errorf("the state is %s", state)
			}
			if _, err := os.Stat(filepath.Join(w.clone, "infra/prod/.terraform/modules/far/.git")); err == nil {
				t.Error("the clone's .git is left, which is another one in every run")
			}
			w.noSecrets(secret)
		})
	}
}

// A tag that moves, a server that answers otherwise: whatever of a fetched module is not
// what it was, nothing is applied, nor is anything of it started.
func TestApplyRefusesFetchedModulesThatMoved(t *testing.T) {
	t.Parallel()
	evil := func(w *farWorld) string { return "#!/bin/sh\necho evil >" + w.canary + "\n" }
	put := func(name, content string) func(*farWorld) {
		return func(w *farWorld) { write(w.t, w.far, map[string]string{name: content}) }
	}
	for name, move := range map[string]func(*farWorld){
		"a script":        func(w *farWorld) { write(w.t, w.far, map[string]string{"run.sh": evil(w)}) },
		"a template":      put("init.tftpl", "evil ${id}\n"),
		"a file more":     put("more.txt", "x"),
		"a nested file":   put(".terraform/more.txt", "x"),
		"a file that can": func(w *farWorld) { w.mode("data.txt", 0o755) },
		"a file less": func(w *farWorld) {
			if err := os.Remove(filepath.Join(w.far, "data.txt")); err != nil {
				w.t.Fatal(err)
			}
		},
		"a link": func(w *farWorld) {
			name := filepath.Join(w.far, "data.txt")
			if err := os.Remove(name); err != nil {
				w.t.Fatal(err)
			}
			if err := os.Symlink("run.sh", name); err != nil {
				w.t.Fatal(err)
			}
		},
		"the configuration": put("more.tf", "output \"x\" {\n  value = 1\n}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFarWorld(t, nil)
			f := w.begin()
			w.approve("bob", f)
			w.tag(func() { move(w) })
			for _, where := range []string{"the same checkout", "a fresh one"} {
				code, _, words := w.apply()
				w.wants("apply in "+where, code, 3, words,
					`infra/prod: fetched module far \(git::file://.*\) was sha256:\w+ when planned, is sha256:\w+ now \(its source gave other files`)
				w.fresh()
			}
			if _, err := os.Stat(w.canary); err == nil || w.state() != "" {
				t.Error("something of it was applied")
			}
		})
	}
}

// What a fetched module reads of the repository is bound too, by the gate as well, which
// fetches nothing.
func TestFilesThatFetchedModulesRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ module, changed, says, names string }{
		"a template": {
			module: "resource \"terraform_data\" \"id\" {}\nresource \"terraform_data\" \"x\" {\n" +
				"  input = templatefile(\"${path.root}/../../shared/note.tftpl\", { id = terraform_data.id.id })\n}\n",
			changed: "shared/note.tftpl", says: "shared/note\\.tftpl", names: "shared/note.tftpl",
		},
		"a program": {module: farModule, changed: "elsewhere/script.sh", says: "elsewhere/script\\.sh", names: "."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFarWorld(t, map[string]string{"main.tf": c.module})
			f := w.begin()
			const asks = `a change of what fetched modules open would not be planned: write into .files. of infra/prod`
			w.wants("the comment", 0, 0, w.github.Pulls("acme/infra")[0].Comments[0], asks)
			w.approve("bob", f)
			code, _, words := w.gate("--checkout", w.clone)
			w.wants("gate", code, 0, words)
			head := w.git(w.clone, "rev-parse", "HEAD")
			write(t, w.clone, map[string]string{c.changed: "evil ${id}\n"})
			w.git(w.clone, "add", "-A")
			code, _, words = w.gate("--checkout", w.clone)
			w.wants("gate", code, 3, words, "infra/prod: its configuration is not the planned one.*"+c.says)
			code, _, words = w.apply()
			w.wants("apply", code, 3, words, "infra/prod: configuration was", "not as in the planned commit: .*"+c.says)
			w.git(w.clone, "reset", "-q", "--hard", head)
			if err := os.RemoveAll(filepath.Join(w.clone, "elsewhere")); err != nil {
				t.Fatal(err)
			}
			// A plan that keeps quiet about it is not applied.
			var forged plan.Fingerprint
			w.reseal(f, func(b *seal.Bundle) {
				record := &b.Document.Roots[0]
				record.Fetched, record.Whole = nil, false
				record.Configuration = treeOnly(t, w.clone)
				var err error
				if forged, err = b.Document.Fingerprint(); err != nil {
					t.Fatal(err)
				}
			})
			w.approve("bob", forged)
			code, _, words = w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
			w.wants("apply", code, 3, words, "infra/prod: what fetched modules read was none when planned")
			// waybill.yaml names it: then a change of that alone is planned.
			w.push("ada", map[string]string{"waybill.yaml": strings.Replace(fetchedRules, "terraform:\n",
				"terraform:\n  roots: [{dir: infra/prod, files: ["+c.names+"]}]\n", 1)})
			w.infraWorld.plan()
			if comment := w.github.Pulls("acme/infra")[0].Comments[0]; strings.Contains(comment, "would not be planned") {
				t.Errorf("it is named, and the comment says %s", comment)
			}
			before := w.git(w.clone, "rev-parse", "HEAD")
			w.push("ada", map[string]string{c.changed: "other ${id}\n"})
			if w.infraWorld.plan("--changed-since", before) == "" {
				t.Error("a change of what it names is not planned")
			}
		})
	}
}

// The place of a fetched module in a plan says which files terraform opens when it
// applies: a plan that names another place is refused.
func TestPlacesOfFetchedModulesInThePlan(t *testing.T) {
	t.Parallel()
	w := newFarWorld(t, nil)
	f := w.begin()
	var forged plan.Fingerprint
	w.reseal(f, func(b *seal.Bundle) {
		b.Roots[0].Binary = rewrite(t, b.Roots[0].Binary, "tfconfig/modules.json", func(text string) string {
			return strings.ReplaceAll(text, ".terraform/modules/far", "../../shared/modules/far")
		})
		forged = forge(t, b)
	})
	w.approve("bob", forged)
	code, _, words := w.apply("--plan", w.sealedFile(f), "--fingerprint", string(forged))
	w.wants("apply", code, 3, words, "holds another configuration than the approved commit: the list of modules")
}

// treeOnly is the digest of what the tree itself says that the root reads.
func treeOnly(t *testing.T, top string) string {
	t.Helper()
	sources, err := roots.ReadSources(t.Context(), top, "infra/prod", nil)
	if err != nil {
		t.Fatal(err)
	}
	return sources.Digest
}

// around makes a terraform that first does something, when it is started as words.
func (w *farWorld) around(words, first string) {
	w.t.Helper()
	real, err := exec.LookPath("terraform")
	if err != nil {
		w.t.Fatal(err)
	}
	dir := w.t.TempDir()
	write(w.t, dir, map[string]string{
		"terraform": "#!/bin/sh\nif [ \"$1\" = " + words + " ]; then " + first + "; fi\nexec " + real + " \"$@\"\n",
	})
	if err := os.Chmod(filepath.Join(dir, "terraform"), 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.env["WAYBILL_INPUT_TERRAFORM"] = filepath.Join(dir, "terraform")
}

// What providers and programs write while a root is planned changes nothing of what was
// judged: neither its fetched modules nor the files that say what it opens.
func TestPlansThatChangeWhatWasJudged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ root, first, says string }{
		"a fetched module": {
			first: "echo '# evil' >>.terraform/modules/far/run.sh", says: "its fetched modules were changed while it was planned",
		},
		"a list of files": {
			root:  "locals {\n  x = [for n in jsondecode(file(\"names.json\")) : file(n)]\n}\n",
			first: "echo '[]' >names.json", says: `planning it wrote files that say what it opens \(file names\.json\)`,
		},
		"files that are counted": {
			root:  "locals {\n  x = file(length(fileset(\".\", \"*.zip\")) == 1 ? \"main.tf\" : \"far.tf\")\n}\n",
			first: "touch evil.zip", says: `planning it wrote files that say what it opens \(fileset \. \*\.zip\)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFarWorld(t, nil)
			w.push("ada", map[string]string{"infra/prod/names.json": `["main.tf"]`, "infra/prod/more.tf": c.root})
			w.begin()
			w.around("plan", c.first)
			code, _, words := w.run("plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone)
			w.wants("plan", code, 3, words, "infra/prod: "+c.says)
		})
	}
}

// Nor does what changes a fetched module after it was compared, and before it is applied.
func TestFetchedModulesThatChangeBeforeTheApply(t *testing.T) {
	t.Parallel()
	w := newFarWorld(t, nil)
	f := w.begin()
	w.approve("bob", f)
	w.around("show", "echo 'echo evil' >>.terraform/modules/far/run.sh")
	code, _, words := w.apply()
	w.wants("apply", code, 3, words, "infra/prod: its fetched modules were changed since they were compared")
	if w.state() != "" {
		t.Error("something was applied")
	}
}

// What the tree has in the place of fetched modules is refused, and not written to.
func TestPlaceOfFetchedModulesThatIsTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		link, target string
		files        map[string]string
		says         string
	}{
		"a link":       {link: ".terraform", target: "../../shared", says: `infra/prod/\.terraform is no directory, and terraform fetches`},
		"a link in it": {link: ".terraform/modules", target: "../../../shared", says: `\.terraform/modules is no directory`},
		"a file":       {files: map[string]string{"infra/prod/.terraform/modules": "x"}, says: `\.terraform/modules is no directory`},
		"committed before": {
			files: map[string]string{"infra/prod/.terraform/modules/far/run.sh": "evil"},
			says:  `infra/prod: terraform fetches modules to \.terraform/modules, and files there are in the commit`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFarWorld(t, nil)
			if c.link != "" {
				path := filepath.Join(w.clone, "infra/prod", c.link)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(c.target, path); err != nil {
					t.Fatal(err)
				}
			}
			w.push("ada", c.files)
			w.opens()
			code, _, words := w.run("plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone)
			w.wants("plan", code, 3, words, c.says)
			if entries, err := os.ReadDir(filepath.Join(w.clone, "shared")); err != nil || len(entries) != 1 {
				t.Errorf("something was written through a link: %v %v", entries, err)
			}
		})
	}
}
