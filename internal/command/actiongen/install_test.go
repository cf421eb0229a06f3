package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// install is a copy of actions/ whose release of version 9.9.9 is served by a
// stand-in for curl.
type install struct {
	t    *testing.T
	root string // of the copied checkout
	path string // directory that is PATH, with the few programs the script needs
	temp string
}

const fakeBinary = "#!/bin/sh\necho \"waybill version 9.9.9\"\n"

func newInstall(t *testing.T) install {
	t.Helper()
	i := install{t: t, root: t.TempDir(), path: t.TempDir(), temp: t.TempDir()}
	script, err := os.ReadFile(filepath.Join(tooltest.Root(t), "actions", "install.sh"))
	if err != nil {
		t.Fatal(err)
	}
	i.write("actions/install.sh", string(script))
	i.write("actions/version.txt", "9.9.9\n")
	i.write("actions/checksums.txt", "# none\n")
	for _, name := range []string{
		"bash", "sh", "dirname", "cat", "uname", "tr", "mkdir", "awk", "sha256sum", "tar", "gzip", "rm", "mktemp", "cp", "mv",
		"chmod",
	} {
		found, err := process.LookPath(name)
		if err != nil {
			t.Skipf("needs %s", name)
		}
		if err := os.Symlink(found, filepath.Join(i.path, name)); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

func (i install) write(name, text string) {
	i.t.Helper()
	at := filepath.Join(i.root, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		i.t.Fatal(err)
	}
}

func (i install) program(name, text string) {
	i.t.Helper()
	if err := os.WriteFile(filepath.Join(i.path, name), []byte(text), 0o755); err != nil {
		i.t.Fatal(err)
	}
}

// release makes an archive that the stand-in for curl delivers, and gives the
// lines of checksums.txt for it: of the archive, and of the binary in it.
func (i install) release(content string) (archiveSum, binarySum string) {
	i.t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "waybill", Mode: 0o755, Size: int64(len(content))}); err != nil {
		i.t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		i.t.Fatal(err)
	}
	w.Close()
	z.Close()
	i.served("200", packed.Bytes())
	return sum(packed.Bytes()) + "  " + asset() + ".tar.gz\n", sum([]byte(content)) + "  " + asset() + "\n"
}

// served makes curl answer with a status and a body.
func (i install) served(status string, body []byte) {
	i.t.Helper()
	file := filepath.Join(i.temp, "asset")
	if err := os.WriteFile(file, body, 0o644); err != nil {
		i.t.Fatal(err)
	}
	i.program(
		"curl",
		"#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = --output ] && out=$2; shift; done\ncat '"+file+"' > \"$out\"\nprintf "+status+"\n",
	)
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// installed is the binary that a run left; ran is whether it was run before.
func (i install) installed() string {
	data, _ := os.ReadFile(filepath.Join(i.temp, "waybill-9.9.9", "bin", "waybill"))
	return string(data)
}

func (i install) run(binaries string, env ...string) (paths, stderr string, err error) {
	i.t.Helper()
	file := filepath.Join(i.temp, "path")
	var words bytes.Buffer
	err = process.Command{Path: filepath.Join(i.path, "bash"), Args: []string{filepath.Join(
		i.root, "actions", "install.sh",
	)}, Stderr: &words,
		Env: append(
			[]string{
				"PATH=" + i.path, "WAYBILL_BINARIES=" + binaries, "GITHUB_PATH=" + file,
				"GITHUB_OUTPUT=" + filepath.Join(i.temp, "output"), "RUNNER_TEMP=" + i.temp,
			},
			env...,
		)}.Run(i.t.Context())
	data, _ := os.ReadFile(file)
	return string(data), words.String(), err
}

func asset() string {
	return fmt.Sprintf("waybill_9.9.9_%s_%s", runtime.GOOS, runtime.GOARCH)
}

// planted is a program that says what it should, and leaves a trace.
func (i install) planted() (program, canary string) {
	canary = filepath.Join(i.temp, "canary")
	return "#!/bin/sh\n: > '" + canary + "'\necho \"waybill version 9.9.9\"\n", canary
}

func ran(canary string) bool {
	_, err := os.Stat(canary)
	return err == nil
}

// A program on PATH that prints the right version is not run, unless the caller
// says that PATH counts; in the job that signs not even then.
func TestInstallLeavesPathAlone(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		env []string
		ran bool
	}{
		"nobody said so": {nil, false}, "said so": {[]string{"WAYBILL_USE_PATH=true"}, true},
		"said so where it is signed": {[]string{"WAYBILL_USE_PATH=true", "WAYBILL_STRICT=true"}, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			i := newInstall(t)
			program, canary := i.planted()
			i.program("waybill", program)
			_, stderr, err := i.run("waybill", test.env...)
			if ran(canary) != test.ran || (err == nil) != test.ran {
				t.Errorf("ran: %t, %v, %s", ran(canary), err, stderr)
			}
			if !test.ran && !strings.Contains(stderr, "there is no release of waybill 9.9.9") {
				t.Errorf("%s", stderr)
			}
		})
	}
}

