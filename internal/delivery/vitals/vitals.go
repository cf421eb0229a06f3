// Package vitals asks Argo CD and Prometheus whether a deployment is healthy, and since
// when.
//
// Healthy is what is proven for this very deployment: that Argo CD has synced it and runs
// its digest, or that a query held. What a source does not say is never taken for healthy,
// and trouble with a source is an error.
package vitals

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/history"
	"github.com/waybill-dev/waybill/internal/delivery/rules"
	"github.com/waybill-dev/waybill/internal/door/health"
)

// States of what a source says.
const (
	success = "success"
	pending = "pending"
	failure = "failure"
)

// Sources asks the sources of one config repository. It asks each of them once for the
// same thing.
type Sources struct {
	Repo history.Reader
	// Server is the server at an address, with the token of a variable; false if the
	// variable is empty. A variable that is not named needs no token.
	Server func(address, variable string) (health.Server, bool)
	Now    func() time.Time
	// Named reports whether the branch of the deployments names a source. A pull request
	// is judged with the tokens of that branch, and says nothing of where they go.
	Named func(ctx context.Context, source config.Health) (bool, error)

	mu    sync.Mutex
	known map[string]*once
	down  map[string]error // what servers gave no answer with, by address
}

// once is an answer that is there, or on its way.
type once struct {
	sync.Once
	value any
	err   error
}

// remember asks once for what a key stands for.
func remember[T any](s *Sources, key string, ask func() (T, error)) (T, error) {
	s.mu.Lock()
	if s.known == nil {
		s.known = make(map[string]*once)
	}
	o := s.known[key]
	if o == nil {
		o = new(once)
		s.known[key] = o
	}
	s.mu.Unlock()
	o.Do(func() { o.value, o.err = ask() })
	value, _ := o.value.(T)
	return value, o.err
}

// ask is remember for a server. One that gave no answer at all is not asked for anything
// else: with many applications, waiting for each of them would use up the time in which
// those that do not depend on it are promoted.
func ask[T any](s *Sources, server health.Server, key string, question func() (T, error)) (T, error) {
	return remember(s, server.URL+" "+key, func() (answer T, err error) {
		s.mu.Lock()
		err = s.down[server.URL]
		s.mu.Unlock()
		if err != nil {
			return answer, err
		}
		if answer, err = question(); health.IsDown(err) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.down == nil {
				s.down = make(map[string]error)
			}
			s.down[server.URL] = err
		}
		return answer, err
	})
}

// Said is what a source says of a deployment.
func (s *Sources) Said(ctx context.Context, asked rules.Asked) (rules.Said, error) {
	named, err := s.Named(ctx, asked.Source)
	if err != nil {
		return rules.Said{}, err
	}
	if !named {
		return rules.Said{
			Description: "this source is asked once it stands in the " + config.FileName + " of the branch that is deployed",
		}, nil
	}
	address := asked.Source.ArgoCD.URL
	if address == "" {
		address = asked.Source.Prometheus.URL
	}
	variable := asked.Source.Variable()
	server, known := s.Server(address, variable)
	if !known {
		return rules.Said{Description: fmt.Sprintf(
			"nobody can be asked here, because the environment variable %s is empty: set it to a token that may read", variable,
		)}, nil
	}
	if asked.Source.ArgoCD != (config.ArgoCD{}) {
		return s.argoCD(ctx, server, asked)
	}
	return s.prometheus(ctx, server, asked)
}
