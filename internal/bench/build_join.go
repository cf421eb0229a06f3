package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// burner is what RUN executes: it keeps a core busy.
const burner = `package main

import (
	"os"
	"strconv"
)

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	x := uint64(1)
	for range n * 100_000 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	_ = os.WriteFile("/sum", []byte(strconv.FormatUint(x, 10)), 0o644)
}
`

// buildJoin builds two platforms by a job for each and joins them; the peer is one
// job, which emulates the second platform. A machine has one native platform, so
// linux/386 stands for the second one on a runner of its own. The program that it
// executes is that of linux/amd64: the kernels of some machines execute no other.
func buildJoin(ctx context.Context, e environment) (err error) {
	w, err := e.workshop(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if w.emulator == "" {
		e.printf("\nA matrix against emulation was not measured: qemu-aarch64-static is missing.\n")
		return nil
	}
	dir := filepath.Join(w.dir, "burn")
	if err := w.burner(ctx, dir); err != nil {
		return err
	}
	image := w.registry.Host + "/bench/burn"
	job := func(platform string) (took time.Duration, record string, err error) {
		r, err := w.waybill(ctx, dir, "build", "--image", image, "--platform", platform, "--no-cache", "--format", "json")
		if err != nil {
			return 0, "", err
		}
		var built struct{ Record string }
		err = json.Unmarshal([]byte(r.out), &built)
		return r.took, built.Record, err
	}
	together, _, err := job("linux/amd64,linux/arm64")
	if err != nil {
		return err
	}
	first, one, err := job("linux/amd64")
	if err != nil {
		return err
	}
	second, two, err := job("linux/386")
	if err != nil {
		return err
	}
	join, err := w.waybill(ctx, dir, "build", "--image", image, "--platform", "linux/amd64,linux/386", "--join", one, "--join", two)
	if err != nil {
		return err
	}
	matrix := max(first, second) + join.took
	e.printf("\n### A Dockerfile with RUN for two platforms\n\n| | |\n|---|---|\n"+
		"| a job for each on its own runner, and `build --join` | %s |\n"+
		"| one job, which emulates the second platform | %s |\n| **ratio** | **%.1f** |\n\nThe jobs took %s and %s, the join %s.\n",
		milliseconds(matrix), milliseconds(together), together.Seconds()/matrix.Seconds(),
		milliseconds(first), milliseconds(second), milliseconds(join.took))
	return nil
}

// burner writes a Dockerfile whose RUN takes a while, and its program for each
// platform.
func (w *workshop) burner(ctx context.Context, dir string) error {
	if err := writeFiles(dir, map[string][]byte{
		"main.go": []byte(burner), "go.mod": []byte("module burn\n\ngo 1.24\n"),
		"Dockerfile": fmt.Appendf(nil, "FROM scratch\nARG TARGETARCH RUN_ID\nCOPY burn-$TARGETARCH /burn\nRUN [\"/burn\", \"%d\"]\n", w.burn),
	}); err != nil {
		return err
	}
	for platform, arch := range map[string]string{"amd64": "amd64", "arm64": "arm64", "386": "amd64"} {
		if err := (process.Command{
			Path: "go", Args: []string{"build", "-o", "burn-" + platform, "."}, Dir: dir,
			Env: append(w.env[:len(w.env):len(w.env)], "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS="),
		}).Run(ctx); err != nil {
			return err
		}
	}
	for _, name := range []string{"main.go", "go.mod"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
