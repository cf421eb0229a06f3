package check

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/delivery/schema"
	"github.com/waybill-dev/waybill/internal/evidence"
)

// definitions are the custom kinds that the head brings into its clusters, read once:
// those that its files define, and those of the charts that it deploys at the version
// whose definitions Waybill has.
func (s *session) definitions() (*schema.Schemas, error) {
	s.schemasOnce.Do(func() {
		var charts []string
		for _, c := range s.deployedCharts() {
			charts = append(charts, c.name+"@"+c.version)
		}
		s.schemas, s.schemasErr = schema.New(definitionsIn(s.head.Files)).WithCharts(charts...)
	})
	return s.schemas, s.schemasErr
}

// defines reports whether a file may define custom kinds.
func defines(file string, data []byte) bool {
	ext := path.Ext(file)
	return (ext == ".yaml" || ext == ".yml" || ext == ".json") && bytes.Contains(data, []byte("CustomResourceDefinition"))
}

func definitionsIn(files map[string][]byte) (found []render.Object) {
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if !defines(file, files[file]) {
			continue
		}
		if objects, err := documents(file, files[file]); err == nil {
			found = append(found, objects...)
		}
	}
	return found
}

// chartSource is a chart of a Helm repository that a deployer names.
type chartSource struct{ file, name, version string }

// deployedCharts are those that deployers of the head name, in any file.
func (s *session) deployedCharts() (found []chartSource) {
	for _, file := range slices.Sorted(maps.Keys(s.head.Files)) {
		data := s.head.Files[file]
		if !isManifest(file) || !bytes.Contains(data, []byte("chart")) || !mentionsDeployer(string(data)) {
			continue
		}
		for _, o := range manifestsOf(file, data) {
			if deploys(o) {
				eachChart(o.Content, func(name, version string) { found = append(found, chartSource{file, name, version}) })
			}
		}
	}
	return found
}

// eachChart calls f for every chart that is named with a version, at any depth: in a source
// of Argo CD, in the template of an ApplicationSet, in a release of Flux.
func eachChart(v any, f func(name, version string)) {
	switch v := v.(type) {
	case map[string]any:
		name, _ := v["chart"].(string)
		for _, key := range []string{"targetRevision", "version"} {
			if version, _ := v[key].(string); name != "" && version != "" {
				f(name, version)
			}
		}
		for _, e := range v {
			eachChart(e, f)
		}
	case []any:
		for _, e := range v {
			eachChart(e, f)
		}
	}
}

// unknownCharts notes the charts whose objects nobody judges any more, because the change
// has them at another version than the one whose definitions Waybill has.
func (s *session) unknownCharts() error {
	kinds, err := s.definitions()
	if err != nil {
		return err
	}
	known := make(map[string]string)
	for _, chart := range schema.Charts() {
		name, version, _ := strings.Cut(chart, "@")
		known[name] = version
	}
	changed := s.changed()
	for _, c := range s.deployedCharts() {
		version, ours := known[c.name]
		if !ours || version == c.version || kinds.Defines(c.name) || !slices.Contains(changed, c.file) {
			continue
		}
		s.note(Finding{File: c.file, Rule: "schema", State: evidence.Refused, Message: render.Visible(
			"Waybill has the definitions of the chart " + c.name + " " + version + " and not of " + c.version + ": objects of its kinds " +
				"are not judged → commit the chart's CustomResourceDefinitions, or use a version of Waybill that has them")})
	}
	return nil
}
