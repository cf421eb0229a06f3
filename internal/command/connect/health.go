package connect

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/delivery/vitals"
	"github.com/waybill-dev/waybill/internal/door/health"
)

// healthSources asks Argo CD and Prometheus with the tokens of the environment. waybill.yaml
// names the variables, and its schema which names those can have.
//
// Only sources that waybill.yaml at rev names are asked: rev is the branch of the
// deployments, and a pull request that is judged must not say where its tokens go.
func (a Access) healthSources(repo ConfigRepository, rev string) rules.Sources {
	sources := &vitals.Sources{
		Repo: repo, Now: time.Now,
		Server: func(address, variable string) (health.Server, bool) {
			server := health.Server{URL: address, Transport: a.Call.Traced(http.DefaultTransport)}
			if variable == "" {
				return server, true
			}
			server.Token = a.Call.Env(contract.EnvVar{Name: variable})
			return server, server.Token != "" && a.Call.Runner.Mask(server.Token) == nil
		},
	}
	sources.Named = func(ctx context.Context, source config.Health) (bool, error) {
		data, err := repo.declaration(ctx, rev)
		if err != nil {
			return false, fmt.Errorf("read %s: %w", config.FileName, err)
		}
		cfg, err := config.Parse(config.FileName, data)
		if err != nil {
			return false, nil //nolint:nilerr // it is said where the rules are read
		}
		return slices.ContainsFunc(cfg.Environments, func(e config.Environment) bool { return slices.Contains(e.Health, source) }), nil
	}
	return sources.Said
}
