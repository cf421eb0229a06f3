package compile

import (
	"context"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Result is what was compiled and pushed.
type Result struct {
	Binaries imageref.Ref `json:"binaries"` // the untagged artifact that holds them
	Files    []File       `json:"files"`
}

// File is one binary of the artifact.
type File struct {
	Name string `json:"name"` // OS-ARCH/APP
	Size int64  `json:"size"` // bytes
}

// Listed is a result that names the binaries, and where nothing holds them yet.
func Listed(binaries []Binary) (r Result) {
	for _, b := range binaries {
		r.Files = append(r.Files, File{b.Name, int64(len(b.Data))})
	}
	return r
}

// Push hands the binaries on as one untagged artifact beside the image.
func Push(ctx context.Context, client *registry.Client, repository name.Repository, binaries []Binary) (Result, error) {
	var documents []registry.Document
	for _, b := range binaries {
		documents = append(documents, registry.Document{Name: b.Name, MediaType: "application/octet-stream", Data: b.Data})
	}
	result := Listed(binaries)
	var err error
	if result.Binaries, err = client.PushDocuments(ctx, repository, evidence.ArtifactBinaries, documents); err != nil {
		return Result{}, err
	}
	return result, nil
}

// Fetch writes the binaries of an artifact into dist of the build context dir,
// and returns the artifact's reference. Without text there is nothing to write.
func Fetch(ctx context.Context, client *registry.Client, repository name.Repository, text, dir string) (string, error) {
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
	var binaries []Binary
	for _, d := range documents {
		binaries = append(binaries, Binary{Name: d.Name, Data: d.Data})
	}
	return ref.String(), Place(dir, binaries)
}
