package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/scan/exchange"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

const fakePrefix = "fake-"

// TestMain makes the test binary a waybill-scan that misbehaves, in the way
// that the name it is started by says: its environment is filtered.
func TestMain(m *testing.M) {
	if mode, ok := strings.CutPrefix(filepath.Base(os.Args[0]), fakePrefix); ok {
		os.Exit(misbehave(mode))
	}
	os.Exit(m.Run())
}

func misbehave(mode string) int {
	var request exchange.Request
	if err := json.NewDecoder(os.Stdin).Decode(&request); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	answer := answerTo(request)
	switch mode {
	case "environment":
		answer.Scanner.Version = strings.Join(os.Environ(), "\n")
	case "crash":
		writeAnswer(os.Stdout, answer)
		fmt.Fprintln(os.Stderr, "fatal error: runtime: out of memory")
		return 2
	case "signal":
		fmt.Fprintln(os.Stderr, "SIGSEGV: segmentation violation\nPC=0x4377fd m=3 sigcode=1 addr=0x0")
		return 2
	case "panic":
		fmt.Fprintln(os.Stderr, "panic: runtime error: invalid memory address or nil pointer dereference\n"+
			"[signal SIGSEGV: segmentation violation]")
		return 2
	case "no-memory":
		words, _ := os.ReadFile(filepath.Join(filepath.Dir(os.Args[0]), "words"))
		_, _ = os.Stderr.Write(words)
		if !strings.HasPrefix(string(words), "well") {
			return 2
		}
	case "orders":
		fmt.Fprint(os.Stderr, "::error::owned\n\x1b[2J::add-mask::x\nlast")
		return 1
	case "failed":
		fmt.Fprint(os.Stderr, "a note\n"+exchange.Failure+"the layer is \x1b[2Jcut\n")
		return 1
	case "java":
		if request.JavaDatabaseDir == "" {
			return exchange.NeedsJavaDatabase
		}
		answer.Scanner.Version = request.JavaDatabaseDir
	case "malformed":
		fmt.Print(`{"version":1,"images":[{"ref":`)
		return 0
	case "cut":
		var whole bytes.Buffer
		writeAnswer(&whole, answer)
		_, _ = os.Stdout.Write(whole.Bytes()[:whole.Len()-1])
		return 0
	case "no-json":
		answer.Images[0].SPDX = []byte(`{"spdxVersion"`)
	case "no-documents":
		fmt.Println(`{"version":4,"images":[{"platforms":[]}]} []`)
		return 0
	case "negative":
		fmt.Println(`{"version":4,"images":[{}]} [{"cyclonedx":-1}]`)
		return 0
	case "silent":
		return 0
	case "more":
		writeAnswer(os.Stdout, answer)
	case "hang":
		_, _ = io.Copy(io.Discard, neverEnding{})
	case "missing-platform":
		answer.Images[0].Platforms = answer.Images[0].Platforms[:1]
	case "same-platform-twice":
		answer.Images[0].Platforms[1] = answer.Images[0].Platforms[0]
	case "other-digest":
		answer.Images[0].Platforms[1].Digest = "sha256:" + strings.Repeat("f", 64)
	case "no-sbom":
		answer.Images[0].SPDX = nil
	case "no-image":
		answer.Images = nil
	case "other-release":
		answer.Version++
	case "litter":
		if err := os.WriteFile(filepath.Join(os.TempDir(), "layer"), []byte("x"), 0o600); err != nil {
			return 1
		}
		answer.Scanner.Version = os.TempDir()
	}
	writeAnswer(os.Stdout, answer)
	return 0
}

func writeAnswer(w io.Writer, answer exchange.Answer) {
	_ = exchange.Write(w, answer, func() (all []exchange.Documents, err error) {
		for _, image := range answer.Images {
			all = append(all, image.Documents)
		}
		return all, nil
	})
}

type neverEnding struct{}

// Read waits for a day: without cgo, a select without cases is found to be a
// deadlock and ends the process.
func (neverEnding) Read([]byte) (int, error) {
	time.Sleep(24 * time.Hour)
	return 0, io.EOF
}

// answerTo finds nothing in everything that was asked for.
func answerTo(request exchange.Request) exchange.Answer {
	answer := exchange.Answer{Version: exchange.Version, Scanner: evidence.Scanner{Name: "trivy", Version: "0.0.0"}}
	for _, image := range request.Images {
		result := exchange.Result{Ref: image.Ref}
		for _, p := range image.Platforms {
			result.Platforms = append(result.Platforms, evidence.PlatformScan{Platform: p.Platform, Digest: p.Ref.Digest()})
		}
		if image.SBOM {
			result.CycloneDX, result.SPDX = []byte(`{}`), []byte(`{}`)
		}
		answer.Images = append(answer.Images, result)
	}
	return answer
}

