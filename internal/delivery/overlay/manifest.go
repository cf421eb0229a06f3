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
		if api, kind := value(get(document, "apiVersion")), value(get(document, "kind")); strings.Contains(api, ".toolkit.fluxcd.io/") {
			l.missing = outcome.Usagef("%w. The values and images of Flux's %s are not changed: keep them in a file of values or a kustomization, "+
				"and name that as the overlay", l.missing, kind)
		}
	}
	return l
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
