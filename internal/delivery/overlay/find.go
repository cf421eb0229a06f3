package overlay

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/limit"
	"github.com/waybill-dev/waybill/internal/outcome"
)

func find(file string, form Form, data []byte, t Target) (slot, error) {
	documents, err := parse(file, data)
	if err != nil {
		return slot{}, err
	}
	if (form == Kustomize || form == Helm) && len(documents) != 1 {
		return slot{}, outcome.Usagef("%s: %d YAML documents in one file; want one", file, len(documents))
	}
	switch form {
	case Kustomize:
		return findKustomize(file, get(documents[0], "images"), "images", t)
	case Helm:
		return findHelm(file, documents[0], t)
	case Application:
		return findApplication(file, documents, t)
	default:
		return findManifest(file, documents, t)
	}
}

func parse(file string, data []byte) ([]*yaml.Node, error) {
	read, err := limit.Documents(file, data)
	if err != nil {
		return nil, err
	}
	var documents []*yaml.Node
	for _, document := range read {
		if len(document.Content) == 1 {
			documents = append(documents, document.Content[0])
		}
	}
	if len(documents) == 0 {
		return nil, outcome.Usagef("%s: the file is empty", file)
	}
	return documents, nil
}

// findKustomize looks through the entries of `images:`.
// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/
func findKustomize(file string, images *yaml.Node, key string, t Target) (slot, error) {
	var found []string
	for _, entry := range items(images) {
		name, newName := get(entry, "name"), get(entry, "newName")
		means := name
		if newName != nil {
			means = newName
		}
		if means == nil {
			continue
		}
		if !sameRepository(means.Value, t) {
			found = append(found, means.Value)
			continue
		}
		s := slot{digest: get(entry, "digest"), after: means, key: keyOf(entry, means), flow: entry.Style&yaml.FlowStyle != 0}
		if s.digest == nil {
			s.tag = get(entry, "newTag")
			s.tagKey = keyOf(entry, s.tag)
		}
		return s, nil
	}
	return slot{}, missing(file, images, key, t, found)
}

func missing(file string, at *yaml.Node, key string, t Target, found []string) error {
	line := 1
	if at != nil {
		line = at.Line
	}
	there := "nothing"
	if len(found) > 0 {
		there = strings.Join(found, ", ")
	}
	return outcome.Usagef("%s:%d: no image %q under %s:\nfound: %s. Add an entry, or correct the application's image or overlay in waybill.yaml", file, line, t.Image.Name(), key, there)
}

// findHelm looks for the mapping with repository and digest.
func findHelm(file string, root *yaml.Node, t Target) (slot, error) {
	at := t.Values
	if at == "" {
		at = "image"
	}
	node := root
	for step := range strings.SplitSeq(at, ".") {
		if node = get(node, step); node == nil {
			return slot{}, outcome.Usagef("%s:1: no %q in the values: want a mapping with repository and digest there, or set the application's helm.image in waybill.yaml", file, at)
		}
	}
	node = resolve(node)
	digest, repository := get(node, "digest"), get(node, "repository")
	if repository != nil && !sameRepository(repository.Value, t) {
		return slot{}, missing(file, repository, at+".repository", t, []string{repository.Value})
	}
	switch {
	case digest != nil:
		return slot{digest: digest}, nil
	case repository != nil:
		return slot{after: repository, key: keyOf(node, repository), flow: node.Style&yaml.FlowStyle != 0}, nil
	}
	return slot{}, outcome.Usagef("%s:%d: %s has neither repository nor digest: write digest: \"\" there once", file, node.Line, at)
}

// findApplication looks through the sources of an Argo CD Application: the
// image lists of Kustomize sources ([NAME=]IMAGE@DIGEST) and the parameters of
// Helm sources.
// https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml
func findApplication(file string, documents []*yaml.Node, t Target) (slot, error) {
	var found []string
	for _, document := range documents {
		if !strings.HasPrefix(value(get(document, "apiVersion")), "argoproj.io/") {
			continue
		}
		spec := get(document, "spec")
		sources := append(items(get(spec, "sources")), get(spec, "source"))
		for _, source := range sources {
			for _, image := range items(get(get(source, "kustomize"), "images")) {
				text, prefix := image.Value, ""
				if before, after, ok := strings.Cut(text, "="); ok {
					prefix, text = before+"=", after
				}
				if sameRepository(repositoryOf(text), t) {
					return slot{whole: image, prefix: prefix}, nil
				}
				found = append(found, repositoryOf(text))
			}
			if s, ok := findParameters(get(get(source, "helm"), "parameters"), t); ok {
				return s, nil
			}
		}
	}
	return slot{}, missing(file, nil, "spec.source.kustomize.images or spec.source.helm.parameters", t, found)
}

func findParameters(parameters *yaml.Node, t Target) (slot, bool) {
	at := t.Values
	if at == "" {
		at = "image"
	}
	var digest *yaml.Node
	repositoryFits := true
	for _, p := range items(parameters) {
		switch value(get(p, "name")) {
		case at + ".digest":
			digest = get(p, "value")
		case at + ".repository":
			repositoryFits = sameRepository(value(get(p, "value")), t)
		}
	}
	return slot{digest: digest}, digest != nil && repositoryFits
}

