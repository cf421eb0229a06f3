package config

import (
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/evidence"
)

// policy is the form of `policy:`, common or of one environment. nil means not
// said.
type policy struct {
	Require []evidence.Kind       `yaml:"require"`
	Signers []evidence.SignerRule `yaml:"signers"`
	Keys    []string              `yaml:"keys"`
	Scan    *scanPolicy           `yaml:"scan"`
	Waivers []waiver              `yaml:"waivers"`
}

type scanPolicy struct {
	Severity      *evidence.Severity `yaml:"severity"`
	IgnoreUnfixed *bool              `yaml:"ignoreUnfixed"`
	MaxAge        *duration          `yaml:"maxAge"`
}

type waiver struct {
	ID      string  `yaml:"id"`
	Package string  `yaml:"package"`
	App     string  `yaml:"app"`
	Reason  string  `yaml:"reason"`
	Expires instant `yaml:"expires"`
}

// overriddenBy takes what o says, and keeps the rest. Waivers add up.
func (p policy) overriddenBy(o policy) policy {
	if o.Require != nil {
		p.Require = o.Require
	}
	if o.Signers != nil {
		p.Signers = o.Signers
	}
	if o.Keys != nil {
		p.Keys = o.Keys
	}
	if o.Scan != nil {
		var merged scanPolicy
		if p.Scan != nil {
			merged = *p.Scan
		}
		if o.Scan.Severity != nil {
			merged.Severity = o.Scan.Severity
		}
		if o.Scan.IgnoreUnfixed != nil {
			merged.IgnoreUnfixed = o.Scan.IgnoreUnfixed
		}
		if o.Scan.MaxAge != nil {
			merged.MaxAge = o.Scan.MaxAge
		}
		p.Scan = &merged
	}
	p.Waivers = append(slices.Clone(p.Waivers), o.Waivers...)
	return p
}

// defaults are what holds where waybill.yaml is silent: everything is
// required, and a scan refuses at high and counts for a week.
const (
	defaultSeverity = evidence.High
	defaultMaxAge   = 7 * 24 * time.Hour
)

func (p policy) evidence(app, source string) evidence.Policy {
	out := evidence.Policy{
		Require: p.Require, Signers: p.Signers, Keys: p.Keys, Source: source,
		Threshold: evidence.Threshold{Severity: defaultSeverity}, MaxAge: defaultMaxAge,
	}
	if out.Require == nil {
		out.Require = evidence.Kinds()
	}
	if s := p.Scan; s != nil {
		if s.Severity != nil {
			out.Threshold.Severity = *s.Severity
		}
		if s.IgnoreUnfixed != nil {
			out.Threshold.IgnoreUnfixed = *s.IgnoreUnfixed
		}
		if s.MaxAge != nil {
			out.MaxAge = time.Duration(*s.MaxAge)
		}
	}
	for _, w := range p.Waivers {
		if w.App == "" || w.App == app {
			out.Threshold.Waivers = append(out.Threshold.Waivers, evidence.Waiver{ID: w.ID, Package: w.Package, Reason: w.Reason, Expires: time.Time(w.Expires)})
		}
	}
	return out
}
