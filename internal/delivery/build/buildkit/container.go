package buildkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/door/process"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/retry"
)

// Image is the builder that Container starts: the release that this binary is
// linked with, for every platform that it is made for.
const Image = "docker.io/moby/buildkit:v0.30.0@sha256:0168606be2315b7c807a03b3d8aa79beefdb31c98740cebdffdfeebf31190c9f"

// containerName is the same in every run, so that a container that somebody
// keeps (its cache is the point of that) is used again.
const containerName = "waybill-buildkit"

// startWithin bounds the wait for a new container to answer.
const startWithin = 60 * time.Second

// Variables are what the docker command reads of the environment.
var Variables = []string{
	"PATH", "HOME", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK",
	"DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
}

// Container is a BuildKit daemon in a container of the local Docker Engine. Its
// image has emulators for foreign platforms, which need no registration.
type Container struct {
	Env   []string // for the docker command; see Variables
	Image string   // empty is Image
	Say   func(format string, args ...any)
	// Hosts says how the daemon reaches registries. A container that is there already
	// keeps its own way.
	Hosts registry.Hosts
}

// Ready reports, by its error, what keeps a container from running here.
func (c Container) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("docker does not answer within %s", startWithin))
	defer cancel()
	_, err := c.docker(ctx, "version", "--format", "{{.Server.Version}}")
	return err
}

// start gives the address of a daemon in a container. A container that runs is
// used and left alone, one that is stopped is started; leave removes what was
// made here, with its cache.
func (c Container) start(ctx context.Context) (address string, leave func() error, err error) {
	address, leave = "docker-container://"+containerName, func() error { return nil }
	running, err := c.running(ctx)
	switch {
	case err == nil && running == "true":
		c.say("BuildKit: using the container %s", containerName)
	case err == nil:
		c.say("BuildKit: starting the container %s", containerName)
		_, err = c.docker(ctx, "container", "start", containerName)
	case strings.Contains(strings.ToLower(err.Error()), "no such container"):
		image := c.Image
		if image == "" {
			image = Image
		}
		c.say("BuildKit: starting a container of %s", image)
		leave = func() error { return c.remove(ctx) }
		err = c.make(ctx, image)
	}
	if err == nil {
		err = c.wait(ctx, address)
	}
	if err != nil {
		return "", nil, outcome.Join(err, leave())
	}
	return address, leave, nil
}

// make makes the container and starts it.
func (c Container) make(ctx context.Context, image string) (err error) {
	if len(c.Hosts.ByHost) == 0 {
		_, err = c.docker(ctx, "run", "--detach", "--privileged", "--name", containerName, image)
		return err
	}
	dir, err := os.MkdirTemp("", "waybill-buildkitd-")
	if err != nil {
		return fmt.Errorf("make a directory for the daemon's configuration: %w", err)
	}
	defer func() { err = outcome.Join(err, os.RemoveAll(dir)) }()
	if err := writeHosts(dir, c.Hosts); err != nil {
		return fmt.Errorf("write the daemon's configuration: %w", err)
	}
	for _, args := range [][]string{
		{"create", "--privileged", "--name", containerName, image},
		{"cp", dir + "/.", containerName + ":" + configDir}, // the Docker Engine may be on another machine
		{"container", "start", containerName},
	} {
		if _, err := c.docker(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// running tells whether the container runs, as true or false.
func (c Container) running(ctx context.Context) (string, error) {
	return c.docker(ctx, "container", "inspect", "--format", "{{.State.Running}}", containerName)
}

// remove removes the container with its volume, also when ctx has ended.
func (c Container) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWithin)
	defer cancel()
	if _, err := c.docker(ctx, "rm", "--force", "--volumes", containerName); err != nil {
		return fmt.Errorf("remove the container %s: %w", containerName, err)
	}
	return nil
}

// wait asks the daemon until it answers, or its container has ended.
func (c Container) wait(ctx context.Context, address string) error {
	waiting, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		daemon, err := dial(waiting, address)
		if err != nil {
			return err
		}
		if err = outcome.Join(answers(waiting, daemon), daemon.Close()); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if running, failed := c.running(ctx); failed == nil && running != "true" {
			return fmt.Errorf("it has ended: %s", c.logs(ctx))
		}
		if retry.Wait(waiting, 200*time.Millisecond) != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("it does not answer: %w: %s", err, c.logs(ctx))
		}
	}
}

// logs is the end of what the daemon wrote.
func (c Container) logs(ctx context.Context) string {
	var out, words bytes.Buffer
	args := []string{"logs", "--tail", "5", containerName}
	err := process.Command{Path: "docker", Args: args, Env: c.Env, Stdout: &out, Stderr: &words}.Run(ctx)
	if err != nil {
		return "its log cannot be read"
	}
	return strings.TrimSpace(out.String() + words.String())
}

// docker runs the docker command, and returns what it wrote without line breaks
// at the ends.
func (c Container) docker(ctx context.Context, args ...string) (string, error) {
	out, err := process.Command{Path: "docker", Args: args, Env: c.Env}.Output(ctx)
	if errors.Is(err, process.ErrNotFound) {
		return "", errors.New("there is no docker command on PATH")
	}
	if ctx.Err() != nil { // and docker ended by a signal, which says less
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("docker %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (c Container) say(format string, args ...any) {
	if c.Say != nil {
		c.Say(format, args...)
	}
}