func fakeChild(t *testing.T, mode string, environment map[string]string) Child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), fakePrefix+mode)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return Child{Path: path, Timeout: time.Minute, Getenv: func(name string) string { return environment[name] }}
}

func testRequest(t *testing.T) exchange.Request {
	t.Helper()
	ref := func(digit string) imageref.Ref {
		parsed, err := imageref.Parse("registry.example/acme/app@sha256:" + strings.Repeat(digit, 64))
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	return exchange.Request{Version: exchange.Version, Images: []exchange.Image{{
		Ref: ref("1"), SBOM: true,
		Platforms: []exchange.Platform{{Platform: "linux/amd64", Ref: ref("2")}, {Platform: "linux/arm64", Ref: ref("3")}},
	}}}
}

func TestChildSeesNoToken(t *testing.T) {
	t.Parallel()
	everything := map[string]string{"PATH": "/usr/bin:/bin", "HOME": "/home/somebody", "DOCKER_CONFIG": "/home/somebody/.docker"}
	for _, v := range contract.Environment() {
		if _, known := everything[v.Name]; !known {
			everything[v.Name] = "value-of-" + v.Name
		}
	}
	child := fakeChild(t, "environment", everything)
	child.Username, child.Password = "reader", "read-only"
	answer, err := child.Run(t.Context(), testRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, line := range strings.Split(answer.Scanner.Version, "\n") {
		name, value, _ := strings.Cut(line, "=")
		got[name] = value
	}
	if got["TMPDIR"] == "" || !strings.Contains(got["TMPDIR"], "waybill-scan-") {
		t.Errorf("TMPDIR is %q, not a directory of its own", got["TMPDIR"])
	}
	delete(got, "TMPDIR")
	want := map[string]string{
		"GOGC": "off",
		"PATH": "/usr/bin:/bin", "HOME": "/home/somebody", "DOCKER_CONFIG": "/home/somebody/.docker",
		"WAYBILL_REGISTRIES":        "value-of-WAYBILL_REGISTRIES",
		"WAYBILL_REGISTRY_USERNAME": "reader", "WAYBILL_REGISTRY_PASSWORD": "read-only",
	}
	for name, value := range got {
		if want[name] != value {
			t.Errorf("the child sees %s=%s", name, value)
		}
	}
	for name := range want {
		if got[name] == "" {
			t.Errorf("the child does not see %s", name)
		}
	}
}

func TestChildThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	for mode, reason := range map[string]string{
		"crash":               "the image needs more than the 0 MiB of memory that one scan may use",
		"signal":              "the image needs more than the 0 MiB of memory that one scan may use",
		"panic":               "nil pointer dereference",
		"malformed":           "read the answer: unexpected EOF",
		"silent":              "read the answer: EOF",
		"more":                "there is more after it",
		"cut":                 "the SPDX document of sha256:111111111111: unexpected EOF",
		"no-json":             "the SPDX document of sha256:111111111111: it is not JSON",
		"no-documents":        "it has 1 images, and documents of 0",
		"negative":            "it cannot have -1 bytes",
		"missing-platform":    "the answer has 1 platforms of sha256:111111111111, 2 were asked for",
		"same-platform-twice": "the answer lacks linux/arm64 (sha256:333333333333)",
		"other-digest": "the answer lacks linux/arm64 (sha256:333333333333) of sha256:111111111111: it has linux/arm64 " +
			"(sha256:ffffffffffff)",
		"no-sbom":       "the answer lacks the SBOM",
		"no-image":      "the answer has 0 images, 1 were asked for",
		"other-release": "not of the same release",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			_, err := fakeChild(t, mode, nil).Run(t.Context(), testRequest(t))
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("got %v, want an error with %q", err, reason)
			}
		})
	}
}

// Of a child that gets no memory, the limit is named in place of the pages that Go's
// runtime prints. Words of the image that only look so say nothing.
func TestChildThatGetsNoMemory(t *testing.T) {
	t.Parallel()
	const why = "the image needs more than the 512 MiB of memory that one scan may use, and so waybill-scan ended"
	for words, says := range map[string]string{
		"fatal error: runtime: out of memory\n\ngoroutine 1 [running]:\n":                    why,
		"runtime: out of memory: cannot allocate 4194304-byte block (9 in use)\nfatal error": why,
		"fatal error: out of memory\n":                                                       why,
		"fatal error: runtime: cannot allocate memory\n":                                     why,
		"runtime: cannot allocate memory\n":                                                  why,
		"a file is called runtime: out of memory\n":                                          "a file is called runtime: out of memory",
		"well: fatal error: runtime: out of memory\n":                                        "",
		"well\nruntime: out of memory\n":                                                     "", // it answered all the same
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			child, passed := fakeChild(t, "no-memory", nil), new(strings.Builder)
			child.Words = passed
			if err := os.WriteFile(filepath.Join(filepath.Dir(child.Path), "words"), []byte(words), 0o600); err != nil {
				t.Fatal(err)
			}
			request := testRequest(t)
			request.Limits.MemoryBytes = 512 << 20
			_, err := child.Run(t.Context(), request)
			if (err != nil) != (says != "") || err != nil && !strings.HasSuffix(err.Error(), says) {
				t.Errorf("got %v, want %q", err, says)
			}
			if says == why && passed.Len() > 0 {
				t.Errorf("passed on %q", passed)
			}
		})
	}
}

