package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/gate/comment"
	"github.com/waybill-dev/waybill/internal/markdown"
)

// slow begins, says so in a file, and goes on when another file appears, or when
// the test is over and its directory gone.
const slow = `
resource "terraform_data" "first" {
  input = "first"
}

resource "terraform_data" "slow" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "touch started; while [ -e main.tf ] && [ ! -e go ]; do sleep 0.05; done"
  }
}
`

// execAllowed are the rules with local-exec, which is denied otherwise.
var execAllowed = strings.Replace(infraRules, "  rules:", "  policy: {provisioners: {deny: []}}\n  rules:", 1)

// begun is a pull request whose approved plan is being applied and has come to
// the slow resource. The returned function waits for the end.
func begun(t *testing.T, seed, change map[string]string) (w *infraWorld, stop func(), end func() (int, string)) {
	t.Helper()
	w = newInfraWorld(t, withFile(seed, "waybill.yaml", execAllowed))
	w.open("ada", change)
	w.approve("bob", w.plan())
	ctx, cancel := context.WithCancel(t.Context())
	var words bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- program.Run(ctx, cli.Process{Args: []string{"apply", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone},
			Getenv: func(name string) string { return w.env[name] }, Stdout: &bytes.Buffer{}, Stderr: &words})
	}()
	started := filepath.Join(w.clone, "infra/prod/started")
	for { // until the provisioner has begun
		if _, err := os.Stat(started); err == nil {
			break
		}
		select {
		case code := <-done:
			t.Fatalf("apply ended with %d before it was to: %s", code, words.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := os.Remove(started); err != nil { // as it was when planned
		t.Fatal(err)
	}
	return w, cancel, func() (int, string) {
		code := <-done
		cancel()
		return code, words.String()
	}
}

func withFile(files map[string]string, name, content string) map[string]string {
	all := map[string]string{name: content}
	maps.Copy(all, files)
	return all
}

func TestTwoAppliesCannotOverlap(t *testing.T) {
	t.Parallel()
	// Nothing else: the state does not move until the slow one is there.
	alone := "terraform {\n  backend \"local\" {}\n}\n"
	w, _, end := begun(
		t, map[string]string{"infra/prod/main.tf": alone},
		map[string]string{"infra/prod/main.tf": alone + strings.Replace(
			slow[strings.Index(slow, `resource "terraform_data" "slow"`):], "depends_on = [terraform_data.first]", "", 1,
		)},
	)
	code, _, words := w.apply()
	w.wants("the second apply", code, 3, words, "somebody else holds the state's lock", "infra/prod: untouched")
	if err := os.WriteFile(filepath.Join(w.clone, "infra/prod/go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, words = end()
	w.wants("the first apply", code, 0, words, "infra/prod: applied")
	w.noSecrets(secret)
}

func TestApplyInterrupted(t *testing.T) {
	t.Parallel()
	w, stop, end := begun(t, nil, map[string]string{"infra/prod/slow.tf": slow})
	stop()
	code, words := end()
	w.seen.WriteString(words)
	w.wants(
		"apply", code, 1, words, "infra/prod: interrupted", "1 done|2 done", "not done: .*terraform_data.slow",
		"the state is at serial [1-9]", "nothing is undone. The sealed plan is kept",
	)
	if !strings.Contains(w.state(), `"first"`) {
		t.Error("what was done is not in the state")
	}
	if sealed, err := filepath.Glob(filepath.Join(w.store, "*.sealed")); err != nil || len(sealed) != 1 {
		t.Errorf("the sealed plan is gone: %v", err)
	}
	code, _, words = w.apply()
	w.wants("apply again", code, 3, words, "state lineage was none")
	w.noSecrets(secret)
}

func TestApplyFails(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, map[string]string{"waybill.yaml": execAllowed})
	w.open("ada", map[string]string{"infra/prod/fail.tf": "resource \"terraform_data\" \"bad\" {\n  provisioner \"local-exec\" {\n  " +
		"  command = \"echo '::error::x ##[error]y' ; echo $PW; env | grep -c GITHUB_TOKEN; exit 3\"\n    environment = { PW = " +
		"module.service.echo }\n  }\n}\n\nresource \"terraform_data\" \"after\" {\n  depends_on = [terraform_data.bad]\n}\n",
		"modules/service/out.tf": "output \"echo\" {\n  value = nonsensitive(var.password)\n}\n"})
	w.approve("bob", w.plan())
	code, _, words := w.apply()
	w.wants(
		"apply", code, 1, words, "terraform_data.bad: create", "exit status 3", "the state is at serial", `\(local-exec\): 0`,
		`(?m)^  done: module.service.terraform_data.service: create$`, `(?m)^  not begun: terraform_data.after: create$`,
	)
	for line := range strings.SplitSeq(words, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
			t.Errorf("the runner would take a command from %q", line)
		}
	}
	comments := w.github.Pulls("acme/infra")[0].Comments
	if last := comments[len(comments)-1]; !strings.Contains(last, "**Not applied in full:**") ||
		!strings.Contains(last, "plan again, and approve what is left") {
		t.Errorf("the report is %q", last)
	}
	w.noSecrets(secret)
}

func TestOtherWorkspace(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.open("ada", map[string]string{"infra/prod/note.tf": "locals {\n  a = 1\n}\n"})
	code, _, words := w.run(
		"plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--dir", "infra/prod", "--workspace", "none",
		"--comment=false",
	)
	w.wants("plan in a workspace that is not there", code, 1, words, `infra/prod: select workspace "none"`, "doesn't exist",
		"(if its name is right, create it once: terraform workspace new none)")
}

const hostile = `
locals {
  names = toset(["` + "`" + `x` + "`" + `| <img src=x onerror=y> @acme/all #1", "\u001b[31mred", "::add-mask::gone", "##[error]old", "--> <!-- waybill:claim {} -->", "a\n::warning::b"])
}

resource "terraform_data" "hostile" {
  for_each = local.names
  input    = { (each.key) = each.key }
}

output "hostile" {
  value = "first\n::error::second\n` + "```" + `\n</details><img src=x>"
}
`

func TestHostileNames(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.open("ada", map[string]string{"infra/prod/hostile.tf": hostile})
	f := w.plan()
	code, out, words := w.run("plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--comment=false")
	w.wants("plan", code, 0, words)
	first := w.github.Pulls("acme/infra")[0].Comments[0]
	claim, ok := comment.ReadClaim(first)
	if !ok || claim.Fingerprint != f {
		t.Errorf("the claim reads %+v", claim)
	}
	for line := range strings.SplitSeq(out+first, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.ContainsRune(line, '\x1b') {
			t.Errorf("the runner or a terminal would take a command from %q", line)
		}
	}
	code, out, words = w.run(
		"plan", "--repo", "acme/infra", "--pull-request", "1", "--checkout", w.clone, "--comment=false", "--format", "json",
	)
	w.wants("plan as JSON", code, 0, words)
	w.harmless(out)
	// Outside the one fence, nothing of it is there.
	outside, rest, _ := strings.Cut(first, "```")
	_, after, ok := strings.Cut(rest, "\n```")
	if ok = ok && !strings.Contains(outside, "img") && strings.Count(after, "<") == 1; !ok {
		t.Errorf("text from outside breaks out:\n%s", first)
	}
	w.approve("bob", f)
	code, out, words = w.gate("--comment", "--status", "--format", "json")
	w.wants("gate", code, 1, words, "set status waybill/gate")
	w.env["GITHUB_TOKEN"] = w.token("dan")
	code, out, words = w.gate("--comment", "--status", "--format", "json")
	w.wants("gate", code, 0, words, "approved by bob")
	w.harmless(out + words)
	code, out, words = w.apply("--format", "json")
	w.wants("apply", code, 0, words, "infra/prod: applied, 7 done")
	w.harmless(out + words)
	w.harmless(read(t, w.env["GITHUB_STEP_SUMMARY"]))
	for _, c := range w.github.Pulls("acme/infra")[0].Comments[1:] {
		w.harmless(c)
		if rest := outsideFences(c); strings.Contains(rest, "<img") || strings.Contains(rest, "@acme") ||
			strings.Contains(rest, "-->\n<!--") {
			t.Errorf("text from outside breaks out: %s", c)
		}
	}
}

// harmless asserts that neither the runner nor a terminal would take a command
// from a text.
func (w *infraWorld) harmless(text string) {
	w.t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.ContainsRune(line, '\x1b') {
			w.t.Errorf("a command could be taken from %q", line)
		}
	}
}

// outsideFences is the Markdown that is not in a code block.
func outsideFences(text string) string {
	var kept []string
	fence := ""
	for line := range strings.SplitSeq(text, "\n") {
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
		case fence != "" && line == fence:
			fence = ""
		case fence == "":
			kept = append(kept, outsideSpans(line))
		}
	}
	return strings.Join(kept, "\n")
}

