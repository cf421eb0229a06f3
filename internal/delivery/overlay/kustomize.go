package overlay

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// findKustomize looks through the entries of `images:`. Where none is the
// application's, one can be inserted: Kustomize sets images after it has
// applied patches and components, so an entry reaches every image of the
// overlay, wherever it comes from.
// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/
func findKustomize(file string, root *yaml.Node, t Target) (l located) {
	key, images := entry(root, "images")
	var found []string
	for _, image := range items(images) {
		name, newName := get(image, "name"), get(image, "newName")
		means := name
		if newName != nil {
			means = newName
		}
		if means == nil {
			continue
		}
		if !SameRepository(value(means), t.Image) {
			found = append(found, value(means))
			continue
		}
		s := slot{after: means, key: keyOf(image, means), flow: flow(image)}
		s.digest = get(image, "digest")
		s.tagKey, s.tag = entry(image, "newTag")
		l.add(s)
	}
	l.missing = missing(file, images, "images", t, found)
	l.insert = &insertion{root: root, key: key, list: images}
	return l
}

func keyOf(mapping, v *yaml.Node) *yaml.Node {
	mapping = resolve(mapping)
	for i := 0; v != nil && i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i+1] == v {
			return mapping.Content[i]
		}
	}
	for _, merged := range merges(mapping) {
		if key := keyOf(merged, v); key != nil {
			return key
		}
	}
	return nil
}

// lastLine is the line on which a node ends; 0 where a text of several lines
// hides it.
func lastLine(n *yaml.Node) int {
	line := n.Line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.Contains(n.Value, "\n") {
		return 0
	}
	if n.Kind != yaml.ScalarNode && flow(n) && len(n.Content) > 0 {
		if end := lastLine(n.Content[len(n.Content)-1]); end != line {
			return 0
		}
		return line
	}
	for _, c := range n.Content {
		end := lastLine(c)
		if end == 0 {
			return 0
		}
		line = max(line, end)
	}
	return line
}
