package render

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/ignore"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// kubeVersion is what charts see as .Capabilities.KubeVersion.
const kubeVersion = "v1.34.0"

// Helm renders a chart of the repository with the overlay's values, as helm
// template does; hooks and CRDs are part of the result, notes are not.
func (r *Renderer) Helm(h config.Helm, values string) ([]Object, error) {
	h.Values = append(slices.Clone(h.Values), values)
	return r.helm(h, values, nil)
}

// Chart renders a chart with files of values, and texts of such over them.
func (r *Renderer) Chart(h config.Helm, texts []string) ([]Object, error) {
	return r.helm(h, "its values", texts)
}

func (r *Renderer) helm(h config.Helm, values string, texts []string) ([]Object, error) {
	c, err := r.chart(h.Chart)
	if err != nil {
		return nil, err
	}
	merged, err := r.values(h, texts)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependenciesWithMerge(c, merged); err != nil {
		return nil, r.reason("render "+h.Chart, err, r.below(h.Chart)...)
	}
	return r.template(c, h, values, merged)
}

// values are those of files, and of texts over them.
func (r *Renderer) values(h config.Helm, texts []string) (map[string]any, error) {
	merged := map[string]any{}
	add := func(name string, data []byte) error {
		if err := limit.YAML(name, data); err != nil {
			return err
		}
		v, err := chartutil.ReadValues(data)
		if err != nil {
			return r.reason("read values "+name, err, append(texts, r.below(h.Chart)...)...)
		}
		merged = chartutil.CoalesceTables(v, merged)
		return nil
	}
	for _, file := range h.Values {
		data, ok := r.fs.get(file)
		if !ok {
			return nil, outcome.Usagef("%s: no such file, but waybill.yaml names it under helm.values", file)
		}
		if err := add(file, data); err != nil {
			return nil, err
		}
	}
	for _, text := range texts {
		if err := add("of the Application", []byte(text)); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

func (r *Renderer) template(c *chart.Chart, h config.Helm, values string, merged map[string]any) ([]Object, error) {
	version, err := chartutil.ParseKubeVersion(kubeVersion)
	if err != nil {
		return nil, err
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version
	input, err := chartutil.ToRenderValues(c, merged, chartutil.ReleaseOptions{
		Name: h.Release, Namespace: h.Namespace, Revision: 1, IsInstall: true,
	}, capabilities)
	if err != nil {
		return nil, r.reason("render "+h.Chart+" with "+values, err, r.below(h.Chart)...)
	}
	rendered, err := engine.Render(c, input)
	if err != nil {
		return nil, fmt.Errorf("render %s with %s: %s", h.Chart, values, withoutValues(err.Error(), input["Values"]))
	}
	var objects []Object
	for _, crd := range c.CRDObjects() {
		parsed, err := r.parseManifests(crd.Filename, string(crd.File.Data))
		if err != nil {
			return nil, err
		}
		objects = append(objects, parsed...)
	}
	for _, name := range sortedKeys(rendered) {
		if base := path.Base(name); base == "NOTES.txt" || strings.HasPrefix(base, "_") {
			continue
		}
		parsed, err := r.parseManifests(name+" with "+values, rendered[name])
		if err != nil {
			return nil, err
		}
		objects = append(objects, parsed...)
	}
	return objects, nil
}

// chartYAML are the files of a chart that Helm reads as YAML.
var chartYAML = []string{"Chart.yaml", "values.yaml", "requirements.yaml", "Chart.lock", "requirements.lock"}

// chart loads a chart from the repository's files. It is loaded anew each
// time: processing dependencies changes it.
func (r *Renderer) chart(dir string) (*chart.Chart, error) {
	var files []*loader.BufferedFile
	total := 0
	ignored, err := ignore.Parse(bytes.NewReader(r.files[path.Join(dir, ignore.HelmIgnore)]))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path.Join(dir, ignore.HelmIgnore), err)
	}
	ignored.AddDefaults()
	for _, name := range sortedKeys(r.files) {
		inside, ok := strings.CutPrefix(name, dir+"/")
		if !ok || leavesOut(ignored, inside) {
			continue
		}
		data, _ := r.fs.get(name)
		if slices.Contains(chartYAML, path.Base(name)) {
			if err := limit.YAML(name, data); err != nil {
				return nil, err
			}
		}
		if total += len(data); total > maxLoadBytes {
			return nil, outcome.Usagef("%s: the chart has more than %d MiB: take out what no template needs", dir, maxLoadBytes>>20)
		}
		files = append(files, &loader.BufferedFile{Name: inside, Data: data})
	}
	if len(files) == 0 {
		return nil, outcome.Usagef("%s: no chart there; set the application's helm.chart in waybill.yaml", dir)
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("load chart %s: %w", dir, err)
	}
	if err := localSchemas(dir, c); err != nil {
		return nil, err
	}
	for _, d := range c.Metadata.Dependencies {
		if !slices.ContainsFunc(c.Dependencies(), func(sub *chart.Chart) bool { return sub.Name() == d.Name }) {
			return nil, fmt.Errorf(
				"load chart %s: its dependency %s is not in %s/charts: only what is committed is rendered; run helm dependency "+
					"build and commit the result",
				dir, d.Name, dir,
			)
		}
	}
	return c, nil
}

// leavesOut reports whether Helm ignores a file of a chart, or a directory above
// it, as its .helmignore says.
func leavesOut(rules *ignore.Rules, file string) bool {
	for at, dir := file, false; at != "."; at, dir = path.Dir(at), true {
		if rules.Ignore(at, entry{dir: dir}) {
			return true
		}
	}
	return false
}

// entry is as much of a file as Helm's rules ask for.
type entry struct {
	fs.FileInfo
	dir bool
}

func (e entry) IsDir() bool { return e.dir }

// below are the texts of a directory.
func (r *Renderer) below(dir string) []string {
	var texts []string
	for name, data := range r.files {
		if strings.HasPrefix(name, dir+"/") {
			texts = append(texts, string(data))
		}
	}
	return texts
}