var ticks = regexp.MustCompile("`+")

// outsideSpans is a line without its code spans, which end at a run of as many
// backticks as they began with.
func outsideSpans(line string) string {
	for from := 0; ; {
		opens := ticks.FindStringIndex(line[from:])
		if opens == nil {
			return line
		}
		begin, run := from+opens[0], opens[1]-opens[0]
		end := -1
		for _, m := range ticks.FindAllStringIndex(line[from+opens[1]:], -1) {
			if m[1]-m[0] == run {
				end = from + opens[1] + m[1]
				break
			}
		}
		if end < 0 {
			from += opens[1]
			continue
		}
		line, from = line[:begin]+line[end:], begin
	}
}

// Directories have names too, and they stand at the beginning of lines.
func TestHostileDirectory(t *testing.T) {
	t.Parallel()
	const dir = "::error::pwned <img src=x> `x` @acme ##[group]"
	w := newInfraWorld(t, map[string]string{
		"waybill.yaml":   strings.Replace(execAllowed, "infra/*", "**", 1),
		dir + "/main.tf": "terraform {\n  backend \"local\" {}\n}\n",
	})
	w.env["GITHUB_TOKEN"] = w.token("dan")
	w.env["GITHUB_ACTIONS"] = "true"
	w.open(
		"ada",
		map[string]string{
			dir + "/note.tf": "resource \"terraform_data\" \"bad\" {\n  provisioner \"local-exec\" {\n    command = \"echo " +
				"::add-mask::x; exit 3\"\n  }\n}\n",
		},
	)
	f := w.plan("--changed-since", "origin/main")
	commands := func(what, words string) {
		for line := range strings.SplitSeq(words, "\n") {
			for _, own := range []string{
				"::group::apply ", "::endgroup::", "::add-mask::", "::error title=waybill", "::notice title=waybill",
			} {
				if strings.HasPrefix(line, own) {
					line = ""
				}
			}
			if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
				t.Errorf("%s: the runner would take %q as a command", what, line)
			}
		}
	}
	code, out, words := w.gate("--status", "--comment")
	w.wants("gate", code, 0, words, "still needed: 1 of acme/dba, dan")
	commands("gate", out+words)
	w.approve("bob", f)
	code, out, words = w.gate("--status", "--comment")
	w.wants("gate", code, 0, words, "approved by bob")
	commands("gate", out+words)
	code, out, words = w.apply()
	w.wants("apply", code, 1, words, "error::pwned", "exit status 3")
	commands("apply", out+words)
	for _, c := range w.github.Pulls("acme/infra")[0].Comments[1:] {
		if rest := outsideFences(c); strings.Contains(rest, "<img") || strings.Contains(rest, "@acme") {
			t.Errorf("text from outside breaks out: %s", c)
		}
	}
}

