package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/tooltest"
)

// fakeGH keeps one release in the directory STATE, as gh does on github.com: a
// draft takes files, and a published release that is immutable takes none.
// https://docs.github.com/en/code-security/supply-chain-security/understanding-your-software-supply-chain/immutable-releases
const fakeGH = `#!/bin/bash
set -eu
echo "$*" >> "$STATE/calls"
case "$1 $2" in
"api "*) cat "$STATE/passed" ;;
"release view")
  if [ -e "$STATE/trouble" ]; then echo "HTTP 502" >&2; exit 1; fi
  if [ ! -e "$STATE/release" ]; then echo "release not found" >&2; exit 1; fi
  cat "$STATE/release" ;;
"release create") echo draft > "$STATE/release" ;;
"release upload")
  [ "$(cat "$STATE/release")" = draft ] || { echo "Cannot upload assets to an immutable release." >&2; exit 1; }
  shift 3; for f in "$@"; do [ "$f" = --clobber ] || cp "$f" "$STATE/assets/"; done ;;
"release download")
  while [ "$1" != --dir ]; do shift; done; cp "$STATE"/assets/* "$2/" ;;
"release edit") [ -e "$STATE/stuck" ] || echo published > "$STATE/release" ;;
esac
`

// publishing is a copy of the script beside checksums of one archive.
type publishing struct {
	t                *testing.T
	root, state, dir string
}

const archive = "waybill_9.9.9_linux_amd64.tar.gz"

func newPublishing(t *testing.T) publishing {
	t.Helper()
	p := publishing{t: t, root: t.TempDir(), state: t.TempDir(), dir: t.TempDir()}
	script, err := os.ReadFile(filepath.Join(tooltest.Root(t), "scripts", "publish.sh"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join(p.root, "scripts", "publish.sh"), string(script))
	p.write(filepath.Join(p.root, "actions", "checksums.txt"),
		"# a comment\n"+sum([]byte("binary"))+"  waybill_9.9.9_linux_amd64\n"+sum([]byte("archive"))+"  "+archive+"\n")
	p.write(filepath.Join(p.root, "bin", "gh"), fakeGH)
	p.write(filepath.Join(p.state, "assets", ".keep"), "")
	p.write(filepath.Join(p.dir, archive), "archive")
	p.write(filepath.Join(p.dir, "checksums.txt"), "sums")
	return p
}

func (p publishing) write(path, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

// run runs the script, and wants its exit code and words in what it says.
func (p publishing) run(code int, says string, args ...string) {
	p.t.Helper()
	var words bytes.Buffer
	err := process.Command{
		Path: "/bin/bash", Args: append([]string{filepath.Join(p.root, "scripts", "publish.sh")}, args...), Stderr: &words,
		Env: []string{
			"PATH=" + filepath.Join(p.root, "bin") + ":" + os.Getenv("PATH"), "STATE=" + p.state, "TMPDIR=" + p.t.TempDir(),
			"GITHUB_REPOSITORY=acme/tool", "GITHUB_OUTPUT=" + filepath.Join(p.state, "output"),
		},
	}.Run(p.t.Context())
	got := 0
	var failed *process.Error
	if errors.As(err, &failed) {
		got = failed.Code
	} else if err != nil {
		p.t.Fatal(err)
	}
	if got != code || !strings.Contains(words.String(), says) {
		p.t.Errorf("publish.sh %q: exit code %d, says %q; want %d and %q", args, got, words.String(), code, says)
	}
}

func (p publishing) now() string {
	data, _ := os.ReadFile(filepath.Join(p.state, "release"))
	return strings.TrimSpace(string(data))
}

func TestReleaseIsADraftUntilAllOfItIsThere(t *testing.T) {
	t.Parallel()
	p := newPublishing(t)
	p.run(0, "", "draft", "v9.9.9", p.dir)
	if p.now() != "draft" {
		t.Errorf("after the upload the release is %q", p.now())
	}
	p.run(0, "", "draft", "v9.9.9", p.dir) // a run that is repeated fills the same draft
	fetched := t.TempDir()
	p.run(0, "", "fetch", "v9.9.9", fetched)
	p.write(filepath.Join(fetched, "waybill_9.9.9.sigstore.json"), "bundle")
	p.run(0, "", "publish", "v9.9.9", fetched)
	if p.now() != "published" {
		t.Errorf("at the end the release is %q", p.now())
	}
	for _, name := range []string{archive, "checksums.txt", "waybill_9.9.9.sigstore.json"} {
		if _, err := os.Stat(filepath.Join(p.state, "assets", name)); err != nil {
			t.Error(err)
		}
	}
	// A second run finds it published, compares, and changes nothing.
	p.run(0, "published already, with the same archives", "draft", "v9.9.9", p.dir)
	if output, _ := os.ReadFile(filepath.Join(p.state, "output")); string(output) != "published=true\n" {
		t.Errorf("the output is %q", output)
	}
	p.run(3, "is no draft but published", "fetch", "v9.9.9", fetched)
	p.run(3, "nothing was published", "publish", "v9.9.9", fetched)
}

func TestNothingIsPublishedThatIsNotWhatTheCommitNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(p publishing)
		says   string
	}{
		"changed archive": {
			func(p publishing) { p.write(filepath.Join(p.state, "assets", archive), "evil") }, "are not what actions/checksums.txt",
		},
		"missing archive": {
			func(p publishing) { os.Remove(filepath.Join(p.state, "assets", archive)) }, "are not what actions/checksums.txt",
		},
		"archive of nobody": {
			func(p publishing) { p.write(filepath.Join(p.state, "assets", "other_9.9.9_linux_amd64.tar.gz"), "x") },
			"other_9.9.9_linux_amd64.tar.gz is in the release, and actions/checksums.txt does not name it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPublishing(t)
			p.run(0, "", "draft", "v9.9.9", p.dir)
			c.change(p)
			p.run(3, c.says, "fetch", "v9.9.9", t.TempDir())
			p.write(filepath.Join(p.state, "release"), "published\n")
			p.run(3, c.says, "draft", "v9.9.9", p.dir)
		})
	}
	p := newPublishing(t)
	p.run(0, "", "draft", "v9.9.9", p.dir)
	p.write(filepath.Join(p.state, "assets", "stray.txt"), "of an earlier run")
	p.run(3, "does not hold exactly the files", "publish", "v9.9.9", p.dir)
	if p.now() != "draft" {
		t.Errorf("a draft with a stray file became %q", p.now())
	}
}

func TestTroubleWithGitHubPublishesNothing(t *testing.T) {
	t.Parallel()
	p := newPublishing(t)
	p.write(filepath.Join(p.state, "trouble"), "")
	p.run(1, "cannot read the release v9.9.9: HTTP 502", "draft", "v9.9.9", p.dir)
	if p.now() != "" {
		t.Errorf("trouble was read as no release: it is now %q", p.now())
	}
	p = newPublishing(t)
	p.run(0, "", "draft", "v9.9.9", p.dir)
	p.write(filepath.Join(p.state, "stuck"), "")
	p.run(1, "GitHub still says that v9.9.9 is draft", "publish", "v9.9.9", p.dir)
	p.write(filepath.Join(p.state, "passed"), "0\n")
	p.run(3, "CI did not pass for the commit abc", "ci", "abc")
	p.write(filepath.Join(p.state, "passed"), "1\n")
	p.run(0, "", "ci", "abc")
	p.run(2, "usage:", "nonsense")
}
