package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/rehearsal/bases"
	"github.com/waybill-dev/waybill/internal/rehearsal/buildkitd"
)

// Copy is the second repository that the frontend's image goes to.
const Copy = "copies/frontend"

// Supported says why this machine cannot build a Dockerfile with RUN, or nil.
func Supported(tools string) error {
	_, missing := os.Stat(filepath.Join(tools, "buildkitd"))
	_, npm := process.LookPath("npm")
	return errors.Join(buildkitd.Supported(), missing, npm)
}

// builder starts the BuildKit that stands for the one on a hosted runner, and
// pushes the base images that it cannot pull here.
func (d *demo) builder(ctx context.Context) error {
	if d.unsupported = Supported(d.o.Tools); d.unsupported != nil {
		return nil
	}
	host := d.sandbox.URLs().Registry
	if err := bases.Push(ctx, bases.Options{Root: d.o.Root, Dir: d.o.Dir, Env: d.o.Env, Registry: host}); err != nil {
		return err
	}
	var err error
	d.buildkit, err = buildkitd.Start(ctx, buildkitd.Options{
		Program: filepath.Join(d.o.Tools, "buildkitd"), Dir: d.socketDir, Registries: []string{host}, Mirror: host,
		Log: filepath.Join(d.o.Dir, "buildkitd.log"),
	})
	if err != nil {
		return err
	}
	d.tell("BuildKit is up, with stand-ins for the base images node and nginx")
	return nil
}

// frontend delivers the second application. Its Dockerfile has RUN.
func (d *demo) frontend(ctx context.Context) error {
	if d.unsupported != nil {
		d.tell("%s is left out: %v", frontRepo, d.unsupported)
		return nil
	}
	seed, err := d.seed(frontRepo, "site")
	if err == nil {
		err = d.copied(filepath.Join(seed.Dir, ".github", "workflows", "ci.yml"))
	}
	if err != nil {
		return err
	}
	seed.Vars, seed.Secrets = d.askVars, d.askSecrets
	if err := d.sandbox.GitHub.CreateRepository(ctx, seed); err != nil {
		return err
	}
	return d.push(ctx, frontRepo)
}

// copied makes the application's image go to a second repository too.
func (d *demo) copied(workflow string) error {
	data, err := os.ReadFile(workflow)
	if err != nil {
		return err
	}
	image := "      image: " + d.sandbox.URLs().Registry + "/" + frontRepo + "\n"
	copies := "      copies: " + d.sandbox.URLs().Registry + "/" + Copy + "\n"
	text := strings.Replace(string(data), image, image+copies, 1)
	return os.WriteFile(workflow, []byte(text), 0o644)
}

// socket makes the directory of the BuildKit daemon, and says to the jobs where
// the daemon is.
func (d *demo) socket() (err error) {
	if d.socketDir, err = os.MkdirTemp("", "wb"); err != nil { // a socket's path is limited
		return fmt.Errorf("make the directory of BuildKit: %w", err)
	}
	d.o.Env = append(append([]string{}, d.o.Env...), "BUILDKIT_HOST=unix://"+filepath.Join(d.socketDir, "s"))
	return nil
}
