package overlay

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// findManifests looks for the image in plain manifests: every field that is
// called image or ends in Image and names the repository.
func findManifests(file string, documents []*yaml.Node, t Target) (l located) {
	var found []string
	for _, document := range documents {
		for _, image := range images(document) {
			if SameRepository(repositoryOf(image.Value), t.Image) {
				l.slots = append(l.slots, slot{whole: image})
			} else {
				found = append(found, repositoryOf(image.Value))
			}
		}
	}
	l.missing = missing(file, nil, "containers", t, found)
	return l
}

// pinned is a text that is an image by digest, whatever its field is called: custom
// resources have fields of their own.
var pinned = regexp.MustCompile(`^[^\s@]+@sha256:[0-9a-f]{64}$`)

// images are the values that are images by the name of their field, or by what they are.
func images(n *yaml.Node) []*yaml.Node {
	var list []*yaml.Node
	for i, c := range n.Content {
		key := ""
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue // a key
			}
			key = n.Content[i-1].Value
		}
		byName := key == "image" || strings.HasSuffix(key, "Image")
		if c.Kind == yaml.ScalarNode && (byName && c.Value != "" || pinned.MatchString(c.Value)) {
			list = append(list, c)
		}
		list = append(list, images(c)...)
	}
	return list
}

// findApplications looks through the sources of Argo CD Applications, and of the
// template of an ApplicationSet: the image lists of Kustomize sources
// ([NAME=]IMAGE@DIGEST), and the parameters and values of Helm sources.
// https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml
func findApplications(file string, documents []*yaml.Node, t Target) (l located) {
	var found []string
	for _, document := range documents {
		if !strings.HasPrefix(value(get(document, "apiVersion")), "argoproj.io/") {
			continue
		}
		spec := get(document, "spec")
		if template := get(get(spec, "template"), "spec"); template != nil {
			spec = template
		}
		for _, source := range append(items(get(spec, "sources")), get(spec, "source")) {
			for _, image := range items(get(get(source, "kustomize"), "images")) {
				text, prefix := image.Value, ""
				if before, after, ok := strings.Cut(text, "="); ok {
					prefix, text = before+"=", after
				}
				if SameRepository(repositoryOf(text), t.Image) {
					l.slots = append(l.slots, slot{whole: image, prefix: prefix})
				} else {
					found = append(found, repositoryOf(text))
				}
			}
			helm := get(source, "helm")
			l.slots = append(l.slots, findParameters(get(helm, "parameters"), t)...)
			l.slots = append(l.slots, values{t: t}.all(get(helm, "valuesObject"))...)
		}
	}
	l.missing = missing(file, nil, "spec.source.kustomize.images, spec.source.helm.parameters or spec.source.helm.valuesObject", t, found)
	return l
}

func findParameters(parameters *yaml.Node, t Target) []slot {
	by := make(map[string]*yaml.Node)
	for _, p := range items(parameters) {
		by[value(get(p, "name"))] = get(p, "value")
	}
	if t.values() == "" {
		return nil // a parameter does not say of which image it is
	}
	repository, digest := by[t.values()+".repository"], by[t.values()+".digest"]
	if digest == nil || repository != nil && !SameRepository(value(repository), t.Image) {
		return nil
	}
	return []slot{{digest: digest}}
}