// openssl is quicker than sha256sum. Where it is missing or does not work, that counts.
func TestInstallHashesByWhatIsThere(t *testing.T) {
	t.Parallel()
	openssl, err := process.LookPath("openssl")
	if err != nil {
		t.Fatalf("%v: make packages installs it", err)
	}
	for what, prepare := range map[string]func(i install){
		"openssl alone": func(i install) {
			i.program("openssl", "#!/bin/sh\nexec "+openssl+" \"$@\"\n")
			_ = os.Remove(filepath.Join(i.path, "sha256sum"))
		},
		"a broken openssl":         func(i install) { i.program("openssl", "#!/bin/sh\nexit 1\n") },
		"an openssl without words": func(i install) { i.program("openssl", "#!/bin/sh\n") },
	} {
		for _, right := range []bool{true, false} {
			t.Run(fmt.Sprint(what, right), func(t *testing.T) {
				t.Parallel()
				i := newInstall(t)
				prepare(i)
				carried := fakeBinary
				if !right {
					carried += "# another\n"
				}
				_, binary := i.release(carried)
				i.write("actions/checksums.txt", binary)
				i.write("bin/waybill", fakeBinary)
				_, stderr, err := i.run("waybill", "WAYBILL_BINARY_DIR="+filepath.Join(i.root, "bin"))
				if (err == nil) != right || (i.installed() == fakeBinary) != right {
					t.Errorf("%v, installed %q: %s", err, i.installed(), stderr)
				}
				if !right && !strings.Contains(stderr, "is not the file whose SHA-256 this action carries") {
					t.Errorf("the reason is missing: %s", stderr)
				}
			})
		}
	}
}

// Where this commit carries a checksum, no other bytes are run, whoever put
// them wherever.
func TestInstallRunsNothingUnverified(t *testing.T) {
	t.Parallel()
	for what, plant := range map[string]func(i install, program string) []string{
		"on PATH": func(i install, program string) []string {
			i.program("waybill", program)
			return []string{"WAYBILL_USE_PATH=true"}
		},
		"in the directory of binaries": func(i install, program string) []string {
			i.write("given/waybill", program)
			return []string{"WAYBILL_BINARY_DIR=" + filepath.Join(i.root, "given")}
		},
		"where an earlier step installs": func(i install, program string) []string {
			dir := filepath.Join(i.temp, "waybill-9.9.9", "bin")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				i.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "waybill"), []byte(program), 0o755); err != nil {
				i.t.Fatal(err)
			}
			return nil
		},
	} {
		for _, strict := range []string{"true", "false"} {
			t.Run(what+" strict "+strict, func(t *testing.T) {
				t.Parallel()
				i := newInstall(t)
				archive, binary := i.release(fakeBinary)
				i.write("actions/checksums.txt", archive+binary)
				program, canary := i.planted()
				env := append(plant(i, program), "WAYBILL_STRICT="+strict)
				_, stderr, err := i.run("waybill", env...)
				if err != nil || ran(canary) || i.installed() != fakeBinary {
					t.Errorf("%v, ran: %t, installed %q\n%s", err, ran(canary), i.installed(), stderr)
				}
			})
		}
	}
}

