package main

import (
	"context"
	"runtime"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/assemble"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// buildOrder reads the inputs that need neither the source nor the registry.
func buildOrder(call *cli.Call, in options.Build, place build.Place) (o build.Order, err error) {
	o = build.Order{Engine: string(in.Engine), Layout: in.OCILayout, Metadata: in.Metadata, Plain: in.PlainManifest}
	o.Archive, o.DockerArchive, o.Load = in.Archive, in.ArchiveFormat == options.ArchiveFormatDocker, in.Load
	o.Lint = in.Check
	o.Request = build.Request{
		Context: place.Context, Dockerfile: place.Dockerfile, Target: in.Target, CacheFrom: in.CacheFrom, CacheTo: in.CacheTo,
	}
	o.Record.Version, o.Record.StartedAt = cli.Version(), time.Now().UTC()
	if in.Load && strings.Join(in.Platform, "\n") == contract.DefaultPlatforms {
		in.Platform = []string{"linux/" + runtime.GOARCH} // that Docker runs, also on another system than Linux
	}
	if err := o.Parse(build.Texts{
		Images: in.Image, Platforms: in.Platform, Secrets: in.Secret, Args: in.BuildArg, Labels: in.Label,
		Annotations: in.Annotation, SecretValues: in.SecretValues, Compression: in.Compression,
	}, call.Getenv); err != nil {
		return o, err
	}
	if in.Cache && len(in.Image) > 0 {
		o.Cache = build.CacheBeside(o.Repository, call.Runner.Context().Ref)
	}
	if o.Extras, err = (build.ExtraTexts{
		SSH: in.SSH, Contexts: in.BuildContext, AddHosts: in.AddHost, Allow: in.Allow, Ulimits: in.Ulimit,
		Network: string(in.Network), ShmSize: in.ShmSize, NoCache: in.NoCache, Pull: in.Pull,
	}).Parse(); err != nil {
		return o, err
	}
	more, err := o.Directories()
	if err != nil {
		return o, err
	}
	for _, s := range o.Secrets {
		if err := call.Runner.Mask(string(s.Value)); err != nil {
			return o, err
		}
	}
	return o, place.Within(call.Runner.Context().Workspace, more)
}

// readSource describes the source of the build context, as far as it is known.
func readSource(ctx context.Context, call *cli.Call, place build.Place) build.Source {
	job := call.Runner.Context()
	source, err := place.Source(ctx, build.Job{Server: job.ServerURL, Repository: job.Repository, Commit: job.SHA, Ref: job.Ref})
	if err != nil {
		call.Sayf("note: labels and build record say less of the source: %v", err)
	}
	return source
}

// warn shows a warning about the Dockerfile at its line.
func warn(call *cli.Call, source build.Source, w build.Warning) {
	call.Sayf("warning: %s", w)
	at := runner.Annotation{Level: runner.Warning, File: source.Relative(w.Path), Line: w.Line, Title: w.Rule, Message: w.Message}
	if err := call.Runner.Annotate(at); err != nil {
		call.Sayf("note: %v", err)
	}
}

// container is where BuildKit runs if no daemon answers, in the Docker of the
// job's environment.
func container(call *cli.Call) buildkit.Container {
	c := buildkit.Container{Say: call.Sayf}
	for _, name := range buildkit.Variables {
		if value := call.Getenv(name); value != "" {
			c.Env = append(c.Env, name+"="+value)
		}
	}
	return c
}

// checkDockerfile looks the Dockerfile over, and builds nothing.
func checkDockerfile(ctx context.Context, call *cli.Call, o build.Order, images assemble.Images, place build.Place) error {
	source := readSource(ctx, call, place)
	file, err := build.ReadDockerfile(o.Context, o.Dockerfile)
	if err != nil {
		return err
	}
	o.Warn = func(w build.Warning) { warn(call, source, w) }
	findings, err := assemble.Check(ctx, images, o.Request, file, call.Sayf)
	if err == nil && findings > 0 {
		err = outcome.Refusedf("%s has findings of the checks (%d): mend them, or leave a rule out by a first line `# check=skip=RULE`",
			file.Path, findings)
	}
	return err
}
