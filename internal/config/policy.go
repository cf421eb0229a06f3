package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"time"

	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
)

// policy is the form of `policy:`, common or of one environment. nil means not
// said.
type policy struct {
	Require []evidence.Kind       `yaml:"require"`
	Signers []evidence.SignerRule `yaml:"signers"`
	Keys    []string              `yaml:"keys"`
	// SignedBy is any or all.
	SignedBy *string                    `yaml:"signedBy"`
	MaxAge   map[evidence.Kind]duration `yaml:"maxAge"`
	Scan     *scanPolicy                `yaml:"scan"`
	Waivers  []waiver                   `yaml:"waivers"`

	Builders []string     `yaml:"builders"`
	Images   imagesPolicy `yaml:"images"`
}

type scanPolicy struct {
	Severity      *evidence.Severity `yaml:"severity"`
	IgnoreUnfixed *bool              `yaml:"ignoreUnfixed"`
	MaxAge        *duration          `yaml:"maxAge"`

	Databases      []string  `yaml:"databases"`
	DatabaseMaxAge *duration `yaml:"databaseMaxAge"`
	VEX            *bool     `yaml:"vex"`

	Secrets   *evidence.Stance `yaml:"secrets"`
	EndOfLife *evidence.Stance `yaml:"endOfLife"`
	// Misconfiguration is of the image's configuration.
	Misconfiguration *evidence.Stance `yaml:"misconfiguration"`
	Licenses         []string         `yaml:"licenses"`
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
	overrideList(&p.Require, o.Require)
	overrideList(&p.Signers, o.Signers)
	overrideList(&p.Keys, o.Keys)
	override(&p.SignedBy, o.SignedBy)
	if o.MaxAge != nil {
		p.MaxAge = o.MaxAge
	}
	overrideList(&p.Builders, o.Builders)
	if o.Scan != nil {
		var merged scanPolicy
		if p.Scan != nil {
			merged = *p.Scan
		}
		override(&merged.Severity, o.Scan.Severity)
		override(&merged.IgnoreUnfixed, o.Scan.IgnoreUnfixed)
		override(&merged.MaxAge, o.Scan.MaxAge)
		overrideList(&merged.Databases, o.Scan.Databases)
		override(&merged.DatabaseMaxAge, o.Scan.DatabaseMaxAge)
		override(&merged.VEX, o.Scan.VEX)
		override(&merged.Secrets, o.Scan.Secrets)
		override(&merged.EndOfLife, o.Scan.EndOfLife)
		override(&merged.Misconfiguration, o.Scan.Misconfiguration)
		overrideList(&merged.Licenses, o.Scan.Licenses)
		p.Scan = &merged
	}
	p.Images = p.Images.overriddenBy(o.Images)
	p.Waivers = append(slices.Clone(p.Waivers), o.Waivers...)
	return p
}

func override[T any](into **T, by *T) {
	if by != nil {
		*into = by
	}
}

func overrideList[T any](into *[]T, by []T) {
	if by != nil {
		*into = by
	}
}

// defaults are what holds where waybill.yaml is silent: everything is
// required, and a scan refuses at high and counts for a week.
const (
	defaultSeverity = evidence.High
	defaultMaxAge   = 7 * 24 * time.Hour
)

func (p policy) evidence(app, source string) evidence.Policy {
	out := evidence.Policy{
		Require: p.Require, Signers: p.Signers, Source: source, Builders: p.Builders,
		Threshold: evidence.Threshold{Severity: defaultSeverity}, MaxAge: defaultMaxAge,
		Secrets: evidence.Note, EndOfLife: evidence.Note, Misconfiguration: evidence.Off,
		AllSign: p.SignedBy != nil && *p.SignedBy == "all",
	}
	if p.MaxAge != nil {
		out.RecordAge = make(map[evidence.Kind]time.Duration)
	}
	for kind, age := range p.MaxAge {
		out.RecordAge[kind] = time.Duration(age)
	}
	for _, key := range p.Keys {
		if print, err := fingerprint(key); err == nil { // Parse has refused the others
			out.Keys = append(out.Keys, print)
		}
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
		out.Databases, out.Licenses = s.Databases, s.Licenses
		if s.DatabaseMaxAge != nil {
			out.DatabaseMaxAge = time.Duration(*s.DatabaseMaxAge)
		}
		out.VEX = s.VEX != nil && *s.VEX
		if s.Secrets != nil {
			out.Secrets = *s.Secrets
		}
		if s.EndOfLife != nil {
			out.EndOfLife = *s.EndOfLife
		}
		if s.Misconfiguration != nil {
			out.Misconfiguration = *s.Misconfiguration
		}
	}
	for _, w := range p.Waivers {
		if w.App == "" || w.App == app {
			out.Threshold.Waivers = append(out.Threshold.Waivers, evidence.Waiver{
				ID: w.ID, Package: w.Package, Reason: w.Reason, Expires: time.Time(w.Expires),
			})
		}
	}
	return out
}

// fingerprint is the SHA-256 of a PEM public key's DER form, by which evidence
// names the key.
func fingerprint(text string) (string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", errors.New("no PEM block")
	}
	if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return "", err
	}
	return imageref.DigestOf(block.Bytes), nil
}

// PublicKeys are the public keys of every policy in the file, in PEM form: what
// signatures can be verified with. Which of them may sign where is the
// policy's to say.
func (c *Config) PublicKeys() [][]byte {
	policies := []policy{c.policy}
	for _, e := range c.Environments {
		policies = append(policies, e.policy)
	}
	var keys [][]byte
	seen := make(map[string]bool)
	for _, p := range policies {
		for _, key := range p.Keys {
			if !seen[key] {
				seen[key] = true
				keys = append(keys, []byte(key))
			}
		}
	}
	return keys
}

// KeysOf are the public keys that the policy of env trusts, in PEM form; in an
// unknown one, those that are common to all.
func (c *Config) KeysOf(env string) []string {
	p := c.policy
	if e, err := c.Environment(env); err == nil {
		p = p.overriddenBy(e.policy)
	}
	return p.Keys
}

// Signers is a policy that requires nothing and trusts every signer that a policy
// of the file trusts, in any environment: what it does not trust counts nowhere.
func (c *Config) Signers() evidence.Policy {
	union := evidence.Policy{Require: []evidence.Kind{}}
	for _, p := range append([]policy{c.policy}, environmentPolicies(c.Environments)...) {
		out := p.evidence("", "")
		union.Signers = append(union.Signers, out.Signers...)
		union.Keys = append(union.Keys, out.Keys...)
	}
	return union
}

func environmentPolicies(environments []Environment) []policy {
	var policies []policy
	for _, e := range environments {
		policies = append(policies, e.policy)
	}
	return policies
}
