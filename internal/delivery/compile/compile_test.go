package compile_test

import (
	"bytes"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/compile"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

var amd64 = []compile.Platform{{OS: "linux", Architecture: "amd64"}}

// Nothing that an application may write starts a program of its own, or takes
// the compiler out of the repository.
func TestNamesThatAreNoNames(t *testing.T) {
	t.Parallel()
	for _, p := range []string{
		"", "-toolexec=./x", "--", "./-toolexec", "..", "./..", "./../x", "./a/../../x", "../x", "/etc", "./a b", "./a;b",
		"./a\n-toolexec=./x", "./$(x)", "./a=b", "example.com/other",
		"./...", "./a/...", "all", "cmd", "./.hidden", "./a//b", "./a/", "main.go@v1", "./a,b", "./ä",
	} {
		err := compile.Request{Package: p, App: "app", Platforms: amd64}.Check()
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "is not a package of this repository") {
			t.Errorf("package %q: %v", p, err)
		}
	}
	for _, p := range []string{".", "./cmd/app", "./cmd/my_app-2.x"} {
		if err := (compile.Request{Package: p, App: "app", Platforms: amd64}).Check(); err != nil {
			t.Errorf("package %q: %v", p, err)
		}
	}
	for _, app := range []string{"", "-o", "../x", "a/b", "a b", "a\nb", ".", "..", ".x", "X", "$x", "x;y", strings.Repeat("a", 64)} {
		err := compile.Request{Package: ".", App: app, Platforms: amd64}.Check()
		if outcome.Code(err) != outcome.Usage || !strings.Contains(err.Error(), "is not a name for a binary") {
			t.Errorf("app %q: %v", app, err)
		}
	}
}

func request(t *testing.T, files map[string]string) compile.Request {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	env := append(compile.Env(os.Getenv), "GOPROXY=off")
	return compile.Request{
		Dir: dir, Package: "./cmd/app", App: "app", Platforms: amd64, Go: tooltest.Find(t, "go"), Env: env, SharedCache: true,
	}
}

const program = "package main\n\nfunc main() {}\n"

func TestCompiles(t *testing.T) {
	t.Parallel()
	r := request(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.24\n", "cmd/app/main.go": program})
	r.Platforms = append(
		r.Platforms, compile.Platform{OS: "linux", Architecture: "arm64"},
		compile.Platform{OS: "linux", Architecture: "arm", Variant: "v6"},
	)
	got, err := compile.Run(t.Context(), r)
	if err != nil || len(got) != 3 {
		t.Fatalf("%d binaries, %v", len(got), err)
	}
	for i, want := range []struct {
		name    string
		machine elf.Machine
	}{{"linux-amd64/app", elf.EM_X86_64}, {"linux-arm64/app", elf.EM_AARCH64}, {"linux-arm/app", elf.EM_ARM}} {
		file, err := elf.NewFile(bytes.NewReader(got[i].Data))
		if err != nil || file.Machine != want.machine || got[i].Name != want.name {
			t.Errorf("%s: %v, %v", got[i].Name, file, err)
		}
	}
}

// What a repository can hold to have a program run while it is compiled, and
// what an environment can.
func TestCompilingExecutesNothing(t *testing.T) {
	t.Parallel()
	canary := filepath.Join(t.TempDir(), "canary")
	script := "#!/bin/sh\ntouch " + canary + "\nexec \"$@\"\n"
	module := "module example.com/app\n\ngo 1.24\n"
	for what, files := range map[string]map[string]string{
		"go generate": {"cmd/app/main.go": "//go:generate ./run.sh\n" + program},
		"cgo with a program": {
			"cmd/app/main.go": program,
			"cmd/app/c.go":    "package main\n\n// #cgo CFLAGS: -B./\n// #cgo pkg-config: ./run.sh\nimport \"C\"\n",
		},
		"GOFLAGS of go.env":     {"cmd/app/main.go": program, "go.env": "GOFLAGS=-toolexec=./run.sh\n"},
		"a go on the path":      {"cmd/app/main.go": program, "go": script, "compile": script, "gcc": script},
		"a toolexec by its cwd": {"cmd/app/main.go": program, "-toolexec": script},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			files["go.mod"], files["run.sh"], files["cmd/app/run.sh"] = module, script, script
			r := request(t, files)
			// An environment that asks for a program loses.
			r.Env = append(r.Env, "GOFLAGS=-toolexec="+filepath.Join(r.Dir, "run.sh"), "CGO_ENABLED=1")
			if _, err := compile.Run(t.Context(), r); err != nil {
				t.Logf("refused: %v", err)
			}
			if _, err := os.Stat(canary); err == nil {
				t.Error("a program of the repository ran")
			}
		})
	}
}

