package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/cluster"
)

func runPolicy(_ context.Context, _ *cli.Call, in options.Policy) (cluster.Result, error) {
	file, err := config.Load(in.File)
	if err != nil {
		return cluster.Result{}, err
	}
	return cluster.Write(cluster.Request{
		Kind: cluster.Kind(in.Engine), Config: file, Env: in.Env, Name: in.Name, Except: in.ExceptNamespace, PullSecret: in.PullSecret,
		TrustRoot: in.TrustRoot,
	})
}
