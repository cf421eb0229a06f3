package build_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/assemble"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// testBuilderDies cuts the connection to the daemon in the middle of a RUN, as the
// end of its machine does. That is trouble, says what to do, and leaves nothing
// behind, here or in the registry.
func testBuilderDies(t *testing.T, l *lab) {
	daemon := remoteDaemon(t, l.buildkit.Builders.Default)
	base, _ := l.shellImage(t, "dyingshell")
	order := l.largeOrder(t, "dies")
	order.Context = tree(t, map[string]string{"Dockerfile": "FROM " + base + "\nENV DIES=1\nRUN wait\n"})
	order.Recipe, order.Platforms = dockerfileIn(t, order.Context), []build.Platform{amd64}
	engine := buildkit.Engine{Builders: buildkit.Builders{Default: daemon.address}, Dir: t.TempDir(), Registry: l.client}
	engine.Progress = writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("waiting")) { // printed by the step
			daemon.cut()
		}
	})
	result, err := build.Deliver(t.Context(), shop(l.client, engine), order)
	if outcome.Code(err) != outcome.Broken || !strings.Contains(err.Error(), "build with BuildKit at "+daemon.address) ||
		!strings.Contains(err.Error(), "in the middle of the build: see its log and memory, and run build again") || result.Image != "" {
		t.Errorf("a daemon that dies: %+v, %v", result, err)
	}
	if left, _ := os.ReadDir(engine.Dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A full disk is trouble of this machine, by name, and leaves nothing behind.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("needs a file system of its own: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	large := make([]byte, 1<<20)
	for i := range large {
		large[i] = byte(i * i >> 7)
	}
	dir := tree(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY large /\n", "large": string(large)})
	order := build.Order{
		Request: build.Request{Context: dir, Platforms: []build.Platform{amd64}, Epoch: epoch, Compression: build.Compression{Level: 1}},
		Recipe:  dockerfileIn(t, dir), Engine: build.Assemble,
	}
	small := assemble.Engine{Dir: disk}
	for name, at := range map[string]struct {
		engine build.Engine
		layout string
	}{"layers": {small, filepath.Join(t.TempDir(), "o")}, "layout": {assemble.Engine{Dir: t.TempDir()}, filepath.Join(disk, "o")}} {
		order.Layout = at.layout
		s := build.Shop{Engines: map[string]build.Engine{build.Assemble: at.engine}, Chosen: func(build.Choice) {}, Built: func() {}}
		_, err := build.Deliver(t.Context(), s, order)
		if outcome.Code(err) != outcome.Broken || !strings.Contains(
			err.Error(), "the disk of this machine is full: free space, or name a larger",
		) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(disk, "waybill-*")); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}
