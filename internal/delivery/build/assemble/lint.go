package assemble

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/waybill-dev/waybill/internal/delivery/build"
)

// Check hands the findings of BuildKit's checks to the request's Warn, and builds
// nothing. note is told which base image cannot be read: checks that need it
// then find nothing. Check returns how many findings there are.
// https://docs.docker.com/reference/build-checks/
func Check(
	ctx context.Context, images Images, r build.Request, file *build.Dockerfile, note func(string, ...any),
) (findings int, err error) {
	if err := file.Check(r); err != nil {
		return 0, err
	}
	if other := file.Frontend(nil); other != nil {
		return 0, fmt.Errorf("--check knows the rules of Docker's own frontend alone: %w", other)
	}
	warn := once(func(w build.Warning) {
		findings++
		r.Warn(w)
	})
	bases := forgiving{&resolver{ctx: ctx, images: images}, note, map[string]bool{}}
	at := llb.NewSourceMap(nil, file.Path, "Dockerfile", file.Data)
	at.Definition = new(llb.Definition) // which the checks read
	for _, p := range r.Platforms {
		spec, args := p.Spec(), maps.Clone(r.Args)
		results, err := dockerfile2llb.DockerfileLint(ctx, file.Data, dockerfile2llb.ConvertOpt{
			Config: dockerui.Config{
				BuildArgs: args, Labels: r.Labels, Target: r.Target, BuildPlatforms: []ocispec.Platform{platforms.DefaultSpec()},
			},
			SourceMap: at, TargetPlatform: &spec, MetaResolver: bases,
		})
		if err != nil {
			return 0, file.Locate(err)
		}
		for _, w := range results.Warnings {
			if w.RuleName == linter.RuleUndefinedVar.Name && len(bases.noted) > 0 {
				continue // the base may set it
			}
			warn(build.Warning{Path: file.Path, Line: lineOf(w.Location), Rule: w.RuleName, URL: w.URL, Message: w.Detail})
		}
		if broken := results.Error; broken != nil {
			return 0, fmt.Errorf("%s:%d: %s", file.Path, lineOf(&broken.Location), broken.Message)
		}
	}
	return findings, nil
}

func lineOf(at *pb.Location) int {
	if ranges := at.GetRanges(); len(ranges) > 0 {
		return int(ranges[0].GetStart().GetLine())
	}
	return 0
}

// forgiving takes an empty image for a base that cannot be read.
type forgiving struct {
	*resolver
	note  func(string, ...any)
	noted map[string]bool
}

func (f forgiving) ResolveImageConfig(
	ctx context.Context, name string, opt sourceresolver.Opt,
) (string, digest.Digest, []byte, error) {
	ref, id, config, err := f.resolver.ResolveImageConfig(ctx, name, opt)
	if err == nil {
		return ref, id, config, nil
	}
	f.mu.Lock()
	if !f.noted[name] {
		f.noted[name] = true
		f.note("note: checks that need the base image find nothing: %v", err)
	}
	f.mu.Unlock()
	var empty ocispec.Image
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		empty.Platform = *opt.ImageOpt.Platform
	}
	config, err = json.Marshal(empty)
	return name, digest.FromBytes(config), config, err
}
