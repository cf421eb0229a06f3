package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/git"
	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal/buildkitd"
	"github.com/waybill-dev/waybill/internal/rehearsal/dockerregistry"
)

// workshop is a registry and a BuildKit for the parts that build.
type workshop struct {
	environment
	dir      string
	registry *dockerregistry.Registry
	daemon   *buildkitd.Daemon
	emulator string // of arm64; empty if there is none
}

func (e environment) workshop(ctx context.Context) (w *workshop, err error) {
	w = &workshop{environment: e}
	if w.dir, err = os.MkdirTemp("", "wb"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	program, err := process.LookPath("docker-registry")
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(w.dir, "registry"), 0o755); err != nil {
		return nil, err
	}
	if w.registry, err = dockerregistry.Start(ctx, program, filepath.Join(w.dir, "registry")); err != nil {
		return nil, err
	}
	o := buildkitd.Options{Program: e.tool("buildkitd"), Dir: filepath.Join(w.dir, "b"), Registries: []string{w.registry.Host}}
	if w.emulator, err = process.LookPath("qemu-aarch64-static"); err == nil {
		o.Emulators = map[string]string{"aarch64": w.emulator}
	}
	w.daemon, err = buildkitd.Start(ctx, o)
	return w, err
}

func (w *workshop) close() error {
	if w.daemon != nil {
		w.daemon.Stop()
	}
	if w.registry != nil {
		w.registry.Stop()
	}
	return os.RemoveAll(w.dir)
}

// ran is how a process of waybill ended.
type ran struct {
	out, words string
	took       time.Duration
	megabytes  int // its largest resident size
}

func (w *workshop) waybill(ctx context.Context, dir string, args ...string) (r ran, err error) {
	var out, words bytes.Buffer
	begin := time.Now()
	child, err := process.Command{
		Path: w.bin("waybill"), Args: args, Dir: dir,
		Env:    append(w.env[:len(w.env):len(w.env)], "BUILDKIT_HOST="+w.daemon.Address, "XDG_CACHE_HOME="+w.dir, "XDG_CONFIG_HOME="+w.dir),
		Stdout: &out, Stderr: &words,
	}.Start(ctx)
	if err != nil {
		return ran{}, err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-child.Done():
			ended = true
		case <-tick.C:
			r.megabytes = max(r.megabytes, residentPeak(strconv.Itoa(child.PID())))
		}
	}
	r.out, r.words, r.took = strings.TrimSpace(out.String()), words.String(), time.Since(begin)
	return r, child.Err()
}

// noise writes a file that does not compress.
func noise(file string, megabytes int, seed byte) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	random, block := rand.NewChaCha8([32]byte{seed}), make([]byte, 1<<20)
	for range megabytes {
		_, _ = random.Read(block)
		if _, err := f.Write(block); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// buildLarge sends a large context to BuildKit, and pushes a large layer.
func buildLarge(ctx context.Context, e environment) (err error) {
	w, err := e.workshop(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	dir := filepath.Join(w.dir, "large")
	if err := writeFiles(dir, map[string][]byte{
		"Dockerfile": []byte("FROM scratch AS all\nCOPY . /\nFROM scratch\nCOPY --from=all /one /\n"), "one": []byte("1"),
		"Layer": []byte("FROM scratch\nCOPY many/layer /\n"), "many/0": nil,
	}); err != nil {
		return err
	}
	for i := range w.contextMB {
		if err := noise(filepath.Join(dir, "many", strconv.Itoa(i)), 1, byte(i)); err != nil {
			return err
		}
	}
	image := w.registry.Host + "/bench/large"
	sent, err := w.waybill(ctx, dir, "build", "--image", image, "--engine", "buildkit", "--platform", "linux/amd64")
	if err != nil {
		return err
	}
	e.printf("\n### Large builds\n\nA context of %d files and %d MB goes to BuildKit in %s; largest resident size %d MB.\n",
		w.contextMB+3, w.contextMB, milliseconds(sent.took), sent.megabytes)
	if err := os.RemoveAll(filepath.Join(dir, "many")); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "many"), 0o755); err != nil {
		return err
	}
	if err := noise(filepath.Join(dir, "many", "layer"), w.layerMB, 1); err != nil {
		return err
	}
	pushed, err := w.waybill(ctx, dir, "build", "--image", image, "--file", filepath.Join(dir, "Layer"), "--platform", "linux/amd64")
	if err != nil {
		return err
	}
	lines := strings.Count(pushed.words, "packed ") + strings.Count(pushed.words, "pushed ")
	if float64(lines) > pushed.took.Seconds()+1 {
		return fmt.Errorf("%d lines of progress in %s: more than one a second", lines, pushed.took)
	}
	e.printf("\nA layer of %d MB is packed and pushed in %s, with %d lines of progress; largest resident size %d MB.\n",
		w.layerMB, milliseconds(pushed.took), lines, pushed.megabytes)
	return nil
}

