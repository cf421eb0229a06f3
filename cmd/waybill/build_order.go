package main

import (
	"runtime"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/delivery/build"
)

// buildOrder reads the inputs that need neither the source nor the registry.
func buildOrder(call *cli.Call, in options.Build, place build.Place) (o build.Order, err error) {
	o = build.Order{Engine: string(in.Engine), Layout: in.OCILayout, Metadata: in.Metadata, Plain: in.PlainManifest}
	o.Archive, o.DockerArchive, o.Load = in.Archive, in.ArchiveFormat == options.ArchiveFormatDocker, in.Load
	o.Lint = in.Check
	o.Request = build.Request{
		Context: place.Context, Dockerfile: place.Dockerfile, Target: in.Target, CacheFrom: in.CacheFrom, CacheTo: in.CacheTo,
	}
	o.Record.Version, o.Record.StartedAt = cli.Version(), time.Now().UTC()
	if in.Load && strings.Join(in.Platform, "\n") == contract.DefaultPlatforms {
		in.Platform = []string{"linux/" + runtime.GOARCH} // that Docker runs, also on another system than Linux
	}
	if err := o.Parse(build.Texts{
		Images: in.Image, Platforms: in.Platform, Secrets: in.Secret, Args: in.BuildArg, Labels: in.Label,
		Annotations: in.Annotation, SecretValues: in.SecretValues, Compression: in.Compression,
	}, call.Getenv); err != nil {
		return o, err
	}
	if in.Cache && len(in.Image) > 0 {
		o.Cache = build.CacheBeside(o.Repository, call.Runner.Context().Ref)
	}
	if o.Extras, err = (build.ExtraTexts{
		SSH: in.SSH, Contexts: in.BuildContext, AddHosts: in.AddHost, Allow: in.Allow, Ulimits: in.Ulimit,
		Network: string(in.Network), ShmSize: in.ShmSize, NoCache: in.NoCache, Pull: in.Pull,
	}).Parse(); err != nil {
		return o, err
	}
	more, err := o.Directories()
	if err != nil {
		return o, err
	}
	for _, s := range o.Secrets {
		if err := call.Runner.Mask(string(s.Value)); err != nil {
			return o, err
		}
	}
	return o, place.Within(call.Runner.Context().Workspace, more)
}
