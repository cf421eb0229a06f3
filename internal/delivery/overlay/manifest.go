package overlay

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// findManifests looks for the image in plain manifests: every field that is
// called image or ends in Image and names the repository.
func findManifests(file string, documents []*yaml.Node, t Target) (l located) {
	var found []string
	for _, document := range documents {
		found = append(found, l.manifest(document, t)...)
	}
	l.missing = missing(file, nil, "containers", t, found)
	for _, document := range documents {
		if flux(document, "Kustomization", fluxKustomize) {
			l.missing = outcome.Usagef("%w. The images of Flux's Kustomization are not changed: name the kustomization that it deploys as the "+
				"overlay", l.missing)
		}
	}
	for _, document := range documents {
		l.release(file, document, t)
	}
	return l
}

const (
	fluxKustomize = "kustomize.toolkit.fluxcd.io/"
	fluxHelm      = "helm.toolkit.fluxcd.io/"
)

// flux reports whether an object is of a kind of Flux's.
func flux(document *yaml.Node, kind, group string) bool {
	return value(get(document, "kind")) == kind && strings.HasPrefix(value(get(document, "apiVersion")), group)
}

// release adds the places of the values of Flux's HelmRelease.
// https://fluxcd.io/flux/components/helm/helmreleases/#inline-values
func (l *located) release(file string, document *yaml.Node, t Target) {
	if !flux(document, "HelmRelease", fluxHelm) {
		return
	}
	l.handed(file, "spec.values", get(get(document, "spec"), "values"), t)
}

// handed adds the places of values that a deployer hands to a chart that is not known here.
func (l *located) handed(file, field string, root *yaml.Node, t Target) {
	for _, s := range (values{t: t}).all(root) {
		if l.add(s); s.whole == nil && s.digest == nil && l.refused == nil {
			l.refused = outcome.Usagef(`%s:%d: %s names the image without a digest, and what the chart takes is not known here: write `+
				`digest: "" beside it once, or tag: TAG@sha256:… if the chart knows tags alone`, file, s.at().Line, field)
		}
	}
}

// manifest adds the places of one object, and lists the images of others.
func (l *located) manifest(document *yaml.Node, t Target) (others []string) {
	for _, image := range images(document) {
		if SameRepository(repositoryOf(value(image)), t.Image) {
			l.add(slot{whole: resolve(image)}) // where it is written, if this is an alias
		} else {
			others = append(others, repositoryOf(value(image)))
		}
	}
	return others
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
		if text := value(c); scalar(c) && (byName && text != "" || pinned.MatchString(text)) {
			list = append(list, c)
		}
		list = append(list, images(c)...)
	}
	return list
}
