package build

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
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
	Repository  name.Repository   // to push to, unless the image stays on this machine
	Also        []name.Repository // that get the same image
	Layout      string            // directory of the OCI layout to write instead
	Archive     string            // file to write the image to instead
	// DockerArchive is whether Archive is one for docker load, not an OCI layout.
	DockerArchive bool
	Load          bool   // whether to load the image into the local Docker instead
	Metadata      string // file to write the record to; none if empty
	// Plain delivers the manifest of the one platform without an index around it.
	Plain bool
	Lint  bool // whether the Dockerfile is checked alone
	// Record holds what is known before the build: source, binaries, version.
	Record evidence.BuildRecord
	// Notes say what could not be found out of the source.
	Notes []string
}

// Shop is what an order is carried out with.
type Shop struct {
	Engines  map[string]Engine
	Registry *registry.Client
	// Load has the local Docker read an archive, and gives the name it has there.
	Load   func(ctx context.Context, file string) (string, error)
	Chosen func(Choice) // is told which engine builds, before it begins
	Built  func()       // is called when the engine has ended
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
	Copies []Pushed             `json:"copies,omitempty"` // of the same image in other repositories
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
	defer func() {
		if errors.Is(err, syscall.ENOSPC) {
			err = fmt.Errorf("%w: the disk of this machine is full: free space, or name a larger directory in TMPDIR", err)
		}
	}()
	o.Push = o.Repositories()
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
	if o.Plain || o.docker() {
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
	m := made{index, plain}
	if o.local() {
		err = result.keep(ctx, s, o, m)
	} else {
		err = result.push(ctx, s.Registry, o, m)
	}
	if err != nil {
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

// Pushed is an image in one repository.
type Pushed struct {
	Image  string `json:"image"`  // REPOSITORY@sha256:…
	Record string `json:"record"` // the artifact that holds its build record, by digest
}

// Pushed lists the image in every repository, the first one first.
func (r Result) Pushed() []Pushed {
	return append([]Pushed{{r.Image, r.Record}}, r.Copies...)
}

func (m made) push(ctx context.Context, client *registry.Client, repository name.Repository) (imageref.Ref, error) {
	if m.plain != nil {
		return client.PushImage(ctx, repository, m.plain)
	}
	return client.PushIndex(ctx, repository, m.index)
}

// at is the same image as a registry has it already, so that a push to another
// repository there mounts its layers.
func (m made) at(ctx context.Context, client *registry.Client, ref imageref.Ref) (_ made, err error) {
	if m.plain != nil {
		m.plain, err = client.Image(ctx, ref)
	} else {
		m.index, err = client.Index(ctx, ref)
	}
	return m, err
}

// Repositories are those that the image is pushed to.
func (o *Order) Repositories() []name.Repository {
	if o.local() {
		return nil
	}
	return append([]name.Repository{o.Repository}, o.Also...)
}

// push pushes to each repository, the index last in each, and then the records.
func (r *Result) push(ctx context.Context, client *registry.Client, o Order, m made) error {
	var done []imageref.Ref
	for _, repository := range o.Repositories() {
		from := m
		for _, ref := range done {
			if ref.Name().RegistryStr() == repository.RegistryStr() {
				var err error
				if from, err = m.at(ctx, client, ref); err != nil {
					return partly(done, err)
				}
				break
			}
		}
		ref, err := from.push(ctx, client, repository)
		if err != nil {
			return partly(done, err)
		}
		done = append(done, ref)
	}
	r.Build.FinishedAt = time.Now().UTC()
	for i, ref := range done {
		r.Build.Image = ref.String()
		record, err := r.record(ctx, client, ref)
		if err != nil {
			return err
		}
		if i == 0 {
			r.Image, r.Record = ref.String(), record
		} else {
			r.Copies = append(r.Copies, Pushed{ref.String(), record})
		}
	}
	r.Build.Image = r.Image
	return r.write(o)
}

// partly says where an image is complete that could not be pushed everywhere.
func partly(done []imageref.Ref, err error) error {
	if len(done) == 0 {
		return err
	}
	return fmt.Errorf("the image is whole in %s, without a record, and in no other repository: run build again: %w", join(done), err)
}

func join(refs []imageref.Ref) string {
	var texts []string
	for _, ref := range refs {
		texts = append(texts, ref.String())
	}
	return strings.Join(texts, ", ")
}

// record pushes the build record beside an image.
func (r *Result) record(ctx context.Context, client *registry.Client, image imageref.Ref) (string, error) {
	data, err := r.document()
	if err != nil {
		return "", err
	}
	ref, err := client.PushDocuments(ctx, image.Name(), evidence.ArtifactBuild, []registry.Document{
		{Name: evidence.FileBuild, MediaType: "application/json", Data: data},
	})
	if err != nil {
		return "", fmt.Errorf("the image %s is in the registry, and only its build record is not, which sign and verify need: "+
			"use a registry that takes OCI artifacts, or run build again if the trouble passes: %w", image, err)
	}
	return ref.String(), nil
}

func (r *Result) document() ([]byte, error) {
	data, err := json.MarshalIndent(r.Build, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the build record: %w", err)
	}
	return data, nil
}

// write writes the record to the file that the order names.
func (r *Result) write(o Order) error {
	if o.Metadata == "" {
		return nil
	}
	data, err := r.document()
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.Metadata, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the build record: %w", err)
	}
	return nil
}
