package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/door/cloud"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func runLogin(ctx context.Context, call *cli.Call) error {
	request, err := cloudRequest(call)
	if err != nil {
		return err
	}
	if request == (cloud.Request{}) {
		return outcome.Usagef("which cloud? Give --aws-role, --gcp-provider or --azure-client-id")
	}
	temp := call.Runner.TempDir()
	if temp == "" {
		return identityError(runner.ErrNoIdentity)
	}
	dir, err := os.MkdirTemp(temp, "waybill-login-")
	if err != nil {
		return fmt.Errorf("make a directory for the token: %w", err)
	}
	session, err := cloud.Open(ctx, call.Runner, request, dir)
	if err != nil {
		return outcome.Join(identityError(err), os.RemoveAll(dir))
	}
	for _, v := range session.Variables() {
		if err := call.Runner.SetEnv(v.Name, v.Value); err != nil {
			return err
		}
	}
	for _, name := range session.Clears() {
		if call.Getenv(name) == "" {
			continue
		}
		if name == "AWS_PROFILE" { // empty, it is a profile that no tool finds
			return outcome.Usagef("AWS_PROFILE is set, and would win over the role: take it out of the job's env")
		}
		if err := call.Runner.SetEnv(name, ""); err != nil {
			return err
		}
	}
	expires := session.Expires().UTC().Format(time.RFC3339)
	call.Sayf("logged in until %s: begin before then, and for what takes longer than the cloud's session "+
		"give the same inputs to waybill plan, apply or drift", expires)
	return call.Output("expires", expires)
}

// cloudRequest reads the inputs that login, plan and apply share.
func cloudRequest(call *cli.Call) (cloud.Request, error) {
	var r cloud.Request
	if role := call.In.String("aws_role"); role != "" {
		r.AWS = &cloud.AWS{Role: role, Region: call.In.String("aws_region"), Session: call.In.String("aws_session_name")}
		if r.AWS.Session == "" {
			r.AWS.Session = "waybill-" + call.Runner.Context().RunID
		}
	} else if call.In.Has("aws_session_name") {
		return r, outcome.Usagef("--aws-session-name without --aws-role")
	}
	if provider := call.In.String("gcp_provider"); provider != "" {
		r.Google = &cloud.Google{Provider: provider, ServiceAccount: call.In.String("gcp_service_account"),
			Project: call.In.String("gcp_project")}
	}
	if client := call.In.String("azure_client_id"); client != "" {
		r.Azure = &cloud.Azure{Client: client, Tenant: call.In.String("azure_tenant_id"), Subscription: call.In.String("azure_subscription_id")}
	}
	return r, r.Validate()
}
