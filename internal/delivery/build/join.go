package build

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// part is the result of one build, read from the registry and held against its
// own record.
type part struct {
	ref    imageref.Ref // of the record
	record evidence.BuildRecord
	index  v1.ImageIndex
	lists  *v1.IndexManifest
}

// Join makes one index of the results that the records name, and pushes it with
// one record, as the job that builds every platform alone does. The platforms
// of the order are those of the index, in its order. Join refuses results that
// are not of one build.
func Join(ctx context.Context, client *registry.Client, o Order, records []imageref.Ref) (Result, error) {
	var parts []part
	for _, ref := range records {
		p, err := readPart(ctx, client, o, ref)
		if registry.IsNotFound(err) {
			return Result{}, outcome.Refusedf("record %s: the repository does not have it whole: %w", ref, err)
		}
		if err != nil {
			return Result{}, err
		}
		parts = append(parts, p)
	}
	for _, p := range parts[1:] {
		if err := sameBuild(parts[0], p); err != nil {
			return Result{}, err
		}
	}
	index, images, err := joined(o.Platforms, parts)
	if err != nil {
		return Result{}, err
	}
	digest, err := index.Digest()
	if err != nil {
		return Result{}, fmt.Errorf("compute the digest of the index: %w", err)
	}
	result := Result{Build: joinedRecord(parts), Images: images}
	result.Build.Digest, result.Build.Version = digest.String(), o.Record.Version
	return result, result.push(ctx, client, o, made{index: index})
}

func readPart(ctx context.Context, client *registry.Client, o Order, ref imageref.Ref) (part, error) {
	refused := func(format string, args ...any) error {
		return outcome.Refusedf("record %s: %w", ref, fmt.Errorf(format, args...))
	}
	p := part{ref: ref}
	if ref.Repository() != o.Repository.Name() {
		return p, refused("it is not in the repository %s, to which the joined image goes", o.Repository)
	}
	documents, err := client.Documents(ctx, ref, evidence.ArtifactBuild)
	if err != nil {
		return p, err
	}
	if len(documents) != 1 {
		return p, refused("it holds %d documents, not one", len(documents))
	}
	if p.record, err = evidence.ParseBuildRecord(documents[0].Data); err != nil {
		return p, refused("%w", err)
	}
	image, err := imageref.Parse(p.record.Image)
	if err != nil {
		return p, refused("%w", err)
	}
	if image.Digest() != p.record.Digest || image.Repository() != o.Repository.Name() {
		return p, refused("it does not fit its image: it names %s, and the digest %s in %s", image, p.record.Digest, o.Repository)
	}
	if p.index, err = client.Index(ctx, image); err != nil {
		return p, err
	}
	if p.lists, err = p.index.IndexManifest(); err != nil {
		return p, registry.Trouble(image, "read "+image.String(), err)
	}
	platforms := map[string]string{}
	for _, d := range p.lists.Manifests {
		platform := d.Platform
		if platform == nil {
			platform = &v1.Platform{}
		}
		platforms[platformOf(*platform).String()] = d.Digest.String()
	}
	if len(platforms) != len(p.lists.Manifests) || !maps.Equal(platforms, p.record.Platforms) {
		return p, refused("it does not fit its image: it names the platforms %v, and %s has %v", p.record.Platforms, image, platforms)
	}
	return p, nil
}

func platformOf(p v1.Platform) Platform { return Platform{p.OS, p.Architecture, p.Variant} }

