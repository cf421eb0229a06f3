package check

import (
	"context"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/admission"
	"github.com/waybill-dev/waybill/internal/delivery/render"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/limit"
)

// values is the kind that stands for a document that is no manifest: values of a
// chart, most of the time.
const values = "values"

// documentsOf reads the documents of a file, and what deployers hold as text. An
// error says that something of it cannot be read, although a cluster may.
func documentsOf(file string, data []byte) ([]render.Object, error) {
	objects, err := documents(file, data)
	return opened(objects), err
}

// documents reads the documents of a file, plain manifests and others.
func documents(file string, data []byte) ([]render.Object, error) {
	parts, err := render.Split(file, string(data))
	if err != nil {
		return nil, err
	}
	var all []render.Object
	for _, document := range parts {
		objects, err := render.New(map[string][]byte{file: []byte(document)}).Manifests(file)
		if err != nil {
			var content any
			if err := limit.YAML(file, []byte(document)); err != nil {
				return nil, err
			}
			if err := yaml.Unmarshal([]byte(document), &content); err != nil {
				return nil, err
			}
			objects = []render.Object{{Kind: values, Content: map[string]any{values: content}}}
		}
		all = append(all, objects...)
	}
	return all, nil
}

// unjudged reports what a changed file brings into a cluster that nobody can judge
// here, because no place renders it.
func (s *session) unjudged(file string) {
	shown := render.Visible(file)
	if s.chartAbove(file) != "" {
		return // freeCharts judges it
	}
	data, there := s.head.Files[file]
	switch ext := path.Ext(file); {
	case slices.Contains(choosing, path.Base(file)):
		s.weaker(file, 0, shown+" changes what files a deployer gets from git")
	case s.head.Large[file] != "" && isManifest(file):
		s.weaker(file, 0, shown+" is too large to be read, so nothing of it is judged")
	case there && (ext == ".jsonnet" || ext == ".libsonnet"):
		s.weaker(file, 0, shown+" is Jsonnet, of which nothing is judged")
	case there && isManifest(file) && ext != "" && !render.IsKustomization(file): // that says itself that it does not render
		if _, err := documentsOf(file, data); err != nil && !s.broken(file) {
			s.weaker(file, 0, shown+" cannot be read, so nothing of it is judged")
		}
	}
	if path.Base(file) == "fleet.yaml" {
		s.weaker(file, 0, shown+" overrides what Fleet deploys, and changes")
	}
	if s.base != nil { // else there is nothing to take away
		s.programmed(file)
		s.chosenBy(file)
	}
}

// choosing are files that choose which files a deployer gets.
// https://fluxcd.io/flux/components/source/gitrepositories/#sourceignore-file
// https://fleet.rancher.io/ref-fleet-yaml
var choosing = []string{".gitattributes", ".gitmodules", ".sourceignore", ".fleetignore"}

// programmed reports a file of any kind that a program makes manifests of: Jsonnet that
// imports it, or a plugin that an Application has for its directory.
func (s *session) programmed(file string) {
	if s.imports()[path.Base(file)] {
		s.weaker(file, 0, render.Visible(file+" changes, which Jsonnet may read"))
	}
	for _, o := range s.plainDeployers() {
		for _, source := range sources(o) {
			if _, plugin := source["plugin"]; !plugin {
				continue
			}
			if at := s.pathOf(source); at == "." || strings.HasPrefix(file, at+"/") {
				s.once(file, render.Visible(at+" changes, of which a plugin makes what "+o.String()+" deploys, and nobody judges that"))
			}
		}
	}
}

var imports = regexp.MustCompile(`import(?:str|bin)?\s*@?["']([^"'\n]+)["']`)

// imports are the names of the files that Jsonnet of either side imports.
func (s *session) imports() map[string]bool {
	if s.imported == nil {
		s.imported = make(map[string]bool)
		for _, files := range []map[string][]byte{s.was, s.head.Files} {
			for file, data := range files {
				if ext := path.Ext(file); ext == ".jsonnet" || ext == ".libsonnet" {
					for _, found := range imports.FindAllSubmatch(data, -1) {
						s.imported[path.Base(string(found[1]))] = true
					}
				}
			}
		}
	}
	return s.imported
}

