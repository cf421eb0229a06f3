package deployers

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// Plugin is a plugin by which an Application makes manifests of a directory.
type Plugin struct {
	Application render.Object
	Dir         string
}

// Plugins are those that read a file, whatever its kind.
func (c *Change) Plugins(file string) (found []Plugin) {
	for _, o := range c.Deployers() {
		for _, source := range sources(o) {
			if _, plugin := source["plugin"]; !plugin {
				continue
			}
			if at := c.pathOf(source); at == "." || strings.HasPrefix(file, at+"/") {
				found = append(found, Plugin{o, at})
			}
		}
	}
	return found
}

var imports = regexp.MustCompile(`import(?:str|bin)?\s*@?["']([^"'\n]+)["']`)

// Imports reports whether Jsonnet of either side imports a file of that name.
func (c *Change) Imports(name string) bool {
	if c.imported == nil {
		c.imported = make(map[string]bool)
		for _, files := range []map[string][]byte{c.Base, c.Head} {
			for file, data := range files {
				if ext := path.Ext(file); ext == ".jsonnet" || ext == ".libsonnet" {
					for _, found := range imports.FindAllSubmatch(data, -1) {
						c.imported[path.Base(string(found[1]))] = true
					}
				}
			}
		}
	}
	return c.imported[name]
}

// Reads reports whether a file lies in a directory that a deployer of the base names, or is
// among the values that it names.
func (c *Change) Reads(file string) bool {
	return slices.ContainsFunc(c.Deployers(), func(o render.Object) bool {
		return slices.ContainsFunc(sources(o), func(source map[string]any) bool {
			at := c.pathOf(source)
			return at != "" && strings.HasPrefix(file, at+"/") || slices.Contains(c.valueFiles(source), file)
		})
	})
}
