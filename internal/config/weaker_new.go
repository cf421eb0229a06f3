package config

import (
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/waybill-dev/waybill/internal/evidence"
)

// origins compares where provenance and vulnerability databases may come from.
// An empty list is any.
func (w *weaker) origins(path []string, base, head evidence.Policy) {
	wider := func(path []string, base, head []string) {
		if len(base) > 0 && len(head) == 0 {
			w.add(path, "allows any")
		}
		for _, pattern := range head {
			if len(base) > 0 && !slices.Contains(base, pattern) {
				w.add(path, "adds %s", pattern)
			}
		}
	}
	wider(in(path, "builders"), base.Builders, head.Builders)
	wider(in(path, "scan", "databases"), base.Databases, head.Databases)
	if b, h := databaseAge(base), databaseAge(head); h > b {
		w.add(in(path, "scan", "databaseMaxAge"), "goes from %s to %s", b, h)
	}
	stance := func(name string, base, head evidence.Stance) {
		rank := []evidence.Stance{evidence.Off, evidence.Note, evidence.Refuse}
		if slices.Index(rank, head) < slices.Index(rank, base) {
			w.add(in(path, "scan", name), "goes from %s to %s", base, head)
		}
	}
	stance("secrets", base.Secrets, head.Secrets)
	stance("endOfLife", base.EndOfLife, head.EndOfLife)
	stance("misconfiguration", base.Misconfiguration, head.Misconfiguration)
	for _, glob := range base.Licenses {
		if !slices.Contains(head.Licenses, glob) {
			w.add(in(path, "scan", "licenses"), "drops %s", glob)
		}
	}
	if base.AllSign && !head.AllSign {
		w.add(in(path, "signedBy"), "goes from all to any")
	}
	if base.AllSign && head.AllSign {
		w.fewerSigners(path, base, head)
	}
	for _, kind := range evidence.Kinds() {
		if b, h := base.RecordAge[kind], head.RecordAge[kind]; b != 0 && (h == 0 || h > b) {
			w.add(in(path, "maxAge", string(kind)), "goes from %s to %s", b, h)
		}
	}
	if head.VEX && !base.VEX {
		w.add(in(path, "scan", "vex"), "becomes true")
	}
}

// fewerSigners compares who has to sign, where all have to.
func (w *weaker) fewerSigners(path []string, base, head evidence.Policy) {
	for _, signer := range base.Signers {
		if !slices.ContainsFunc(head.Signers, signer.Covers) {
			w.add(in(path, "signers"), "drops %s, which had to sign", signer.Subject())
		}
	}
	for _, key := range base.Keys {
		if !slices.Contains(head.Keys, key) {
			w.add(in(path, "keys"), "drops %s, which had to sign", key)
		}
	}
}

func databaseAge(p evidence.Policy) time.Duration {
	if p.DatabaseMaxAge == 0 {
		return evidence.DefaultDatabaseMaxAge
	}
	return p.DatabaseMaxAge
}

// newEnvironments holds environments that the base does not have against what
// is common in the base: a new one may ask for more, and not for less. The holds of
// the others count in it.
func (w *weaker) newEnvironments(common []Weakening) {
	for _, h := range w.head.Environments {
		if _, err := w.base.Environment(h.Name); err == nil {
			continue
		}
		path := []string{"environments", h.Name}
		w.ownPolicy(in(path, "policy"), w.base.policy, w.head.policy.overriddenBy(h.policy), common)
	}
}

// sameImages reports applications that newly run the image of one that the base
// has: nothing that is known of that one would be asked of them.
func (w *weaker) sameImages() {
	for _, name := range w.head.AppNames() {
		was := repositories(w.base.apps[name])
		for _, image := range repositories(w.head.apps[name]) {
			if slices.Contains(was, image) {
				continue
			}
			for _, other := range w.base.AppNames() {
				if other != name && slices.Contains(repositories(w.base.apps[other]), image) {
					w.add([]string{"apps", name}, "runs the image of %s: its order, soak, holds and source would not be asked", other)
				}
			}
		}
	}
}

// fewerImages reports images that no longer move with the others of their application:
// nothing asks any more whether they ran together.
func (w *weaker) fewerImages(path []string, base, head App) {
	if !base.Several() {
		return
	}
	still := repositories(head)
	for _, one := range base.Parts() {
		if !slices.Contains(still, repository(one.Image)) {
			w.add(in(path, "images"), "drops %s", one.Image.Name())
		}
	}
}

// repositories are those of an application's images, each in one spelling.
func repositories(app App) (list []string) {
	if app.Name == "" {
		return nil // that is not there
	}
	for _, image := range app.Images() {
		list = append(list, repository(image))
	}
	return list
}

// repository is one name for all the ways in which a registry's can be spelled.
func repository(r name.Repository) string {
	host := strings.ToLower(r.RegistryStr())
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
	host = strings.TrimSuffix(host, ".")
	if slices.Contains([]string{"docker.io", "registry-1.docker.io", "registry.hub.docker.com"}, host) {
		host = name.DefaultRegistry
	}
	return host + "/" + r.RepositoryStr()
}
