package main

import (
	"fmt"
	"os"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/gate/approval"
	"github.com/waybill-dev/waybill/internal/gate/seal"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// sealStores gives the client for the registry of a sealed plan.
func sealStores(call *cli.Call) func(host string) seal.Registry {
	return func(host string) seal.Registry { return registryClient(call, host) }
}

// sealKey reads the identities that open sealed plans.
func sealKey(call *cli.Call) ([]seal.Identity, error) {
	text := call.In.String("seal_key")
	if file := call.In.String("seal_key_file"); text == "" && file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the key that opens plans: %w", err)
		}
		text = string(data)
	}
	if text == "" {
		return nil, outcome.Usagef("which key opens the plan? Give --seal-key-file FILE, or the secret input seal_key (WAYBILL_INPUT_SEAL_KEY)")
	}
	return seal.ParseIdentities(text)
}

// teamClient acts with the token that may read teams, where there is one.
func teamClient(call *cli.Call) (approval.Teams, error) {
	token := call.In.String("team_token")
	if token == "" {
		return githubClient(call)
	}
	return github.New(github.Options{Token: token, APIURL: call.Env(contract.EnvGitHubAPIURL), ServerURL: call.Env(contract.EnvGitHubServer)})
}
