package main

import (
	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/door/registry"
)

// registryClient is the client for a command that works on one registry: host
// is the image's, as imageref.Ref.Registry gives it. The credentials go to
// that host alone; every other host is left to docker login.
func registryClient(call *cli.Call, host string) *registry.Client {
	username, password := registryCredentials(call, host)
	return registry.New(registry.Options{
		Registry: host, Username: username, Password: password,
		UserAgent: "waybill/" + cli.Version(),
	})
}

// registryCredentials are those for the image's registry; without a password
// there are none. A token of GitHub's is withheld from a registry that is not
// GitHub's: the host may be the choice of whoever wrote the image's name.
func registryCredentials(call *cli.Call, host string) (username, password string) {
	username, password = call.In.String("registry_username"), call.In.String("registry_password")
	if password == "" {
		username, password = call.Env(contract.EnvRegistryUser), call.Env(contract.EnvRegistryPass)
	}
	ofGitHub := registry.IsGitHubToken(password) || password == call.Env(contract.EnvGitHubToken) // whatever it looks like
	if password != "" && ofGitHub && !registry.OfGitHub(host, call.Env(contract.EnvGitHubServer)) {
		if _, one := call.Command.Input("image"); one {
			call.Sayf("note: registry_password is a token of GitHub's, and %s is not GitHub's registry: the token is not sent there. Give %s's own password, or log in with docker login", host, host)
		}
		return "", ""
	}
	if username == "" {
		username = "x-access-token" // ghcr.io reads the token alone, but wants a name beside it
	}
	return username, password
}
