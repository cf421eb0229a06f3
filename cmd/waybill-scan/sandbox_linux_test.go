package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// confined is the name under which the test binary confines itself, and then tries
// what a parser that an image has taken over would.
const confined = "waybill-scan-confined"

func init() {
	if filepath.Base(os.Args[0]) == confined {
		tryConfined()
	}
}

func tryConfined() {
	home, port := os.Getenv("HOME"), os.Args[1]
	image, err := imageref.Parse(os.Getenv("REGISTRY") + "/acme/app@sha256:" + strings.Repeat("1", 64))
	if err != nil {
		panic(err)
	}
	request := exchange.Request{Images: []exchange.Image{{Ref: image}}, DatabaseDir: filepath.Join(home, "database")}
	if err := confine(request, os.Getenv); err != nil {
		panic(err)
	}
	for _, try := range []struct {
		what string
		do   func() error
	}{
		{"read the workspace", func() error { _, err := os.ReadFile(filepath.Join(home, "work", "secret")); return err }},
		{"read the logins", func() error { _, err := os.ReadFile(filepath.Join(home, ".docker", "config.json")); return err }},
		{"read the database", func() error { _, err := os.ReadFile(filepath.Join(home, "database", "db")); return err }},
		{"write the database", func() error { return os.WriteFile(filepath.Join(home, "database", "db"), nil, 0o600) }},
		{"write the runner's files", func() error { return os.WriteFile(filepath.Join(home, "work", "env"), nil, 0o600) }},
		{"write a temporary file", func() error { return os.WriteFile(filepath.Join(os.TempDir(), "x"), nil, 0o600) }},
		{"read another process", func() error { _, err := os.ReadFile("/proc/1/environ"); return err }},
		{"connect", func() error {
			conn, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				conn.Close()
			}
			return err
		}},
	} {
		answer := "yes"
		if err := try.do(); errors.Is(err, fs.ErrPermission) {
			answer = "no"
		} else if err != nil {
			answer = err.Error()
		}
		os.Stdout.WriteString(try.what + ": " + answer + "\n")
	}
	os.Exit(0)
}

func TestConfined(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home, temporary := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{
		"work/secret": "s", ".docker/config.json": "{}", "database/db": "d",
	} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), confined)
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	run := func(registry string) string {
		cmd := exec.CommandContext(t.Context(), program, port)
		cmd.Env = []string{"HOME=" + home, "TMPDIR=" + temporary, "REGISTRY=" + registry}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	const files = "read the workspace: no\nread the logins: yes\nread the database: yes\nwrite the database: no\n" +
		"write the runner's files: no\nwrite a temporary file: yes\nread another process: no\n"
	if got := run("ghcr.io"); got != files+"connect: no\n" {
		t.Errorf("at ghcr.io: %s", got)
	}
	if got := run("localhost:" + port); got != files+"connect: yes\n" {
		t.Errorf("at a registry with a port: %s", got)
	}
	if err := os.WriteFile(filepath.Join(home, ".docker", "config.json"), []byte(`{"credsStore": "x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run("ghcr.io"); !strings.HasPrefix(got, "read the workspace: yes\n") || !strings.Contains(got, "files: no\n") {
		t.Errorf("with a credential helper: %s", got)
	}
}
