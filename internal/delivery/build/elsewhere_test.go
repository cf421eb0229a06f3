package build_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
)

// remote serves a git repository with one commit, and returns its address and
// the commit.
func remote(t *testing.T, files map[string]string) (address, commit string) {
	t.Helper()
	program, err := process.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	dir := filepath.Join(top, "app.git")
	if err := os.CopyFS(dir, os.DirFS(tree(t, files))); err != nil {
		t.Fatal(err)
	}
	identity := []string{
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-q", "-m", "one"}, {"tag", "v1"},
		{"config", "uploadpack.allowAnySHA1InWant", "true"},
	} {
		if _, err := git.RunEnv(t.Context(), dir, identity, args...); err != nil {
			t.Fatal(err)
		}
	}
	if commit, err = git.Run(t.Context(), dir, "rev-parse", "HEAD"); err != nil {
		t.Fatal(err)
	}
	if _, err := git.RunEnv(t.Context(), dir, identity, "commit", "-q", "--allow-empty", "-m", "two"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&cgi.Handler{Path: program, Args: []string{"http-backend"}, Env: []string{
		"GIT_PROJECT_ROOT=" + top, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	}})
	t.Cleanup(server.Close)
	return server.URL + "/app.git", commit
}

func find(t *testing.T, context, file, stdin string) (build.Place, error) {
	t.Helper()
	p, err := build.Find(t.Context(), context, file, strings.NewReader(stdin), layerfile.Decompress)
	if err == nil {
		t.Cleanup(func() { p.Close() })
	}
	return p, err
}

// A commit of a git repository is a context, by its ID, a tag or a branch. The
// source names that commit, whatever the job is about.
func TestContextOfAGitRepository(t *testing.T) {
	t.Parallel()
	address, commit := remote(t, map[string]string{"service/Dockerfile": "FROM scratch\nCOPY f /\n", "service/f": "f", "other": "o"})
	job := build.Job{Server: "https://github.com", Repository: "acme/job", Commit: strings.Repeat("a", 40)}
	for _, ref := range []string{"#" + commit + ":service", "#v1:service", "?ref=v1&subdir=service&checksum=" + commit} {
		p, err := find(t, address+ref, "", "")
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		source, err := p.Source(t.Context(), job)
		if err != nil || source.Commit != commit || source.Dirty || source.Relative(p.Context) != "service" {
			t.Errorf("%s: the source is %+v, %v", ref, source, err)
		}
		if err := p.Within(t.TempDir(), nil); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
	p, err := find(t, address, "service/Dockerfile", "")
	if err != nil {
		t.Fatal(err)
	}
	if source, err := p.Source(t.Context(), job); err != nil || source.Commit == commit || source.Commit == job.Commit {
		t.Errorf("without a ref the source is %+v, %v", source, err)
	}
	if err := p.Strip(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(p.Context, ".git")); err == nil {
		t.Error("the history is a part of the context")
	}
	if _, err := build.ReadDockerfile(p.Context, p.Dockerfile); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Context); err == nil {
		t.Error("the clone was left")
	}
}

