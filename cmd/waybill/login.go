package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/command/options"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/gate/login"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runLogin(ctx context.Context, call *cli.Call, in options.Login) (login.Result, error) {
	request, err := connect.Cloud(call, in.Cloud)
	if err != nil {
		return login.Result{}, err
	}
	if request == (cloud.Request{}) {
		return login.Result{}, outcome.Usagef("which cloud? Give --aws-role, --gcp-provider or --azure-client-id")
	}
	temp := call.Runner.TempDir()
	if temp == "" {
		return login.Result{}, connect.Identity(runner.ErrNoIdentity)
	}
	result, err := login.Run(ctx, login.Request{
		Cloud: request, Tokens: call.Runner, Temp: temp, Getenv: call.Getenv, SetEnv: call.Runner.SetEnv,
	})
	return result, connect.Identity(err)
}
