package main

import (
	"context"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/build"
	"github.com/waybill-dev/waybill/internal/delivery/build/assemble"
	"github.com/waybill-dev/waybill/internal/delivery/build/buildkit"
	"github.com/waybill-dev/waybill/internal/door/registry"
)

// engines are those that build, of which the Dockerfile decides.
func engines(
	ctx context.Context, call *cli.Call, client *registry.Client, builders buildkit.Builders,
) (map[string]build.Engine, error) {
	session, err := client.Session(ctx) // which logs in once for all layers that are read and pushed
	if err != nil {
		return nil, err
	}
	packed := build.Paced(time.Now, "packed", call.Sayf)
	return map[string]build.Engine{
		build.Assemble: assemble.Engine{
			Images: registry.Bases{Client: session}, Packed: func(n int64) { packed(n, 0) }, Cache: connect.LayerCache(call),
			Send: session.PushLayer,
		},
		build.BuildKit: buildkit.Engine{
			Builders: builders, Container: container(call), Credentials: client.Credentials, Progress: call.Stderr,
			Getenv: call.Getenv, Registry: client,
		},
	}, nil
}

// container is where BuildKit runs if no daemon answers, in the Docker of the
// job's environment.
func container(call *cli.Call) buildkit.Container {
	c := buildkit.Container{Say: call.Sayf, Hosts: registry.ReadHosts(call.Env(contract.EnvRegistries))}
	for _, name := range buildkit.Variables {
		if value := call.Getenv(name); value != "" {
			c.Env = append(c.Env, name+"="+value)
		}
	}
	return c
}
