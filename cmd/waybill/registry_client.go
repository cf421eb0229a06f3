package main

import (
	"github.com/waybill-dev/waybill/internal/cli"
	"github.com/waybill-dev/waybill/internal/contract"
	"github.com/waybill-dev/waybill/internal/registry"
)

// registryClient is the client for a command that works on one registry: host
// is the image's, as imageref.Ref.Registry gives it. The credentials go to
// that host alone; every other host is left to docker login.
func registryClient(call *cli.Call, host string) *registry.Client {
	username, password := registryCredentials(call)
	return registry.New(registry.Options{
		Registry: host, Username: username, Password: password,
		UserAgent: "waybill/" + cli.Version(),
	})
}

// registryCredentials are those for the image's registry; without a password
// there are none.
func registryCredentials(call *cli.Call) (username, password string) {
	username, password = call.In.String("registry_username"), call.In.String("registry_password")
	if password == "" {
		username, password = call.Env(contract.EnvRegistryUser), call.Env(contract.EnvRegistryPass)
	}
	if username == "" {
		username = "x-access-token" // ghcr.io reads the token alone, but wants a name beside it
	}
	return username, password
}
