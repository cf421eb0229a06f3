package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// user is somebody who installs release 9.9.9: its files, what curl gives, and
// the few programs on PATH.
type user struct {
	t                     *testing.T
	root, dist, path, dir string
}

const fakeCurl = `#!/bin/bash
while [ $# -gt 0 ]; do [ "$1" = --output ] && out=$2; last=$1; shift; done
[ -e "$DIST/${last##*/}" ] || { echo "404" >&2; exit 22; }
cat "$DIST/${last##*/}" > "$out"
`

// fakeWaybill is in the archives. It believes the bundle "good".
const fakeWaybill = `#!/bin/bash
[ "$1" = verify ] || { echo "waybill ran: $*"; exit 0; }
[ "$2 ${3##*/} $4 ${5##*/} $6 $7" = "--file checksums.txt --bundle waybill_9.9.9.sigstore.json --signer ` +
	`https://github.com/waybill-dev/waybill/.github/workflows/release.yml@refs/tags/v9.9.9" ] || { echo "called with $*"; exit 2; }
[ "$(cat "$5")" = good ] || { echo "refused: wrong signature"; exit 3; }
`

func packed(t *testing.T, name, content string) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	z.Close()
	return out.String()
}

func newUser(t *testing.T) user {
	t.Helper()
	u := user{t: t, root: t.TempDir(), dist: t.TempDir(), path: t.TempDir(), dir: filepath.Join(t.TempDir(), "bin")}
	source := tooltest.Root(t)
	for _, name := range []string{"scripts/installers.sh", "scripts/installers/install.sh", "scripts/installers/waybill.rb",
		"scripts/installers/gh-waybill"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		u.write(filepath.Join(u.root, name), string(text))
	}
	u.write(filepath.Join(u.root, "actions", "version.txt"), "9.9.9\n")
	sums := "# a comment\n"
	for _, name := range []string{"waybill", "waybill-scan"} {
		for _, platform := range []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"} {
			file := name + "_9.9.9_" + platform + ".tar.gz"
			data := packed(t, name, fakeWaybill+"# "+name+" "+platform)
			u.write(filepath.Join(u.dist, file), data)
			sums += sum([]byte(data)) + "  " + file + "\n"
		}
	}
	u.write(filepath.Join(u.root, "actions", "checksums.txt"), sums)
	u.write(filepath.Join(u.dist, "checksums.txt"), sums)
	u.write(filepath.Join(u.dist, "waybill_9.9.9.sigstore.json"), "good\n")
	for _, name := range []string{
		"bash", "uname", "tar", "gzip", "mktemp", "mkdir", "cp", "chmod", "mv", "rm", "sha256sum", "cat", "awk", "dirname",
	} {
		found, err := process.LookPath(name)
		if err != nil {
			t.Skipf("needs %s", name)
		}
		if err := os.Symlink(found, filepath.Join(u.path, name)); err != nil {
			t.Fatal(err)
		}
	}
	u.write(filepath.Join(u.path, "curl"), fakeCurl)
	if code, said := u.run(filepath.Join(u.root, "scripts", "installers.sh"), u.dist); code != 0 {
		t.Fatal(said)
	}
	return u
}

func (u user) write(path, text string) { publishing{t: u.t}.write(path, text) }

func (u user) run(script string, args ...string) (code int, said string) {
	u.t.Helper()
	var result, words bytes.Buffer
	home := filepath.Join(u.root, "home")
	err := process.Command{
		Path: filepath.Join(u.path, "bash"), Args: append([]string{script}, args...), Stdout: &result, Stderr: &words,
		Env: []string{"PATH=" + u.path, "DIST=" + u.dist, "HOME=" + home, "TMPDIR=" + u.t.TempDir()},
	}.Run(u.t.Context())
	var failed *process.Error
	if errors.As(err, &failed) {
		return failed.Code, result.String() + words.String()
	} else if err != nil {
		u.t.Fatal(err)
	}
	return 0, result.String() + words.String()
}

// install runs install.sh, and wants its exit code and words.
func (u user) install(code int, says string) {
	u.t.Helper()
	got, said := u.run(filepath.Join(u.dist, "install.sh"), u.dir)
	if got != code || !strings.Contains(said, says) {
		u.t.Errorf("install.sh: exit code %d, says %q; want %d and %q", got, said, code, says)
	}
	_, err := os.Stat(filepath.Join(u.dir, "waybill"))
	if installed := err == nil; installed != (code == 0) {
		u.t.Errorf("exit code %d, and waybill is installed: %v", got, installed)
	}
}