// A directory of binaries is an offline runner's release: verified like one.
func TestInstallTakesVerifiedBytesFromTheDirectory(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	i.write("actions/checksums.txt", sum([]byte(fakeBinary))+"  "+asset()+"\n")
	i.write("given/waybill", fakeBinary)
	paths, stderr, err := i.run("waybill", "WAYBILL_BINARY_DIR="+filepath.Join(i.root, "given"), "WAYBILL_STRICT=true")
	if err != nil || i.installed() != fakeBinary || !strings.Contains(paths, "waybill-9.9.9/bin") {
		t.Errorf("%v, PATH %q, %s", err, paths, stderr)
	}
	output, err := os.ReadFile(filepath.Join(i.temp, "output"))
	if err != nil || string(output) != "bin="+strings.TrimSpace(paths)+"\n" {
		t.Errorf("output %q, %v", output, err)
	}
}

// Without a checksum the directory is believed by version, but not by the job
// that signs.
func TestInstallUnverifiedDirectory(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	i.write("given/waybill", fakeBinary)
	if err := os.Chmod(filepath.Join(i.root, "given/waybill"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir := "WAYBILL_BINARY_DIR=" + filepath.Join(i.root, "given")
	if _, stderr, err := i.run("waybill", dir); err != nil {
		t.Errorf("%v, %s", err, stderr)
	}
	if _, stderr, err := i.run("waybill", dir, "WAYBILL_STRICT=true"); err == nil ||
		!strings.Contains(stderr, "waybill from WAYBILL_BINARY_DIR cannot be verified") {
		t.Errorf("%v, %s", err, stderr)
	}
}

func TestInstallDoesNotTakeAnotherVersion(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	i.program("waybill", strings.Replace(fakeBinary, "9.9.9", "9.9.90", 1))
	if _, stderr, err := i.run("waybill", "WAYBILL_USE_PATH=true"); err == nil ||
		!strings.Contains(stderr, "there is no release of waybill 9.9.9") {
		t.Errorf("%v, %s", err, stderr)
	}
}

func TestInstallVerifiesTheRelease(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	archive, binary := i.release(fakeBinary)
	i.write("actions/checksums.txt", archive+binary)
	paths, stderr, err := i.run("waybill")
	if err != nil {
		t.Fatalf("%v, %s", err, stderr)
	}
	installed := filepath.Join(strings.TrimSpace(paths), "waybill")
	if data, err := os.ReadFile(installed); err != nil || string(data) != fakeBinary {
		t.Errorf("installed %q %v", data, err)
	}
}

func TestInstallRefusesAnotherFile(t *testing.T) {
	t.Parallel()
	for what, wrong := range map[string]func(archive, binary string) string{
		"another archive":      func(archive, binary string) string { return strings.Repeat("0", 64) + archive[64:] + binary },
		"another binary in it": func(archive, binary string) string { return archive + strings.Repeat("0", 64) + binary[64:] },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			i := newInstall(t)
			program, canary := i.planted()
			i.write("actions/checksums.txt", wrong(i.release(program)))
			paths, stderr, err := i.run("waybill")
			if err == nil || !strings.Contains(stderr, "not run") || paths != "" || ran(canary) || i.installed() != "" {
				t.Errorf("%v, PATH %q, ran: %t, %s", err, paths, ran(canary), stderr)
			}
		})
	}
}

