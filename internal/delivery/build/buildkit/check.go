package buildkit

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/waybill-dev/waybill/internal/delivery/build"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// wrongBase refuses a base image for another platform, which BuildKit takes
// with a warning: its programs would not run.
func wrongBase(w build.Warning) error {
	if w.Rule != linter.RuleInvalidBaseImagePlatform.Name {
		return nil
	}
	return fmt.Errorf("%s:%d: %s: use a base image for that platform, "+
		"or write FROM --platform=… with the one it has if its platform does not matter", w.Path, w.Line, w.Message)
}

// checkBases looks for base images for another platform. BuildKit warns of them
// for the first platform of a build alone. For the others, the Dockerfile is
// converted here, with the daemon to ask about images. What another frontend
// makes of it is not known here.
func checkBases(
	ctx context.Context, c *client.Client, r build.Request, list []build.Platform, file *build.Dockerfile,
) (found error) {
	if len(list) < 2 || file.Frontend(r.Args) != nil {
		return nil
	}
	_, err := c.Build(ctx, client.SolveOpt{}, "", func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		for _, p := range list[1:] {
			spec := p.Spec()
			opt := dockerfile2llb.ConvertOpt{
				Config:         dockerui.Config{BuildArgs: maps.Clone(r.Args), Target: r.Target},
				TargetPlatform: &spec, MetaResolver: gw,
				Warn: func(rule, _, _, message string, at []parser.Range) {
					w := build.Warning{Path: file.Path, Line: build.LineOf(at), Rule: rule, Message: message}
					found = outcome.Join(found, wrongBase(w))
				},
			}
			opt.BuildPlatforms = []ocispec.Platform{platforms.DefaultSpec()}
			if workers := gw.BuildOpts().Workers; len(workers) > 0 && len(workers[0].Platforms) > 0 {
				opt.BuildPlatforms = workers[0].Platforms[:1]
			}
			if opt.BuildArgs == nil {
				opt.BuildArgs = map[string]string{}
			}
			opt.BuildArgs["SOURCE_DATE_EPOCH"] = strconv.FormatInt(r.Epoch.Unix(), 10)
			if _, err := dockerfile2llb.Dockerfile2LLB(ctx, file.Data, opt); err != nil {
				return nil, err
			}
		}
		return gateway.NewResult(), nil
	}, nil)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return found // another error comes from the build again, with its place
}
