package overlay

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// applications searches the sources of Argo CD Applications and ApplicationSets.
type applications struct {
	file  string
	t     Target
	found []string // images of others
	texts []string // fields that name the image in a text of several lines
	line  int      // of the first of them
	located
}

// findApplications looks through the sources of Argo CD Applications, and of the
// templates of an ApplicationSet: the image lists of Kustomize sources
// ([NAME=]IMAGE@DIGEST), and the parameters and values of Helm sources. What stands
// beside them in the file is a plain manifest.
// https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml
func findApplications(file string, documents []*yaml.Node, t Target) located {
	a := applications{file: file, t: t}
	for _, document := range documents {
		if !application(document) {
			a.found = append(a.found, a.manifest(document, t)...)
			continue
		}
		spec := get(document, "spec")
		if value(get(document, "kind")) == "Application" {
			a.spec(spec)
			continue
		}
		a.spec(get(get(spec, "template"), "spec"))
		a.generators(get(spec, "generators"))
		if patch := get(spec, "templatePatch"); a.names(patch) {
			a.refuse(patch, "spec.templatePatch is one text, which names the image and is not changed: write that part into spec.template")
		}
	}
	a.missing = missing(file, nil, "spec.source.kustomize.images, spec.source.helm.parameters or spec.source.helm.valuesObject", t, a.found)
	if len(a.slots) == 0 && len(a.texts) > 0 {
		a.missing = outcome.Usagef("%s:%d: %s is one text, which names the image and is not changed: write it as valuesObject",
			file, a.line, a.texts[0])
	}
	return a.located
}

// application reports whether an object is an Application or an ApplicationSet.
func application(document *yaml.Node) bool {
	kind := value(get(document, "kind"))
	return strings.HasPrefix(value(get(document, "apiVersion")), "argoproj.io/") && (kind == "Application" || kind == "ApplicationSet")
}

// generators searches the templates that generators have of their own, which Argo CD
// prefers to the common one. https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/Template/
func (a *applications) generators(n *yaml.Node) {
	switch n = resolve(n); {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		for _, e := range n.Content {
			a.generators(e)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "template" {
				a.spec(get(n.Content[i+1], "spec"))
				continue
			}
			a.generators(n.Content[i+1])
		}
	}
}

// spec searches what an Application deploys.
func (a *applications) spec(spec *yaml.Node) {
	for _, source := range append(slices.Clone(items(get(spec, "sources"))), get(spec, "source")) {
		for _, image := range items(get(get(source, "kustomize"), "images")) {
			image = resolve(image)
			text, prefix := image.Value, ""
			if before, after, ok := strings.Cut(text, "="); ok {
				prefix, text = before+"=", after
			}
			if SameRepository(repositoryOf(text), a.t.Image) {
				a.add(slot{whole: image, prefix: prefix})
			} else {
				a.found = append(a.found, repositoryOf(text))
			}
		}
		helm := get(source, "helm")
		a.parameters(get(helm, "parameters"))
		a.handed(a.file, "helm.valuesObject", get(helm, "valuesObject"), a.t)
		if text := get(helm, "values"); a.names(text) {
			a.texts, a.line = append(a.texts, "helm.values"), text.Line
		}
	}
}

// names reports whether a text of several lines names the image.
func (a *applications) names(text *yaml.Node) bool {
	return strings.Contains(value(text), a.t.Image.Name())
}

// refuse says why nothing can be written, once.
func (a *applications) refuse(at *yaml.Node, why string) {
	if a.refused == nil {
		a.refused = outcome.Usagef("%s:%d: %s", a.file, at.Line, why)
	}
}

// parameters searches Helm parameters: those whose repository is the image's, or the one
// that is named by waybill.yaml, which may leave the repository to the chart.
func (a *applications) parameters(parameters *yaml.Node) {
	by := make(map[string]*yaml.Node)
	names := []string{a.t.values()}
	for _, p := range items(parameters) {
		name := value(get(p, "name"))
		if at, is := strings.CutSuffix(name, ".repository"); is && !slices.Contains(names, at) {
			names = append(names, at)
		}
		by[name] = get(p, "value")
	}
	for _, at := range names {
		repository, digest, tag := by[at+".repository"], by[at+".digest"], by[at+".tag"]
		switch own := repository != nil && SameRepository(value(repository), a.t.Image); {
		case at == "" || repository != nil && !own || repository == nil && at != a.t.values():
			// a parameter without repository does not say of which image it is
		case digest != nil:
			a.add(slot{digest: digest})
		case tag != nil && strings.Contains(value(tag), "@sha256:"):
			a.add(slot{digest: tag, tagged: true})
		case own:
			a.refuse(repository, "helm.parameters name the image without a digest, and what the chart takes is not known here: add a parameter "+
				at+`.digest once, or make `+at+".tag TAG@sha256:… if the chart knows tags alone")
		}
	}
}
