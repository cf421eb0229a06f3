package build

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// Order is a build and where it goes.
type Order struct {
	Request
	Recipe      *Dockerfile
	Engine      string // Auto, BuildKit or Assemble
	Annotations Annotations
	Repository  name.Repository // to push to, unless Layout is set
	Layout      string          // directory of the OCI layout to write instead
	Metadata    string          // file to write the record to; none if empty
	// Plain delivers the manifest of the one platform without an index around it.
	Plain bool
	// Record holds what is known before the build: source, binaries, version.
	Record evidence.BuildRecord
	// Notes say what could not be found out of the source.
	Notes []string
}

// Shop is what an order is carried out with.
type Shop struct {
	Engines  map[string]Engine
	Registry *registry.Client
	Chosen   func(Choice) // is told which engine builds, before it begins
	Built    func()       // is called when the engine has ended
}

// Describe reads the Dockerfile, and completes labels, annotations, time and
// record by what is known of the source. date is SOURCE_DATE_EPOCH.
func (o *Order) Describe(ctx context.Context, source Source, date string) (err error) {
	if o.Recipe, err = ReadDockerfile(o.Context, o.Dockerfile); err != nil {
		return err
	}
	if o.Epoch, err = epoch(cmp.Or(o.Args["SOURCE_DATE_EPOCH"], date), source.CommitTime); err != nil {
		return outcome.Usagef("%w", err)
	}
	if o.Tracked, err = ReadTracked(ctx, o.Context, o.Epoch); err != nil {
		o.Notes = append(o.Notes, fmt.Sprintf("permissions and times of files are those of this checkout: %v", err))
	}
	title := ""
	if name := o.Repository.RepositoryStr(); name != "" {
		title = path.Base(name)
	}
	o.Labels = source.Metadata(title, o.Epoch, o.Labels)
	o.Annotations = append(Everywhere(source.Metadata(title, o.Epoch, nil)), o.Annotations...)
	r := &o.Record
	r.Dockerfile = evidence.Dockerfile{Path: source.Relative(o.Recipe.Path), Digest: o.Recipe.Digest}
	r.Context, r.Target, r.BuildArgs, r.Source = source.Relative(o.Context), o.Target, o.Args, source.Source
	return nil
}

// Result is an image that was built and pushed, or written to a layout.
type Result struct {
	Image  string               `json:"image"`            // the index by digest, after the repository or the layout's directory
	Record string               `json:"record,omitempty"` // the artifact that holds the build record, by digest
	Build  evidence.BuildRecord `json:"build"`
	Images []PlatformImage      `json:"images"`
	Steps  []Step               `json:"steps,omitempty"` // of BuildKit
}

// PlatformImage is the image of one platform.
type PlatformImage struct {
	Platform string  `json:"platform"` // linux/arm64
	Digest   string  `json:"digest"`   // sha256:HEX of the manifest
	Size     int64   `json:"size"`     // bytes that a node without any of it downloads
	Seconds  float64 `json:"seconds"`  // that building it took
}

// Deliver builds, pushes the index last, and then its record.
func Deliver(ctx context.Context, s Shop, o Order) (result Result, err error) {
	built, engine, err := Run(ctx, s.Engines, o.Engine, o.Request, o.Recipe, s.Chosen)
	s.Built()
	if err != nil {
		return Result{}, err
	}
	defer func() { err = outcome.Join(err, built.Close()) }()
	index, platforms, err := Index(built.Images, o.Annotations)
	if err != nil {
		return Result{}, err
	}
	digest, err := index.Digest()
	if err != nil {
		return Result{}, fmt.Errorf("compute the digest of the index: %w", err)
	}
	var plain v1.Image
	if o.Plain {
		if plain, err = annotate(built.Images[0].Image, o.Annotations.Of(LevelManifest, built.Images[0].Platform)); err != nil {
			return Result{}, fmt.Errorf("annotate the image: %w", err)
		}
		if digest, err = plain.Digest(); err != nil {
			return Result{}, fmt.Errorf("compute the digest of the image: %w", err)
		}
	}
	r := o.Record
	r.Schema, r.Digest, r.Platforms, r.Engine, r.BaseImages = evidence.BuildSchema, digest.String(), platforms, engine, built.BaseImages
	result = Result{Build: r, Steps: built.Steps}
	for _, image := range built.Images {
		name := image.Platform.String()
		result.Images = append(result.Images, PlatformImage{name, platforms[name], image.Size(), image.Took.Seconds()})
	}
	if err := result.push(ctx, s.Registry, o, made{index, plain}); err != nil {
		return Result{}, err
	}
	return result, nil
}

// made is what was built: an index, and in its place a plain image if that was
// asked for.
type made struct {
	index v1.ImageIndex
	plain v1.Image
}

func (m made) push(ctx context.Context, client *registry.Client, repository name.Repository) (imageref.Ref, error) {
	if m.plain != nil {
		return client.PushImage(ctx, repository, m.plain)
	}
	return client.PushIndex(ctx, repository, m.index)
}

func (r *Result) push(ctx context.Context, client *registry.Client, o Order, m made) error {
	if o.Layout != "" {
		if err := WriteLayout(o.Layout, m, o.Annotations); err != nil {
			return err
		}
		r.Image = filepath.ToSlash(o.Layout) + "@" + r.Build.Digest
	} else {
		ref, err := m.push(ctx, client, o.Repository)
		if err != nil {
			return err
		}
		r.Image, r.Build.Image = ref.String(), ref.String()
	}
	r.Build.FinishedAt = time.Now().UTC()
	data, err := json.MarshalIndent(r.Build, "", "  ")
	if err != nil {
		return fmt.Errorf("write the build record: %w", err)
	}
	if o.Metadata != "" {
		if err := os.WriteFile(o.Metadata, append(data, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the build record: %w", err)
		}
	}
	if o.Layout != "" {
		return nil
	}
	var ref imageref.Ref
	ref, err = client.PushDocuments(ctx, o.Repository, evidence.ArtifactBuild, []registry.Document{
		{Name: evidence.FileBuild, MediaType: "application/json", Data: data},
	})
	if err != nil {
		return fmt.Errorf("the image %s is in the registry, and only its build record is not, which sign and verify need: "+
			"use a registry that takes OCI artifacts, or run build again if the trouble passes: %w", r.Image, err)
	}
	r.Record = ref.String()
	return nil
}
