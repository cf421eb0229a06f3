package connect

import (
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/delivery/vitals"
	"github.com/waybill-dev/waybill/internal/door/health"
)

// healthSources asks Argo CD and Prometheus with the tokens of the environment. waybill.yaml
// names the variables, and its schema which names those can have.
func (a Access) healthSources(repo ConfigRepository) rules.Sources {
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
	return sources.Said
}
