package deployers

import (
	"path"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/internal/delivery/render"
)

// Deployers are the deployers of the base's plain manifests, read once; the
// head's without a base.
func (c *Change) Deployers() []render.Object {
	c.plainOnce.Do(func() {
		files := c.Base
		if files == nil {
			files = c.Head
		}
		c.read = make(map[string]bool)
		for file, data := range files {
			if mentionsDeployer(string(data)) { // a kustomization can take it from any file
				for _, o := range Manifests(file, data) {
					if deploys(o) {
						c.plain = append(c.plain, o)
						valuesOf(c.read, o.Content, "")
					}
				}
			}
		}
	})
	return c.plain
}

// chooser is a deployer that makes what it deploys from files beside manifests.
type chooser struct {
	render.Object
	texts  []string
	charts []string // directories of the repository
}

// choosers are those of the base, found once.
func (c *Change) choosers() []chooser {
	c.chooseOnce.Do(func() {
		named := make(map[string]bool)
		for _, p := range c.Places {
			named[p.App.Helm(p.Env).Chart] = true
		}
		for _, o := range c.Deployers() {
			one := chooser{Object: o}
			eachText(o.Content, func(text string) {
				one.texts = append(one.texts, text)
				at := c.fromTop(text)
				if file := path.Join(at, "Chart.yaml"); named[at] || c.Base[file] != nil || c.Head[file] != nil {
					one.charts = append(one.charts, at)
				}
			})
			if len(one.charts) > 0 || o.Kind == "ApplicationSet" {
				c.choose = append(c.choose, one)
			}
		}
	})
	return c.choose
}

// ChosenBy finds the deployers that read a file beside manifests: values, or a
// parameter, of a chart of this repository that waybill.yaml does not name, or what an
// ApplicationSet generates from.
func (c *Change) ChosenBy(file string) (found []render.Object) {
	for _, o := range c.choosers() {
		reads := o.Kind == "ApplicationSet" && c.generatesFrom(o.Object, o.texts, path.Join(c.Dir, file))
		for _, chart := range o.charts {
			reads = reads || slices.ContainsFunc(o.texts, func(text string) bool {
				return c.names(c.fromTop(text), file) || c.names(path.Join(chart, text), file)
			})
		}
		if reads {
			found = append(found, o.Object)
		}
	}
	return found
}

// generatesFrom reports whether an ApplicationSet makes Applications of a file that
// changed, by its path from the top of the repository. Of the directories that it
// generates from, only those that come or go count: what lies in the others is judged as
// it stands, unless a plugin makes something of it.
func (c *Change) generatesFrom(o render.Object, texts []string, file string) bool {
	spec, _ := o.Content["spec"].(map[string]any)
	var directories []string
	if !hasKey(spec, "plugin") {
		eachOf("directories", spec, func(text string) { directories = append(directories, text) })
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		if !mayBePath(text) {
			return false
		}
		if !slices.Contains(directories, text) {
			return matches(text, file)
		}
		for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
			if matches(text, dir) && c.isDir(c.Base, dir) != c.isDir(c.Head, dir) {
				return true
			}
		}
		return false
	})
}

// isDir reports whether there are files below a directory, by its path from the top of the
// repository.
func (c *Change) isDir(files map[string][]byte, dir string) bool {
	for file := range files {
		if strings.HasPrefix(path.Join(c.Dir, file), dir+"/") {
			return true
		}
	}
	return false
}

// fromTop is a path as Argo CD reads one that begins at the top of a repository: with
// a slash, or with the name of a source.
// https://argo-cd.readthedocs.io/en/stable/user-guide/multiple_sources/
func (c *Change) fromTop(text string) string {
	if name, rest, ok := strings.Cut(text, "/"); ok && strings.HasPrefix(name, "$") {
		text = rest
	}
	return c.below(path.Clean(strings.TrimPrefix(text, "/")))
}

// mayBePath tells a path, or a glob of paths, from other words.
func mayBePath(text string) bool {
	return strings.Contains(text, "/") || strings.Contains(text, ".") || !strings.ContainsAny(text, "*?[{")
}

// names reports whether a path is that of the file, or would be, with another
// word for one directory that is not there: a kustomization may replace that.
func (c *Change) names(at, file string) bool {
	if at == file {
		return true
	}
	a, b := strings.Split(at, "/"), strings.Split(file, "/")
	if len(a) != len(b) || c.Head[at] != nil || c.Base[at] != nil {
		return false
	}
	differ := 0
	for i := range a {
		if a[i] != b[i] {
			differ++
		}
	}
	return differ == 1 && a[len(a)-1] == b[len(b)-1]
}

// matches reports whether a glob may name the file: it begins and ends as the
// glob does around its wildcards.
func matches(glob, file string) bool {
	first, last := strings.IndexAny(glob, "*?[{"), strings.LastIndexAny(glob, "*?]}")
	if first < 0 || last < first {
		return path.Clean(glob) == file
	}
	return strings.HasPrefix(file, glob[:first]) && strings.HasSuffix(file, glob[last+1:])
}

// eachOf calls f for every text within the values of a key.
func eachOf(key string, v any, f func(string)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			eachOf(key, e, f)
		}
	case map[string]any:
		for k, e := range v {
			if k == key {
				eachText(e, f)
			}
			eachOf(key, e, f)
		}
	}
}

func eachText(v any, f func(string)) {
	switch v := v.(type) {
	case string:
		f(v)
	case []any:
		for _, e := range v {
			eachText(e, f)
		}
	case map[string]any:
		for _, e := range v {
			eachText(e, f)
		}
	}
}
