package main

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/compile"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// runCompile compiles, and hands the binaries on as one untagged artifact.
func runCompile(ctx context.Context, call *cli.Call) error {
	repository, err := imageref.ParseRepository(call.In.String("image"))
	if err != nil {
		return outcome.Usagef("--image: %w", err)
	}
	platforms, err := build.ParsePlatforms(call.In.List("platform"))
	if err != nil {
		return outcome.Usagef("--platform: %w", err)
	}
	request := compile.Request{Dir: ".", Package: call.In.String("package"), App: call.In.String("app"), Go: "go", Env: compile.Env(call.Getenv),
		SharedCache: call.Env(contract.EnvSharedGoCache) == "true"}
	for _, p := range platforms {
		request.Platforms = append(request.Platforms, compile.Platform(p))
	}
	binaries, err := compile.Run(ctx, request)
	if err != nil {
		return err
	}
	var documents []registry.Document
	for _, b := range binaries {
		call.Sayf("compiled %-24s %s", b.Name, megabytes(int64(len(b.Data))))
		documents = append(documents, registry.Document{Name: b.Name, MediaType: "application/octet-stream", Data: b.Data})
	}
	ref, err := registryClient(call, repository.RegistryStr()).PushDocuments(ctx, repository, evidence.ArtifactBinaries, documents)
	if err != nil {
		return err
	}
	if err := call.Output("binaries", ref.String()); err != nil {
		return err
	}
	_, err = fmt.Fprintln(call.Stdout, ref)
	return err
}

// placeBinaries puts what compile handed on into the context's dist.
func placeBinaries(ctx context.Context, client *registry.Client, repository name.Repository, text, dir string) (string, error) {
	if text == "" {
		return "", nil
	}
	ref, err := imageref.Parse(text)
	if err != nil {
		return "", outcome.Usagef("--binaries: %w", err)
	}
	if ref.Repository() != repository.Name() {
		return "", outcome.Usagef("--binaries: %s is in another repository than --image %s", ref, repository)
	}
	documents, err := client.Documents(ctx, ref, evidence.ArtifactBinaries)
	if err != nil {
		return "", err
	}
	var binaries []compile.Binary
	for _, d := range documents {
		binaries = append(binaries, compile.Binary{Name: d.Name, Data: d.Data})
	}
	return ref.String(), compile.Place(dir, binaries)
}
