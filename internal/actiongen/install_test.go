package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/process"
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
	for _, name := range []string{"bash", "sh", "dirname", "cat", "uname", "tr", "mkdir", "awk", "sha256sum", "tar", "gzip", "rm", "mktemp"} {
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

// release makes an archive that the stand-in for curl delivers.
func (i install) release() (sum string) {
	i.t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "waybill", Mode: 0o755, Size: int64(len(fakeBinary))}); err != nil {
		i.t.Fatal(err)
	}
	if _, err := w.Write([]byte(fakeBinary)); err != nil {
		i.t.Fatal(err)
	}
	w.Close()
	z.Close()
	archive := filepath.Join(i.temp, "asset")
	if err := os.WriteFile(archive, packed.Bytes(), 0o644); err != nil {
		i.t.Fatal(err)
	}
	i.program("curl", "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = --output ] && out=$2; shift; done\ncat '"+archive+"' > \"$out\"\n")
	return fmt.Sprintf("%x", sha256.Sum256(packed.Bytes()))
}

func (i install) run(binaries string) (paths, stderr string, err error) {
	i.t.Helper()
	file := filepath.Join(i.temp, "path")
	var words bytes.Buffer
	err = process.Command{Path: filepath.Join(i.path, "bash"), Args: []string{filepath.Join(i.root, "actions", "install.sh")}, Stderr: &words,
		Env: []string{"PATH=" + i.path, "WAYBILL_BINARIES=" + binaries, "GITHUB_PATH=" + file, "RUNNER_TEMP=" + i.temp}}.Run(i.t.Context())
	data, _ := os.ReadFile(file)
	return string(data), words.String(), err
}

func asset() string {
	return fmt.Sprintf("waybill_9.9.9_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)
}

func TestInstallTakesWhatIsThere(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	i.program("waybill", fakeBinary)
	paths, stderr, err := i.run("waybill")
	if err != nil || paths != "" {
		t.Errorf("%v, PATH %q, %s", err, paths, stderr)
	}
}

func TestInstallDoesNotTakeAnotherVersion(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	i.program("waybill", strings.Replace(fakeBinary, "9.9.9", "9.9.90", 1))
	if _, stderr, err := i.run("waybill"); err == nil || !strings.Contains(stderr, "no release of waybill 9.9.9") {
		t.Errorf("%v, %s", err, stderr)
	}
}

func TestInstallVerifiesTheRelease(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	i.write("actions/checksums.txt", i.release()+"  "+asset()+"\n")
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
	i := newInstall(t)
	i.release()
	i.write("actions/checksums.txt", strings.Repeat("0", 64)+"  "+asset()+"\n")
	paths, stderr, err := i.run("waybill")
	if err == nil || !strings.Contains(stderr, "is not the file whose SHA-256 this action carries") || paths != "" {
		t.Errorf("%v, PATH %q, %s", err, paths, stderr)
	}
	if _, err := os.Stat(filepath.Join(i.temp, "waybill-9.9.9", "bin", "waybill")); err == nil {
		t.Error("the file that did not verify was unpacked")
	}
}

func TestInstallWithoutReleaseAndGo(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	if _, stderr, err := i.run("waybill"); err == nil || !strings.Contains(stderr, "no Go here to build it") {
		t.Errorf("%v, %s", err, stderr)
	}
}

func TestInstallKnowsItsBinaries(t *testing.T) {
	t.Parallel()
	i := newInstall(t)
	if _, stderr, err := i.run("waybill ../../evil"); err == nil || !strings.Contains(stderr, "no binary ../../evil") {
		t.Errorf("%v, %s", err, stderr)
	}
}
