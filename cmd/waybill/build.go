package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/assemble"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runBuild(ctx context.Context, call *cli.Call) (err error) {
	b, err := newBuildCall(ctx, call)
	if err != nil {
		return err
	}
	endGroup := func() {}
	built, engine, err := build.Run(ctx, b.engines(), b.In.String("engine"), b.request, b.file, func(c build.Choice) {
		b.Sayf("%s  %s", c.Engine, c.Reason)
		if c.Engine == build.BuildKit {
			endGroup = b.Runner.Group("BuildKit")
		}
	})
	endGroup()
	if err != nil {
		return err
	}
	defer func() { err = outcome.Join(err, built.Close()) }()
	index, platforms, err := build.Index(built.Images, b.annotations)
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("compute the digest of the index: %w", err)
	}
	b.sayImages(built.Images, platforms)
	return b.deliver(ctx, index, built.Images, evidence.BuildRecord{
		Schema: evidence.BuildSchema, Digest: digest.String(), Platforms: platforms, Engine: engine, Version: cli.Version(),
		Dockerfile: evidence.Dockerfile{Path: b.source.Relative(b.file.Path), Digest: b.file.Digest},
		Context:    b.source.Relative(b.request.Context), Target: b.request.Target, BuildArgs: b.request.Args,
		BaseImages: built.BaseImages, Binaries: b.binaries, Source: b.source.Source, StartedAt: b.started,
	})
}

func (b *buildCall) engines() map[string]build.Engine {
	container := buildkit.Container{Say: b.Sayf}
	for _, name := range buildkit.Variables {
		if value := b.Getenv(name); value != "" {
			container.Env = append(container.Env, name+"="+value)
		}
	}
	return map[string]build.Engine{
		build.Assemble: assemble.Engine{Images: b.client},
		build.BuildKit: buildkit.Engine{Builders: b.builders, Container: container, Credentials: b.client.Credentials, Progress: b.Stderr},
	}
}

func (b *buildCall) sayImages(images []build.Image, platforms map[string]string) {
	for _, image := range images {
		digest := platforms[image.Platform.String()]
		b.Sayf(" %-12s %s…  %9s  %5.2f s", image.Platform, imageref.ShortDigest(digest), megabytes(image.Size()), image.Took.Seconds())
	}
}

// deliver pushes or writes the index, and then its record.
func (b *buildCall) deliver(ctx context.Context, index v1.ImageIndex, images []build.Image, record evidence.BuildRecord) error {
	layout := b.In.String("oci_layout")
	image := filepath.ToSlash(layout) + "@" + record.Digest
	if layout != "" {
		if err := build.WriteLayout(layout, index, b.annotations); err != nil {
			return err
		}
	} else {
		ref, err := b.client.PushIndex(ctx, b.repository, index)
		if err != nil {
			return err
		}
		image, record.Image = ref.String(), ref.String()
	}
	record.FinishedAt = time.Now().UTC()
	data, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return fmt.Errorf("write the build record: %w", err)
	}
	if file := b.In.String("metadata"); file != "" {
		if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the build record: %w", err)
		}
	}
	recordRef := ""
	if layout == "" {
		ref, err := b.client.PushDocuments(ctx, b.repository, evidence.ArtifactBuild, []registry.Document{
			{Name: evidence.FileBuild, MediaType: "application/json", Data: data},
		})
		if err != nil {
			return fmt.Errorf("the image %s is in the registry, and only its build record is not, which sign and verify need: "+
				"use a registry that takes OCI artifacts, or run build again if the trouble passes: %w", image, err)
		}
		recordRef = ref.String()
	}
	return b.tell(image, recordRef, images, record)
}

// tell hands the results to the steps after this one, and to the reader.
func (b *buildCall) tell(image, recordRef string, images []build.Image, record evidence.BuildRecord) error {
	platforms, err := json.Marshal(record.Platforms)
	if err != nil {
		return fmt.Errorf("write the outputs: %w", err)
	}
	for _, output := range [][2]string{{"image", image}, {"digest", record.Digest}, {"platforms", string(platforms)}, {"record", recordRef}} {
		if err := b.Output(output[0], output[1]); err != nil {
			return err
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "**Built** `%s` with %s\n\n| platform | manifest | size |\n|---|---|---|\n", image, record.Engine)
	for _, i := range images {
		fmt.Fprintf(&table, "| %s | `%s` | %s |\n", i.Platform, imageref.ShortDigest(record.Platforms[i.Platform.String()]), megabytes(i.Size()))
	}
	if err := b.Runner.Summary(table.String()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(b.Stdout, image)
	return err
}
