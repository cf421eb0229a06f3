package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/internal/tooltest"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == summariseFlag { // the process that infraSummary starts
		if err := summarise(os.Stdout, os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var small = sizes{
	most: 2, edited: 3, rendered: 3, checked: 3, places: 3, commits: 30, writers: 3, resources: 30, sealedMB: 1, roots: 2,
	changed: 25, spread: 6, contextMB: 5, layerMB: 5, images: 3, burn: 10,
}

var aFigure = regexp.MustCompile(`\d(\.\d+)? (ms|s)\b`)

// Each part runs once, small, so that make bench does. A part fails by itself
// where Waybill and the peer did not do the same; no time is asserted.
func TestParts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a benchmark")
	}
	root := tooltest.Root(t)
	tools := filepath.Dir(tooltest.Find(t, "kustomize"))
	tooltest.Find(t, "terraform")
	tooltest.Find(t, "git")
	if _, err := os.Stat(filepath.Join(root, "bin", "waybill")); err != nil {
		t.Skip("needs waybill: run make build")
	}
	want := map[string]string{
		"overlay": "in each of 3 kustomizations", "check": "a repository of 3 overlays", "render": "Rendering 3 overlays (",
		"status": "each of 12 places",
		"race":   "3 of 3", "infra-summary": "a plan of 30 resources", "infra-seal": "a plan of 1 MB",
		"infra-roots": "Planning 2 roots", "infra-gate": "20 of 25 resources changed",
		"infra-matrix": "6 roots in 3 jobs", "build-large": "A context of 8 files and 5 MB",
		"build-monorepo": "of 3 images, one of them changed",
		"build-join":     "a job for each on its own runner",
	}
	for _, p := range parts {
		if p.name == "assemble" || p.name == "evidence" {
			continue // packages of their own, with such a test
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if strings.HasPrefix(p.name, "build-") {
				tooltest.Buildkitd(t)
				tooltest.Find(t, "docker-registry")
				tooltest.Find(t, "crane")
				tooltest.Find(t, "qemu-aarch64-static")
			}
			if want[p.name] == "" {
				t.Fatalf("the part %s has no row here: say what it prints", p.name)
			}
			var out bytes.Buffer
			e := environment{root: root, tools: tools, out: &out, env: os.Environ(), sizes: small}
			if err := p.run(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			if !aFigure.MatchString(out.String()) || !strings.Contains(out.String(), want[p.name]) {
				t.Errorf("no figure of %q in\n%s", want[p.name], out.String())
			}
		})
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	if err := same("objects", 3, 3, 3); err != nil {
		t.Error(err)
	}
	for _, c := range [][3]int{{2, 3, 3}, {3, 2, 3}, {2, 2, 3}} {
		if err := same("objects", c[0], c[1], c[2]); err == nil || !strings.Contains(err.Error(), "the two did not do the same") {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestFiguresAreWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(file, []byte("# Before\n"+beginMark+"old\n"+endMark+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeFigures(file, []byte("new\n")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if want := "# Before\n" + beginMark + "new\n" + endMark + "after\n"; err != nil || string(got) != want {
		t.Errorf("got %q %v", got, err)
	}
	for _, document := range []string{"", beginMark, endMark + beginMark} {
		if _, err := replaceFigures([]byte(document), nil); err == nil || !strings.Contains(err.Error(), "no place for the figures") {
			t.Errorf("%q: %v", document, err)
		}
	}
	if _, err := replaceFigures([]byte(read(filepath.Join(tooltest.Root(t), "docs", "benchmarks.md"))), nil); err != nil {
		t.Errorf("docs/benchmarks.md: %v", err)
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 23, 0, 0, 0, time.UTC)
	want := regexp.MustCompile(`^Run of 2026-11-26: \d+ cores \(.+\), .+ of memory, .+\. The load was .+\n$`)
	if got := machine(at); !want.MatchString(got) {
		t.Errorf("got %q", got)
	}
	if got := memory("MemFree: 1 kB\nMemTotal:       25165824 kB\n"); got != "24 GiB" {
		t.Errorf("got %q", got)
	}
	if got := field("a : b\n", "c"); got != "unknown" {
		t.Errorf("got %q", got)
	}
}
