package main

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var block = regexp.MustCompile("(?s)<!-- guide: ([a-z]+) -->\n```sh\n(.*?)```\n")

// What docs/rehearsal.md tells newcomers to type is typed here, word for word
// but for the directory, and reaches the first promotion.
func TestGuide(t *testing.T) {
	t.Parallel()
	root := tooltest.Root(t)
	for _, name := range []string{"waybill", "waybill-scan", "waybill-sandbox"} {
		if _, err := os.Stat(filepath.Join(root, "bin", name)); err != nil {
			t.Skipf("needs bin/%s: run make build", name)
		}
	}
	for _, tool := range []string{"act", "fulcio", "rekor-server", "timestamp-server"} {
		tooltest.Find(t, tool)
	}
	guide, err := os.ReadFile(filepath.Join(root, "docs", "rehearsal.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "rehearsal")
	steps := map[string]string{}
	for _, m := range block.FindAllStringSubmatch(string(guide), -1) {
		steps[m[1]] += strings.ReplaceAll(m[2], "/tmp/rehearsal", dir)
	}
	serve, found := strings.CutPrefix(steps["serve"], "make build tools-demo ")
	if !found || strings.Count(steps["deliver"], "\n") < 20 {
		t.Fatalf("the guide has other steps: %q", steps)
	}
	_, serve, _ = strings.Cut(serve, "\n") // the rest of the line is a comment; the build is there

	home := t.TempDir()
	if err := os.WriteFile(
		filepath.Join(home, ".gitconfig"), []byte("[user]\n\tname = Ada\n\temail = ada@example.com\n"), 0o600,
	); err != nil {
		t.Fatal(err)
	}
	// A newcomer's machine, with this one's caches of Go.
	env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "LANG=C.UTF-8"}
	for _, name := range []string{"GOPROXY", "GOSUMDB", "GOFLAGS", "GONOSUMDB"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		out, err := process.Command{Path: tooltest.Find(t, "go"), Args: []string{"env", name}, Env: os.Environ()}.Output(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(out)))
	}
	bash := tooltest.Find(t, "bash")
	ctx, interrupt := context.WithCancel(t.Context())
	served := make(chan error, 1)
	log, err := os.Create(filepath.Join(home, "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	go func() {
		served <- process.Command{
			Path: bash, Args: []string{"-euo", "pipefail", "-c", "exec " + serve}, Dir: root, Env: env, Stdout: log, Stderr: log,
		}.Run(ctx)
	}()
	if strings.Count(steps["gate"], "\n") < 15 {
		t.Fatalf("the guide says too little of terraform: %q", steps["gate"])
	}
	tooltest.Find(t, "terraform")
	// The end-to-end test of github.com, here; what the guide says of main, tried; then the gate, in the same terminal.
	steps["deliver"] += `export E2E_CONFIG=acme/config E2E_APP=acme/backend E2E_NAME=backend E2E_TRUSTED_ROOT="$TRUSTED_ROOT"
E2E_CONFIG_GIT=$(git -C config remote get-url origin) E2E_APP_GIT=$(git -C backend remote get-url origin)
export E2E_CONFIG_GIT E2E_APP_GIT
"$CLONE/scripts/e2e.sh" deliver > e2e.out
grep '^allowed: backend sha256:.* may enter dev' e2e.out
waybill-sandbox pulls acme/config
"$CLONE/scripts/e2e.sh" clean
waybill-sandbox pulls acme/config | grep '^#3 closed'
waybill-sandbox wait
git -C config pull -q --rebase origin main
git -C config commit -q --allow-empty -m "By hand"
if git -C config push -q origin main; then echo "main was pushed to" >&2; exit 1; fi
` + steps["gate"]
	out, err := process.Command{
		Path: bash, Args: []string{"-euo", "pipefail", "-c", steps["deliver"]}, Dir: root, Env: env,
	}.Output(t.Context())
	interrupt()
	<-served
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("%v\n%s\n%s\n%s", err, out, said, failedLog(string(said), err.Error()))
	}
	checkGuide(t, string(out))
}

// checkGuide holds what was printed against what the guide says of it.
func checkGuide(t *testing.T, out string) {
	t.Helper()
	var digests []string
	scanner := bufio.NewScanner(strings.NewReader(out))
	for scanner.Scan() {
		if fields := strings.Fields(scanner.Text()); len(fields) > 2 && fields[0] == "backend" {
			digests = append(digests, scanner.Text())
		}
	}
	for _, want := range []string{
		"success   acme/backend: Begin (push)",
		"#1 open    backend: dev → staging",
		": 1 digest verified",
		"bob merged #1",
		"#1 merged  backend: dev → staging",
		"#2 open    backend: staging → prod",
		"allowed: backend sha256:",
		"#3 open    backend: dev → staging",
		"#3 closed  backend: dev → staging",
		": soak: ",
		"as it should be",
		"#1 by alice: Another network",
		"pending waybill/gate: ",
		"bob merged #1",
		"success   acme/infra: apply",
		"applied",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q", want)
		}
	}
	if len(digests) != 2 {
		t.Errorf("status says of the backend: %q", digests)
	}
	if t.Failed() {
		t.Log(out)
	}
}

// failedLog is the end of the log that an error points at.
func failedLog(texts ...string) string {
	for _, text := range texts {
		if m := regexp.MustCompile(`see (\S+\.log)`).FindStringSubmatch(text); m != nil {
			data, _ := os.ReadFile(m[1])
			return string(data[max(0, len(data)-4000):])
		}
	}
	return ""
}