func TestNoCredentialReachesTheCompiler(t *testing.T) {
	t.Parallel()
	env := compile.Env(func(name string) string { return "value-of-" + name })
	for _, name := range []string{
		"GITHUB_TOKEN", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "WAYBILL_INPUT_REGISTRY_PASSWORD",
		"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GOFLAGS", "GOENV", "GOINSECURE", "GOROOT",
	} {
		if strings.Contains(strings.Join(env, "\n"), "value-of-"+name+"\n") ||
			strings.HasSuffix(strings.Join(env, "\n"), "value-of-"+name) {
			t.Errorf("%s reaches the compiler", name)
		}
	}
}

func TestNotAProgram(t *testing.T) {
	t.Parallel()
	r := request(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.24\n", "cmd/app/lib.go": "package lib\n\nfunc F() {}\n"})
	if _, err := compile.Run(t.Context(), r); outcome.Code(err) != outcome.Usage ||
		!strings.Contains(err.Error(), "is not a main package") {
		t.Errorf("a library: %v", err)
	}
	r = request(t, map[string]string{
		"go.mod": "module example.com/app\n\ngo 1.24\n", "cmd/app/main.go": "package main\n\nfunc main() { x }\n",
	})
	if _, err := compile.Run(t.Context(), r); err == nil || !strings.Contains(err.Error(), "undefined: x") {
		t.Errorf("what does not compile: %v", err)
	}
}

// A document names the files: none leaves dist, and none replaces what the
// commit holds.
func TestPlace(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	if err := compile.Place(dir, []compile.Binary{{Name: "linux-amd64/app", Data: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "dist/linux-amd64/app"))
	if err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("%v, %v", info, err)
	}
	if err := compile.Place(dir, []compile.Binary{{Name: "linux-amd64/app"}}); err == nil ||
		!strings.Contains(err.Error(), "must not hold what is compiled") {
		t.Errorf("replaced: %v", err)
	}
	for _, name := range []string{
		"../x", "linux-amd64/../../x", "/etc/x", "linux-amd64", "linux-amd64/.x", "a/b/c", "", "linux-amd64/a\nb",
	} {
		if err := compile.Place(dir, []compile.Binary{{Name: name}}); err == nil || !strings.Contains(err.Error(), "is not OS-ARCH/APP") {
			t.Errorf("%q: %v", name, err)
		}
	}
	linked := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(linked, "dist")); err != nil {
		t.Fatal(err)
	}
	if err := compile.Place(linked, []compile.Binary{{Name: "linux-amd64/app"}}); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("through a link: %v", err)
	}
}

// The toolchain reports its calls by a child that outlives it: whoever removes the home
// directory then finds it in use. Before the child starts it takes a token.
func TestNothingOutlivesTheToolchain(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	r := request(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.24\n", "cmd/app/main.go": program})
	r.Env = append(r.Env, "HOME="+home, "GOCACHE="+t.TempDir())
	if _, err := compile.Run(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(home, func(path string, _ os.DirEntry, err error) error {
		if filepath.Base(path) == "upload.token" {
			t.Errorf("a child was started: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The caches of the machine are not believed: a job that runs the application's
// code may have written them.
func TestCachesAreMadeAnew(t *testing.T) {
	t.Parallel()
	r := request(t, map[string]string{"go.mod": "module example.com/app\n\ngo 1.24\n", "cmd/app/main.go": program})
	recorded := filepath.Join(t.TempDir(), "env")
	r.Go = filepath.Join(t.TempDir(), "go")
	script := "#!/bin/sh\necho \"$GOCACHE $GOMODCACHE\" >> " + recorded + "\nwhile [ $# -gt 0 ]; do [ \"$1\" = -o ] && : > \"$2\"; " +
		"shift; done\n"
	if err := os.WriteFile(r.Go, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(t.TempDir(), "shared")
	r.Env = []string{"PATH=" + os.Getenv("PATH"), "GOCACHE=" + shared, "GOMODCACHE=" + shared}
	for _, share := range []bool{false, true} {
		r.SharedCache = share
		if _, err := compile.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(recorded)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if err != nil || len(lines) != 2 || strings.Contains(lines[0], shared) || lines[1] != shared+" "+shared {
		t.Errorf("caches %q, %v", lines, err)
	}
	for dir := range strings.FieldsSeq(lines[0]) {
		if _, err := os.Stat(filepath.Dir(dir)); err == nil {
			t.Errorf("%s is left behind", dir)
		}
	}
}
