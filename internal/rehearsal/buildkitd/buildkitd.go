// Package buildkitd starts a real BuildKit daemon for tests and benchmarks, on
// a unix socket in a directory of its own.
//
// It needs root and runc. Programs for another architecture run through
// qemu-user-static's interpreter, which the daemon finds on the PATH it is
// given: nothing outside the directory is changed.
package buildkitd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/waybill-dev/waybill/internal/door/process"
)

// Options of a daemon.
type Options struct {
	Program string // path of buildkitd
	Dir     string // for state and socket; kept short, because a socket's path is at most 107 bytes
	// Registries are hosts to speak plain HTTP with.
	Registries []string
	// Mirror, if not empty, is the host from which images of Docker Hub come.
	Mirror string
	// Emulators are static programs that run another architecture's, by
	// BuildKit's name for it: "aarch64": "/usr/bin/qemu-aarch64-static".
	Emulators map[string]string
	Log       string // file for the daemon's log; empty drops it
}

// Daemon is a running BuildKit daemon.
type Daemon struct {
	Address string // unix:///…
	server  *process.Server
	log     *os.File // open as long as the daemon runs: it dies when it cannot write
}

// startWithin bounds the wait for a daemon to answer.
const startWithin = 60 * time.Second

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Start starts a daemon and waits until it answers. Stop ends it.
func Start(ctx context.Context, o Options) (*Daemon, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("start buildkitd: needs root")
	}
	bin := filepath.Join(o.Dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return nil, fmt.Errorf("start buildkitd: %w", err)
	}
	for arch, program := range o.Emulators {
		// A copy, because the daemon puts the file itself into the build.
		if err := copyProgram(program, filepath.Join(bin, "buildkit-qemu-"+arch)); err != nil {
			return nil, fmt.Errorf("start buildkitd: %w", err)
		}
	}
	config := filepath.Join(o.Dir, "buildkitd.toml")
	if err := os.WriteFile(config, []byte(configuration(o)), 0o644); err != nil {
		return nil, fmt.Errorf("start buildkitd: %w", err)
	}
	socket := filepath.Join(o.Dir, "s")
	command := process.Command{
		Path: o.Program, Group: true,
		Args: []string{
			"--config", config, "--root", filepath.Join(o.Dir, "root"), "--addr", "unix://" + socket,
			"--oci-worker-snapshotter", "overlayfs", "--containerd-worker=false", "--oci-worker-net=host",
		},
		Env: []string{"PATH=" + bin + ":" + systemPath, "HOME=" + o.Dir, "TMPDIR=" + o.Dir},
	}
	d := &Daemon{Address: "unix://" + socket}
	var err error
	if o.Log != "" {
		if d.log, err = os.Create(o.Log); err != nil {
			return nil, fmt.Errorf("start buildkitd: %w", err)
		}
		command.Stdout, command.Stderr = d.log, d.log
	}
	if d.server, err = command.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, fmt.Errorf("start buildkitd: %w", err)
	}
	if err := d.wait(ctx); err != nil {
		d.Stop()
		return nil, fmt.Errorf("start buildkitd: %w", err)
	}
	return d, nil
}

// Stop ends the daemon and waits for its end.
func (d *Daemon) Stop() {
	d.server.Stop()
	if d.log != nil {
		d.log.Close()
	}
}

// Err is how the daemon ended by itself; nil while it runs.
func (d *Daemon) Err() error {
	select {
	case <-d.server.Done():
		return fmt.Errorf("buildkitd has ended: %w", d.server.Err())
	default:
		return nil
	}
}

func (d *Daemon) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		if d.answers(ctx) {
			return nil
		}
		select {
		case <-d.server.Done():
			return fmt.Errorf("it ended: %w", d.server.Err())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (d *Daemon) answers(ctx context.Context) bool {
	c, err := client.New(ctx, d.Address)
	if err != nil {
		return false
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err = c.ListWorkers(ctx)
	return err == nil
}

func copyProgram(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

func configuration(o Options) string {
	var b strings.Builder
	if o.Mirror != "" {
		fmt.Fprintf(&b, "[registry.\"docker.io\"]\nmirrors = [%q]\n", o.Mirror)
	}
	for _, host := range o.Registries {
		fmt.Fprintf(&b, "[registry.%q]\nhttp = true\n", host)
	}
	return b.String()
}

// Supported says why this machine cannot run a daemon, or nil.
func Supported() error {
	if os.Geteuid() != 0 {
		return errors.New("buildkitd needs root")
	}
	for _, dir := range strings.Split(systemPath, ":") {
		if _, err := os.Stat(filepath.Join(dir, "runc")); err == nil {
			return syscall.Access("/sys/fs/cgroup", 4)
		}
	}
	return errors.New("buildkitd needs runc")
}
