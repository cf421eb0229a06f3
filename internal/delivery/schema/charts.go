package schema

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	gvk "k8s.io/apimachinery/pkg/runtime/schema"
)

// charts has the schemas of the definitions that the charts of `waybill init config`
// bring: a line for each kind, of a chart@version, a tab, and a chartKind. A test
// writes it from bin/tools/crds.yaml, without descriptions.
//
//go:embed charts.gz
var charts []byte

// chartKind is a definition, as far as objects are judged by it.
type chartKind struct {
	Group    string         `json:"group"`
	Kind     string         `json:"kind"`
	Cluster  bool           `json:"cluster,omitempty"`
	Versions []chartVersion `json:"versions"`
}

type chartVersion struct {
	Name   string          `json:"name"`
	Served bool            `json:"served,omitempty"`
	Schema json.RawMessage `json:"schema"`
}

func (k chartKind) group() gvk.GroupKind { return gvk.GroupKind{Group: k.Group, Kind: k.Kind} }

// chartKinds are the kinds of each chart@version. It reads no schema.
var chartKinds = sync.OnceValues(func() (map[string][]chartKind, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(charts))
	if err != nil {
		return nil, fmt.Errorf("read the definitions of charts: %w", err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, fmt.Errorf("read the definitions of charts: %w", err)
	}
	found := make(map[string][]chartKind)
	for line := range bytes.Lines(text) {
		chart, data, _ := bytes.Cut(line, []byte("\t"))
		var kind chartKind
		if err := json.Unmarshal(data, &kind); err != nil {
			return nil, fmt.Errorf("read the definitions of %s: %w", chart, err)
		}
		found[string(chart)] = append(found[string(chart)], kind)
	}
	return found, nil
})

// Charts lists the charts whose definitions are known, as NAME@VERSION: one version
// of each.
func Charts() []string {
	known, _ := chartKinds() // empty if it cannot be read; WithCharts says so
	var list []string
	for chart := range known {
		list = append(list, chart)
	}
	slices.Sort(list)
	return list
}

// WithCharts adds the kinds of charts, as NAME@VERSION. A kind that an object
// defines stays as that defines it, and a chart that is not known adds nothing.
func (s *Schemas) WithCharts(names ...string) (*Schemas, error) {
	known, err := chartKinds()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		for _, kind := range known[name] {
			if s.kinds[kind.group()] {
				continue
			}
			s.kinds[kind.group()] = true
			for _, v := range kind.Versions {
				if v.Served {
					of := gvk.GroupVersionKind{Group: kind.Group, Version: v.Name, Kind: kind.Kind}
					version := apiextensionsv1.CustomResourceDefinitionVersion{Name: v.Name, Served: true}
					s.custom[of] = &definition{version: version, packed: v.Schema, chart: name, cluster: kind.Cluster, cost: s.cost}
				}
			}
		}
	}
	return s, nil
}

// Defines reports whether there is a definition of every kind that a chart brings,
// whatever its version.
func (s *Schemas) Defines(chart string) bool {
	known, _ := chartKinds()
	for name, kinds := range known {
		if of, _, _ := strings.Cut(name, "@"); of == chart {
			return !slices.ContainsFunc(kinds, func(k chartKind) bool { return !s.kinds[k.group()] })
		}
	}
	return false
}
