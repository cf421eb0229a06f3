package config

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/text"
)

// ManifestWaiver is what an admission policy or a rule finds and is accepted for a time,
// for a reason. The cluster knows nothing of it.
type ManifestWaiver struct {
	Policy  string // name, or id of the rule, exactly
	App     string // empty is any
	Env     string // empty is any
	Object  string // glob of KIND NAME; empty is any
	Reason  string
	Expires time.Time
}

// What becomes of what a rule of the checklist finds.
const (
	Refuse = "refuse"
	Note   = "note"
	Off    = "off"
)

// ManifestRules are the rules of the checklist, with what counts where waybill.yaml
// does not name them.
var ManifestRules = map[string]string{
	"schema": Refuse, "references": Note, "deprecated": Off, "probes": Off, "replicas": Off, "disruption": Off,
	"network-policy": Off, "pod-security": Off, "quota": Off, "secret-data": Off,
	"removed": Note, "rbac": Note, "namespace-labels": Note, "versions": Refuse,
}

// defaultKubernetes is the minor version of the cluster's Kubernetes where
// waybill.yaml names none: that of which charts are rendered.
const defaultKubernetes = 34

type manifestsDocument struct {
	Kubernetes string            `yaml:"kubernetes"`
	Rules      map[string]string `yaml:"rules"`
	Waivers    []struct {
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
		list = append(list, ManifestWaiver{
			Policy: w.Policy, App: w.App, Env: w.Env, Object: w.Object, Reason: w.Reason, Expires: time.Time(w.Expires),
		})
	}
	return list
}

// ManifestRule is what becomes of what a rule of the checklist finds.
func (c *Config) ManifestRule(id string) string {
	return cmp.Or(c.manifestRules[id], ManifestRules[id])
}

// Kubernetes is the minor version of Kubernetes that the clusters run: 34 of 1.34.
func (c *Config) Kubernetes() int { return c.kubernetes }

// minor reads 1.34 as 34.
func minor(version string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(version, "1."))
	if err != nil { // none; the schema lets nothing else through
		return defaultKubernetes
	}
	return n
}

// ManifestWaivers are the waivers for what admission policies and the checklist
// find.
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
