package deployers

import (
	"bytes"
	"maps"
	"slices"
)

// Chart is a chart of a Helm repository that a deployer names.
type Chart struct{ File, Name, Version string }

// Charts are those that deployers of the head name, in any file.
func (c *Change) Charts() (found []Chart) {
	for _, file := range slices.Sorted(maps.Keys(c.Head)) {
		data := c.Head[file]
		if !IsManifest(file) || !bytes.Contains(data, []byte("chart")) || !mentionsDeployer(string(data)) {
			continue
		}
		for _, o := range Manifests(file, data) {
			if deploys(o) {
				eachChart(o.Content, func(name, version string) { found = append(found, Chart{file, name, version}) })
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