// marked reports what a changed file says to those who hand it out or write to it: a
// pointer leads to what git does not hold, and a marker has Flux choose an image.
func (s *session) marked(file string) {
	was, now := string(s.was[file]), string(s.head.Files[file])
	if strings.HasPrefix(now, lfsPointer) && (isManifest(file) || s.headRender.Read(file)) {
		s.weaker(file, 0, render.Visible(file+" is a pointer of Git LFS: nothing of what it leads to is judged"))
	}
	for _, marker := range marker.FindAllString(now, -1) {
		if !strings.Contains(was, marker) {
			s.weaker(file, 0, render.Visible(file+" newly has the marker "+marker+", by which Flux writes images"))
		}
	}
}

// lfsPointer begins a file that Git LFS keeps elsewhere.
// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
const lfsPointer = "version https://git-lfs.github.com/spec/"

// marker is what Flux's image automation looks for.
// https://fluxcd.io/flux/guides/image-update/#configure-image-update-for-custom-resources
var marker = regexp.MustCompile(`\{"\$imagepolicy":[^}\n]*\}`)

// broken reports a file that something deploys and that is no YAML: its deployment
// fails. It returns whether the file is such a one.
func (s *session) broken(file string) bool {
	_, err := limit.Documents(file, s.head.Files[file])
	if err == nil || limit.TooMuch(err) || !s.deployed(file) {
		return false
	}
	if _, before := limit.Documents(file, s.was[file]); !same(before, err) {
		s.add(Finding{File: file, Rule: RuleRender, State: evidence.Refused,
			Message: render.Visible("something deploys this file, and it cannot be read: " + err.Error())})
	}
	return true
}

// deployed reports whether a file lies where deployers look: below platform/ or
// clusters/, beside a kustomization, or in a directory that a deployer names.
func (s *session) deployed(file string) bool {
	dir := path.Dir(file)
	return admission.Reads(file) || kustomizationOf(s.head.Files, dir) != "" ||
		slices.ContainsFunc(s.plainDeployers(), func(o render.Object) bool {
			return slices.ContainsFunc(sources(o), func(source map[string]any) bool {
				at := s.pathOf(source)
				return at != "" && strings.HasPrefix(file, at+"/") || slices.Contains(s.valueFiles(source), file)
			})
		})
}

// once reports protection that goes with a directory, for all of its files.
func (s *session) once(dir, change string) {
	if !s.said[change] {
		s.said[change] = true
		s.weaker(dir, 0, change)
	}
}

// chartAbove is the directory of the chart that a file is part of; empty where it
// is of none.
func (s *session) chartAbove(file string) string {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		for _, files := range []map[string][]byte{s.was, s.head.Files} {
			if files[path.Join(dir, "Chart.yaml")] != nil {
				return dir
			}
		}
	}
	return ""
}

// chooser is a deployer that makes what it deploys from files beside manifests.
type chooser struct {
	render.Object
	texts  []string
	charts []string // directories of the repository
}

// choosers are those of the base, found once.
func (s *session) choosers() []chooser {
	s.chooseOnce.Do(func() {
		named := make(map[string]bool)
		each(s.cfg, func(app config.App, env config.Environment) { named[app.Helm(env.Name).Chart] = true })
		for _, o := range s.plainDeployers() {
			c := chooser{Object: o}
			eachText(o.Content, func(text string) {
				c.texts = append(c.texts, text)
				at := s.fromTop(text)
				if file := path.Join(at, "Chart.yaml"); named[at] || s.was[file] != nil || s.head.Files[file] != nil {
					c.charts = append(c.charts, at)
				}
			})
			if len(c.charts) > 0 || o.Kind == "ApplicationSet" {
				s.choose = append(s.choose, c)
			}
		}
	})
	return s.choose
}

