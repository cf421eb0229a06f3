package check

import (
	"maps"
	"slices"

	"github.com/waybill-dev/waybill/internal/config"

	"github.com/waybill-dev/waybill/internal/delivery/check/deployers"
)

// loadDeployers says to those that deploy from the repository what waybill.yaml has in it.
func (s *session) loadDeployers() {
	placesOf := func(cfg *config.Config) (list []deployers.Place) {
		each(cfg, func(app config.App, env config.Environment) {
			list = append(list, deployers.Place{App: app, Env: env.Name})
		})
		return list
	}
	s.deployers = &deployers.Change{
		Dir: s.head.Dir, Base: s.was, Head: s.head.Files, Places: placesOf(s.cfg),
		Environments: slices.Concat(s.rules.EnvironmentNames(), s.cfg.EnvironmentNames()),
	}
	if s.baseReads {
		s.deployers.Was = placesOf(s.rules)
	}
}

// compare keeps what is compared once everything is read.
func (s *session) compare(c deployers.Comparison) {
	if s.base == nil {
		return
	}
	for _, w := range deployers.Updated(c) {
		s.weaker(w.File, 0, w.Change)
	}
	if !slices.ContainsFunc(slices.Concat(c.Before, c.After), s.deployers.Decides) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.compared = append(s.compared, c)
}

// both has the entries of both.
func both[V any](a, b map[string]V) map[string]V {
	out := make(map[string]V, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}