func TestContextThatCannotBeHad(t *testing.T) {
	t.Parallel()
	address, _ := remote(t, map[string]string{"Dockerfile": "FROM scratch\n", "out": "->../..", "Dockerfile.out": "->/etc/passwd"})
	secret := strings.Replace(address, "://", "://me:hunter2@", 1)
	for _, c := range []struct{ context, file, stdin, says string }{
		{"-", "-", "", "cannot both be -"},
		{"file:///src/app.git", "", "", "as its path, without file://"},
		{"github.com/acme/app", "", "", "as https://github.com/acme/app.git"},
		{"https://example.com/context.tar.gz", "", "", "this address is no git repository"},
		{secret, "", "", "the address holds a credential"},
		{strings.Replace(address, "://", "://token@", 1), "", "", "the address holds a credential"},
		{address + "#:nowhere", "", "", "has no directory nowhere"},
		{address + "#:out", "", "", "the directory out leads out of the repository"},
		{address + "#missing", "", "", "fetch missing of " + address},
		{address + "#--upload-pack=x", "", "", "fetch"},
		{address, "../Dockerfile", "", "no Dockerfile at "},
		{address, "Dockerfile.out", "", "the Dockerfile Dockerfile.out is outside of the build context"},
		{address + "?ref=v1&checksum=" + strings.Repeat("0", 40), "", "", "and " + strings.Repeat("0", 40) + " was asked for"},
		{address + "?keep-git-dir=1", "", "", "only ref, subdir and checksum"},
		{"-", "", "FROM scratch\n", "a Dockerfile on standard input is --file -"},
		{"-", "", "", "standard input holds no whole tar: it is empty"},
	} {
		p, err := find(t, c.context, c.file, c.stdin)
		if err == nil {
			_, err = build.ReadDockerfile(p.Context, p.Dockerfile)
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("--context %s --file %s: %v, want %q", c.context, c.file, err, c.says)
		}
	}
}

// A tar on standard input is a context without a source: the job's commit does
// not hold it.
func TestContextOfATar(t *testing.T) {
	t.Parallel()
	archive := string(tarOf(t, []entry{
		{Name: "./", Type: tar.TypeDir, Mode: 0o755}, {Name: "bin/run", Type: tar.TypeReg, Mode: 0o755, data: "run"},
		{Name: "Dockerfile", Type: tar.TypeReg, Mode: 0o644, data: "FROM scratch\nCOPY bin /\n"},
		{Name: "link", Type: tar.TypeSymlink, Link: "bin/run"}, {Name: "hard", Type: tar.TypeLink, Link: "bin/run"},
	}))
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(w, archive); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, stdin := range []string{archive, zipped.String()} {
		p, err := find(t, "-", "", stdin)
		if err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]os.FileMode{"bin/run": 0o755, "link": 0o755, "hard": 0o755, "Dockerfile": 0o644} {
			if info, err := os.Stat(filepath.Join(p.Context, name)); err != nil || info.Mode() != mode {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		job := build.Job{Server: "https://github.com", Repository: "acme/job", Commit: strings.Repeat("a", 40)}
		source, err := p.Source(t.Context(), job)
		if err != nil || source.Commit != "" || source.Repository != "" {
			t.Errorf("the source is %+v, %v", source, err)
		}
	}
	for _, e := range []entry{
		{Name: "../escaped", Type: tar.TypeReg, Mode: 0o644, data: "x"}, {Name: "/etc/escaped", Type: tar.TypeReg, data: "x"},
		{Name: "up/escaped", Type: tar.TypeReg, Mode: 0o644, data: "x"},
		{Name: "hard", Type: tar.TypeLink, Link: "../../etc/passwd"},
	} {
		stdin := string(tarOf(t, []entry{{Name: "up", Type: tar.TypeSymlink, Link: "/tmp"}, e}))
		if _, err := find(t, "-", "", stdin); err == nil || !strings.Contains(err.Error(), "path escapes from parent") {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

// The commit does not hold a Dockerfile from standard input: the source is dirty.
func TestDockerfileFromStandardInput(t *testing.T) {
	t.Parallel()
	p, err := find(t, tree(t, map[string]string{"f": ""}), "-", "FROM scratch\nCOPY f /\n")
	if err != nil {
		t.Fatal(err)
	}
	source, err := p.Source(t.Context(), build.Job{Commit: strings.Repeat("a", 40)})
	if err != nil || !source.Dirty {
		t.Errorf("the source is %+v, %v", source, err)
	}
	if d, err := build.ReadDockerfile(p.Context, p.Dockerfile); err != nil || d.Check(build.Request{}) != nil {
		t.Errorf("the Dockerfile is %+v, %v", d, err)
	}
	if err := p.Within(p.Context, nil); err != nil {
		t.Error(err)
	}
	if err := p.Within(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "--context: ") {
		t.Errorf("a context outside of the workspace: %v", err)
	}
}