// What goes wrong on the way ends the step, with what to do.
func TestInstallTrouble(t *testing.T) {
	t.Parallel()
	const goBuilds = "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done\nprintf '%s' built > \"$out\"\n"
	for what, test := range map[string]struct {
		arrange func(i install, archive, binary string)
		want    string // of stderr
		built   bool
	}{
		"404, Go present": {
			func(i install, archive, binary string) { i.served("404", nil); i.program("go", goBuilds) },
			"building waybill 9.9.9 from source", true,
		},
		"404, no Go": {
			func(i install, archive, binary string) { i.served("404", nil) }, "there is no release of waybill 9.9.9", false,
		},
		"500, Go present": {
			func(i install, archive, binary string) { i.served("500", nil); i.program("go", goBuilds) }, "the server answers 500",
			false,
		},
		"no network, Go present": {func(i install, archive, binary string) {
			i.program("curl", "#!/bin/sh\nexit 6\n")
			i.program("go", goBuilds)
		}, "run the job again", false},
		"no sha256sum": {
			func(i install, archive, binary string) { _ = os.Remove(filepath.Join(i.path, "sha256sum")) },
			"neither sha256sum nor shasum is on PATH", false,
		},
		"no curl": {func(i install, archive, binary string) { _ = os.Remove(filepath.Join(i.path, "curl")) }, "curl is not on PATH", false},
		"what is no archive": {func(i install, archive, binary string) {
			i.served("200", []byte("not a tar"))
			i.write("actions/checksums.txt", sum([]byte("not a tar"))+"  "+asset()+".tar.gz\n"+binary)
		}, "cannot unpack", false},
		"Go that fails": {
			func(i install, archive, binary string) { i.served("404", nil); i.program("go", "#!/bin/sh\nexit 1\n") },
			"cannot build waybill", false,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			i := newInstall(t)
			archive, binary := i.release(fakeBinary)
			i.write("actions/checksums.txt", archive+binary)
			test.arrange(i, archive, binary)
			paths, stderr, err := i.run("waybill")
			if !strings.Contains(stderr, test.want) || (err == nil) != test.built || (paths != "") != test.built ||
				(i.installed() == "built") != test.built {
				t.Errorf("%v, PATH %q, installed %q\n%s", err, paths, i.installed(), stderr)
			}
		})
	}
}

func TestInstallWithoutReleaseAndGo(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	if _, stderr, err := i.run("waybill"); err == nil || !strings.Contains(stderr, "no Go here to build it") {
		t.Errorf("%v, %s", err, stderr)
	}
}

// A branch has the version and the checksums of the last release. Its CI builds its
// own code all the same, and takes nothing else that is there.
func TestInstallBuildsTheBranch(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	archive, binary := i.release(fakeBinary)
	i.write("actions/checksums.txt", archive+binary)
	i.program("waybill", fakeBinary)
	i.program("go", "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = -o ] && out=$2; shift; done\nprintf 'of the branch' > \"$out\"\n")
	for range 2 { // a second step of the job builds again, and does not take what is there for a released one
		_, stderr, err := i.run("waybill", "WAYBILL_BUILD=true", "WAYBILL_USE_PATH=true")
		if err != nil || i.installed() != "of the branch" {
			t.Fatalf("%v, installed %q, %s", err, i.installed(), stderr)
		}
	}
	if _, stderr, err := i.run("waybill", "WAYBILL_BUILD=true", "WAYBILL_STRICT=true"); err != nil || i.installed() != fakeBinary {
		t.Errorf("where it is signed: %v, installed %q, want what checksums.txt names: %s", err, i.installed(), stderr)
	}
	workflow, err := os.ReadFile(filepath.Join(tooltest.Root(t), ".github", "workflows", "ci.yml"))
	if err != nil || !regexp.MustCompile(`uses: \./\n +with: .*\n +env: \{WAYBILL_BUILD: "true"\}`).Match(workflow) {
		t.Errorf("the job action of ci.yml does not build its branch (%v)", err)
	}
}

func TestInstallKnowsItsBinaries(t *testing.T) {
	t.Parallel()
	for _, names := range []string{"waybill ../../evil", "waybill\n../../evil"} {
		i := newInstall(t)
		if _, stderr, err := i.run(names); err == nil || !strings.Contains(stderr, "no binary ../../evil") {
			t.Errorf("%q: %v, %s", names, err, stderr)
		}
	}
}

// Names may stand on lines, as inputs of actions often do.
func TestInstallReadsLines(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	for _, name := range []string{"waybill", "waybill-scan"} {
		i.program(name, strings.Replace(fakeBinary, "waybill version", name+" version", 1))
	}
	if _, stderr, err := i.run("waybill\nwaybill-scan\n", "WAYBILL_USE_PATH=true"); err != nil {
		t.Fatalf("%v, %s", err, stderr)
	}
	for _, name := range []string{"waybill", "waybill-scan"} {
		if _, err := os.Stat(filepath.Join(i.temp, "waybill-9.9.9", "bin", name)); err != nil {
			t.Error(err)
		}
	}
}