// sameBuild refuses two results that one job alone could not have given.
func sameBuild(a, b part) error {
	about := func(p part) [][2]string {
		r := p.record
		return [][2]string{
			{"repositories", r.Source.Repository}, {"commits", r.Source.Commit}, {"refs", r.Source.Ref},
			{"states of the working tree", fmt.Sprint("dirty: ", r.Source.Dirty)},
			{"Dockerfiles", r.Dockerfile.Path + " " + r.Dockerfile.Digest}, {"contexts", r.Context}, {"targets", r.Target},
			{"build arguments", fmt.Sprint(r.BuildArgs)}, {"binaries", r.Binaries},
			{"prepared files", r.Prepared},
			{"annotations of the index", fmt.Sprint(p.lists.Annotations)},
		}
	}
	other := about(b)
	for i, is := range about(a) {
		if is[1] != other[i][1] {
			return outcome.Refusedf("the records %s and %s are of different %s: %q and %q: join the results of one workflow run",
				a.ref, b.ref, is[0], is[1], other[i][1])
		}
	}
	return nil
}

// joined is the index of all results, with the platforms in the order of the
// list, each exactly once.
func joined(platforms []Platform, parts []part) (v1.ImageIndex, []PlatformImage, error) {
	type result struct {
		part
		at v1.Descriptor
	}
	found := map[Platform]result{}
	for _, p := range parts {
		for _, d := range p.lists.Manifests {
			platform := platformOf(*d.Platform)
			if before, twice := found[platform]; twice {
				return nil, nil, outcome.Refusedf("the records %s and %s both have a result for %s", before.ref, p.ref, platform)
			}
			if !slices.Contains(platforms, platform) {
				return nil, nil, outcome.Refusedf("record %s has a result for %s, which --platform does not name", p.ref, platform)
			}
			found[platform] = result{p, d}
		}
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	var images []PlatformImage
	for _, platform := range platforms {
		r, ok := found[platform]
		if !ok {
			return nil, nil, outcome.Refusedf("no record has a result for %s", platform)
		}
		image, err := r.index.Image(r.at.Digest)
		if err != nil {
			return nil, nil, missing(r.ref, platform, err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			return nil, nil, missing(r.ref, platform, err)
		}
		if config.OS != platform.OS || config.Architecture != platform.Architecture {
			return nil, nil, outcome.Refusedf("record %s: its image for %s is for %s/%s", r.ref, platform, config.OS, config.Architecture)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: platform.descriptor(), Annotations: r.at.Annotations,
		}})
		images = append(images, PlatformImage{Platform: platform.String(), Digest: r.at.Digest.String(), Size: Image{Image: image}.Size()})
	}
	if own := parts[0].lists.Annotations; len(own) > 0 {
		index = mutate.Annotations(index, own).(v1.ImageIndex)
	}
	return index, images, nil
}

// missing tells an image that is not there from trouble with the registry.
func missing(ref imageref.Ref, platform Platform, err error) error {
	err = registry.Trouble(ref, "read the "+platform.String()+" image", err)
	if registry.IsNotFound(err) {
		return outcome.Refusedf("record %s: %w", ref, err)
	}
	return err
}

// joinedRecord is the record of all results. Engine is BuildKit if any platform
// was built by it.
func joinedRecord(parts []part) evidence.BuildRecord {
	r := parts[0].record
	r.Platforms, r.BaseImages = map[string]string{}, nil
	for _, p := range parts {
		maps.Copy(r.Platforms, p.record.Platforms)
		r.BaseImages = append(r.BaseImages, p.record.BaseImages...)
		if p.record.Engine == BuildKit {
			r.Engine = BuildKit
		}
		if p.record.StartedAt.Before(r.StartedAt) {
			r.StartedAt = p.record.StartedAt
		}
	}
	slices.SortFunc(r.BaseImages, func(a, b evidence.BaseImage) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Digest, b.Digest))
	})
	r.BaseImages = slices.Compact(r.BaseImages)
	return r
}

// ParseRecords reads the records to join.
func ParseRecords(list []string) ([]imageref.Ref, error) {
	var refs []imageref.Ref
	for _, text := range list {
		ref, err := imageref.Parse(text)
		if err != nil {
			return nil, outcome.Usagef("--join: %w", err)
		}
		if slices.Contains(refs, ref) {
			return nil, outcome.Usagef("--join: %s stands there twice", ref)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}
