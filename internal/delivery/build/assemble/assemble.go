// Package assemble builds images from Dockerfiles that execute nothing, without
// BuildKit: it copies files into layers and writes configuration.
//
// The Dockerfile is converted by BuildKit's own library, so that stages,
// variables, configuration and history are BuildKit's; what the converted
// operations do to files is done here, in trees that share what they have in
// common. The same input gives the same digest: no time in the image is newer than
// the epoch, entries are sorted, and nothing of the machine gets in. A
// layer that two platforms share is built once.
//
// What it does not do, it says by build.NeedsBuildKit, with the line: RUN,
// downloads by ADD, and other frontends. Where it differs from BuildKit all the
// same is listed in docs/build-differences.md, which a test holds to the truth.
package assemble

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/layercache"
	"github.com/waybill-dev/waybill/internal/delivery/build/layerfile"
)

// Engine assembles images. The zero value cannot read base images.
type Engine struct {
	Images Images // where base images are read
	Dir    string // for temporary files; empty is the system's
	// Cache keeps layers for the next build. It changes no image.
	Cache layercache.Options
	// Packed, if not nil, is called while layers are compressed, also by several at
	// once, with the bytes of all files that are in.
	Packed func(bytes int64)
	// Send, if not nil, pushes a layer or a configuration to the first repository of
	// the request while others are compressed. What it does not push, Deliver does.
	Send func(ctx context.Context, to name.Repository, layer v1.Layer) error
}

var _ build.Engine = Engine{}

// Build assembles an image for each platform of the request.
func (e Engine) Build(ctx context.Context, r build.Request, file *build.Dockerfile) (_ build.Built, err error) {
	dir, err := os.MkdirTemp(e.Dir, "waybill-build-")
	if err != nil {
		return build.Built{}, fmt.Errorf("make a directory for the layers: %w", err)
	}
	cache := layercache.Open(e.Cache)
	remove := func() error { return errors.Join(cache.Close(), os.RemoveAll(dir)) }
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	source, err := openContext(r.Context, file.Path)
	if err != nil {
		return build.Built{}, err
	}
	source.tracked = r.Tracked
	remove = func() error { return errors.Join(source.root.Close(), cache.Close(), os.RemoveAll(dir)) }
	files, err := source.tree()
	if err != nil {
		return build.Built{}, err
	}
	if given := r.Args["SOURCE_DATE_EPOCH"]; given != "" { // before the request's, as in BuildKit
		seconds, err := strconv.ParseInt(given, 10, 64)
		if err != nil {
			return build.Built{}, fmt.Errorf("build argument SOURCE_DATE_EPOCH: %q is not a number of seconds since 1970", given)
		}
		r.Epoch = time.Unix(seconds, 0)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	s := &shared{
		ctx: groupCtx, epoch: r.Epoch.UTC().Truncate(time.Second), source: source, context: files,
		bases: &resolver{ctx: ctx, images: e.Images}, states: map[string]*state{}, warn: once(r.Warn),
		store: layerfile.New(layerfile.Options{Dir: dir, Compression: r.Compression, Cache: cache, Packed: e.Packed}),
	}
	if e.Send != nil && len(r.Push) > 0 {
		s.store.Early = func(l v1.Layer) { group.Go(func() error { return e.Send(groupCtx, r.Push[0], l) }) }
	}
	images := make([]build.Image, len(r.Platforms))
	for i, p := range r.Platforms {
		group.Go(func() error {
			start := time.Now()
			image, err := s.image(r, file, p)
			images[i] = build.Image{Platform: p, Image: image, Took: time.Since(start)}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		s.store.Wait()
		return build.Built{}, err
	}
	s.ctx = ctx // of a layer that is made again while it is pushed
	return build.Built{Images: images, BaseImages: s.bases.bases(), Close: func() error {
		s.store.Wait()
		return remove()
	}}, nil
}

// once hands on each warning once, whatever the number of platforms.
func once(warn func(build.Warning)) func(build.Warning) {
	var mu sync.Mutex
	seen := map[build.Warning]bool{}
	return func(w build.Warning) {
		mu.Lock()
		defer mu.Unlock()
		if warn != nil && !seen[w] {
			seen[w] = true
			warn(w)
		}
	}
}

func (s *shared) image(r build.Request, file *build.Dockerfile, p build.Platform) (v1.Image, error) {
	spec := p.Spec()
	args := maps.Clone(r.Args)
	if args == nil {
		args = map[string]string{}
	}
	if args["SOURCE_DATE_EPOCH"] == "" {
		args["SOURCE_DATE_EPOCH"] = strconv.FormatInt(s.epoch.Unix(), 10)
	}
	caps := pb.Caps.CapSet(pb.Caps.All())
	converted, err := dockerfile2llb.Dockerfile2LLB(s.ctx, file.Data, dockerfile2llb.ConvertOpt{
		Config: dockerui.Config{
			BuildArgs: args, Labels: r.Labels, Target: r.Target,
			BuildPlatforms: []ocispec.Platform{platforms.DefaultSpec()}, // BUILDPLATFORM is this machine's, as it is a daemon's
		},
		SourceMap:      llb.NewSourceMap(nil, file.Path, "Dockerfile", file.Data),
		TargetPlatform: &spec,
		MetaResolver:   s.bases,
		LLBCaps:        &caps,
		Warn: func(rule, _, url, message string, at []parser.Range) {
			s.warn(build.Warning{Path: file.Path, Line: build.LineOf(at), Rule: rule, URL: url, Message: message})
		},
	})
	if err != nil {
		return nil, file.Locate(err)
	}
	definition, err := converted.State.Marshal(s.ctx, llb.Platform(spec))
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", file.Path, err)
	}
	g, last, err := newGraph(s, file, definition)
	if err != nil {
		return nil, err
	}
	result, err := g.eval(last)
	if err != nil {
		return nil, err
	}
	layers, err := result.layers()
	if err != nil {
		return nil, err
	}
	image, err := newImage(layers, converted.Image, s.epoch)
	if err != nil {
		return nil, err
	}
	return image, s.sendConfig(image, layers)
}

// sendConfig begins to push the configuration of an image of which a layer is new.
func (s *shared) sendConfig(image v1.Image, layers []v1.Layer) error {
	if !slices.ContainsFunc(layers, func(l v1.Layer) bool { made, ok := l.(*layerfile.Layer); return ok && made.Sent() }) {
		return nil
	}
	config, err := partial.ConfigLayer(image)
	if err == nil {
		s.store.Early(config)
	}
	return err
}