func TestInstallerVerifiesAndInstalls(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.install(0, "waybill-scan 9.9.9; its signature was verified by the waybill of this release itself")
	u.install(0, "add "+u.dir+" to PATH") // again
	want := fakeWaybill + "# waybill " + runtime.GOOS + "_" + runtime.GOARCH
	if data, err := os.ReadFile(filepath.Join(u.dir, "waybill")); err != nil || string(data) != want {
		t.Errorf("installed %q, %v", data, err)
	}
	u = newUser(t)
	u.write(filepath.Join(u.path, "cosign"), "#!/bin/bash\necho \"$*\" > \"$DIST/called\"\n")
	u.install(0, "verified by cosign")
	called, _ := os.ReadFile(filepath.Join(u.dist, "called"))
	if !strings.Contains(string(called), "--certificate-identity "+
		"https://github.com/waybill-dev/waybill/.github/workflows/release.yml@refs/tags/v9.9.9 "+
		"--certificate-oidc-issuer https://token.actions.githubusercontent.com") {
		t.Errorf("cosign was called with %s", called)
	}
}

func TestInstallerSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	mine := "waybill_9.9.9_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"
	for says, wrong := range map[string]func(u user){
		mine + " is not the file of the release: its SHA-256 is": func(u user) { u.write(filepath.Join(u.dist, mine), "evil") },
		"checksums.txt does not name " + mine:                    func(u user) { u.write(filepath.Join(u.dist, "checksums.txt"), "") },
		"the signature of the release does not verify, so nothing was installed": func(u user) {
			u.write(filepath.Join(u.dist, "waybill_9.9.9.sigstore.json"), "bad")
		},
		"cosign says: no matching signatures": func(u user) {
			u.write(filepath.Join(u.path, "cosign"), "#!/bin/bash\necho no matching signatures\nexit 1\n")
		},
		"tar is not on PATH: install it":                            func(u user) { os.Remove(filepath.Join(u.path, "tar")) },
		"neither sha256sum nor shasum is on PATH":                   func(u user) { os.Remove(filepath.Join(u.path, "sha256sum")) },
		"checksums.txt: is 9.9.9 a release, and is the network up?": func(u user) { os.Remove(filepath.Join(u.dist, "checksums.txt")) },
		"cannot make the directory":                                 func(u user) { u.write(u.dir, "a file") },
		"you may not write to": func(u user) { // root may, but over no directory
			u.write(filepath.Join(u.dir, ".waybill.new", "x"), "")
		},
		"there is no installer for Plan9": func(u user) { u.program("uname", "#!/bin/bash\necho Plan9\n") },
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			wrong(u)
			u.install(1, says)
		})
	}
}

func (u user) program(name, text string) {
	u.t.Helper()
	os.Remove(filepath.Join(u.path, name)) // a link to the real one
	u.write(filepath.Join(u.path, name), text)
}

// The formula has, for each platform, the archives of this version with their
// sums; no place of a template is left.
func TestFormulaNamesTheArchives(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	formula, err := os.ReadFile(filepath.Join(u.dist, "waybill.rb"))
	if err != nil {
		t.Fatal(err)
	}
	pairs := regexp.MustCompile(`url "https://github.com/waybill-dev/waybill/releases/download/v9\.9\.9/([^"]+)"\s+sha256 "([^"]+)"`).
		FindAllStringSubmatch(string(formula), -1)
	if len(pairs) != 8 {
		t.Errorf("the formula names %d archives, want 8:\n%s", len(pairs), formula)
	}
	for _, pair := range pairs {
		data, err := os.ReadFile(filepath.Join(u.dist, pair[1]))
		if err != nil || sum(data) != pair[2] {
			t.Errorf("%s: the formula says %s, and its sum is %s (%v)", pair[1], pair[2], sum(data), err)
		}
	}
	for _, name := range []string{"waybill.rb", "install.sh", "gh-waybill"} {
		data, _ := os.ReadFile(filepath.Join(u.dist, name))
		if len(data) == 0 || regexp.MustCompile(`@(VERSION|SUM)`).Match(data) {
			t.Errorf("%s is not filled in", name)
		}
	}
	u.write(filepath.Join(u.root, "actions", "checksums.txt"), "# none\n")
	code, said := u.run(filepath.Join(u.root, "scripts", "installers.sh"), u.dist)
	if code != 1 || !strings.Contains(said, "does not name waybill_9.9.9_darwin_arm64.tar.gz: run scripts/release.sh first") {
		t.Errorf("without sums: %d, %s", code, said)
	}
}

func TestGhExtensionInstallsItsReleaseAndRunsIt(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for range 2 {
		code, said := u.run(filepath.Join(u.dist, "gh-waybill"), "status", "--dir", "x")
		if code != 0 || !strings.Contains(said, "waybill ran: status --dir x") {
			t.Errorf("%d: %s", code, said)
		}
	}
	u = newUser(t)
	u.write(filepath.Join(u.dist, "install.sh"), "#!/bin/bash\necho evil\n")
	code, said := u.run(filepath.Join(u.dist, "gh-waybill"), "status")
	if code != 1 || !strings.Contains(said, "is not the installer of Waybill 9.9.9: nothing was run") || strings.Contains(said, "evil") {
		t.Errorf("another installer: %d, %s", code, said)
	}
}
