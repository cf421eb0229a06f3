package config

import (
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"
)

// DriftIgnore is drift that is accepted for a time, for a reason.
type DriftIgnore struct {
	Dir        string   // glob of roots; empty is all of them
	Address    string   // glob of resources
	Attributes []string // globs; empty is the whole resource, its end included
	Reason     string
	Expires    time.Time
}

type driftDocument struct {
	Unapplied duration `yaml:"unapplied"`

	Ignore []struct {
		Dir        string   `yaml:"dir"`
		Address    string   `yaml:"address"`
		Attributes []string `yaml:"attributes"`
		Reason     string   `yaml:"reason"`
		Expires    instant  `yaml:"expires"`
	} `yaml:"ignore"`
}

func (p *parser) drift(at *yaml.Node, doc driftDocument) []DriftIgnore {
	var ignores []DriftIgnore
	for i, in := range doc.Ignore {
		if !doublestar.ValidatePattern(in.Dir) {
			p.problem(child(place(child(at, "ignore"), i), "dir"), "terraform.drift.ignore.%d.dir: %q is not a glob", i, in.Dir)
		}
		ignores = append(ignores, DriftIgnore{
			Dir: in.Dir, Address: in.Address, Attributes: in.Attributes, Reason: in.Reason, Expires: time.Time(in.Expires),
		})
	}
	return ignores
}
