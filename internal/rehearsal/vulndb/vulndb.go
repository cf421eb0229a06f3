// Package vulndb makes small vulnerability databases in Trivy's real format and
// puts them into a registry the way Trivy's publisher does.
//
// Tests and the rehearsal scan with them offline and with known findings. The
// advisories are YAML in the form of github.com/aquasecurity/bolt-fixtures:
// buckets and keys exactly as they stand in trivy.db. Nothing here is meant for
// judging real images.
package vulndb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	fixtures "github.com/aquasecurity/bolt-fixtures"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Media types and file names of the artifact.
// https://github.com/aquasecurity/trivy-db
const (
	LayerMediaType     = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
	JavaLayerMediaType = "application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip"
	ConfigMediaType    = "application/vnd.aquasec.trivy.config.v1+json"

	databaseFile = "trivy.db"
	metadataFile = "metadata.json"
)

// SchemaVersion is the only version of the format there is in use.
const SchemaVersion = 2

// Database says what a database holds.
type Database struct {
	Advisories []string  // YAML files
	UpdatedAt  time.Time // when it claims to have been built
	Version    int       // 0 is SchemaVersion
}

// Pusher is what Push needs of the registry door.
type Pusher interface {
	PushImage(ctx context.Context, repository name.Repository, image v1.Image) (imageref.Ref, error)
	Tag(ctx context.Context, ref imageref.Ref, tag string) error
}

// Push builds the database, pushes it and tags it with its version.
func Push(ctx context.Context, registry Pusher, repository name.Repository, d Database) (imageref.Ref, error) {
	dir, err := os.MkdirTemp("", "waybill-vulndb-")
	if err != nil {
		return imageref.Ref{}, fmt.Errorf("build the vulnerability database: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := d.Build(dir); err != nil {
		return imageref.Ref{}, err
	}
	image, err := Artifact(dir)
	if err != nil {
		return imageref.Ref{}, err
	}
	ref, err := registry.PushImage(ctx, repository, image)
	if err != nil {
		return imageref.Ref{}, err
	}
	return ref, registry.Tag(ctx, ref, fmt.Sprint(d.version()))
}

func (d Database) version() int {
	if d.Version == 0 {
		return SchemaVersion
	}
	return d.Version
}

// Build writes trivy.db and metadata.json into dir.
func (d Database) Build(dir string) error {
	loader, err := fixtures.New(filepath.Join(dir, databaseFile), d.Advisories)
	if err != nil {
		return fmt.Errorf("create the vulnerability database: %w", err)
	}
	if err := loader.Load(); err != nil {
		_ = loader.Close()
		return fmt.Errorf("load advisories %q: %w", d.Advisories, err)
	}
	if err := loader.Close(); err != nil {
		return fmt.Errorf("close the vulnerability database: %w", err)
	}
	metadata, err := json.Marshal(map[string]any{
		"Version":      d.version(),
		"UpdatedAt":    d.UpdatedAt.UTC(),
		"NextUpdate":   d.UpdatedAt.UTC().Add(24 * time.Hour),
		"DownloadedAt": time.Time{},
	})
	if err != nil {
		return fmt.Errorf("describe the vulnerability database: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, metadataFile), metadata, 0o600)
}

// Artifact packs what Build wrote.
func Artifact(dir string) (v1.Image, error) {
	return pack(dir, LayerMediaType, "db.tar.gz", databaseFile, metadataFile)
}

// JavaArtifact packs trivy-java.db and metadata.json, as the module
// github.com/aquasecurity/trivy-java-db writes them.
func JavaArtifact(dir string) (v1.Image, error) {
	return pack(dir, JavaLayerMediaType, "javadb.tar.gz", "trivy-java.db", metadataFile)
}

func pack(dir, mediaType, title string, files ...string) (v1.Image, error) {
	var archive bytes.Buffer
	compressed := gzip.NewWriter(&archive)
	w := tar.NewWriter(compressed)
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return nil, fmt.Errorf("pack the vulnerability database: %w", err)
		}
		if err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o600, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			return nil, fmt.Errorf("pack %s: %w", file, err)
		}
		if _, err := w.Write(data); err != nil {
			return nil, fmt.Errorf("pack %s: %w", file, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack the vulnerability database: %w", err)
	}
	if err := compressed.Close(); err != nil {
		return nil, fmt.Errorf("pack the vulnerability database: %w", err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), ConfigMediaType)
	return mutate.Append(image, mutate.Addendum{
		Layer:       static.NewLayer(archive.Bytes(), types.MediaType(mediaType)),
		Annotations: map[string]string{"org.opencontainers.image.title": title},
	})
}
