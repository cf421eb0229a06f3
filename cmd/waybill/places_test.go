package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
)

// places are directories in which somebody may run a command by mistake.
var places = []string{"missing", "file", "empty", "plain", "no-commit", "bare", "shallow", "detached"}

// calls has for each command arguments with which it looks at a directory, DIR;
// without DIR it is run in that directory.
var calls = map[string]string{
	"apply": "--checkout DIR --dir x --pull-request 1 --seal-key-file key",
	"audit": "--dir DIR --env dev --since 2026-01-01 --output /nowhere/a.tar",
	"build": "--context DIR --image localhost:1/acme/backend", "bump": "IMAGE --app backend --env dev --dir DIR",
	"changed": "IMAGE --paths x", "check": "--dir DIR", "compile": "--package ./cmd --app x --image localhost:1/acme/x",
	"diff": "--dir DIR --base HEAD~3", "doctor": "--dir DIR", "drift": "--checkout DIR --dir x", "gate": "--pull-request 1",
	"history": "backend dev --dir DIR", "hold": "--lift --app backend --env dev --dir DIR",
	"init": "config --dir DIR --owner acme --platform none --dry-run", "login": "", "plan": "--checkout DIR --dir x",
	"policy": "kyverno", "promote": "--to staging --dir DIR", "replay": "--dir DIR --policy waybill.yaml", "report": "--dir DIR",
	"rollback": "--app backend --env dev --reason x --dir DIR", "scan": "--running --dir DIR", "schema": "", "setup": "",
	"sign": "IMAGE", "status": "--dir DIR", "tag": "IMAGE --tags sha", "upgrade": "--dir DIR", "verify": "IMAGE", "version": "",
	"why": "backend dev --dir DIR",
}

// raw are words of other programs, which say neither where nor what to do.
var raw = regexp.MustCompile(`fatal:|rev-parse|getwd|exit status|no such file or directory|goroutine|unknown revision`)

// Every command says of every such directory, in Waybill's words, where the trouble
// is and what to do.
func TestWrongDirectoriesAreSaid(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	makePlaces(t, root)
	for _, command := range contract.Commands() {
		arguments, known := calls[command.Name]
		if !known {
			t.Errorf("calls has no arguments for the command %s", command.Name)
			continue
		}
		for _, place := range places {
			if !strings.Contains(arguments, "DIR") && (place == "missing" || place == "file") {
				continue // nobody can be there
			}
			t.Run(command.Name+"/"+place, func(t *testing.T) {
				t.Parallel()
				code, said := callAt(t, root, place, command.Name, arguments)
				if words := raw.FindString(said); words != "" {
					t.Errorf("%q stands in: %s", words, said)
				}
				want, wanted := expected(command.Name, place, arguments)
				if wanted && (!strings.Contains(said, want.says) || code != want.code) {
					t.Errorf("exit code %d, want %d and %q: %s", code, want.code, want.says, said)
				}
			})
		}
	}
}

type wanted struct {
	code int
	says string
}

// expected is what a command that reads a directory says of it.
func expected(command, place, arguments string) (wanted, bool) {
	terraform := strings.Contains(arguments, "--checkout")
	config := strings.Contains(arguments, "--dir DIR") && !slices.Contains([]string{"init", "upgrade", "doctor"}, command)
	switch place {
	case "missing", "file":
		return wanted{2, "there is no such directory"}, terraform || config || command == "upgrade"
	case "empty", "plain":
		return wanted{2, "is not in a git repository: clone the repository, and run this in the clone"}, terraform || config
	case "no-commit":
		return wanted{2, "has no commit yet, and only what is committed counts: git add and git commit first"},
			(terraform || config) && command != "drift" // drift plans what is there
	case "bare":
		return wanted{2, "is a bare repository, which has no files: clone it, and run this in the clone"}, terraform
	case "shallow": // the others need no history
		return wanted{1, "run git fetch --unshallow, or check out with fetch-depth: 0"},
			slices.Contains([]string{"diff", "rollback", "status", "history", "report", "replay", "audit"}, command)
	}
	return wanted{}, false
}

func callAt(t *testing.T, root, place, command, arguments string) (int, string) {
	t.Helper()
	waybill, err := process.LookPath("waybill") // testscript puts this test's own binary there
	if err != nil {
		t.Fatal(err)
	}
	at := root
	if !strings.Contains(arguments, "DIR") {
		at = filepath.Join(root, place)
	}
	const image = "localhost:1/acme/backend@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	arguments = strings.NewReplacer("DIR", filepath.Join(root, place), "IMAGE", image, "waybill.yaml", filepath.Join(root, "detached",
		"waybill.yaml")).Replace(arguments)
	var out bytes.Buffer
	err = process.Command{
		Path: waybill, Args: append([]string{command}, strings.Fields(arguments)...), Dir: at, Stdout: &out, Stderr: &out,
		Env: []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()},
	}.Run(t.Context())
	var failed *process.Error
	if errors.As(err, &failed) {
		return failed.Code, out.String() + failed.Stderr
	} else if err != nil {
		t.Fatal(err)
	}
	return 0, out.String()
}

func makePlaces(t *testing.T, root string) {
	t.Helper()
	full := filepath.Join(root, "full")
	example := filepath.Join("..", "..", "examples", "config")
	for _, dir := range []string{"apps", ".github"} { // what is deployed; the platform says nothing more
		if err := os.CopyFS(filepath.Join(full, dir), os.DirFS(filepath.Join(example, dir))); err != nil {
			t.Fatal(err)
		}
	}
	write(t, full, map[string]string{"waybill.yaml": read(t, filepath.Join(example, "waybill.yaml"))})
	for _, dir := range []string{"empty", "plain", "no-commit"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"file", "plain/notes.txt"} {
		if err := os.WriteFile(filepath.Join(root, file), []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commit := []string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--allow-empty", "--message=Begin"}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main", "no-commit"}, {"init", "--quiet", "--initial-branch=main", "full"},
		{"-C", "full", "add", "--all"}, append([]string{"-C", "full"}, commit...), append([]string{"-C", "full"}, commit...),
		{"clone", "--quiet", "--bare", "full", "bare"}, {"clone", "--quiet", "--depth=1", "file://" + full, "shallow"},
		{"clone", "--quiet", "full", "detached"}, {"-C", "detached", "checkout", "--quiet", "--detach"},
	} {
		if _, err := git.Run(t.Context(), root, args...); err != nil {
			t.Fatal(err)
		}
	}
}

// A shell can stand in a directory that somebody has removed.
func TestRemovedDirectoryIsSaid(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	waybill, err := process.LookPath("waybill")
	if err != nil {
		t.Fatal(err)
	}
	err = process.Command{
		Path: "/bin/sh", Args: []string{"-c", `rmdir "$PWD" && exec "$1" plan`, "sh", waybill}, Dir: dir,
		Env: []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")},
	}.Run(t.Context())
	var failed *process.Error
	if !errors.As(err, &failed) || failed.Code != 2 ||
		!strings.Contains(failed.Stderr, "the current directory does not exist any more: change to one that does") {
		t.Errorf("in a directory that was removed: %v", err)
	}
}