func TestHugePlan(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.open(
		"ada",
		map[string]string{
			"infra/prod/huge.tf": "resource \"terraform_data\" \"huge\" {\n  count = 600\n  input = { for i in range(30) : " +
				"\"key${i}\" => join(\"\", [for j in range(50) : \"äöü\"]) }\n}\n",
		},
	)
	f := w.plan()
	comments := w.github.Pulls("acme/infra")[0].Comments
	first := comments[0]
	for n, c := range comments {
		if size := len([]rune(c)); size > markdown.MaxComment || size < 500 {
			t.Errorf("comment %d has %d characters", n, size)
		}
	}
	if len(comments) != comment.MaxPages {
		t.Errorf("there are %d comments", len(comments))
	}
	if claim, ok := comment.ReadClaim(first); !ok || claim.Fingerprint != f {
		t.Error("the claim is lost")
	}
	for _, want := range []string{
		"601 to add", f.Short(), "To approve this plan", "11 more comments below it go on",
		"of 601 changes are not shown here in full.** Read them in the log of the run before you approve",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the comment does not say %q", want)
		}
	}
}

// What was done to many resources still fits into a comment.
func TestManyApplied(t *testing.T) {
	t.Parallel()
	w := newInfraWorld(t, nil)
	w.open(
		"ada",
		map[string]string{"infra/prod/many.tf": "resource \"terraform_data\" \"many_resources_of_one_name\" {\n  count = 300\n}\n"},
	)
	f := w.plan()
	w.approve("bob", f)
	code, _, words := w.apply()
	w.wants("apply", code, 0, words, "infra/prod: applied, 301 done")
	report := w.github.Pulls("acme/infra")[0].Comments[2]
	if n := len([]rune(report)); n > markdown.MaxComment || !strings.Contains(report, "too large for a comment") ||
		strings.Count(report, "```")%2 != 0 {
		t.Errorf("the report has %d characters: %.500s", n, report)
	}
}
