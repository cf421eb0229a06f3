package buildkit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"

	"github.com/waybill-dev/waybill/internal/imageref"
)

// Registry reads images; internal/door/registry's Client does.
type Registry interface {
	Index(ctx context.Context, ref imageref.Ref) (v1.ImageIndex, error)
}

// remote are the kinds of address whose daemon runs on another machine.
var remote = []string{"tcp", "ssh", "kube-pod"}

// pushes reports whether a daemon is to push what it builds: through this machine
// its layers would travel twice.
func (e Engine) pushes(t task) bool {
	u, err := url.Parse(t.address)
	if err != nil || !slices.Contains(remote, u.Scheme) || len(t.Push) == 0 || e.Registry == nil {
		return false
	}
	e.Container.say("BuildKit at %s pushes to the registry: no layer passes through this machine", t.address)
	return true
}

// pushing makes a solve push by digest, without a tag, to every repository, what
// it would have exported to this machine.
func pushing(options client.SolveOpt, t task) client.SolveOpt {
	attrs := maps.Clone(options.Exports[0].Attrs)
	delete(attrs, "tar")
	var names []string
	for _, repository := range t.Push {
		names = append(names, repository.Name())
	}
	for key, value := range map[exptypes.ImageExporterOptKey]string{
		exptypes.OptKeyName: strings.Join(names, ","), exptypes.OptKeyPush: "true", exptypes.OptKeyPushByDigest: "true",
		exptypes.OptKeyNameCanonical: "true", exptypes.OptKeyStore: "false",
	} {
		attrs[string(key)] = value
	}
	options.Exports = []client.ExportEntry{{Type: client.ExporterImage, Attrs: attrs}}
	return options
}

// cannotPush reports whether the image was built and only not pushed: the daemon
// may not know a registry's certificate, that it speaks plain HTTP, or the way to it.
// https://github.com/moby/buildkit/blob/v0.30.0/exporter/containerimage/export.go
func cannotPush(err error) bool {
	return err != nil && strings.Contains(err.Error(), "failed to push ")
}

// readPushed reads what a daemon has pushed.
func (e Engine) readPushed(ctx context.Context, t task, response *client.SolveResponse) (result, error) {
	digest := response.ExporterResponse[exptypes.ExporterImageDigestKey]
	if digest == "" {
		return result{}, errors.New("BuildKit does not say what it pushed: use a daemon of version 0.11 or newer")
	}
	ref, err := imageref.New(t.Push[0], digest)
	if err != nil {
		return result{}, fmt.Errorf("read what BuildKit pushed: %w", err)
	}
	index, err := e.Registry.Index(ctx, ref)
	if err != nil {
		return result{}, fmt.Errorf("read what BuildKit pushed: %w", err)
	}
	return resultOf(index, t.platforms)
}
