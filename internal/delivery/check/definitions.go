package check

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/check/deployers"
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
		for _, c := range s.deployers.Charts() {
			charts = append(charts, c.Name+"@"+c.Version)
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
		if objects, err := deployers.Documents(file, files[file]); err == nil {
			found = append(found, objects...)
		}
	}
	return found
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
	for _, c := range s.deployers.Charts() {
		version, ours := known[c.Name]
		if !ours || version == c.Version || kinds.Defines(c.Name) || !slices.Contains(changed, c.File) {
			continue
		}
		s.note(Finding{File: c.File, Rule: "schema", State: evidence.Refused, Message: render.Visible(
			"Waybill has the definitions of the chart " + c.Name + " " + version + " and not of " + c.Version + ": objects of its kinds " +
				"are not judged → commit the chart's CustomResourceDefinitions, or use a version of Waybill that has them")})
	}
	return nil
}
