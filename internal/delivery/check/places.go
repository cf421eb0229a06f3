package check

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/admission"
	"github.com/waybill-dev/waybill/internal/delivery/hold"
	"github.com/waybill-dev/waybill/internal/delivery/overlay"
	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// place is one application in one environment, as one side's configuration has
// it.
type place struct {
	app config.App // says how the head's files are read
	env config.Environment
	was config.App // says how the base's files are read
	had bool       // false where the base does not have the place
	// gone says that the head's configuration has the place otherwise, or not at
	// all, though its files are still there: whatever deploys them does not read
	// waybill.yaml.
	gone bool
}

// places lists what the change can touch: all of base and head, unless it is known
// of every changed file who reads it: then those that do, and what refers to them.
func (s *session) places() []place {
	places := s.allPlaces()
	if s.base == nil {
		return places
	}
	touched := make(map[int]bool)
	for _, file := range s.changed() {
		if strings.HasPrefix(file, hold.Dir) {
			continue // renders to nothing
		}
		found := false
		for i, p := range places {
			if p.reads(file) {
				touched[i], found = true, true
			}
		}
		if !found && !s.elsewhere(file) {
			return places
		}
	}
	var only []place
	for i, p := range places {
		if touched[i] || s.reached()[p.app.Overlay(p.env.Name)] {
			only = append(only, p)
		}
	}
	return only
}

// elsewhere reports whether only kustomizations of the head read a changed file,
// which reached finds, or nothing that is deployed does.
func (s *session) elsewhere(file string) bool {
	if file == config.FileName || admission.Reads(file) || s.inChart(file) {
		return false
	}
	for _, side := range []map[string][]byte{s.was, s.head.Files} {
		if defines(file, side[file]) {
			return false
		}
	}
	s.reached()
	return render.IsKustomization(file) && s.head.Files[file] != nil || len(s.namedBy[file]) > 0 ||
		strings.HasPrefix(file, ".github/") || strings.HasPrefix(file, "../") || path.Ext(file) == ".md"
}

// inChart reports whether a chart holds the file, on either side.
func (s *session) inChart(file string) bool {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		at := path.Join(dir, "Chart.yaml")
		if s.head.Files[at] != nil || s.was[at] != nil {
			return true
		}
		if dir == "." || dir == "/" {
			return false
		}
	}
}

// allPlaces lists the places of base and head.
func (s *session) allPlaces() []place {
	s.placesOnce.Do(func() { s.inHead, s.gone = s.headPlaces(), s.gonePlaces() })
	return slices.Concat(s.inHead, s.gone)
}

// key tells the places of one check apart.
func (p place) key() string { return fmt.Sprint(p.app.Name, " ", p.env.Name, " ", p.gone) }

// holds reports whether the file lies in the overlay of the place.
func (p place) holds(file string) bool {
	at := p.app.Overlay(p.env.Name)
	return file == at || strings.HasPrefix(file, at+"/")
}

// reads reports whether the file lies in the overlay of the place, or is among its
// chart or values.
func (p place) reads(file string) bool {
	helm := p.app.Helm(p.env.Name)
	return p.holds(file) || slices.Contains(helm.Values, file) || helm.Chart != "" && strings.HasPrefix(file, helm.Chart+"/")
}

func (s *session) headPlaces() []place {
	var places []place
	each(s.cfg, func(app config.App, env config.Environment) {
		p := place{app: app, env: env}
		p.was, p.had = s.baseApp(app.Name, env.Name)
		places = append(places, p)
	})
	return places
}

// gonePlaces lists the places that the base's configuration has and the head's
// has otherwise, or not at all, and whose files are still there.
func (s *session) gonePlaces() []place {
	if s.base == nil || !s.baseReads {
		return nil
	}
	var places []place
	each(s.rules, func(app config.App, env config.Environment) {
		if now, _, err := s.cfg.Place(app.Name, env.Name); err == nil && sameManifests(now, app, env.Name) {
			return
		}
		if _, _, err := overlay.Find(s.head.Files, overlay.Target{Path: app.Overlay(env.Name), Image: app.Image}); err != nil {
			return // nothing is deployed from there any more
		}
		places = append(places, place{app: app, env: env, was: app, had: true, gone: true})
	})
	return places
}

// sameManifests reports whether both render the same files in the same way.
func sameManifests(a, b config.App, env string) bool {
	x, y := a.Helm(env), b.Helm(env)
	return a.Overlay(env) == b.Overlay(env) && x.Chart == y.Chart && x.Release == y.Release && x.Namespace == y.Namespace &&
		slices.Equal(x.Values, y.Values)
}

// each calls f for every place of a configuration.
func each(cfg *config.Config, f func(config.App, config.Environment)) {
	for _, name := range cfg.AppNames() {
		app, err := cfg.App(name)
		if err != nil {
			continue
		}
		for _, envName := range app.Environments {
			if env, err := cfg.Environment(envName); err == nil {
				f(app, env)
			}
		}
	}
}

// changed lists the files that differ, once; all of them without a base.
func (s *session) changed() []string {
	s.changedOnce.Do(func() {
		for name, data := range s.head.Files {
			if before, ok := s.was[name]; !ok || !bytes.Equal(before, data) {
				s.changedFiles = append(s.changedFiles, name)
			}
		}
		for name := range s.was {
			if _, ok := s.head.Files[name]; !ok {
				s.changedFiles = append(s.changedFiles, name)
			}
		}
		for name, id := range both(s.head.Large, s.head.Links) {
			if s.base == nil || s.base.Large[name] != id && s.base.Links[name] != id {
				s.changedFiles = append(s.changedFiles, name)
			}
		}
		slices.Sort(s.changedFiles)
		s.changedFiles = slices.Compact(s.changedFiles)
	})
	return s.changedFiles
}