// buildMonorepo asks of many images which changed and builds the one; the peer
// builds them all, which finds that nothing is new.
func buildMonorepo(ctx context.Context, e environment) (err error) {
	w, err := e.workshop(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	dir := filepath.Join(w.dir, "shop")
	if err := w.shop(ctx, dir); err != nil {
		return err
	}
	repository := func(i int) string { return fmt.Sprintf("%s/shop/s%d", w.registry.Host, i) }
	build := func(i int) error {
		r, err := w.waybill(ctx, dir, "build", "--image", repository(i), "--context", fmt.Sprintf("s%d", i))
		if err != nil {
			return err
		}
		return w.tagMain(ctx, r.out)
	}
	all := func() error {
		for i := range w.images {
			if err := build(i); err != nil {
				return err
			}
		}
		return nil
	}
	if err := all(); err != nil {
		return err
	}
	if err := writeFiles(dir, map[string][]byte{"s0/data": []byte("new\n")}); err != nil {
		return err
	}
	if err := commitAll(ctx, dir, "Change one"); err != nil {
		return err
	}
	built := 0
	ours := func() error { return w.buildChanged(ctx, dir, repository, &built) }
	a, b, err := alternate(1, ours, all)
	if err != nil {
		return err
	}
	if built != 1 {
		return fmt.Errorf("%d images of %d were built, and one changed", built, w.images)
	}
	e.compare(fmt.Sprintf("A repository of %d images, one of them changed", w.images),
		"`waybill changed` for each, and `waybill build` of one", "`waybill build` of each", a, b)
	return nil
}

// buildChanged builds the images that changed, and counts them.
func (w *workshop) buildChanged(ctx context.Context, dir string, repository func(int) string, built *int) error {
	for i := range w.images {
		r, err := w.waybill(ctx, dir, "changed", repository(i)+":main", "--paths", fmt.Sprintf("s%d", i))
		if err != nil {
			return err
		}
		if r.out != "true" {
			continue
		}
		*built++
		if _, err := w.waybill(ctx, dir, "build", "--image", repository(i), "--context", fmt.Sprintf("s%d", i)); err != nil {
			return err
		}
	}
	return nil
}

// shop writes a repository with many images.
func (w *workshop) shop(ctx context.Context, dir string) error {
	files := map[string][]byte{}
	for i := range w.images {
		files[fmt.Sprintf("s%d/Dockerfile", i)] = []byte("FROM scratch\nCOPY . /\n")
		files[fmt.Sprintf("s%d/data", i)] = bytes.Repeat(fmt.Appendf(nil, "service %d\n", i), 1<<17)
	}
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	if _, err := git.Run(ctx, dir, "init", "--quiet", "--initial-branch=main"); err != nil {
		return err
	}
	return commitAll(ctx, dir, "Begin")
}

// tagMain gives an image the tag by which the next build finds it.
func (w *workshop) tagMain(ctx context.Context, image string) error {
	_, err := process.Command{Path: w.tool("crane"), Args: []string{"tag", image, "main"}, Env: w.env}.Output(ctx)
	return err
}