// chosenBy reports a file that a deployer reads beside manifests: values, or a
// parameter, of a chart of this repository that waybill.yaml does not name, or what an
// ApplicationSet generates from.
func (s *session) chosenBy(file string) {
	for _, o := range s.choosers() {
		reads := o.Kind == "ApplicationSet" && s.generatesFrom(o.Object, o.texts, path.Join(s.head.Dir, file))
		for _, chart := range o.charts {
			reads = reads || slices.ContainsFunc(o.texts, func(text string) bool {
				return s.names(s.fromTop(text), file) || s.names(path.Join(chart, text), file)
			})
		}
		if reads {
			s.weaker(file, 0, render.Visible(file+" changes, from which "+o.String()+" makes what it deploys, and no place has it"))
		}
	}
}

// generatesFrom reports whether an ApplicationSet makes Applications of a file that
// changed, by its path from the top of the repository. Of the directories that it
// generates from, only those that come or go count: what lies in the others is judged as
// it stands, unless a plugin makes something of it.
func (s *session) generatesFrom(o render.Object, texts []string, file string) bool {
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
			if matches(text, dir) && s.isDir(s.was, dir) != s.isDir(s.head.Files, dir) {
				return true
			}
		}
		return false
	})
}

// isDir reports whether there are files below a directory, by its path from the top of the
// repository.
func (s *session) isDir(files map[string][]byte, dir string) bool {
	for file := range files {
		if strings.HasPrefix(path.Join(s.head.Dir, file), dir+"/") {
			return true
		}
	}
	return false
}

// fromTop is a path as Argo CD reads one that begins at the top of a repository: with
// a slash, or with the name of a source.
// https://argo-cd.readthedocs.io/en/stable/user-guide/multiple_sources/
func (s *session) fromTop(text string) string {
	if name, rest, ok := strings.Cut(text, "/"); ok && strings.HasPrefix(name, "$") {
		text = rest
	}
	return s.below(path.Clean(strings.TrimPrefix(text, "/")))
}

// mayBePath tells a path, or a glob of paths, from other words.
func mayBePath(text string) bool {
	return strings.Contains(text, "/") || strings.Contains(text, ".") || !strings.ContainsAny(text, "*?[{")
}

// names reports whether a path is that of the file, or would be, with another
// word for one directory that is not there: a kustomization may replace that.
func (s *session) names(at, file string) bool {
	if at == file {
		return true
	}
	a, b := strings.Split(at, "/"), strings.Split(file, "/")
	if len(a) != len(b) || s.head.Files[at] != nil || s.was[at] != nil {
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

// plainDeployers are the deployers of the base's plain manifests, read once; the
// head's without a base.
func (s *session) plainDeployers() []render.Object {
	s.plainOnce.Do(func() {
		files := s.was
		if s.base == nil {
			files = s.head.Files
		}
		s.read = make(map[string]bool)
		for file, data := range files {
			if mentionsDeployer(string(data)) { // a kustomization can take it from any file
				for _, o := range manifestsOf(file, data) {
					if deploys(o) {
						s.plain = append(s.plain, o)
						valuesOf(s.read, o.Content, "")
					}
				}
			}
		}
	})
	return s.plain
}

// withoutKustomization reports directories that have no kustomization any more:
// what is left there is deployed as it stands, and the rest goes.
func (s *session) withoutKustomization(ctx context.Context, file string) error {
	dir := path.Dir(file)
	if !render.IsKustomization(file) || s.was[file] == nil || kustomizationOf(s.head.Files, dir) != "" || s.isOverlay(dir) {
		return nil
	}
	before, err := s.outerOnce(ctx, s.baseRender, dir)
	if troubled(ctx, err) {
		return err
	}
	if err == nil {
		at := Finding{File: file, Env: s.environmentOf(dir)}
		s.compare(comparison{file: file, where: dir, env: at.Env, before: before})
		if err := s.checklist(ctx, at, before, nil); err != nil {
			return err
		}
	}
	for other := range s.head.Files {
		if path.Dir(other) == dir && isManifest(other) {
			s.once(file, render.Visible(file+" goes, and what is left in "+dir+" is deployed as it stands"))
		}
	}
	return nil
}
