package main

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// buildCall is one call of build: what was asked for, and what it needs.
type buildCall struct {
	*cli.Call
	repository  name.Repository // the zero one when an OCI layout is written
	client      *registry.Client
	file        *build.Dockerfile
	source      build.Source
	binaries    string // reference of what compile handed on; empty without
	request     build.Request
	builders    buildkit.Builders
	annotations build.Annotations
	started     time.Time
}

// newBuildCall reads the inputs and checks what can be wrong before building.
func newBuildCall(ctx context.Context, call *cli.Call) (*buildCall, error) {
	b := &buildCall{Call: call, started: time.Now().UTC()}
	in := call.In
	if !in.Has("image") && !in.Has("oci_layout") {
		return nil, outcome.Usagef("build needs --image REPOSITORY to push to, or --oci-layout DIR to write to")
	}
	var err error
	if in.Has("image") {
		if b.repository, err = imageref.ParseRepository(in.String("image")); err != nil {
			return nil, outcome.Usagef("--image: %w", err)
		}
	}
	b.client = registryClient(call, b.repository.RegistryStr())
	r := build.Request{
		Context: in.String("context"), Dockerfile: in.String("file"), Target: in.String("target"),
		CacheFrom: in.List("cache_from"), CacheTo: in.List("cache_to"),
	}
	if r.Platforms, err = build.ParsePlatforms(in.List("platform")); err != nil {
		return nil, outcome.Usagef("--platform: %w", err)
	}
	if len(r.Platforms) == 0 {
		return nil, outcome.Usagef("--platform: no platform to build for")
	}
	if b.builders, err = buildkit.ParseBuilders(in.List("builder"), call.Env(contract.EnvBuildkitHost)); err != nil {
		return nil, outcome.Usagef("--builder: %w", err)
	}
	if r.Secrets, err = buildSecrets(call); err != nil {
		return nil, err
	}
	if r.Args, err = pairs(in, "build_arg"); err != nil {
		return nil, err
	}
	labels, err := pairs(in, "label")
	if err != nil {
		return nil, err
	}
	annotations, err := buildAnnotations(in)
	if err != nil {
		return nil, err
	}
	if err := build.Within(call.Runner.Context().Workspace, r.Context, r.Dockerfile); err != nil {
		return nil, err
	}
	b.source = readSource(ctx, call, r.Context) // before anything is written there
	if b.binaries, err = placeBinaries(ctx, b.client, b.repository, in.String("binaries"), r.Context); err != nil {
		return nil, err
	}
	if b.file, err = build.ReadDockerfile(r.Context, r.Dockerfile); err != nil {
		return nil, err
	}
	if r.Epoch, err = epoch(cmp.Or(r.Args["SOURCE_DATE_EPOCH"], call.Env(contract.EnvSourceDate)), b.source.CommitTime); err != nil {
		return nil, err
	}
	if r.Tracked, err = build.ReadTracked(ctx, r.Context, r.Epoch); err != nil {
		call.Sayf("note: permissions and times of files are those of this checkout: %v", err)
	}
	r.Warn = func(w build.Warning) { b.warn(w) }
	title := ""
	if in.Has("image") {
		title = path.Base(b.repository.RepositoryStr())
	}
	r.Labels = b.source.Metadata(title, r.Epoch, labels)
	b.annotations = append(build.Everywhere(b.source.Metadata(title, r.Epoch, nil)), annotations...)
	b.request = r
	return b, nil
}

// readSource describes the context's source. A build goes on without it.
func readSource(ctx context.Context, call *cli.Call, dir string) build.Source {
	job := call.Runner.Context()
	fromJob := build.Job{Commit: job.SHA, Ref: job.Ref}
	if job.Repository != "" {
		fromJob.Repository = job.ServerURL + "/" + job.Repository
	}
	source, err := build.ReadSource(ctx, dir, fromJob)
	if err != nil {
		call.Sayf("note: labels and build record say less of the source: %v", err)
	}
	return source
}

// buildAnnotations reads the annotations that the user gives.
func buildAnnotations(in contract.Values) (build.Annotations, error) {
	var annotations build.Annotations
	for _, text := range in.List("annotation") {
		list, err := build.ParseAnnotation(text)
		if err != nil {
			return nil, outcome.Usagef("--annotation: %w", err)
		}
		annotations = append(annotations, list...)
	}
	return annotations, nil
}

// warn shows a warning about the Dockerfile at its line.
func (b *buildCall) warn(w build.Warning) {
	b.Sayf("warning: %s", w)
	at := runner.Annotation{Level: runner.Warning, File: b.source.Relative(w.Path), Line: w.Line, Title: w.Rule, Message: w.Message}
	if err := b.Runner.Annotate(at); err != nil {
		b.Sayf("note: %v", err)
	}
}

// buildSecrets reads the secrets and hides the values of variables in the log.
func buildSecrets(call *cli.Call) ([]build.Secret, error) {
	var secrets []build.Secret
	for _, text := range call.In.List("secret") {
		s, err := build.ParseSecret(text, func(name string) string {
			return call.Env(contract.EnvVar{Name: name, Sensitive: true})
		})
		if err != nil {
			return nil, outcome.Usagef("--secret: %w", err)
		}
		if err := call.Runner.Mask(string(s.Value)); err != nil {
			return nil, err
		}
		secrets = append(secrets, s)
	}
	return secrets, nil
}

// pairs reads a list of NAME=VALUE.
func pairs(in contract.Values, input string) (map[string]string, error) {
	values := map[string]string{}
	for _, pair := range in.List(input) {
		key, value, found := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !found || key == "" {
			return nil, outcome.Usagef("--%s: %q is not NAME=VALUE", strings.ReplaceAll(input, "_", "-"), pair)
		}
		values[key] = value
	}
	return values, nil
}

// epoch is the time an image bears: SOURCE_DATE_EPOCH, else the commit's, else
// 1970, so that the same files always give the same digest.
func epoch(given string, commit time.Time) (time.Time, error) {
	if given != "" {
		seconds, err := strconv.ParseInt(given, 10, 64)
		if err != nil || seconds < 0 {
			return time.Time{}, outcome.Usagef("SOURCE_DATE_EPOCH: %q is not a number of seconds since 1970", given)
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	if commit.IsZero() {
		return time.Unix(0, 0).UTC(), nil
	}
	return commit, nil
}

// megabytes is a size for people.
func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
