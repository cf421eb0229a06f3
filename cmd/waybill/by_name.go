package main

import (
	"context"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/connect"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/door/sigstore"
)

// access is for the commands of the gate, which still read their inputs by name.
func access(call *cli.Call) connect.Access {
	a := connect.Access{Call: call}
	for _, group := range []any{&a.GitHub, &a.Sigstore, &a.Registry} {
		_ = call.In.FillGroup(group)
	}
	return a
}

func githubClient(call *cli.Call) (*github.Client, error) { return access(call).GitHubClient() }

func registryClient(call *cli.Call, host string) *registry.Client {
	return access(call).RegistryClient(host)
}

// configRepositoryClient acts as the App of gate, which may comment; a job starts
// workflows.
func configRepositoryClient(ctx context.Context, call *cli.Call, repo github.Repository) (*github.Client, error) {
	a := access(call)
	a.Permissions = map[string]string{"contents": "read", "pull-requests": "write", "statuses": "write"}
	return a.RepositoryClient(ctx, repo)
}

func signingKey(call *cli.Call) (*sigstore.Key, [][]byte, error) {
	return access(call).SigningKey(call.In.String("key"))
}

func signerOptions(call *cli.Call, key *sigstore.Key) (sigstore.SignerOptions, error) {
	return access(call).SignerOptions(key)
}

// commentLimit keeps a comment below what GitHub documents for it, though it
// has been seen to take more.
const commentLimit = 65000

func cutRunes(s string, limit int) string {
	if runes := []rune(s); len(runes) > limit {
		return string(runes[:limit]) + "\n\n… cut here; the rest is in the summary of the run.\n"
	}
	return s
}