func TestChildIsBoundedInTime(t *testing.T) {
	t.Parallel()
	child := fakeChild(t, "hang", nil)
	child.Timeout = 50 * time.Millisecond
	_, err := child.Run(t.Context(), testRequest(t))
	if err == nil || !strings.Contains(err.Error(), "the scan took longer than 50ms") {
		t.Errorf("got %v, want the time limit", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	child.Timeout = time.Minute
	if _, err := child.Run(ctx, testRequest(t)); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("got %v, want that it was interrupted", err)
	}
}

func TestChildsFilesAreRemoved(t *testing.T) {
	t.Parallel()
	answer, err := fakeChild(t, "litter", nil).Run(t.Context(), testRequest(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(answer.Scanner.Version); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", answer.Scanner.Version, err)
	}
}

func TestChildsWordsGiveNoOrders(t *testing.T) {
	t.Parallel()
	child := fakeChild(t, "orders", nil)
	var words strings.Builder
	child.Words = &words
	_, err := child.Run(t.Context(), testRequest(t))
	if want := "waybill-scan: ::error::owned\nwaybill-scan: [2J::add-mask::x\nwaybill-scan: last\n"; words.String() != want {
		t.Errorf("passed on %q, want %q", words.String(), want)
	}
	if err == nil || !strings.HasSuffix(err.Error(), "exit status 1: ::error::owned; [2J::add-mask::x; last") {
		t.Errorf("got %v, want the words in one line", err)
	}
}

// Why the child failed is told once, without the names of programs.
func TestChildsFailureIsToldOnce(t *testing.T) {
	t.Parallel()
	child := fakeChild(t, "failed", nil)
	var words strings.Builder
	child.Words = &words
	_, err := child.Run(t.Context(), testRequest(t))
	if want := "waybill-scan: a note\n"; words.String() != want {
		t.Errorf("passed on %q, want %q", words.String(), want)
	}
	if err == nil || err.Error() != "the layer is [2Jcut" {
		t.Errorf("got %v, want what the child says", err)
	}
}

func TestJavaDatabaseIsFetchedWhenNeeded(t *testing.T) {
	t.Parallel()
	child := fakeChild(t, "java", nil)
	answer, err := ask(t.Context(), child, testRequest(t), func(context.Context) (string, error) { return "/java", nil })
	if err != nil || answer.Scanner.Version != "/java" {
		t.Errorf("got %q, %v", answer.Scanner.Version, err)
	}
	if _, err := ask(
		t.Context(), child, testRequest(t), func(context.Context) (string, error) { return "", errors.New("registry: 503") },
	); err == nil || !strings.Contains(err.Error(), "the image has JAR files: registry: 503") {
		t.Errorf("got %v, want why there is no database", err)
	}
	if _, err := ask(t.Context(), child, testRequest(t), nil); err == nil {
		t.Error("JAR files without a database pass")
	}
	if _, err := ask(t.Context(), fakeChild(t, "environment", nil), testRequest(t), func(context.Context) (string, error) {
		t.Error("fetched without need")
		return "", nil
	}); err != nil {
		t.Error(err)
	}
}

func TestFindChild(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", t.TempDir())
	executable := filepath.Join(dir, "waybill")
	if _, err := FindChild(executable); err == nil || !strings.Contains(err.Error(), "`make build` makes it") {
		t.Errorf("got %v, want how to get it", err)
	}
	beside := filepath.Join(dir, Program)
	if err := os.WriteFile(beside, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FindChild(executable); err == nil {
		t.Error("a file that cannot be run was found")
	}
	if err := os.Chmod(beside, 0o755); err != nil {
		t.Fatal(err)
	}
	if path, err := FindChild(executable); err != nil || path != beside {
		t.Errorf("got %q, %v, want %q", path, err, beside)
	}
	t.Setenv("PATH", dir)
	if path, err := FindChild("/nowhere/waybill"); err != nil || path != beside {
		t.Errorf("got %q, %v, want %q from PATH", path, err, beside)
	}
}
