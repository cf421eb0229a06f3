package build_test

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// pack writes a tar of headers; a regular file holds its own name.
func pack(t *testing.T, headers ...tar.Header) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "waybill-prepared.tar")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for _, h := range headers {
		content := ""
		if h.Typeflag == 0 {
			h.Typeflag, content = tar.TypeReg, h.Name
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPreparedFilesAreAdded(t *testing.T) {
	t.Parallel()
	sum := func(text string) string {
		s := sha256.Sum256([]byte(text))
		return hex.EncodeToString(s[:])
	}
	file := pack(t,
		tar.Header{Name: "./target/", Typeflag: tar.TypeDir, Mode: 0o700},
		tar.Header{Name: "./target/app", Mode: 0o710}, tar.Header{Name: "target/data", Mode: 0o600},
		tar.Header{Name: "target/link", Typeflag: tar.TypeSymlink, Linkname: "app"},
		tar.Header{Name: "target/same", Typeflag: tar.TypeLink, Linkname: "./target/app"},
	)
	want := "sha256:" + sum(fmt.Sprintf("%s  target/app\n%s  target/data\n%s  target/link\n%s  target/same\n",
		sum("./target/app"), sum("target/data"), sum("app"), sum("./target/app")))
	for name, from := range map[string]string{"a tar": file, "a directory of one tar": filepath.Dir(file)} {
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, "target"), 0o755); err != nil { // a directory may be there
			t.Fatal(err)
		}
		for range 2 { // again is safe
			digest, err := build.AddPrepared(from, root)
			if err != nil || digest != want {
				t.Fatalf("%s: %s, %v, want %s", name, digest, err, want)
			}
		}
		for path, mode := range map[string]os.FileMode{"app": 0o755, "data": 0o644, "link": 0o777 | os.ModeSymlink, "same": 0o755} {
			info, err := os.Lstat(filepath.Join(root, "target", path))
			if err != nil || info.Mode() != mode {
				t.Errorf("%s: %s: %v, %v", name, path, info.Mode(), err)
			}
		}
	}
	dir, root := t.TempDir(), t.TempDir()
	for _, name := range []string{"a.txt", "b.tar"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := build.AddPrepared(dir, root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "b.tar")); err != nil {
		t.Errorf("a tar beside other files is a file: %v", err)
	}
	if digest, err := build.AddPrepared("", root); digest != "" || err != nil {
		t.Errorf("nothing: %q, %v", digest, err)
	}
}

func TestPreparedFilesAreRefused(t *testing.T) {
	t.Parallel()
	socket := tar.Header{Name: "pipe", Typeflag: tar.TypeFifo}
	for name, c := range map[string]struct {
		headers []tar.Header
		says    string
	}{
		"a file of the commit": {[]tar.Header{{Name: "main.go"}}, "the repository holds main.go already"},
		"a link for a file":    {[]tar.Header{{Name: "main.go", Typeflag: tar.TypeSymlink, Linkname: "x"}}, "holds main.go already"},
		"the same file twice":  {[]tar.Header{{Name: "x"}, {Name: "./x"}}, "the repository holds x already"},
		"out by dots":          {[]tar.Header{{Name: "a/../../x"}}, "a/../../x is outside of the repository"},
		"an absolute path":     {[]tar.Header{{Name: "/etc/passwd"}}, "/etc/passwd is outside of the repository"},
		"git's configuration":  {[]tar.Header{{Name: ".git/config.worktree"}}, ".git/config.worktree is inside .git"},
		"a submodule's":        {[]tar.Header{{Name: "sub/.GIT"}}, "sub/.GIT is inside .git"},
		"through a link it makes": {
			[]tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: ".git"}, {Name: "l/x"}}, "goes through the link l",
		},
		"through a link":        {[]tar.Header{{Name: "linked/deep/x"}}, "linked/deep/x goes through the link linked"},
		"a pipe":                {[]tar.Header{socket}, "pipe is no file, directory or link"},
		"a hard link of a file": {[]tar.Header{{Name: "x", Typeflag: tar.TypeLink, Linkname: "main.go"}}, "which does not come before it"},
		"nothing":               {nil, "holds no file"},
	} {
		root := t.TempDir()
		for _, dir := range []string{".git", "sub"} {
			if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(root, "main.go"), []byte("as committed"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("sub", filepath.Join(root, "linked")); err != nil {
			t.Fatal(err)
		}
		_, err := build.AddPrepared(pack(t, c.headers...), root)
		if err == nil || !strings.Contains(err.Error(), c.says) || outcome.Code(err) != outcome.Usage {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if data, err := os.ReadFile(filepath.Join(root, "main.go")); err != nil || string(data) != "as committed" {
			t.Errorf("%s: main.go is %q now: %v", name, data, err)
		}
		if entries, _ := os.ReadDir(filepath.Join(root, ".git")); len(entries) > 0 {
			t.Errorf("%s: .git has %v", name, entries)
		}
	}
	if _, err := build.AddPrepared(filepath.Join(t.TempDir(), "none"), t.TempDir()); err == nil || outcome.Code(err) != outcome.Broken {
		t.Errorf("a missing directory: %v", err)
	}
}
