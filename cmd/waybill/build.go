package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/build"
	"github.com/waybill-dev/waybill/internal/build/assemble"
	"github.com/waybill-dev/waybill/internal/cli"
	"github.com/waybill-dev/waybill/internal/contract"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
	"github.com/waybill-dev/waybill/internal/registry"
)

// buildCall is one call of build: what was asked for, and what it needs.
type buildCall struct {
	*cli.Call
	repository name.Repository
	client     *registry.Client
	file       *build.Dockerfile
	source     build.Source
	request    build.Request
	started    time.Time
}

func runBuild(ctx context.Context, call *cli.Call) error {
	b := &buildCall{Call: call, started: time.Now().UTC()}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	built, engine, err := b.build(ctx)
	if err != nil {
		return err
	}
	if built.Close != nil {
		defer built.Close()
	}
	title := b.title()
	annotations, err := pairs(call.In, "annotation")
	if err != nil {
		return err
	}
	index, platforms, err := build.Index(built.Images, b.source.Metadata(title, b.request.Epoch, annotations))
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("compute the digest of the index: %w", err)
	}
	b.sayImages(built.Images, platforms)
	record := evidence.BuildRecord{
		Schema: evidence.BuildSchema, Digest: digest.String(), Platforms: platforms, Engine: engine, Version: cli.Version(),
		Dockerfile: evidence.Dockerfile{Path: b.source.Relative(b.file.Path), Digest: b.file.Digest},
		Context:    b.source.Relative(b.request.Context), Target: b.request.Target, BuildArgs: b.request.Args,
		BaseImages: built.BaseImages, Source: b.source.Source, StartedAt: b.started,
	}
	return b.deliver(ctx, index, record)
}

// prepare reads the inputs and everything that can be wrong before building.
func (b *buildCall) prepare(ctx context.Context) (err error) {
	in := b.In
	if !in.Has("image") && !in.Has("oci_layout") {
		return outcome.Usagef("build needs --image REPOSITORY to push to, or --oci-layout DIR to write to")
	}
	if in.Has("image") {
		if b.repository, err = imageref.ParseRepository(in.String("image")); err != nil {
			return outcome.Usagef("--image: %w", err)
		}
	}
	b.client = registryClient(b.Call, b.repository.RegistryStr())
	r := build.Request{
		Context: in.String("context"), Dockerfile: in.String("file"), Target: in.String("target"),
		CacheFrom: in.List("cache_from"), CacheTo: in.List("cache_to"),
	}
	if r.Platforms, err = build.ParsePlatforms(in.List("platform")); err != nil {
		return outcome.Usagef("--platform: %w", err)
	}
	if r.Args, err = pairs(in, "build_arg"); err != nil {
		return err
	}
	labels, err := pairs(in, "label")
	if err != nil {
		return err
	}
	if b.file, err = build.ReadDockerfile(r.Context, r.Dockerfile); err != nil {
		return err
	}
	job := b.Runner.Context()
	fromJob := build.Job{Commit: job.SHA, Ref: job.Ref}
	if job.Repository != "" {
		fromJob.Repository = job.ServerURL + "/" + job.Repository
	}
	if b.source, err = build.ReadSource(ctx, r.Context, fromJob); err != nil {
		b.Sayf("note: %v: labels and record say nothing of it", err)
	}
	if r.Epoch, err = epoch(b.Env(contract.EnvSourceDate), b.source.CommitTime); err != nil {
		return err
	}
	r.Labels = b.source.Metadata(b.title(), r.Epoch, labels)
	b.request = r
	return nil
}

func (b *buildCall) build(ctx context.Context) (build.Built, string, error) {
	choice, err := build.Choose(b.In.String("engine"), b.request, b.file)
	if err != nil {
		return build.Built{}, "", err
	}
	b.Sayf("%s  %s", choice.Engine, choice.Reason)
	built, err := assemble.Engine{Images: b.client}.Build(ctx, b.request, b.file)
	return built, choice.Engine, err
}

func (b *buildCall) sayImages(images []build.Image, platforms map[string]string) {
	for _, image := range images {
		b.Sayf(" %-14s %s  %8s  %5.2f s", image.Platform, imageref.ShortDigest(platforms[image.Platform.String()])+"…", megabytes(imageSize(image)), image.Took.Seconds())
	}
}

// imageSize is what a node downloads to run the image.
func imageSize(image v1.Image) (size int64) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0
	}
	for _, l := range manifest.Layers {
		size += l.Size
	}
	return size + manifest.Config.Size
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// deliver pushes or writes the index and its record, and tells what came out.
func (b *buildCall) deliver(ctx context.Context, index v1.ImageIndex, record evidence.BuildRecord) error {
	layout := b.In.String("oci_layout")
	if layout != "" {
		if err := build.WriteLayout(layout, index); err != nil {
			return err
		}
	}
	image, recordRef := "", ""
	if b.In.Has("image") && layout == "" {
		ref, err := b.client.PushIndex(ctx, b.repository, index)
		if err != nil {
			return err
		}
		image = ref.String()
	}
	record.Image, record.FinishedAt = image, time.Now().UTC()
	data, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return fmt.Errorf("write the build record: %w", err)
	}
	if file := b.In.String("metadata"); file != "" {
		if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the build record: %w", err)
		}
	}
	if image != "" {
		ref, err := b.client.PushDocuments(ctx, b.repository, evidence.ArtifactBuild, []registry.Document{
			{Name: evidence.FileBuild, MediaType: "application/json", Data: data},
		})
		if err != nil {
			return err
		}
		recordRef = ref.String()
	} else {
		image = filepath.ToSlash(layout) + "@" + record.Digest
	}
	return b.tell(image, recordRef, record)
}

func (b *buildCall) tell(image, recordRef string, record evidence.BuildRecord) error {
	platforms, err := json.Marshal(record.Platforms)
	if err != nil {
		return err
	}
	for _, output := range [][2]string{{"image", image}, {"digest", record.Digest}, {"platforms", string(platforms)}, {"record", recordRef}} {
		if err := b.Output(output[0], output[1]); err != nil {
			return err
		}
	}
	fmt.Fprintln(b.Stdout, image)
	return nil
}

// pairs reads a list of NAME=VALUE.
func pairs(in contract.Values, input string) (map[string]string, error) {
	values := map[string]string{}
	for _, pair := range in.List(input) {
		key, value, found := strings.Cut(pair, "=")
		if !found || strings.TrimSpace(key) == "" {
			return nil, outcome.Usagef("--%s: %q is not NAME=VALUE", strings.ReplaceAll(input, "_", "-"), pair)
		}
		values[strings.TrimSpace(key)] = value
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

// title is the image's name without registry and owner.
func (b *buildCall) title() string {
	if b.repository.RepositoryStr() == "" {
		return ""
	}
	return path.Base(b.repository.RepositoryStr())
}
