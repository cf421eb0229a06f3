package assemble

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// Images is the part of the registry door that base images are read through.
type Images interface {
	Resolve(ctx context.Context, reference string) (imageref.Ref, error)
	Platforms(ctx context.Context, ref imageref.Ref) ([]registry.Platform, error)
	Image(ctx context.Context, ref imageref.Ref) (v1.Image, error)
	Index(ctx context.Context, ref imageref.Ref) (v1.ImageIndex, error)
}

// resolver turns the names of base images into digests, each name once for all
// platforms, so that they start from the same build of it.
type resolver struct {
	ctx    context.Context // the caller's: layers of base images are read until they are pushed
	images Images

	mu    sync.Mutex
	names map[string]*resolved
	read  map[imageref.Ref]func() (v1.Image, error) // the image of one platform, read once
}

type resolved struct {
	once      sync.Once
	ref       imageref.Ref
	platforms []registry.Platform
	err       error
}

func (r *resolver) resolve(name string) (*resolved, error) {
	r.mu.Lock()
	if r.names == nil {
		r.names = map[string]*resolved{}
	}
	image := r.names[name]
	if image == nil {
		image = new(resolved)
		r.names[name] = image
	}
	r.mu.Unlock()
	image.once.Do(func() {
		if image.ref, image.err = r.images.Resolve(r.ctx, name); image.err == nil {
			image.platforms, image.err = r.images.Platforms(r.ctx, image.ref)
		}
		if image.err == nil && len(image.platforms) == 0 {
			image.platforms, image.err = r.unlisted(image.ref)
		}
	})
	if image.err != nil {
		return nil, fmt.Errorf("base image %s: %w", name, image.err)
	}
	return image, nil
}

// one reads the image of one platform.
func (r *resolver) one(ref imageref.Ref) (v1.Image, error) {
	r.mu.Lock()
	if r.read == nil {
		r.read = map[imageref.Ref]func() (v1.Image, error){}
	}
	read := r.read[ref]
	if read == nil {
		read = sync.OnceValues(func() (v1.Image, error) { return r.images.Image(r.ctx, ref) })
		r.read[ref] = read
	}
	r.mu.Unlock()
	return read()
}

// maxUnlisted bounds the configurations that are read of one index.
const maxUnlisted = 64

// unlisted gives the platforms of an index that names none: those that the
// configurations of its images say.
func (r *resolver) unlisted(ref imageref.Ref) ([]registry.Platform, error) {
	index, err := r.images.Index(r.ctx, ref)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var list []registry.Platform
	for _, m := range manifest.Manifests {
		if m.Platform != nil || !m.MediaType.IsImage() || len(list) == maxUnlisted {
			continue
		}
		at, err := ref.At(m.Digest.String())
		if err != nil {
			return nil, err
		}
		image, err := r.one(at)
		if err != nil {
			return nil, err
		}
		config, err := image.ConfigFile()
		if err != nil {
			return nil, err
		}
		list = append(list, registry.Platform{Platform: config.Platform().String(), Ref: at})
	}
	return list, nil
}

// ResolveImageConfig is what BuildKit's converter asks for each FROM.
func (r *resolver) ResolveImageConfig(_ context.Context, name string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	image, err := r.resolve(name)
	if err != nil {
		return "", "", nil, err
	}
	var want *ocispec.Platform
	if opt.ImageOpt != nil {
		want = opt.ImageOpt.Platform
	}
	img, err := r.image(name, image, want)
	if err != nil {
		return "", "", nil, err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return "", "", nil, fmt.Errorf("read the configuration of base image %s: %w", name, err)
	}
	return name, digest.Digest(image.ref.Digest()), config, nil
}

// open gives the image that a source operation names: docker-image://NAME@DIGEST.
func (r *resolver) open(identifier string, platform *pb.Platform) (v1.Image, error) {
	name := strings.TrimPrefix(identifier, "docker-image://")
	var want *ocispec.Platform
	if platform != nil {
		spec := platform.Spec()
		want = &spec
	}
	known, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, fmt.Errorf("base image %s: %w", name, err)
	}
	if tagged, ok := known.(reference.NamedTagged); ok { // resolved by its tag already
		plain, err := reference.WithTag(reference.TrimNamed(known), tagged.Tag())
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		_, found := r.names[plain.String()]
		r.mu.Unlock()
		if found {
			name = plain.String()
		}
	}
	image, err := r.resolve(name)
	if err != nil {
		return nil, err
	}
	return r.image(name, image, want)
}

// image picks the manifest for a platform as BuildKit does: the best of those
// that run there. BuildKit takes an image that is no index as it is; here it is
// refused when it is for another platform, because its programs would not run.
func (r *resolver) image(name string, image *resolved, want *ocispec.Platform) (v1.Image, error) {
	if want == nil {
		spec := platforms.DefaultSpec()
		want = &spec
	}
	match := platforms.Only(*want)
	type candidate struct {
		spec ocispec.Platform
		ref  imageref.Ref
	}
	single := len(image.platforms) == 1 && image.platforms[0].Ref == image.ref
	if single && image.platforms[0].Platform == "" {
		return r.one(image.ref) // its configuration does not say
	}
	var candidates []candidate
	var has []string
	for _, p := range image.platforms {
		has = append(has, p.Platform)
		if spec, err := platforms.Parse(p.Platform); err == nil && match.Match(spec) {
			candidates = append(candidates, candidate{spec, p.Ref})
		}
	}
	if len(candidates) == 0 && single {
		return nil, wrongPlatform(name, platforms.Format(*want), has[0])
	}
	if len(candidates) == 0 {
		return nil, fmt.Errorf("base image %s is not there for %s: it has %s: leave the platform out of --platform, or use another base image",
			name, platforms.Format(*want), strings.Join(has, ", "))
	}
	sort.SliceStable(candidates, func(i, j int) bool { return match.Less(candidates[i].spec, candidates[j].spec) })
	return r.one(candidates[0].ref)
}

func wrongPlatform(name, want, is string) error {
	return fmt.Errorf("base image %s is for %s alone, and the build is for %s: "+
		"use a base image that has %s, or write FROM --platform=%s if its platform does not matter", name, is, want, want, is)
}

// bases lists the images that were resolved, by the names people use for them.
func (r *resolver) bases() []evidence.BaseImage {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []evidence.BaseImage
	for name, image := range r.names {
		if image.err != nil || image.ref.IsZero() {
			continue
		}
		name, _, _ = strings.Cut(name, "@") // the digest has its own field
		if parsed, err := reference.ParseNormalizedNamed(name); err == nil {
			name = reference.FamiliarString(parsed)
		}
		list = append(list, evidence.BaseImage{Name: name, Digest: image.ref.Digest()})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}