// findManifest looks for the image in the containers of plain manifests. The
// image must stand there once, so that one scalar is enough.
func findManifest(file string, documents []*yaml.Node, t Target) (slot, error) {
	var hits []*yaml.Node
	var found []string
	for _, document := range documents {
		for _, image := range containerImages(document) {
			if sameRepository(repositoryOf(image.Value), t) {
				hits = append(hits, image)
			} else {
				found = append(found, repositoryOf(image.Value))
			}
		}
	}
	switch len(hits) {
	case 1:
		return slot{whole: hits[0]}, nil
	case 0:
		return slot{}, missing(file, nil, "containers", t, found)
	}
	return slot{}, outcome.Usagef("%s:%d: image %q stands there %d times; name it once in a kustomization's images instead", file, hits[1].Line, t.Image.Name(), len(hits))
}

func containerImages(n *yaml.Node) []*yaml.Node {
	var images []*yaml.Node
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch n.Content[i].Value {
			case "containers", "initContainers", "ephemeralContainers":
				for _, container := range items(n.Content[i+1]) {
					if image := get(container, "image"); image != nil {
						images = append(images, image)
					}
				}
			}
		}
	}
	for _, c := range n.Content {
		images = append(images, containerImages(c)...)
	}
	return images
}

func isApplication(data []byte) bool {
	documents, err := parse("", data)
	if err != nil {
		return false
	}
	for _, d := range documents {
		if strings.HasPrefix(value(get(d, "apiVersion")), "argoproj.io/") && value(get(d, "kind")) == "Application" {
			return true
		}
	}
	return false
}

// repositoryOf cuts tag and digest off an image.
func repositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		image = image[:colon]
	}
	return image
}

func sameRepository(text string, t Target) bool {
	if text == t.Image.Name() {
		return true
	}
	parsed, err := imageref.ParseRepository(text)
	return err == nil && parsed.Name() == t.Image.Name()
}

// get finds a mapping's value; nil when there is none.
func get(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func keyOf(mapping, v *yaml.Node) *yaml.Node {
	mapping = resolve(mapping)
	for i := 0; v != nil && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i+1] == v {
			return mapping.Content[i]
		}
	}
	return nil
}

func items(n *yaml.Node) []*yaml.Node {
	if n = resolve(n); n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func value(n *yaml.Node) string {
	if n = resolve(n); n == nil {
		return ""
	}
	return n.Value
}

// sameButImage parses both sides and refuses a change of anything but the
// digest: the guard against a slot that was located wrongly.
func sameButImage(file string, form Form, before, after []byte, t Target, ref imageref.Ref) error {
	s, err := find(file, form, after, t)
	if err != nil {
		return fmt.Errorf("%s cannot be changed byte by byte: %w", file, err)
	}
	place, err := s.place(file, form, t)
	if err != nil {
		return fmt.Errorf("%s cannot be changed byte by byte: %w", file, err)
	}
	if place.Ref != ref {
		return fmt.Errorf("%s cannot be changed byte by byte: it names %s afterwards, not %s", file, place.Ref, ref)
	}
	old, err := scalars(file, form, before, t)
	if err != nil {
		return err
	}
	changed, err := scalars(file, form, after, t)
	if err != nil {
		return err
	}
	if old != changed {
		return fmt.Errorf("%s cannot be changed byte by byte: more than the digest would differ; put the image on lines of its own", file)
	}
	return nil
}

// scalars spells out a file's content without the slot's own digest or tag.
func scalars(file string, form Form, data []byte, t Target) (string, error) {
	documents, err := parse(file, data)
	if err != nil {
		return "", err
	}
	own, err := find(file, form, data, t)
	if err != nil {
		return "", err
	}
	skip := map[[2]int]bool{}
	for _, n := range []*yaml.Node{own.whole, own.digest, own.tag} {
		if n != nil {
			skip[[2]int{n.Line, n.Column}] = true
		}
	}
	var out strings.Builder
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.MappingNode {
			out.WriteString("{")
			for i := 0; i+1 < len(n.Content); i += 2 {
				v := n.Content[i+1]
				if skip[[2]int{v.Line, v.Column}] && v.Kind == yaml.ScalarNode {
					continue
				}
				fmt.Fprintf(&out, "%q:", n.Content[i].Value)
				walk(v)
			}
			out.WriteString("}")
			return
		}
		if skip[[2]int{n.Line, n.Column}] && n.Kind == yaml.ScalarNode {
			return
		}
		fmt.Fprintf(&out, "%d %q %q %q[", n.Kind, n.Tag, n.Anchor, n.Value)
		for _, c := range n.Content {
			walk(c)
		}
		out.WriteString("]")
	}
	for _, d := range documents {
		walk(d)
	}
	return out.String(), nil
}
