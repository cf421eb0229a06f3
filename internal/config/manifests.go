package config

import (
	"regexp"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/text"
)

// ManifestWaiver is what an admission policy finds and is accepted for a time,
// for a reason. The cluster knows nothing of it.
type ManifestWaiver struct {
	Policy  string // name, exactly
	App     string // empty is any
	Env     string // empty is any
	Object  string // glob of KIND NAME; empty is any
	Reason  string
	Expires time.Time
}

type manifestsDocument struct {
	Waivers []struct {
		Policy  string  `yaml:"policy"`
		App     string  `yaml:"app"`
		Env     string  `yaml:"env"`
		Object  string  `yaml:"object"`
		Reason  string  `yaml:"reason"`
		Expires instant `yaml:"expires"`
	} `yaml:"waivers"`
}

func (d manifestsDocument) waivers() []ManifestWaiver {
	var list []ManifestWaiver
	for _, w := range d.Waivers {
		list = append(list, ManifestWaiver{Policy: w.Policy, App: w.App, Env: w.Env, Object: w.Object, Reason: w.Reason, Expires: time.Time(w.Expires)})
	}
	return list
}

// ManifestWaivers are the waivers for what admission policies find.
func (c *Config) ManifestWaivers() []ManifestWaiver { return c.manifestWaivers }

// Waives reports whether the waiver is for what the policy finds in an object of an
// application, KIND NAME, at that time.
func (w ManifestWaiver) Waives(policy, app, env, object string, now time.Time) bool {
	if w.Policy != policy || w.App != "" && w.App != app || w.Env != "" && w.Env != env || !text.Shows(w.Reason) || !now.Before(w.Expires) {
		return false
	}
	if w.Object == "" {
		return true
	}
	parts := strings.Split(w.Object, "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	matched, err := regexp.MatchString(`\A`+strings.Join(parts, `.*`)+`\z`, object)
	return err == nil && matched
}
